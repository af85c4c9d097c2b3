//! The suite of supervisors of agents in containers: `supervision`.

pub(crate) mod behavior;
pub(crate) mod faults;
pub(crate) mod in_memory;
pub(crate) mod real;
pub(crate) mod reference;
pub(crate) mod rules;
pub(crate) mod scene;
pub(crate) mod steps;
pub(crate) mod suite;
pub(crate) mod variations;

pub use suite::SupervisionSuite;
