//! What every layer stands on: diagnostics, clocks, words made safe to show.

pub mod clock;
pub mod diagnostic;
pub mod sanitise;

pub use sanitise::sanitise;
