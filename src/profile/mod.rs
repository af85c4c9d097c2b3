//! Agent profiles: when a session becomes observable, what the agent writes, and where the knowledge comes from.

mod phase;

pub use phase::Phase;
