//! Comparing two runs: what broke, what was fixed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::model::{Report, Verdict};

/// The schema of a comparison, named in each.
pub const DIFF_SCHEMA: &str = "passmuster-diff-1";

/// What is different between two runs. Scenarios and requirements whose verdict is the same are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Diff {
    /// [`DIFF_SCHEMA`].
    pub schema: String,
    /// The earlier run: the system with its version, and when it was.
    pub old: String,
    /// The later run.
    pub new: String,
    /// What differs, requirements before scenarios, what broke first.
    pub changes: Vec<Change>,
}

/// One thing that came to another verdict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// What kind of change.
    pub kind: Kind,
    /// Of what: a requirement or a scenario.
    pub of: Of,
    /// The requirement's id or the scenario's key.
    pub id: String,
    /// The requirement's title or the scenario's name.
    pub name: String,
    /// The verdict before; absent where it was not in the earlier run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Verdict>,
    /// The verdict now; absent where it is not in the later run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Verdict>,
    /// Why, where the later run says it: what was found, or the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a verdict is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Of {
    Requirement,
    Scenario,
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is worse than before, or new and bad.
    Broke,
    /// It is better than before.
    Fixed,
    /// It was exercised, and is no longer.
    Lost,
    /// It was not exercised, and is now, and is well.
    Gained,
    /// It was not exercised and is not, for another reason.
    Other,
}

impl Kind {
    /// Every kind, in the order shown.
    pub const ALL: [Kind; 5] = [Kind::Broke, Kind::Fixed, Kind::Lost, Kind::Gained, Kind::Other];

    /// What a heading says.
    pub const fn words(self) -> &'static str {
        match self {
            Kind::Broke => "broke",
            Kind::Fixed => "fixed",
            Kind::Lost => "no longer exercised",
            Kind::Gained => "newly exercised",
            Kind::Other => "changed otherwise",
        }
    }
}

impl Diff {
    /// Whether something broke.
    pub fn broke(&self) -> bool {
        self.changes.iter().any(|change| change.kind == Kind::Broke)
    }
}

/// Compares two runs, of the same system or not.
pub fn diff(old: &Report, new: &Report) -> Diff {
    let mut changes = changes(Of::Requirement, requirements(old), requirements(new));
    changes.extend(self::changes(Of::Scenario, scenarios(old), scenarios(new)));
    changes.sort_by_key(|change| (change.kind, change.of));
    Diff { schema: DIFF_SCHEMA.into(), old: about(old), new: about(new), changes }
}

/// What one run says of one thing.
struct Said {
    at: usize,
    name: String,
    verdict: Verdict,
    why: Option<String>,
}

fn requirements(report: &Report) -> BTreeMap<String, Said> {
    let said = |(at, one): (usize, &super::model::RequirementResult)| {
        (one.id.to_string(), Said { at, name: one.title.clone(), verdict: one.verdict, why: one.reason.clone() })
    };
    report.requirements.iter().enumerate().map(said).collect()
}

fn scenarios(report: &Report) -> BTreeMap<String, Said> {
    let said = |(at, one): (usize, &super::model::ScenarioResult)| {
        let why = one.findings.first().map(|finding| format!("{}: {}", finding.requirement, finding.message)).or(one.reason.clone());
        (one.key.clone(), Said { at, name: one.name.clone(), verdict: one.verdict, why })
    };
    report.scenarios.iter().enumerate().map(said).collect()
}

/// The differences, in the later run's order; what it does not have comes last.
fn changes(of: Of, mut old: BTreeMap<String, Said>, new: BTreeMap<String, Said>) -> Vec<Change> {
    let mut later: Vec<(String, Said)> = new.into_iter().collect();
    later.sort_by_key(|(_, said)| said.at);
    let mut changes = Vec::new();
    for (id, said) in later {
        let before = old.remove(&id).map(|said| said.verdict);
        changes.extend(change(of, id, said.name, (before, Some(said.verdict)), said.why));
    }
    let mut gone: Vec<(String, Said)> = old.into_iter().collect();
    gone.sort_by_key(|(_, said)| said.at);
    changes.extend(gone.into_iter().filter_map(|(id, said)| change(of, id, said.name, (Some(said.verdict), None), None)));
    changes
}

fn change(of: Of, id: String, name: String, (old, new): (Option<Verdict>, Option<Verdict>), why: Option<String>) -> Option<Change> {
    kind(old, new).map(|kind| Change { kind, of, id, name, old, new, why })
}

/// How good a verdict is. What was not exercised is no worse than what passed, except where it could not be, which is as
/// bad as a warning: the run cannot say that all is well.
const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed | Verdict::Skipped | Verdict::NotExercised => 0,
        Verdict::Warned | Verdict::Blocked | Verdict::CouldNotTest => 1,
        Verdict::Failed => 2,
    }
}

fn kind(old: Option<Verdict>, new: Option<Verdict>) -> Option<Kind> {
    if old == new {
        return None;
    }
    let ran = |verdict: Option<Verdict>| verdict.is_some_and(Verdict::is_exercised);
    let [before, after] = [old, new].map(|verdict| verdict.map_or(0, rank));
    Some(match (ran(old), ran(new)) {
        _ if after > before => Kind::Broke,
        (true, false) => Kind::Lost,
        _ if after < before => Kind::Fixed,
        (false, true) => Kind::Gained,
        _ => Kind::Other,
    })
}

fn about(report: &Report) -> String {
    let system = &report.system;
    format!("{}, {}", system.version.as_ref().unwrap_or(&system.name), report.started_at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;

    #[rstest]
    #[case(Some(Verdict::Passed), Some(Verdict::Passed), None)]
    #[case(Some(Verdict::Passed), Some(Verdict::Failed), Some(Kind::Broke))]
    #[case(Some(Verdict::Passed), Some(Verdict::Blocked), Some(Kind::Broke))]
    #[case(Some(Verdict::Warned), Some(Verdict::Failed), Some(Kind::Broke))]
    #[case(Some(Verdict::Skipped), Some(Verdict::Failed), Some(Kind::Broke))]
    #[case::a_new_one_fails(None, Some(Verdict::Failed), Some(Kind::Broke))]
    #[case(Some(Verdict::Failed), Some(Verdict::Passed), Some(Kind::Fixed))]
    #[case(Some(Verdict::Failed), Some(Verdict::Warned), Some(Kind::Fixed))]
    #[case(Some(Verdict::Blocked), Some(Verdict::Passed), Some(Kind::Fixed))]
    #[case::a_failure_that_is_skipped_is_not_fixed(Some(Verdict::Failed), Some(Verdict::Skipped), Some(Kind::Lost))]
    #[case::nor_one_that_is_gone(Some(Verdict::Failed), None, Some(Kind::Lost))]
    #[case::nor_one_that_is_blocked(Some(Verdict::Failed), Some(Verdict::Blocked), Some(Kind::Lost))]
    #[case(Some(Verdict::Passed), Some(Verdict::Skipped), Some(Kind::Lost))]
    #[case(Some(Verdict::Skipped), Some(Verdict::Passed), Some(Kind::Gained))]
    #[case(None, Some(Verdict::Passed), Some(Kind::Gained))]
    #[case(Some(Verdict::Skipped), Some(Verdict::NotExercised), Some(Kind::Other))]
    #[case(None, Some(Verdict::Skipped), Some(Kind::Other))]
    fn a_change_has_a_kind(#[case] old: Option<Verdict>, #[case] new: Option<Verdict>, #[case] expected: Option<Kind>) {
        assert_eq!(kind(old, new), expected);
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let report = example::report();
        assert_eq!(diff(&report, &report).changes, []);
    }

    #[test]
    fn what_broke_comes_first_with_what_was_found() {
        let old = example::report();
        let mut new = old.clone();
        new.scenarios[0].verdict = Verdict::Failed;
        new.scenarios[0].findings = vec![example::finding("LC-CLEAN-1")];
        new.scenarios[1].verdict = Verdict::Passed;
        let changes = diff(&old, &new).changes;
        let told: Vec<_> = changes.iter().map(|change| (change.kind, change.id.as_str(), change.why.is_some())).collect();
        assert_eq!(told, [(Kind::Broke, "lifecycle/cleanup/leaks[claude]", true), (Kind::Fixed, "lifecycle/cleanup/leaks[codex]", true)]);
        assert!(diff(&old, &new).broke());
    }
}
