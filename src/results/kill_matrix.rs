//! The kill matrix as data: which fault is caught, by what. `spec/kill-matrix.json` is one.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::RequirementId;

/// The schema, named in every stored matrix.
pub const SCHEMA: &str = "passmuster-kill-matrix-1";

/// What the suites found in references with one fault each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KillMatrix {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the spec judged by.
    pub spec_version: String,
    /// How the references were reached: `memory`, `cli`, `rpc` or `mcp`.
    pub transport: String,
    /// The faults, in the order of the catalogue.
    pub faults: Vec<FaultRow>,
    /// Every manager requirement of the suites, in the order of the spec.
    pub requirements: Vec<Score>,
}

/// What came of one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRow {
    /// The fault's name.
    pub name: String,
    /// What the manager does.
    pub title: String,
    /// Where it was seen; empty: nowhere yet.
    pub origin: String,
    /// The requirements that must fail.
    pub expected: Vec<RequirementId>,
    /// Those that may fail along.
    pub side_effects: Vec<RequirementId>,
    /// Those that failed.
    pub failed: Vec<RequirementId>,
    /// What found each of the expected: scenarios by their keys, a standing invariant in brackets behind.
    pub detectors: BTreeMap<RequirementId, Vec<String>>,
    /// Expected and not failed: a hole in the suites.
    pub survived: Vec<RequirementId>,
    /// Failed and not touched by the fault, with what found it: a false alarm.
    pub stray: BTreeMap<RequirementId, Vec<String>>,
    /// Expected, and not to be shown over this transport, with the reason.
    pub beyond: BTreeMap<RequirementId, String>,
    /// Scenarios that the harness could not test, with the reason.
    pub untested: BTreeMap<String, String>,
    /// Whether more may fail, or stay untested: over a transport, of a manager.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_lenient: bool,
}

impl FaultRow {
    /// Whether exactly the right requirements failed; where it is lenient, at least those expected.
    pub fn is_killed(&self) -> bool {
        self.survived.is_empty() && (self.is_lenient || self.stray.is_empty() && self.untested.is_empty())
    }
}

/// How well one requirement is guarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// The requirement.
    pub id: RequirementId,
    /// How many faults break it.
    pub faults: usize,
    /// How many of those make it fail.
    pub killed: usize,
}

impl KillMatrix {
    /// The faults that are not killed as they must be.
    pub fn troubled(&self) -> impl Iterator<Item = &FaultRow> {
        self.faults.iter().filter(|row| !row.is_killed())
    }

    /// In what another matrix differs, a line each; empty: in nothing.
    pub fn differences(&self, other: &KillMatrix) -> Vec<String> {
        // What fails along may differ from run to run, where processes race; what must fail may not.
        let row = |row: &FaultRow| (row.name.clone(), FaultRow { failed: row.expected.clone(), ..row.clone() });
        let rows = |matrix: &'_ KillMatrix| matrix.faults.iter().map(row).collect::<BTreeMap<_, _>>();
        let (old, new) = (rows(self), rows(other));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut lines = Vec::new();
        for name in names {
            match (old.get(name), new.get(name)) {
                (Some(_), None) => lines.push(format!("{name} is stored and not in the catalogue")),
                (None, Some(_)) => lines.push(format!("{name} is in the catalogue and not stored")),
                (Some(old), Some(new)) if old != new => lines.extend(changed(old, new)),
                _ => {}
            }
        }
        if lines.is_empty() && (&self.requirements, &self.spec_version) != (&other.requirements, &other.spec_version) {
            lines.push("the requirements, their order or the version of the spec have changed".into());
        }
        lines
    }
}

fn changed(old: &FaultRow, new: &FaultRow) -> Vec<String> {
    let all = |row: &FaultRow| -> BTreeSet<String> {
        row.detectors.iter().flat_map(|(id, by)| by.iter().map(move |by| format!("{id} by {by}"))).collect()
    };
    let (before, after) = (all(old), all(new));
    let mut lines: Vec<String> = before.difference(&after).map(|what| format!("{}: no longer found: {what}", old.name)).collect();
    lines.extend(after.difference(&before).map(|what| format!("{}: now found: {what}", old.name)));
    if lines.is_empty() {
        lines.push(format!("{}: its title, origin, expectations or side effects have changed", old.name));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, by: &[&str]) -> FaultRow {
        let id: RequirementId = "LC-CREATE-1".parse().unwrap();
        FaultRow {
            name: name.into(),
            title: "does it wrong".into(),
            origin: String::new(),
            expected: vec![id.clone()],
            side_effects: Vec::new(),
            failed: vec![id.clone()],
            detectors: [(id, by.iter().map(|by| (*by).to_owned()).collect())].into(),
            survived: Vec::new(),
            stray: BTreeMap::new(),
            beyond: BTreeMap::new(),
            untested: BTreeMap::new(),
            is_lenient: false,
        }
    }

    fn matrix(faults: Vec<FaultRow>) -> KillMatrix {
        KillMatrix { schema: SCHEMA.into(), spec_version: "1.0".into(), transport: "memory".into(), faults, requirements: Vec::new() }
    }

    #[test]
    fn a_scenario_that_no_longer_finds_something_is_named() {
        let (old, new) = (matrix(vec![row("a", &["x", "y"])]), matrix(vec![row("a", &["y"])]));
        assert_eq!(old.differences(&new), ["a: no longer found: LC-CREATE-1 by x"]);
        assert_eq!(new.differences(&old), ["a: now found: LC-CREATE-1 by x"]);
        assert!(old.differences(&old).is_empty());
    }

    #[test]
    fn a_fault_that_is_new_or_gone_is_named() {
        let (old, new) = (matrix(vec![row("a", &[])]), matrix(vec![row("b", &[])]));
        assert_eq!(old.differences(&new), ["a is stored and not in the catalogue", "b is in the catalogue and not stored"]);
    }

    #[test]
    fn a_stray_or_an_untested_scenario_spoils_a_kill_unless_it_is_lenient() {
        let mut row = row("a", &["x"]);
        row.untested.insert("k".into(), "why".into());
        assert!(!row.is_killed());
        row.is_lenient = true;
        assert!(row.is_killed());
        row.survived = row.expected.clone();
        assert!(!row.is_killed());
    }
}
