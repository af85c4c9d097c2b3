//! Recorded traces: read, judged by the rules for orchestrators, and told as a report.

use std::collections::BTreeMap;
use std::io;

use crate::spec::{Registry, RequirementId};
use crate::suites::orchestrator::rules::{Judge, Judgement};
use crate::trace::Contradiction;
use crate::trace::source::SourceLines;
use crate::trace::{RecordView, What};

use crate::results::model::{Finding, Origin, Report, RequirementResult, SCHEMA, ScenarioResult, Summary, System, Tool, Verdict};
use crate::results::{requirement_results, verdict_of};

/// The suite that recorded traces are judged by.
pub(crate) const SUITE: &str = "orchestrator";

/// How many bad lines are kept with their reason.
const BAD_LINES: usize = 10;

/// What came of reading and judging one trace.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Its name: the file's, or `-`.
    pub name: String,
    /// How many records it has.
    pub records: u64,
    /// How many of them are of a kind that this version does not know.
    pub unknown: u64,
    /// How many lines are no records.
    pub bad: u64,
    /// The first of those, with the reason.
    pub first_bad: Vec<(usize, String)>,
    /// Whether its last line was cut off while it was written.
    pub torn: bool,
    /// How many sessions it has.
    pub sessions: u64,
    /// What was found; its findings cite lines, counted from 1.
    pub judgement: Judgement,
}

/// Reads a trace to its end and judges it. Lines that are no records are counted and passed over, and what they may explain
/// is not found; a torn last line is none of them.
///
/// # Errors
/// Where the input cannot be read.
pub(crate) fn check(name: &str, mut lines: SourceLines, mut judge: Judge) -> io::Result<Checked> {
    let (mut records, mut unknown, mut bad, mut torn) = (0, 0, 0, false);
    let mut first_bad = Vec::new();
    while let Some(line) = lines.next_line()? {
        let view = match line.bytes {
            Some(bytes) => RecordView::of_line(bytes).map_err(|error| error.to_string().replace(" at line 1 column ", " at column ")),
            None => Err("not a trace record: the line is longer than 16 MiB".to_owned()),
        };
        match view {
            Ok(view) => {
                records += 1;
                unknown += u64::from(view.what == What::Unknown);
                judge.see(line.number, &view);
            }
            Err(_) if line.torn => torn = true,
            Err(why) => {
                bad += 1;
                if first_bad.len() < BAD_LINES {
                    first_bad.push((line.number, why));
                }
            }
        }
    }
    let sessions = judge.sessions();
    let mut judgement = judge.finish();
    let named: Vec<usize> = first_bad.iter().map(|(line, _)| *line).collect();
    judgement.pass_over(&named, bad - named.len() as u64);
    Ok(Checked { name: name.to_owned(), records, unknown, bad, first_bad, torn, sessions, judgement })
}

/// The report on some traces. Each is a scenario that exercises what it had to judge; each finding is one more, at the
/// line that breaks the rule. With `strict`, a trace with bad lines could not be tested.
pub(crate) fn report(traces: &[Checked], registry: &Registry, strict: bool) -> Report {
    let scenarios: Vec<ScenarioResult> = traces.iter().flat_map(|trace| scenarios(trace, registry, strict)).collect();
    let requirements = requirement_results(registry.suite(SUITE), &scenarios, &BTreeMap::new());
    let names: Vec<&str> = traces.iter().map(|trace| trace.name.as_str()).collect();
    Report {
        schema: SCHEMA.into(),
        tool: Tool { name: "passmuster".into(), version: env!("CARGO_PKG_VERSION").into() },
        spec_version: crate::spec::VERSION.into(),
        system: System { name: names.join(", "), version: None, transport: "trace".into(), file: None },
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        started_at: String::new(),
        duration_ms: 0,
        seed: 0,
        notes: Vec::new(),
        interrupted: false,
        shard: None,
        hint: None,
        control: None,
        baseline: None,
        summary: Summary::of(scenarios.iter().map(|scenario| scenario.verdict)),
        requirements: requirements.into_iter().map(|result| explained(result, traces)).collect(),
        scenarios,
    }
}

fn scenarios(trace: &Checked, registry: &Registry, strict: bool) -> Vec<ScenarioResult> {
    let exercised: Vec<RequirementId> = trace.judgement.tallies.keys().cloned().collect();
    let (verdict, reason) = match trace {
        Checked { records: 0, .. } => (Verdict::CouldNotTest, Some("there is no record in it".to_owned())),
        Checked { bad, .. } if strict && *bad > 0 => (Verdict::CouldNotTest, Some(format!("{bad} lines are no records"))),
        _ if exercised.is_empty() => (Verdict::NotExercised, Some("it has nothing that a rule could judge".to_owned())),
        _ => (Verdict::Passed, None),
    };
    let whole = ScenarioResult {
        key: format!("{SUITE}/{}", trace.name),
        name: format!("{}, {}", count(trace.records, "record"), count(trace.sessions, "session")),
        feature: trace.name.clone(),
        suite: SUITE.into(),
        agent: None,
        tags: Vec::new(),
        requirements: exercised,
        verdict,
        expected: None,
        reason,
        duration_ms: 0,
        findings: Vec::new(),
    };
    let broken = trace.judgement.contradictions.iter().enumerate().map(|(at, found)| {
        let findings = vec![finding(trace, found)];
        ScenarioResult {
            key: format!("{SUITE}/{}/{}", trace.name, at + 1),
            name: found.session_id().map_or_else(|| "the orchestrator".to_owned(), |session| format!("session {session}")),
            feature: format!("{}:{}", trace.name, found.records.last().copied().unwrap_or(1)),
            requirements: vec![found.requirement.clone()],
            verdict: verdict_of(&findings, registry),
            findings,
            reason: None,
            ..whole.clone()
        }
    });
    let broken: Vec<ScenarioResult> = broken.collect();
    std::iter::once(whole).chain(broken).collect()
}

/// So many of something, in words.
pub(crate) fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

fn finding(trace: &Checked, found: &Contradiction) -> Finding {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let again = |session: &str| format!("passmuster trace show {} --session {}", quoted(&trace.name), quoted(session));
    Finding {
        requirement: found.requirement.clone(),
        message: found.message.clone(),
        claimed: found.claimed.clone(),
        truth: found.truth.clone(),
        origin: Origin::Lines(found.records.clone()),
        timeline: Vec::new(),
        stderr: String::new(),
        repro: found.session_id().filter(|_| trace.name != "-").map(again).unwrap_or_default(),
    }
}

/// A requirement's result with what the traces could not show, and what is not shown of the findings.
fn explained(mut result: RequirementResult, traces: &[Checked]) -> RequirementResult {
    let of = |trace: &Checked| trace.judgement.tallies.get(&result.id).map_or(0, |tally| tally.broken);
    let broken: u64 = traces.iter().map(of).sum();
    let shown = traces.iter().flat_map(|trace| &trace.judgement.contradictions).filter(|found| found.requirement == result.id).count();
    let mut why: Vec<String> = Vec::new();
    if broken > shown as u64 {
        why.push(format!("broken {broken} times, {shown} of them are shown"));
    }
    why.extend(untold(traces).into_iter().filter(|(id, _)| *id == result.id).map(|(_, why)| why));
    if !why.is_empty() {
        result.reason = Some(why.join("; "));
    }
    result
}

/// What could not be judged, and why, each once.
pub(crate) fn untold(traces: &[Checked]) -> Vec<(RequirementId, String)> {
    let mut all: Vec<(RequirementId, String)> = traces.iter().flat_map(|trace| trace.judgement.unjudged.clone()).collect();
    all.sort();
    all.dedup();
    all
}
