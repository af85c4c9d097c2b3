//! The suite of orchestrators.

pub mod behavior;
pub mod faults;
pub mod gate;
pub mod reference;
pub mod rules;
pub mod steps;
pub(crate) mod suite;
pub mod traced;

pub use suite::OrchestratorSuite;
