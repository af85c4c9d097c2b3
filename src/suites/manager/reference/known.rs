use crate::spec::Party;

use crate::suites::manager::faults::FAULTS;

/// A named defect of a reference, manager's or orchestrator's: what documents show of it.
#[derive(Debug, Clone, Copy)]
pub struct KnownFault {
    /// Whose reference has it.
    pub party: Party,
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub title: &'static str,
    /// The requirements that must fail.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail along with them.
    pub side_effects: &'static [&'static str],
    /// Where it was seen; empty where nobody has reported it yet.
    pub source: &'static str,
}

/// Every fault of every reference, managers' first.
pub fn known_faults() -> impl Iterator<Item = KnownFault> {
    let of_managers = FAULTS.iter().map(|fault| {
        let &super::Fault { name, title, breaks, side_effects, source, .. } = fault;
        KnownFault { party: Party::Manager, name, title, breaks, side_effects, source }
    });
    let of_orchestrators = crate::suites::orchestrator::faults::faults().iter().map(|fault| {
        let &crate::suites::orchestrator::faults::OrchestratorFault { name, title, breaks, side_effects, source, .. } = fault;
        KnownFault { party: Party::Orchestrator, name, title, breaks, side_effects, source }
    });
    of_managers.chain(of_orchestrators)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Registry;

    #[test]
    fn every_fault_breaks_requirements_of_its_own_party() {
        for fault in known_faults() {
            assert!(!fault.breaks.is_empty(), "{} breaks nothing", fault.name);
            for id in fault.breaks.iter().chain(fault.side_effects) {
                let requirement = Registry::embedded().get(&id.parse().unwrap());
                assert_eq!(requirement.map(|requirement| requirement.party), Some(fault.party), "{}: {id}", fault.name);
            }
        }
    }
}
