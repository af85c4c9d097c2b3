//! The suites of session managers: `lifecycle` and `codex-observability`.

pub(crate) mod behavior;
pub(crate) mod control;
pub(crate) mod faults;
pub(crate) mod in_memory;
pub mod moments;
pub(crate) mod reference;
pub mod rules;
pub(crate) mod served;
pub(crate) mod steps;
pub(crate) mod suite;
pub(crate) mod traced;
pub(crate) mod variations;

pub use suite::ManagerSuite;
