//! The fault catalogue: named defects of the reference manager, each a change at one of its seams.
//!
//! Every fault was seen somewhere, or is one slip away from right. The suites must catch each: fail on all that it
//! breaks and on nothing that it does not.

pub(crate) mod announcements;
pub(crate) mod cleanup;
pub(crate) mod creation;
pub(crate) mod first_turn;
pub(crate) mod messages;
pub(crate) mod observation;
pub(crate) mod restart;
pub(crate) mod timeouts;

use crate::contract::Side;

use crate::suites::manager::behavior::Seams;
use crate::suites::store::reference::Seams as StoreSeams;

/// A named defect.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What the manager does, in a sentence.
    pub title: &'static str,
    /// The requirements that must fail.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail along with them.
    pub side_effects: &'static [&'static str],
    /// Where it was seen; empty for a slip that nobody has reported yet.
    pub source: &'static str,
    change: Change,
}

/// What a defect changes.
#[derive(Debug, Clone, Copy)]
enum Change {
    Manager(fn(&mut Seams)),
    Store(fn(&mut StoreSeams)),
}

/// The families, in the order of the requirements.
const FAMILIES: &[&[Fault]] = &[
    creation::FAULTS,
    messages::FAULTS,
    observation::FAULTS,
    first_turn::FAULTS,
    announcements::FAULTS,
    cleanup::FAULTS,
    timeouts::FAULTS,
    restart::FAULTS,
    crate::suites::store::faults::FAULTS,
];

/// Every fault, family by family.
pub const FAULTS: &[Fault] = &joined::<{ count(FAMILIES) }>(FAMILIES);

const fn count(families: &[&[Fault]]) -> usize {
    let (mut family, mut count) = (0, 0);
    while family < families.len() {
        count += families[family].len();
        family += 1;
    }
    count
}

const fn joined<const COUNT: usize>(families: &[&[Fault]]) -> [Fault; COUNT] {
    let mut all = [families[0][0]; COUNT];
    let (mut family, mut next) = (0, 0);
    while family < families.len() {
        let mut row = 0;
        while row < families[family].len() {
            all[next] = families[family][row];
            (row, next) = (row + 1, next + 1);
        }
        family += 1;
    }
    all
}

/// A row of a family: name, title, what it breaks, what it changes.
const fn fault(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut Seams)) -> Fault {
    Fault { name, title, breaks, side_effects: &[], source: "", change: Change::Manager(change) }
}

/// The same for a defect of the reference store.
pub(crate) const fn store_fault(
    name: &'static str,
    title: &'static str,
    breaks: &'static [&'static str],
    change: fn(&mut StoreSeams),
) -> Fault {
    Fault { name, title, breaks, side_effects: &[], source: "", change: Change::Store(change) }
}

impl Fault {
    /// Whose defect it is.
    pub const fn side(&self) -> Side {
        match self.change {
            Change::Manager(_) => Side::Manager,
            Change::Store(_) => Side::Store,
        }
    }

    /// Reads the name of a fault that such a system can have.
    ///
    /// # Errors
    /// Names the nearest one.
    pub fn of(side: Side, name: &str) -> Result<Self, String> {
        let of_that_side = || FAULTS.iter().filter(|fault| fault.side() == side);
        if let Some(fault) = of_that_side().find(|fault| fault.name == name) {
            return Ok(*fault);
        }
        let nearest = of_that_side().max_by(|a, b| strsim::jaro_winkler(a.name, name).total_cmp(&strsim::jaro_winkler(b.name, name)));
        let of = match side {
            Side::Store => "a store",
            Side::Manager | Side::Orchestrator => "a manager",
        };
        let nearest = nearest.map_or("", |fault| fault.name);
        Err(format!("no fault of {of}; did you mean `{nearest}`? `passmuster faults list` shows them all"))
    }

    /// What may fail along.
    pub(crate) const fn also(mut self, side_effects: &'static [&'static str]) -> Self {
        self.side_effects = side_effects;
        self
    }

    /// Where it was seen.
    pub(crate) const fn seen(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }
}

/// The faults that a manager has. None: it conforms.
#[derive(Debug, Clone, Default)]
pub struct FaultSet(Vec<Fault>);

impl FaultSet {
    /// The faults, in the order in which they were named.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(crate) fn change(&self, seams: &mut Seams) {
        for fault in &self.0 {
            if let Change::Manager(change) = fault.change {
                change(seams);
            }
        }
    }

    /// The seams of a store with these faults.
    pub fn store_seams(&self) -> StoreSeams {
        let mut seams = StoreSeams::default();
        for fault in &self.0 {
            if let Change::Store(change) = fault.change {
                change(&mut seams);
            }
        }
        seams
    }

    /// Whether a suite may find one of them; where there are none, every suite may look.
    pub fn concern(&self, side: Side) -> bool {
        self.0.is_empty() || self.0.iter().any(|fault| fault.side() == side)
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::spec::Registry;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let names: BTreeSet<_> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')), "{names:?}");
    }

    #[test]
    fn titles_are_sentences_without_a_subject() {
        let wrong = |fault: &&Fault| fault.title.ends_with('.') || fault.title.starts_with(char::is_uppercase);
        assert_eq!(FAULTS.iter().filter(wrong).map(|fault| fault.name).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn every_fault_breaks_something_and_nothing_twice() {
        for fault in FAULTS {
            let all: Vec<_> = fault.breaks.iter().chain(fault.side_effects).collect();
            assert!(!fault.breaks.is_empty(), "{}", fault.name);
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{}", fault.name);
        }
    }

    #[test]
    fn a_name_that_is_no_fault_of_that_side_leads_to_the_nearest() {
        assert!(Fault::of(Side::Manager, "reuse-ids").unwrap_err().contains("no fault of a manager; did you mean `reuses-ids`"));
        let mistaken = Fault::of(Side::Store, "never-ends").unwrap_err();
        assert!(mistaken.contains("no fault of a store; did you mean `"), "{mistaken}");
        assert!(Fault::of(Side::Manager, "loses-updates").is_err() && Fault::of(Side::Store, "loses-updates").is_ok());
    }

    #[test]
    fn every_fault_names_requirements_that_the_spec_states() {
        for fault in FAULTS {
            for id in fault.breaks.iter().chain(fault.side_effects) {
                assert!(Registry::embedded().get(&id.parse().unwrap()).is_some(), "{}: there is no requirement {id}", fault.name);
            }
        }
    }
}
