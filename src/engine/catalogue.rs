//! Every fault and every variation that there is, of whatever suite: what the kill matrix has rows for.

use crate::spec::Party;

use super::fault::{FaultInfo, VariationInfo, no_fault};
use super::suite::{Suite, Suites};

/// A named defect of a suite's reference.
#[derive(Debug, Clone, Copy)]
pub struct Defect {
    /// The suite whose reference can have it.
    pub suite: &'static dyn Suite,
    /// What is said of it.
    pub info: &'static FaultInfo,
}

/// A permitted variation of a suite's reference.
#[derive(Debug, Clone, Copy)]
pub struct Permitted {
    /// The suite whose reference can vary so.
    pub suite: &'static dyn Suite,
    /// What is said of it.
    pub info: &'static VariationInfo,
}

/// Every fault, managers' first.
pub fn faults(suites: Suites) -> Vec<Defect> {
    let mut faults: Vec<Defect> =
        suites.iter().flat_map(|suite| suite.faults().into_iter().map(|info| Defect { suite: *suite, info })).collect();
    faults.sort_by_key(|fault| Party::ALL.iter().position(|party| *party == fault.suite.party()));
    faults
}

/// Every variation.
pub fn variations(suites: Suites) -> Vec<Permitted> {
    suites.iter().flat_map(|suite| suite.variations().into_iter().map(|info| Permitted { suite: *suite, info })).collect()
}

/// The fault of that name.
///
/// # Errors
/// Names the nearest fault.
pub fn fault(suites: Suites, name: &str) -> Result<Defect, String> {
    let all = faults(suites);
    let why = || no_fault("no such fault", name, all.iter().map(|fault| fault.info.name));
    all.iter().find(|fault| fault.info.name == name).copied().ok_or_else(why)
}

/// The variation of that name.
///
/// # Errors
/// Names those that there are.
pub fn variation(suites: Suites, name: &str) -> Result<Permitted, String> {
    let all = variations(suites);
    let names = || all.iter().map(|variation| variation.info.name).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|variation| variation.info.name == name).copied();
    found.ok_or_else(|| format!("no such variation; wanted one of: {}", names()))
}
