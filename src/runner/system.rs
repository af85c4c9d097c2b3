//! What the runner has to know of a manifest's system before it is started.
