//! Reports to look at, as pages: every verdict, real requirements, real timelines.

#![allow(dead_code)] // The tests and the bench each take the part that they need.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use passmuster::contract::AgentKind;
use passmuster::report::{Form, Look};
use passmuster::results::model::{Control, Finding, Origin, Report, SCHEMA, ScenarioResult, Summary, System, Tool, Verdict};
use passmuster::results::requirement_results;
use passmuster::spec::{Level, Party, Registry, Requirement};
use passmuster::trace::history::History;
use passmuster::trace::jsonl;
use passmuster::trace::{Row, RowKind, timeline};

/// A report of that many scenarios. Of twelve, one fails, one warns, and one each is blocked, skipped, not exercised and
/// broken.
pub(crate) fn report(scenarios: usize) -> Report {
    let registry = Registry::embedded();
    let scope: Vec<Requirement> = registry.iter().filter(|requirement| requirement.party == Party::Manager).cloned().collect();
    let timelines = timelines();
    let scenarios: Vec<ScenarioResult> = (0..scenarios).map(|number| scenario(number, &scope, &timelines)).collect();
    Report {
        schema: SCHEMA.into(),
        tool: Tool { name: "passmuster".into(), version: "0.1.0".into() },
        spec_version: "1.0".into(),
        system: System { name: "my-manager".into(), version: Some("my-manager 1.2".into()), transport: "mcp".into(), file: None },
        platform: "linux x86_64".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        duration_ms: 754_321,
        seed: 7,
        notes: Vec::new(),
        interrupted: false,
        shard: None,
        hint: None,
        control: Some(Control { proven: true, checks: BTreeMap::from([("an orphan".into(), "seen".into())]) }),
        baseline: None,
        summary: Summary::of(scenarios.iter().map(|scenario| scenario.verdict)),
        requirements: requirement_results(&scope, &scenarios, &BTreeMap::new()),
        scenarios,
    }
}

fn scenario(number: usize, scope: &[Requirement], timelines: &[Vec<Row>]) -> ScenarioResult {
    let requirement = &scope[number % scope.len()];
    let (verdict, reason) = match (number % 12, requirement.level) {
        (1, Level::Must) => (Verdict::Failed, None),
        (1, _) => (Verdict::Warned, None),
        (4, _) => (Verdict::Blocked, Some("start_session: `internal`: no space left on the terminal server")),
        (6, _) => (Verdict::Skipped, Some("the manifest maps no place for `tail_chars`")),
        (8, _) => (Verdict::NotExercised, Some("the run was stopped before it")),
        (10, _) => (Verdict::CouldNotTest, Some("the adapter answered garbage: `<html>`")),
        _ => (Verdict::Passed, None),
    };
    let agent = AgentKind::all()[number % AgentKind::all().len()];
    let finding = || Finding {
        requirement: requirement.id.clone(),
        message: format!("session `s{number}` was ended, but its agent runs"),
        claimed: "end_session: success".into(),
        truth: format!("alive 5000 ms after: {agent} (pid {})", 4000 + number),
        origin: Origin::Step("nothing of \"A\" is alive".into()),
        timeline: [timelines[number % timelines.len()].as_slice(), &[remark(&"a remark longer than most; ".repeat(6))]].concat(),
        stderr: "warn: 1 session left\nerror: kill: no such process\n".into(),
        repro: format!("passmuster verify my.toml --requirement {} --agent {agent}", requirement.id),
    };
    ScenarioResult {
        key: format!("{}/feature-{}/scenario-{number}[{agent}]", requirement.suite, number % 40),
        name: format!("Scenario {number}: {}", requirement.title),
        feature: format!("features/{}/feature-{}.feature:{}", requirement.suite, number % 40, 3 + number % 90),
        suite: requirement.suite.clone(),
        agent: Some(agent),
        tags: vec!["each-agent".into()],
        requirements: vec![requirement.id.clone()],
        verdict,
        expected: None,
        reason: reason.map(str::to_owned),
        duration_ms: 100 + (number as u64 * 37) % 4000,
        findings: if matches!(verdict, Verdict::Failed | Verdict::Warned) { vec![finding()] } else { Vec::new() },
    }
}

fn remark(text: &str) -> Row {
    let (kind, detail) = (RowKind::Remark, text.to_owned());
    Row { at_ms: Some(2000), kind, subject: String::new(), detail, answer: None, more: 0, until_ms: None }
}

/// The timelines of the sessions in the traces on which rules fail.
fn timelines() -> Vec<Vec<Row>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".fail.jsonl"));
    files.sort();
    let of_file = |file| {
        let records: Vec<_> = jsonl::read(BufReader::new(File::open(file).unwrap())).map(Result::unwrap).collect();
        let sessions: Vec<String> = History::new(&records).sessions().map(|session| session.id.to_owned()).collect();
        sessions.iter().map(|session| timeline(&records, session)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).filter(|timeline| !timeline.is_empty()).collect()
}

/// The report with that text wherever a manager, or what it runs, can put one.
pub(crate) fn hostile(report: Report, text: &str) -> Report {
    let mut report = report;
    report.system.name = text.into();
    report.system.version = Some(text.into());
    for requirement in &mut report.requirements {
        requirement.reason = Some(text.into());
    }
    for scenario in &mut report.scenarios {
        scenario.name = text.into();
        scenario.feature = text.into();
        scenario.reason = scenario.reason.as_ref().map(|_| text.into());
        for finding in &mut scenario.findings {
            let Finding { requirement: _, message, claimed, truth, origin, timeline, stderr, repro } = finding;
            [message, claimed, truth, stderr, repro].into_iter().for_each(|told| *told = text.into());
            *origin = Origin::Step(text.into());
            timeline.iter_mut().for_each(|row| (row.subject, row.detail, row.answer) = (text.into(), text.into(), None));
        }
    }
    report
}

/// The report drawn as a page into a folder.
pub(crate) fn page(report: &Report, folder: &Path) -> std::path::PathBuf {
    let file = folder.join("report.html");
    fs::write(&file, Form::find("html").unwrap().draw(report, &Look::default())).unwrap();
    file
}
