//! The suites of session managers: `lifecycle` and `codex-observability`.

pub mod behavior;
pub(crate) mod control;
pub mod faults;
pub(crate) mod in_memory;
pub mod reference;
pub mod rules;
pub(crate) mod served;
pub mod steps;
pub(crate) mod suite;
pub mod variations;

pub use suite::ManagerSuite;
