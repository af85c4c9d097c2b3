//! `passmuster trace`: judge recorded traces, and show them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::contract::OperationSpec;
use crate::engine::suite::find;
use crate::profile::{Choice, Profiles};
use crate::report::timelines;
use crate::results::model::{Report, ScenarioResult, Summary};
use crate::results::{concerns, exit_code, requirement_results};
use crate::spec::{Party, Registry, RequirementId};
use crate::suites::SUITES;
use crate::suites::manager::traced as manager;
use crate::suites::orchestrator::rules::Judge;
use crate::suites::orchestrator::traced::{self, Checked, count};
use crate::trace::settings::Settings;
use crate::trace::source::SourceLines;
use crate::trace::{Contradiction, Record, RecordView, select};

use super::running::{OutputArgs, shard};

/// Exit code where nothing could be judged.
const COULD_NOT_TEST: u8 = 2;

/// How many sessions are shown where none is asked for.
const SHOWN: usize = 50;

/// Judge recorded traces by the rules for orchestrators, and show them
#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(subcommand)]
    command: TraceAction,
}

#[derive(Debug, Subcommand)]
enum TraceAction {
    Check(TraceCheck),
    Show(Show),
}

/// Judge recorded traces: JSON lines, plain or gzip
#[derive(Debug, Args)]
struct TraceCheck {
    /// The traces, each by itself; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Lines that are no records, and warnings (a SHOULD), are fatal
    #[arg(long)]
    strict: bool,
    /// Judge the K-th of N shards of the sessions (by a hash of their ids: the same everywhere)
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(u64, u64)>,
    /// Show that many findings of each rule, and count the rest
    #[arg(long, value_name = "N", default_value_t = 20)]
    findings: u64,
    #[command(flatten)]
    output: OutputArgs,
    /// The agents' profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "spec")]
    profiles: Choice,
}

/// Show a recorded trace: a timeline for each session, with its phases and what the rules find
#[derive(Debug, Args)]
struct Show {
    /// The trace; `-` is standard input
    file: PathBuf,
    /// Only this session (repeatable)
    #[arg(long, value_name = "ID")]
    session: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// The agents' profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "spec")]
    profiles: Choice,
}

/// Runs the command.
pub(crate) fn run(args: &Trace) -> ExitCode {
    let done = match &args.command {
        TraceAction::Check(args) => check(args),
        TraceAction::Show(args) => show(args),
    };
    done.map(ExitCode::from).unwrap_or_else(|report| {
        super::complain(&report);
        ExitCode::from(COULD_NOT_TEST)
    })
}

fn settings(profiles: &Choice) -> miette::Result<Settings> {
    Ok(Settings::of(&Profiles::load(profiles).map_err(|error| miette::Report::new(*error))?))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> miette::Report {
    move |error| miette::miette!("{}: cannot be read: {error}", path.display())
}

fn check(args: &TraceCheck) -> miette::Result<u8> {
    let settings = settings(&args.profiles)?;
    let (began, started_at) = (Instant::now(), jiff::Timestamp::now());
    let (mut traces, mut played) = (Vec::new(), Vec::new());
    for path in &args.files {
        if let Some(records) = of_a_manager(path) {
            let name = path.display().to_string();
            eprintln!("{name}: the trace of a manager's scenario: judged by what can be judged of a manager");
            played.push(manager::judged(&name, &records, &settings));
            continue;
        }
        let lines = match path.to_str() {
            Some("-") => SourceLines::read(std::io::stdin()),
            _ => File::open(path).and_then(|file| watched(file, args.output.is_auto())),
        };
        let mut judge = Judge::new(&settings).keep(args.findings);
        if let Some((k, of)) = args.shard {
            judge = judge.shard(k, of);
        }
        let lines = lines.map_err(unreadable(path))?;
        let checked = traced::check(&path.display().to_string(), lines, judge).map_err(unreadable(path))?;
        eprint!("{}", read(&checked));
        traces.push(checked);
    }
    let mut report = traced::report(&traces, Registry::embedded(), args.strict);
    if !played.is_empty() {
        add(&mut report, played, traces.is_empty());
    }
    report.started_at = started_at.to_string();
    report.duration_ms = began.elapsed().as_millis() as u64;
    tell(args, &report, &traces)?;
    Ok(exit_code(&report, args.strict))
}

/// The records of a trace that `verify` left of a manager's scenario; none where it is another's.
fn of_a_manager(path: &Path) -> Option<Vec<Record>> {
    let mut lines = SourceLines::open(path).ok().filter(|_| path.as_os_str() != "-")?;
    let first: Record = serde_json::from_slice(lines.next_line().ok()??.bytes?).ok()?;
    let suite = manager::about(&first)?.0.split('/').next()?;
    find(SUITES, suite)
        .filter(|suite| OperationSpec::find(suite.operations(), "send_message").is_some() && suite.party() == Party::Manager)?;
    let mut records = vec![first];
    while let Some(line) = lines.next_line().ok()? {
        records.extend(line.bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()));
    }
    Some(records)
}

/// Adds scenarios of managers to a report on traces.
fn add(report: &mut Report, played: Vec<ScenarioResult>, alone: bool) {
    let concerned = |id: &RequirementId| played.iter().any(|scenario| concerns(scenario, id));
    let scope = Registry::embedded().iter().filter(|requirement| concerned(&requirement.id));
    let more = requirement_results(scope, &played, &Default::default());
    if alone {
        report.requirements.clear();
        report.system.name = played.iter().map(|scenario| view_name(&scenario.feature)).collect::<Vec<_>>().join(", ");
    }
    report.requirements.extend(more);
    report.scenarios.extend(played);
    report.summary = Summary::of(report.scenarios.iter().map(|scenario| scenario.verdict));
}

/// A file's name without the line.
fn view_name(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

/// The lines of a file; on a terminal a bar shows how far they are read.
fn watched(file: File, is_shown: bool) -> std::io::Result<SourceLines> {
    let bar = match is_shown && std::io::stderr().is_terminal() {
        true => ProgressBar::new(file.metadata()?.len()),
        false => ProgressBar::hidden(),
    };
    let bar = bar.with_style(ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes} {elapsed}").expect("the template is one"));
    SourceLines::read(bar.with_finish(ProgressFinish::AndClear).wrap_read(file))
}

/// What was read of a trace, and what could not be, for people.
fn read(trace: &Checked) -> String {
    let mut parts = vec![count(trace.records, "record"), count(trace.sessions, "session")];
    let more = [(trace.bad, "bad line"), (trace.unknown, "unknown record"), (u64::from(trace.torn), "torn last line")];
    parts.extend(more.into_iter().filter(|(number, _)| *number > 0).map(|(number, of)| count(number, of)));
    let mut text = format!("{}: {}\n", trace.name, parts.join(", "));
    for (line, why) in &trace.first_bad {
        text.push_str(&format!("{}:{line}: {}\n", trace.name, crate::core::sanitise(why)));
    }
    let shown = trace.first_bad.len() as u64;
    if trace.bad > shown {
        text.push_str(&format!("{}: and {} bad lines more\n", trace.name, trace.bad - shown));
    }
    text
}

fn tell(args: &TraceCheck, report: &Report, traces: &[Checked]) -> miette::Result<()> {
    // The verdict comes last, and what was read is told where that is.
    if args.output.is_for_people() {
        eprint!("{}", unjudged(traces));
    }
    args.output.tell(report, args.strict)
}

/// What could not be judged, by reason, for people.
fn unjudged(traces: &[Checked]) -> String {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for (id, why) in traced::untold(traces) {
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(id.to_string()),
            None => reasons.push((why, vec![id.to_string()])),
        }
    }
    let lines: String = reasons.iter().map(|(why, ids)| format!("  {}\n    {why}\n", ids.join(", "))).collect();
    if lines.is_empty() { lines } else { format!("not or not wholly judged\n{lines}") }
}

fn show(args: &Show) -> miette::Result<u8> {
    let settings = settings(&args.profiles)?;
    let is_input = args.file.as_os_str() == "-";
    let mut input = Vec::new();
    if is_input {
        std::io::stdin().read_to_end(&mut input).map_err(unreadable(&args.file))?;
    }
    let open = || if is_input { SourceLines::read(std::io::Cursor::new(input.clone())) } else { SourceLines::open(&args.file) };
    let open = || open().map_err(unreadable(&args.file));
    let wanted = match args.session.is_empty() {
        true => first_sessions(open()?).map_err(unreadable(&args.file))?,
        false => args.session.clone(),
    };
    if let Some(records) = of_a_manager(&args.file).filter(|_| !is_input) {
        if let Some((scenario, system)) = manager::about(&records[0]) {
            eprintln!("{}: {scenario}, played on {system}", args.file.display());
        }
        let mut found: Vec<Contradiction> = manager::found(&records, &settings).into_iter().map(|(_, found)| found).collect();
        found.retain(|found| found.session_id().map_or(args.session.is_empty(), |session| wanted.iter().any(|known| known == session)));
        let records: Vec<(usize, Record)> = (1..).zip(records).collect();
        let drawn = timelines::draw(&records, &wanted, &found, &settings, &args.output.look(false));
        super::print(&drawn);
        return Ok(if drawn.is_empty() { COULD_NOT_TEST } else { 0 });
    }
    let sessions: BTreeSet<String> = wanted.iter().cloned().collect();
    let judged = traced::check("", open()?, Judge::new(&settings)).map_err(unreadable(&args.file))?;
    let records = select(&mut open()?, &sessions).map_err(unreadable(&args.file))?;
    let mut found = judged.judgement.contradictions;
    found.retain(|found| found.session_id().map_or(args.session.is_empty(), |session| sessions.contains(session)));
    let look = args.output.look(false);
    let drawn = timelines::draw(&records, &wanted, &found, &settings, &look);
    super::print(&drawn);
    if args.session.is_empty() && judged.sessions > wanted.len() as u64 {
        eprintln!("{} of {} sessions are shown; `--session ID` shows others", wanted.len(), judged.sessions);
    }
    if drawn.is_empty() {
        eprintln!("{}: {}", args.file.display(), why_nothing(judged.records, !args.session.is_empty()));
        return Ok(COULD_NOT_TEST);
    }
    Ok(0)
}

/// Why nothing of a trace is shown.
fn why_nothing(records: u64, is_asked_for: bool) -> &'static str {
    match (records, is_asked_for) {
        (0, _) => "the trace has no records",
        (_, true) => "there is no such session",
        (_, false) => "the trace has no sessions",
    }
}

/// The first sessions that a trace gives an id.
fn first_sessions(mut lines: SourceLines) -> std::io::Result<Vec<String>> {
    use crate::trace::What;
    let mut starts = BTreeSet::new();
    let mut sessions: Vec<String> = Vec::new();
    while sessions.len() < SHOWN
        && let Some(line) = lines.next_line()?
    {
        match line.bytes.map(RecordView::of_line) {
            Some(Ok(RecordView { what: What::Asked { id, op, .. }, .. })) if op == "start_session" => drop(starts.insert(id)),
            Some(Ok(RecordView { what: What::Answered { id, said: Some(Ok(answered)) }, .. })) if starts.remove(&id) => {
                sessions.extend(answered.session.get().map(str::to_owned).filter(|id| !sessions.contains(id)));
            }
            _ => {}
        }
    }
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_empty_trace(0, false, "the trace has no records")]
    #[case::an_empty_trace_and_a_session(0, true, "the trace has no records")]
    #[case::records_of_no_session(3, false, "the trace has no sessions")]
    #[case::another_session(3, true, "there is no such session")]
    fn that_nothing_is_shown_has_a_reason(#[case] records: u64, #[case] is_asked_for: bool, #[case] why: &str) {
        assert_eq!(why_nothing(records, is_asked_for), why);
    }
}
