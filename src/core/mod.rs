//! What every layer stands on: diagnostics, clocks, words made safe to show.

pub(crate) mod canary;
pub mod clock;
pub(crate) mod diagnostic;
pub(crate) mod sanitise;
pub(crate) mod terminal;

pub use sanitise::sanitise;
