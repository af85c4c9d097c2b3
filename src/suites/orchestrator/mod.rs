//! The suite of orchestrators.

pub(crate) mod behavior;
pub(crate) mod faults;
pub(crate) mod gate;
pub(crate) mod reference;
pub mod rules;
pub(crate) mod steps;
pub(crate) mod suite;
pub(crate) mod traced;

pub use suite::OrchestratorSuite;
