//! The suites: each folder is one, with its steps, rules, reference and faults. None of them names another.

pub mod manager;
pub mod orchestrator;
pub mod session_files;
pub mod store;
pub mod supervision;
#[cfg(test)]
mod tests;

use crate::engine::Suites;

/// Every suite, in the order reports show them.
pub const SUITES: Suites = &[
    &manager::ManagerSuite,
    &orchestrator::OrchestratorSuite { manager: manager::in_memory::conforming },
    &store::StoreSuite,
    &supervision::SupervisionSuite,
];
