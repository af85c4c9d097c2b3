//! Joining the reports of one run's shards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan as _};

use super::model::{Control, Report, RequirementResult, ScenarioResult, Summary, Verdict};
use super::verdicts::{names, over};

/// Why reports cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no report to join")]
    None,
    /// They are of different runs.
    #[error("`{name}` is no part of the same run: its {what} is `{this}`, not `{first}`")]
    Differ {
        /// The report, as the caller calls it.
        name: String,
        /// What differs.
        what: &'static str,
        /// What this report says.
        this: String,
        /// What the first says.
        first: String,
    },
    /// A scenario is in two of them.
    #[error("the scenario `{key}` is in `{name}` and in one before it")]
    Twice {
        /// The scenario.
        key: String,
        /// The report, as the caller calls it.
        name: String,
    },
    /// A time is no time.
    #[error("`{name}` began at `{text}`, which is no time")]
    Time {
        /// The report, as the caller calls it.
        name: String,
        /// What it says.
        text: String,
    },
}

/// Joins reports, each with its name for errors, into one: of the same system, judged by the same spec, each scenario in
/// one of them. The result is what one run of all scenarios reports, from the first one's beginning to the last one's end.
///
/// # Errors
/// Says which report does not belong.
pub fn merged(reports: &[(String, Report)]) -> Result<Report, MergeError> {
    let (_, first) = reports.first().ok_or(MergeError::None)?;
    let mut keys = BTreeSet::new();
    for (name, report) in reports {
        for ((what, this), (_, wanted)) in identity(report).into_iter().zip(identity(first)) {
            if this != wanted {
                return Err(MergeError::Differ { name: name.clone(), what, this, first: wanted });
            }
        }
        if let Some(twice) = report.scenarios.iter().find(|scenario| !keys.insert(&scenario.key)) {
            return Err(MergeError::Twice { key: twice.key.clone(), name: name.clone() });
        }
    }
    let (started_at, duration_ms) = span(reports)?;
    let parts: Vec<&Report> = reports.iter().map(|(_, report)| report).collect();
    let mut scenarios: Vec<ScenarioResult> = parts.iter().flat_map(|part| part.scenarios.iter().cloned()).collect();
    scenarios.sort_by(|a, b| place(a).cmp(&place(b)));
    Ok(Report {
        started_at,
        duration_ms,
        notes: parts.iter().flat_map(|part| part.notes.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        control: control(&parts),
        interrupted: parts.iter().any(|part| part.interrupted),
        shard: None,
        hint: if scenarios.is_empty() { first.hint.clone() } else { None },
        summary: Summary::of(scenarios.iter().map(|scenario| scenario.verdict)),
        requirements: requirements(&parts, &scenarios),
        scenarios,
        ..first.clone()
    })
}

/// What the parts of one run have in common.
fn identity(report: &Report) -> [(&'static str, String); 6] {
    [
        ("schema", report.schema.clone()),
        ("harness", format!("{} {}", report.tool.name, report.tool.version)),
        ("spec", report.spec_version.clone()),
        ("system", report.system.name.clone()),
        ("system's version", report.system.version.clone().unwrap_or_default()),
        ("transport", report.system.transport.clone()),
    ]
}

/// When the first began, and how long it was to the end of the last.
fn span(reports: &[(String, Report)]) -> Result<(String, u64), MergeError> {
    let mut all: Option<(Timestamp, Timestamp)> = None;
    for (name, report) in reports {
        let no_time = || MergeError::Time { name: name.clone(), text: report.started_at.clone() };
        let began: Timestamp = report.started_at.parse().map_err(|_| no_time())?;
        let took = i64::try_from(report.duration_ms).map_err(|_| no_time())?;
        let ended = began.checked_add(took.milliseconds()).map_err(|_| no_time())?;
        all = Some(all.map_or((began, ended), |(first, last)| (first.min(began), last.max(ended))));
    }
    let (began, ended) = all.ok_or(MergeError::None)?;
    Ok((began.to_string(), u64::try_from(ended.as_millisecond() - began.as_millisecond()).unwrap_or(0)))
}

/// Where a scenario stands in a run: by suite, file, line, agent.
fn place(scenario: &ScenarioResult) -> (&str, &str, u32, Option<crate::contract::AgentKind>, &str) {
    let (file, line) = scenario.feature.rsplit_once(':').unwrap_or((&scenario.feature, ""));
    (&scenario.suite, file, line.parse().unwrap_or(0), scenario.agent, &scenario.key)
}

/// What was proven of the harness: everything, if every part that looked proved it.
fn control(parts: &[&Report]) -> Option<Control> {
    let mut proven = true;
    let mut checks: BTreeMap<String, String> = BTreeMap::new();
    let looked: Vec<&Control> = parts.iter().filter_map(|part| part.control.as_ref()).collect();
    for control in &looked {
        proven &= control.proven;
        for (check, found) in &control.checks {
            let all = checks.entry(check.clone()).or_default();
            if !all.split("; ").any(|known| known == found) {
                all.push_str(if all.is_empty() { "" } else { "; " });
                all.push_str(found);
            }
        }
    }
    (!looked.is_empty()).then_some(Control { proven, checks })
}

/// Each requirement, over every part's scenarios. One that a part failed without a scenario stays failed.
fn requirements(parts: &[&Report], scenarios: &[ScenarioResult]) -> Vec<RequirementResult> {
    let mut all: Vec<RequirementResult> = Vec::new();
    for (part, result) in parts.iter().flat_map(|part| part.requirements.iter().map(move |result| (part, result))) {
        let whole = matches!(result.verdict, Verdict::Failed | Verdict::Warned) && !part.scenarios.iter().any(|one| names(one, &result.id));
        match all.iter_mut().find(|known| known.id == result.id) {
            Some(known) if whole => (known.verdict, known.reason) = (result.verdict, result.reason.clone()),
            Some(_) => {}
            None => all.push(over_all(result, scenarios, whole)),
        }
    }
    all
}

fn over_all(result: &RequirementResult, scenarios: &[ScenarioResult], whole: bool) -> RequirementResult {
    let own = scenarios.iter().filter(|scenario| super::concerns(scenario, &result.id));
    let (verdict, reason) = if whole { (result.verdict, result.reason.clone()) } else { over(&result.id, result.level, own.clone()) };
    RequirementResult { verdict, reason, scenarios: own.map(|scenario| scenario.key.clone()).collect(), ..result.clone() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;

    /// The example as shards: every second scenario, the requirements as a run of these alone judges them.
    fn shards() -> Vec<(String, Report)> {
        let whole = example::report();
        let shard = |rest: usize| {
            let scenarios: Vec<_> = whole.scenarios.iter().skip(rest).step_by(2).cloned().collect();
            let judged = |result: &RequirementResult| over_all(result, &scenarios, result.id.as_str() == "LC-SEND-1");
            let requirements = whole.requirements.iter().map(judged).collect();
            let summary = Summary::of(scenarios.iter().map(|scenario| scenario.verdict));
            Report { summary, requirements, scenarios, ..whole.clone() }
        };
        vec![("one".into(), shard(0)), ("two".into(), shard(1))]
    }

    #[test]
    fn shards_joined_are_the_whole() {
        let mut whole = example::report();
        whole.scenarios.sort_by(|a, b| place(a).cmp(&place(b)));
        for requirement in &mut whole.requirements {
            let own = whole.scenarios.iter().filter(|scenario| super::super::concerns(scenario, &requirement.id));
            requirement.scenarios = own.map(|scenario| scenario.key.clone()).collect();
        }
        assert_eq!(merged(&shards()).unwrap(), whole);
        let mut backwards = shards();
        backwards.reverse();
        assert_eq!(merged(&backwards).unwrap(), whole);
    }

    #[test]
    fn it_lasts_from_the_first_ones_beginning_to_the_last_ones_end() {
        let mut shards = shards();
        shards[1].1.started_at = "2026-01-01T00:01:00Z".into();
        let joined = merged(&shards).unwrap();
        assert_eq!((joined.started_at.as_str(), joined.duration_ms), ("2026-01-01T00:00:00Z", 72_345));
    }

    #[rstest]
    #[case::system(|report: &mut Report| report.system.name = "other".into(), "`two` is no part of the same run: its system is `other`, not `my-manager`")]
    #[case::spec(|report: &mut Report| report.spec_version = "2.0".into(), "`two` is no part of the same run: its spec is `2.0`, not `1.0`")]
    #[case::twice(|report: &mut Report| report.scenarios = vec![example::report().scenarios.remove(0)], "the scenario `lifecycle/cleanup/leaks[claude]` is in `two` and in one before it")]
    #[case::time(|report: &mut Report| report.started_at = "noon".into(), "`two` began at `noon`, which is no time")]
    fn what_does_not_belong_is_named(#[case] change: fn(&mut Report), #[case] said: &str) {
        let mut shards = shards();
        change(&mut shards[1].1);
        assert_eq!(merged(&shards).unwrap_err().to_string(), said);
    }

    #[test]
    fn one_part_that_did_not_prove_its_eyes_spoils_the_whole() {
        let mut shards = shards();
        shards[1].1.control = Some(Control { proven: false, checks: BTreeMap::from([("an orphan".into(), "not seen".into())]) });
        let control = merged(&shards).unwrap().control.unwrap();
        assert_eq!((control.proven, control.checks["an orphan"].as_str()), (false, "seen; not seen"));
        assert!(matches!(merged(&[]), Err(MergeError::None)));
    }
}
