//! The fault catalogue: named defects of the reference manager, each at a seam of its engine.

mod catalogue;

use std::collections::BTreeSet;
use std::str::FromStr;

pub use catalogue::{FAULTS, Fault};

/// What the catalogue says of a fault.
#[derive(Debug)]
pub struct FaultSpec {
    /// The fault.
    pub fault: Fault,
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

impl Fault {
    /// The fault's row.
    pub fn spec(self) -> &'static FaultSpec {
        FAULTS.iter().find(|row| row.fault == self).expect("every fault has a row")
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads a fault's name.
    ///
    /// # Errors
    /// Names the nearest fault.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(row) = FAULTS.iter().find(|row| row.name == name) {
            return Ok(row.fault);
        }
        let nearest = FAULTS.iter().max_by(|a, b| strsim::jaro_winkler(a.name, name).total_cmp(&strsim::jaro_winkler(b.name, name)));
        Err(format!("no such fault; did you mean `{}`? `passmuster faults list` shows them all", nearest.map_or("", |row| row.name)))
    }
}

/// The faults that a manager has. None: it conforms.
#[derive(Debug, Clone, Default)]
pub struct FaultSet(BTreeSet<Fault>);

impl FaultSet {
    /// Whether the manager has a fault.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Registry;

    #[test]
    fn every_fault_names_requirements_that_the_spec_states() {
        for row in FAULTS {
            for id in row.breaks.iter().chain(row.side_effects) {
                assert!(Registry::embedded().get(&id.parse().unwrap()).is_some(), "{}: there is no requirement {id}", row.name);
            }
        }
    }
}
