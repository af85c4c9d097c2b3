//! Hand-built reports for tests: one with every verdict, one with hostile texts.

use crate::trace::timeline::RowAnswer;
use crate::trace::{Row, RowKind};
use std::collections::BTreeMap;

use crate::contract::AgentKind;
use crate::spec::{Level, Party, Requirement, SpecVersion};

use super::model::*;
use super::verdicts::requirement_results;

pub(crate) fn requirement(id: &str) -> Requirement {
    Requirement {
        id: id.parse().unwrap(),
        level: Level::Must,
        party: Party::Manager,
        suite: "lifecycle".into(),
        title: format!("the title of {id}"),
        needs: Vec::new(),
        since: SpecVersion::FIRST,
        retired: None,
        sentence: format!(
            "A manager MUST do what {id} says, which takes a sentence long enough to be wrapped on a terminal that is not wide."
        ),
        rationale: String::new(),
        file: "spec/x.md".into(),
        line: 1,
    }
}

fn asked(at_ms: u64, operation: &str, args: &str, answer: &str) -> Row {
    let answer = Some(RowAnswer { error: None, text: answer.into() });
    let (kind, subject, detail) = (RowKind::Asked, operation.into(), args.into());
    Row { at_ms: Some(at_ms), kind, subject, detail, answer, more: 0, until_ms: None }
}

pub(crate) fn finding(id: &str) -> Finding {
    Finding {
        requirement: id.parse().unwrap(),
        message: "session `s1` was ended, but its agent runs".into(),
        claimed: "end_session: success".into(),
        truth: "alive 5000 ms after: codex (pid 4711)".into(),
        origin: Origin::Step("nothing of \"A\" is alive".into()),
        timeline: vec![
            asked(
                0,
                "start_session",
                " agent=\"codex\" cwd=\"/w/1\" message=\"ask-A-1. Please do what is to be done here\"",
                "ok session_id=\"s1\"",
            ),
            asked(100, "end_session", "", "ok"),
        ],
        stderr: "warn: 1 session left\nerror: kill: no such process\n".into(),
        repro: "passmuster verify my.toml --requirement LC-CLEAN-1 --agent codex".into(),
    }
}

pub(crate) fn scenario(slug: &str, verdict: Verdict) -> ScenarioResult {
    ScenarioResult {
        key: format!("lifecycle/cleanup/{slug}[codex]"),
        name: format!("The scenario {slug}"),
        feature: "features/lifecycle/cleanup.feature:12".into(),
        suite: "lifecycle".into(),
        agent: Some(AgentKind::CODEX),
        tags: vec!["each-agent".into()],
        requirements: vec!["LC-CLEAN-1".parse().unwrap()],
        verdict,
        expected: None,
        reason: None,
        duration_ms: 1234,
        findings: Vec::new(),
    }
}

/// A scenario of one requirement, with a reason where there is one.
fn of(slug: &str, id: &str, verdict: Verdict, reason: &str) -> ScenarioResult {
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    ScenarioResult { requirements: vec![id.parse().unwrap()], reason, ..scenario(slug, verdict) }
}

/// Every verdict, on scenarios and on requirements.
pub(crate) fn report() -> Report {
    let claude = |scenario: ScenarioResult| ScenarioResult {
        agent: Some(AgentKind::CLAUDE),
        key: scenario.key.replace("codex", "claude"),
        ..scenario
    };
    let leaks = ScenarioResult { findings: vec![finding("LC-CLEAN-1")], ..of("leaks", "LC-CLEAN-1", Verdict::Failed, "") };
    let known = ScenarioResult { key: "lifecycle/cleanup/known[codex]".into(), expected: Some("failed".into()), ..leaks.clone() };
    let scenarios = vec![
        claude(of("leaks", "LC-CLEAN-1", Verdict::Passed, "")),
        leaks,
        known,
        ScenarioResult { expected: Some("failed".into()), ..of("fixed", "LC-CLEAN-2", Verdict::Passed, "") },
        ScenarioResult {
            findings: vec![Finding { timeline: Vec::new(), stderr: String::new(), ..finding("LC-CREATE-11") }],
            feature: "features/lifecycle/creation.feature:30".into(),
            ..of("tells", "LC-CREATE-11", Verdict::Warned, "")
        },
        of("stuck", "LC-CLEAN-4", Verdict::Blocked, "start_session: `internal`: no tmux"),
        claude(of("stuck", "LC-CLEAN-4", Verdict::Blocked, "start_session: `internal`: no tmux")),
        ScenarioResult { agent: None, ..of("restarts", "LC-RESTART-1", Verdict::Skipped, "the manifest has no [serve]") },
        of("never", "LC-OBS-8", Verdict::NotExercised, "the run was stopped before it"),
        of("broken", "LC-CREATE-7", Verdict::CouldNotTest, "the adapter answered garbage: `<html>`"),
        of("sends", "LC-SEND-1", Verdict::Skipped, "the manifest maps no `send_message`"),
    ];
    let scope: Vec<Requirement> = [
        ("LC-CLEAN-1", Level::Must),
        ("LC-CLEAN-2", Level::Must),
        ("LC-CLEAN-4", Level::Must),
        ("LC-CREATE-7", Level::Must),
        ("LC-CREATE-11", Level::Should),
        ("LC-OBS-8", Level::Must),
        ("LC-RESTART-1", Level::Must),
        ("LC-SEND-1", Level::Must),
        ("LC-TERM-1", Level::Must),
    ]
    .map(|(id, level)| Requirement { level, ..requirement(id) })
    .into();
    let unmapped = BTreeMap::from([("LC-SEND-1".parse().unwrap(), "the manifest maps no `send_message`".to_owned())]);
    Report {
        schema: SCHEMA.into(),
        tool: Tool { name: "passmuster".into(), version: "0.1.0".into() },
        spec_version: "1.0".into(),
        system: System {
            name: "my-manager".into(),
            version: Some("my-manager 1.2".into()),
            transport: "cli".into(),
            file: Some("my.toml".into()),
        },
        platform: "linux x86_64".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        duration_ms: 12_345,
        seed: 7,
        notes: Vec::new(),
        interrupted: false,
        shard: None,
        hint: None,
        control: Some(Control { proven: true, checks: BTreeMap::from([("an orphan".into(), "seen".into())]) }),
        baseline: None,
        summary: Summary::of(scenarios.iter().map(|scenario| scenario.verdict)),
        requirements: requirement_results(&scope, &scenarios, &unmapped)
            .into_iter()
            .map(|result| RequirementResult { line: (result.id.as_str() == "LC-CLEAN-1").then_some(12), ..result })
            .collect(),
        scenarios,
    }
}

/// What a manager might say to break a report.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;t\u{7} ]]> <b>&amp; | `` ``` \r\n# heading\n::error::gone\n##[error]gone\n| a | b |\n%0A,: \0\u{9b}31m\u{202e}\u{ffff}";

/// The report with every verdict, and in every text that can come from outside [`HOSTILE`].
pub(crate) fn hostile() -> Report {
    let mut report = report();
    report.system.name = HOSTILE.into();
    report.system.version = Some(HOSTILE.into());
    for requirement in &mut report.requirements {
        requirement.reason = requirement.reason.as_ref().map(|_| HOSTILE.into());
    }
    for scenario in &mut report.scenarios {
        scenario.name = HOSTILE.into();
        scenario.feature = format!("{HOSTILE}:3");
        scenario.reason = scenario.reason.as_ref().map(|_| HOSTILE.into());
        for finding in &mut scenario.findings {
            let Finding { requirement: _, message, claimed, truth, origin, timeline, stderr, repro } = finding;
            for text in [message, claimed, truth, stderr, repro].into_iter().filter(|text| !text.is_empty()) {
                *text = HOSTILE.into();
            }
            *origin = Origin::Step(HOSTILE.into());
            timeline.iter_mut().for_each(|row| (row.subject, row.detail, row.answer) = (HOSTILE.into(), HOSTILE.into(), None));
        }
    }
    report
}
