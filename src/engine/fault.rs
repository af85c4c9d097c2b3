//! What a reference can be told to do otherwise: faults, which the suites must catch, and permitted variations, in which they
//! must find nothing. Each is a row of its suite's table: what is said of it, and a change of the reference's behavior.

use std::fmt;

use crate::core::diagnostic::meant;

/// What a catalogue says of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultInfo {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What the reference does with it, in a sentence without a subject.
    pub title: &'static str,
    /// The requirements that must fail.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail along with them.
    pub side_effects: &'static [&'static str],
    /// Where it was seen; empty for a slip that nobody has reported yet.
    pub source: &'static str,
}

/// A named defect of a reference whose behavior is a `B`.
pub struct Fault<B> {
    /// What is said of it.
    pub info: FaultInfo,
    change: fn(&mut B),
}

impl<B> Fault<B> {
    /// A row of a table: name, title, what it breaks, what it changes.
    pub const fn new(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut B)) -> Self {
        Self { info: FaultInfo { name, title, breaks, side_effects: &[], source: "" }, change }
    }

    /// What may fail along.
    pub const fn also(mut self, side_effects: &'static [&'static str]) -> Self {
        self.info.side_effects = side_effects;
        self
    }

    /// Where it was seen.
    pub const fn seen(mut self, source: &'static str) -> Self {
        self.info.source = source;
        self
    }

    /// Gives a behavior the defect.
    pub fn apply(&self, behavior: &mut B) {
        (self.change)(behavior);
    }
}

impl<B> Clone for Fault<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Fault<B> {}

impl<B> fmt::Debug for Fault<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

/// The fault of that name in a table; `of` says whose they are: `a manager`.
///
/// # Errors
/// Names the nearest one.
pub fn named<B>(mut faults: impl Iterator<Item = &'static Fault<B>> + Clone, of: &str, name: &str) -> Result<&'static Fault<B>, String> {
    let all = faults.clone();
    let why = || no_fault(&format!("no fault of {of}"), name, all.map(|fault| fault.info.name));
    faults.find(|fault| fault.info.name == name).ok_or_else(why)
}

/// What is said of a name that no fault has.
pub(crate) fn no_fault<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let meant = meant(name, known).map(|meant| format!(" {meant}")).unwrap_or_default();
    format!("{what};{meant} `passmuster faults list` shows them all")
}

/// What is said of a permitted variation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariationInfo {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What the reference does with it, in a sentence without a subject.
    pub title: &'static str,
    /// Requirements of the level SHOULD that it leaves unmet.
    pub warns: &'static [&'static str],
    /// Whether it would take hours on real processes: it is played in memory alone.
    pub in_memory: bool,
}

/// A way to conform that is not the reference's.
pub struct Variation<B> {
    /// What is said of it.
    pub info: VariationInfo,
    change: fn(&mut B),
}

impl<B> Variation<B> {
    /// A row of a table: name, title, what it changes.
    pub const fn new(name: &'static str, title: &'static str, change: fn(&mut B)) -> Self {
        Self { info: VariationInfo { name, title, warns: &[], in_memory: false }, change }
    }

    /// What it leaves unmet.
    pub const fn warns(mut self, warns: &'static [&'static str]) -> Self {
        self.info.warns = warns;
        self
    }

    /// It is played in memory alone.
    pub const fn in_memory(mut self) -> Self {
        self.info.in_memory = true;
        self
    }

    /// Makes a behavior vary.
    pub fn apply(&self, behavior: &mut B) {
        (self.change)(behavior);
    }
}

impl<B> Clone for Variation<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Variation<B> {}

impl<B> fmt::Debug for Variation<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

/// One thing that a reference is told to do otherwise, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A fault.
    Fault(&'static str),
    /// A permitted variation.
    Variation(&'static str),
}

/// The behavior of a suite's reference with some changes; what stands in neither of the suite's tables is passed over.
pub(crate) fn behavior<B: Default + 'static>(
    changes: &[Change],
    faults: impl Iterator<Item = &'static Fault<B>> + Clone,
    variations: &'static [Variation<B>],
) -> B {
    let mut behavior = B::default();
    for change in changes {
        let name = change.name();
        match change {
            Change::Fault(_) => faults.clone().filter(|fault| fault.info.name == name).for_each(|fault| fault.apply(&mut behavior)),
            Change::Variation(_) => variations.iter().filter(|one| one.info.name == name).for_each(|one| one.apply(&mut behavior)),
        }
    }
    behavior
}

impl Change {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Change::Fault(name) | Change::Variation(name) => name,
        }
    }

    /// The flag of the references' commands that makes it.
    pub const fn flag(self) -> &'static str {
        match self {
            Change::Fault(_) => "--fault",
            Change::Variation(_) => "--variation",
        }
    }
}
