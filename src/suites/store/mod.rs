//! The suite of stores of resumable sessions: `resumption`.

pub(crate) mod behavior;
pub(crate) mod control;
pub(crate) mod faults;
pub(crate) mod in_memory;
pub mod reference;
pub(crate) mod served;
pub(crate) mod steps;
pub(crate) mod suite;

pub use suite::StoreSuite;
