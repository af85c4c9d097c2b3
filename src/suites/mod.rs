//! The suites: each folder is one, with its steps, rules, reference and faults.

pub mod manager;
pub mod orchestrator;
pub mod store;
