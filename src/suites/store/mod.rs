//! The suite of stores of resumable sessions: `resumption`.

pub mod behavior;
pub(crate) mod control;
pub mod faults;
pub(crate) mod in_memory;
pub mod reference;
pub(crate) mod served;
pub mod steps;
pub(crate) mod suite;

pub use suite::StoreSuite;
