//! Every fault that there is, of whatever party: what the kill matrix has rows for.

use std::str::FromStr;

use crate::engine::{Reference, Subject};
use crate::suites::manager::reference::{FAULTS, Fault};
use crate::suites::orchestrator::reference::{OrchestratorFault, faults};

/// A named defect of one of the references.
#[derive(Debug, Clone, Copy)]
pub enum Defect {
    /// Of the manager.
    Manager(Fault),
    /// Of the orchestrator.
    Orchestrator(&'static OrchestratorFault),
}

/// What a catalogue says of a fault.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub title: &'static str,
    /// The requirements that must fail.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail along with them.
    pub side_effects: &'static [&'static str],
    /// Where it was seen.
    pub source: &'static str,
}

/// Every fault.
pub fn catalogue() -> Vec<Defect> {
    FAULTS.iter().copied().map(Defect::Manager).chain(faults().iter().map(Defect::Orchestrator)).collect()
}

impl Defect {
    /// What its catalogue says of it.
    pub fn about(&self) -> About {
        match self {
            Defect::Manager(Fault { name, title, breaks, side_effects, source, .. })
            | Defect::Orchestrator(OrchestratorFault { name, title, breaks, side_effects, source, .. }) => {
                About { name, title, breaks, side_effects, source }
            }
        }
    }

    /// The reference that has it.
    pub fn subject(&self) -> Subject {
        match self {
            Defect::Manager(fault) => Subject::Reference(Reference { faults: [*fault].into_iter().collect(), ..Reference::default() }),
            Defect::Orchestrator(fault) => Subject::ReferenceOrchestrator(Some(fault)),
        }
    }
}

impl FromStr for Defect {
    type Err = String;

    /// Reads a fault's name.
    ///
    /// # Errors
    /// Names the nearest fault.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = catalogue();
        if let Some(fault) = all.iter().find(|fault| fault.about().name == name) {
            return Ok(*fault);
        }
        let likeness = |fault: &Defect| strsim::jaro_winkler(fault.about().name, name);
        let nearest = all.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).map_or("", |fault| fault.about().name);
        Err(format!("no such fault; did you mean `{nearest}`? `passmuster faults list` shows them all"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_faults_share_a_name() {
        let names: BTreeSet<_> = catalogue().iter().map(|fault| fault.about().name).collect();
        assert_eq!(names.len(), catalogue().len());
        assert!("never-end".parse::<Defect>().unwrap_err().contains("`never-ends`"));
    }
}
