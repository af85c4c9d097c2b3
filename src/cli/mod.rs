//! The commands: clap's types become the library's; one file a command.
#![allow(clippy::print_stdout, reason = "the command line prints")]

pub(crate) mod agent;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod faults;
pub(crate) mod files;
pub(crate) mod gate;
pub(crate) mod init;
pub(crate) mod interrupt;
pub(crate) mod known;
pub(crate) mod man;
pub(crate) mod operation;
pub(crate) mod orchestrate;
pub(crate) mod profiles;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod running;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod spec;
pub(crate) mod steps;
pub(crate) mod store;
pub(crate) mod supervise;
pub(crate) mod trace;
pub(crate) mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use crate::report::{Form, Look};
use crate::results::model::Report;

const EXIT_CODES: &str = "\
Exit codes of what judges (verify, gate, trace check):
  0    conformant
  1    not conformant: a finding names a MUST (with --strict: or a SHOULD)
  2    could not test: bad manifest, adapter broken, something could not be reached, nothing exercised
  130  interrupted; the reports show what ran";

/// Does your session manager pass muster?
///
/// A specification and a conformance harness for session managers: programs that start, list, read and end the sessions
/// of AI coding agents (Claude, Codex, Gemini).
#[derive(Debug, Parser)]
#[command(name = "passmuster", version, max_term_width = 110, after_long_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: PassmusterAction,
}

#[derive(Debug, Subcommand)]
enum PassmusterAction {
    Verify(Box<verify::Verify>),
    Gate(Box<gate::Gate>),
    Doctor(doctor::Doctor),
    Agent(agent::AgentArgs),
    Session(session::SessionArgs),
    Serve(serve::ServeArgs),
    Orchestrate(orchestrate::Orchestrate),
    Record(record::RecordArgs),
    Store(store::StoreArgs),
    Supervise(supervise::SuperviseArgs),
    Hook(store::Hook),
    Files(files::FilesArgs),
    Trace(trace::Trace),
    Faults(faults::Faults),
    Report(report::ReportCommand),
    Init(init::Init),
    Explain(explain::Explain),
    Spec(spec::Spec),
    Profiles(profiles::ProfilesCommand),
    Schema(schema::Schema),
    /// Print the vocabulary for scenarios
    Steps,
    Completions(completions::Completions),
    Man(man::Man),
    /// Play one scenario (for the harness itself)
    #[command(name = crate::engine::WORKER, hide = true)]
    Worker,
}

/// Parses the command line, runs the command, gives the exit code. What could not be printed is no success.
pub fn main() -> ExitCode {
    let code = done(Cli::parse().command);
    if UNPRINTED.load(Ordering::Relaxed) { ExitCode::from(2) } else { code }
}

fn done(command: PassmusterAction) -> ExitCode {
    match command {
        PassmusterAction::Verify(verify) => verify::run(*verify),
        PassmusterAction::Gate(gate) => gate::run(*gate),
        PassmusterAction::Doctor(doctor) => doctor::run(&doctor),
        PassmusterAction::Agent(agent) => agent::run(agent),
        PassmusterAction::Session(session) => session::run(session),
        PassmusterAction::Serve(serve) => serve::run(serve),
        PassmusterAction::Orchestrate(orchestrate) => orchestrate::run(orchestrate),
        PassmusterAction::Record(record) => record::run(&record),
        PassmusterAction::Store(store) => store::run(store),
        PassmusterAction::Supervise(supervise) => supervise::run(supervise),
        PassmusterAction::Hook(hook) => store::hook(&hook),
        PassmusterAction::Files(files) => files::run(&files),
        PassmusterAction::Trace(trace) => trace::run(&trace),
        PassmusterAction::Faults(faults) => faults::run(&faults),
        PassmusterAction::Report(report) => report::run(&report),
        PassmusterAction::Init(init) => init::run(&init),
        PassmusterAction::Explain(explain) => explain::run(&explain),
        PassmusterAction::Spec(spec) => spec::run(&spec),
        PassmusterAction::Profiles(profiles) => profiles::run(&profiles),
        PassmusterAction::Schema(schema) => schema::run(&schema),
        PassmusterAction::Steps => steps::run(),
        PassmusterAction::Completions(completions) => completions::run(&completions),
        PassmusterAction::Man(man) => man::run(&man),
        PassmusterAction::Worker => crate::engine::run_worker(crate::suites::SUITES),
    }
}

/// Draws a report in the forms asked for, each into its file; folders that are not there are made. One that cannot be
/// written does not keep the others from being.
fn write_reports(report: &Report, targets: &[(String, PathBuf)], look: &Look) -> miette::Result<()> {
    let mut wrong = Vec::new();
    for (form, path) in targets {
        let text = Form::find(form).expect("the command line was checked").draw(report, look);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let written = folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
        wrong.extend(written.err().map(|error| format!("{}: the report cannot be written: {error}", path.display())));
    }
    if wrong.is_empty() { Ok(()) } else { Err(miette::miette!("{}", wrong.join("\n"))) }
}

/// Whether something could not be printed.
static UNPRINTED: AtomicBool = AtomicBool::new(false);

/// Prints a text. A reader that goes away (`| head`) is no fault; a full disk is.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = printed.as_ref()
        && error.kind() != std::io::ErrorKind::BrokenPipe
        && !UNPRINTED.swap(true, Ordering::Relaxed)
    {
        eprintln!("standard output cannot be written: {error}");
    }
}

/// Says on standard error what went wrong. Mistakes that know their places are told one by one, without a heading of their own.
fn complain(report: &miette::Report) {
    eprint!("{}", format!("{report:?}\n").replace("\nError: \n", "\n"));
}
