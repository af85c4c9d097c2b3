//! The traces that `verify` leaves: of a manager's scenario, judged again by what can be judged of a manager.

use crate::results::model::{Finding, Origin, ScenarioResult, Verdict};
use crate::results::verdict_of;
use crate::spec::{Registry, RequirementId};
use crate::suites::manager::rules::{RULES, judge};
use crate::trace::settings::Settings;
use crate::trace::{Contradiction, Entry, Record, found_by_steps};

/// The scenario that a trace is of, and the system that it was played on; none where it says neither.
pub(crate) fn about(first: &Record) -> Option<(&str, &str)> {
    match &first.entry {
        Entry::Meta { system, scenario, .. } if !scenario.is_empty() => Some((scenario, system)),
        _ => None,
    }
}

/// What the scenario's steps found when it was played, and what the standing invariants find in its trace; `records` of each are
/// lines, from 1.
pub(crate) fn found(records: &[Record], settings: &Settings) -> Vec<(Origin, Contradiction)> {
    let in_lines = |mut found: Contradiction| {
        found.records.iter_mut().for_each(|record| *record += 1);
        found
    };
    let steps = found_by_steps(records).into_iter().map(in_lines).map(|found| (Origin::Lines(found.records.clone()), found));
    let rules = judge(records, settings).into_iter().map(|(rule, found)| (Origin::Rule(rule.to_owned()), in_lines(found)));
    steps.chain(rules).collect()
}

/// The requirements that can be judged of a trace.
pub(crate) fn requirements() -> Vec<RequirementId> {
    let mut ids: Vec<RequirementId> =
        RULES.iter().flat_map(|rule| rule.requirements).map(|id| id.parse().expect("rules name requirements by their ids")).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The trace as a scenario of a report; `name` is the file's.
pub(crate) fn judged(name: &str, records: &[Record], settings: &Settings) -> ScenarioResult {
    let (key, system) = records.first().and_then(about).unwrap_or_default();
    let findings: Vec<Finding> = found(records, settings)
        .into_iter()
        .map(|(origin, mut found)| {
            found.records.iter_mut().for_each(|line| *line -= 1);
            Finding::of(found, origin, records, "")
        })
        .collect();
    let line = findings.iter().find_map(|finding| match &finding.origin {
        Origin::Lines(lines) => lines.last().copied(),
        _ => None,
    });
    ScenarioResult {
        key: format!("{name}: {key}"),
        name: format!("{key}, played on {system}"),
        feature: format!("{name}:{}", line.unwrap_or(1)),
        suite: key.split('/').next().unwrap_or_default().to_owned(),
        agent: None,
        tags: Vec::new(),
        requirements: requirements(),
        verdict: match findings.is_empty() {
            true => Verdict::Passed,
            false => verdict_of(&findings, Registry::embedded()),
        },
        expected: None,
        reason: None,
        duration_ms: records.last().and_then(|last| last.at_ms).unwrap_or_default(),
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::jsonl;

    fn read(text: &str) -> Vec<Record> {
        jsonl::read(text.as_bytes()).map(Result::unwrap).collect()
    }

    #[test]
    fn what_steps_found_and_what_rules_find_is_told_of_the_trace_alone() {
        let fixture = include_str!("../../../fixtures/traces/nothing-alive-is-called-ended.fail.jsonl");
        let mut lines: Vec<&str> = fixture.lines().skip(1).collect();
        let meta = r#"{"at_ms":0,"kind":"meta","system":"mine","spec":"1.0","scenario":"lifecycle/cleanup/x[codex]"}"#;
        let seen = r#"{"at_ms":99999,"kind":"note","text":"seen: alive","finding":{"requirement":"LC-CLEAN-1","message":"it lives","claimed":"c","truth":"t","records":[]}}"#;
        lines.insert(0, meta);
        lines.push(seen);
        let records = read(&lines.join("\n"));
        let result = judged("t.jsonl", &records, &Settings::default());
        assert_eq!((result.verdict, result.suite.as_str()), (Verdict::Failed, "lifecycle"));
        let found: Vec<(&str, String)> =
            result.findings.iter().map(|finding| (finding.requirement.as_str(), finding.origin.words())).collect();
        assert_eq!(found[0], ("LC-CLEAN-1", format!("line {}", lines.len())));
        assert!(found.iter().any(|(id, by)| *id == "CX-2" && by.contains("nothing-alive-is-called-ended")), "{found:?}");
    }
}
