//! The suite of stores of resumable sessions: `resumption`.

pub mod behavior;
pub mod faults;
pub(crate) mod in_process;
pub mod reference;
pub mod steps;
