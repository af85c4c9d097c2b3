//! The suites of session managers: `lifecycle` and `codex-observability`.

pub mod behavior;
pub mod faults;
pub(crate) mod in_process;
pub mod reference;
pub mod rules;
pub mod steps;
pub mod variations;
