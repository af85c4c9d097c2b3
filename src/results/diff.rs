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
    pub changes: Vec<VerdictChange>,
}

/// One thing that came to another verdict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VerdictChange {
    /// What kind of change.
    pub kind: ChangeKind,
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
pub enum ChangeKind {
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

impl ChangeKind {
    /// Every kind, in the order shown.
    pub const ALL: [ChangeKind; 5] = [ChangeKind::Broke, ChangeKind::Fixed, ChangeKind::Lost, ChangeKind::Gained, ChangeKind::Other];

    /// What a heading says.
    pub const fn words(self) -> &'static str {
        match self {
            ChangeKind::Broke => "broke",
            ChangeKind::Fixed => "fixed",
            ChangeKind::Lost => "no longer exercised",
            ChangeKind::Gained => "newly exercised",
            ChangeKind::Other => "changed otherwise",
        }
    }
}

impl Diff {
    /// Whether something broke.
    pub fn broke(&self) -> bool {
        self.changes.iter().any(|change| change.kind == ChangeKind::Broke)
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
struct RunSays {
    at: usize,
    name: String,
    verdict: Verdict,
    why: Option<String>,
}

fn requirements(report: &Report) -> BTreeMap<String, RunSays> {
    let said = |(at, one): (usize, &super::model::RequirementResult)| {
        (one.id.to_string(), RunSays { at, name: one.title.clone(), verdict: one.verdict, why: one.reason.clone() })
    };
    report.requirements.iter().enumerate().map(said).collect()
}

fn scenarios(report: &Report) -> BTreeMap<String, RunSays> {
    let said = |(at, one): (usize, &super::model::ScenarioResult)| {
        let why = one.findings.first().map(|finding| format!("{}: {}", finding.requirement, finding.message)).or(one.reason.clone());
        (one.key.clone(), RunSays { at, name: one.name.clone(), verdict: one.verdict, why })
    };
    report.scenarios.iter().enumerate().map(said).collect()
}

/// The differences, in the later run's order; what it does not have comes last.
fn changes(of: Of, mut old: BTreeMap<String, RunSays>, new: BTreeMap<String, RunSays>) -> Vec<VerdictChange> {
    let mut later: Vec<(String, RunSays)> = new.into_iter().collect();
    later.sort_by_key(|(_, said)| said.at);
    let mut changes = Vec::new();
    for (id, said) in later {
        let before = old.remove(&id).map(|said| said.verdict);
        changes.extend(change(of, id, said.name, (before, Some(said.verdict)), said.why));
    }
    let mut gone: Vec<(String, RunSays)> = old.into_iter().collect();
    gone.sort_by_key(|(_, said)| said.at);
    changes.extend(gone.into_iter().filter_map(|(id, said)| change(of, id, said.name, (Some(said.verdict), None), None)));
    changes
}

fn change(of: Of, id: String, name: String, (old, new): (Option<Verdict>, Option<Verdict>), why: Option<String>) -> Option<VerdictChange> {
    kind(old, new).map(|kind| VerdictChange { kind, of, id, name, old, new, why })
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

fn kind(old: Option<Verdict>, new: Option<Verdict>) -> Option<ChangeKind> {
    if old == new {
        return None;
    }
    let ran = |verdict: Option<Verdict>| verdict.is_some_and(Verdict::is_exercised);
    let [before, after] = [old, new].map(|verdict| verdict.map_or(0, rank));
    Some(match (ran(old), ran(new)) {
        _ if after > before => ChangeKind::Broke,
        (true, false) => ChangeKind::Lost,
        _ if after < before => ChangeKind::Fixed,
        (false, true) => ChangeKind::Gained,
        _ => ChangeKind::Other,
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
    #[case(Some(Verdict::Passed), Some(Verdict::Failed), Some(ChangeKind::Broke))]
    #[case(Some(Verdict::Passed), Some(Verdict::Blocked), Some(ChangeKind::Broke))]
    #[case(Some(Verdict::Warned), Some(Verdict::Failed), Some(ChangeKind::Broke))]
    #[case(Some(Verdict::Skipped), Some(Verdict::Failed), Some(ChangeKind::Broke))]
    #[case::a_new_one_fails(None, Some(Verdict::Failed), Some(ChangeKind::Broke))]
    #[case(Some(Verdict::Failed), Some(Verdict::Passed), Some(ChangeKind::Fixed))]
    #[case(Some(Verdict::Failed), Some(Verdict::Warned), Some(ChangeKind::Fixed))]
    #[case(Some(Verdict::Blocked), Some(Verdict::Passed), Some(ChangeKind::Fixed))]
    #[case::a_failure_that_is_skipped_is_not_fixed(Some(Verdict::Failed), Some(Verdict::Skipped), Some(ChangeKind::Lost))]
    #[case::nor_one_that_is_gone(Some(Verdict::Failed), None, Some(ChangeKind::Lost))]
    #[case::nor_one_that_is_blocked(Some(Verdict::Failed), Some(Verdict::Blocked), Some(ChangeKind::Lost))]
    #[case(Some(Verdict::Passed), Some(Verdict::Skipped), Some(ChangeKind::Lost))]
    #[case(Some(Verdict::Skipped), Some(Verdict::Passed), Some(ChangeKind::Gained))]
    #[case(None, Some(Verdict::Passed), Some(ChangeKind::Gained))]
    #[case(Some(Verdict::Skipped), Some(Verdict::NotExercised), Some(ChangeKind::Other))]
    #[case(None, Some(Verdict::Skipped), Some(ChangeKind::Other))]
    fn a_change_has_a_kind(#[case] old: Option<Verdict>, #[case] new: Option<Verdict>, #[case] expected: Option<ChangeKind>) {
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
        assert_eq!(
            told,
            [(ChangeKind::Broke, "lifecycle/cleanup/leaks[claude]", true), (ChangeKind::Fixed, "lifecycle/cleanup/leaks[codex]", true)]
        );
        assert!(diff(&old, &new).broke());
    }
}
