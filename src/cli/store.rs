//! `passmuster store` and `passmuster hook`: the reference store of resumable sessions.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::contract::{AgentKind, OperationTable, STORE_OPERATIONS};
use crate::frontends::server;
use crate::suites::session_files::reference::FileMoment;
use crate::suites::store::faults::{self, StoreFault};
use crate::suites::store::reference::stats::Stats;
use crate::suites::store::reference::{New, ResumeLimits, ServedStore, StateUpdate, Store as Kept, StoreBehavior, StoreError};

use super::operation::{AskedOperation, Operations, answered};
use super::serve::{ServeAt, misused, until_asked};

/// The reference store of resumable sessions
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    command: StoreAction,
    #[command(flatten)]
    place: StorePlace,
}

#[derive(Debug, Subcommand)]
enum StoreAction {
    #[command(flatten)]
    Operation(AskedOperation<OfAStore>),
    /// Print how many sessions there are, how often they are resumed, how long they take
    Stats {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve the store: JSON-RPC or MCP over standard input and output, a socket or HTTP
    Serve(ServeAt),
}

/// The operations of a store.
#[derive(Debug)]
struct OfAStore;

impl Operations for OfAStore {
    const TABLE: OperationTable = STORE_OPERATIONS;
    const BRIEF: bool = true;
}

/// Where the store is, and its limits.
#[derive(Debug, Args)]
struct StorePlace {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".claude/session", global = true)]
    root: PathBuf,
    /// From this many minutes after its last activity on, a session is not resumed
    #[arg(long, value_name = "MIN", default_value_t = 30, global = true)]
    idle_minutes: u64,
    /// From this many errors on, a session is not resumed
    #[arg(long, value_name = "N", default_value_t = 3, global = true)]
    max_errors: u64,
    /// A defect for the store to have (repeatable); `passmuster faults` lists them
    #[arg(long, value_name = "NAME", global = true, value_parser = faults::named)]
    fault: Vec<&'static StoreFault>,
}

impl StorePlace {
    fn open(&self) -> Kept {
        let limits = ResumeLimits { idle: Duration::from_secs(60 * self.idle_minutes), errors: self.max_errors, ..ResumeLimits::default() };
        let mut behavior = StoreBehavior::default();
        self.fault.iter().for_each(|fault| fault.apply(&mut behavior));
        Kept::new(&self.root).with_limits(limits).with_behavior(behavior)
    }
}

/// Run a hook of the store or of session files: JSON on standard input, its answer on standard output, always exit code 0
#[derive(Debug, Args)]
pub(crate) struct Hook {
    hook: HookKind,
    /// Whose hook it is, of those of session files
    #[arg(long = "for", value_name = "AGENT", default_value = "claude", value_parser = super::known::agent())]
    host: AgentKind,
    /// Run it on a sample, in a store of its own
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    place: StorePlace,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HookKind {
    /// Before work is delegated: is a session to be resumed?
    PreDelegate,
    /// After an agent has stopped: its session is finalized
    SubagentStop,
    /// When an agent's session begins: which session files are active
    SessionStart,
    /// When it ends: what is to be done before a session file is left or deleted
    SessionEnd,
    /// Before its context is compacted: which session files have changed lately
    PreCompact,
}

impl HookKind {
    /// The moment, of a hook of session files.
    const fn of_files(self) -> Option<FileMoment> {
        match self {
            HookKind::SessionStart => Some(FileMoment::SessionStart),
            HookKind::SessionEnd => Some(FileMoment::SessionEnd),
            HookKind::PreCompact => Some(FileMoment::PreCompact),
            HookKind::PreDelegate | HookKind::SubagentStop => None,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: StoreArgs) -> ExitCode {
    full_disks_are_errors();
    let store = args.place.open();
    match args.command {
        StoreAction::Operation(operation) => answered(store.answer(operation.spec.name, &operation.args).map(Value::Object)),
        StoreAction::Stats { json } => match store.stats() {
            Ok(stats) if json => answered(Ok(json!(stats))),
            Ok(stats) => {
                super::print(&shown(&stats));
                ExitCode::SUCCESS
            }
            Err(error) => answered(Err(error.into())),
        },
        StoreAction::Serve(at) => match at.place(None) {
            Ok(place) => until_asked(async |signals| server::serve(Arc::new(ServedStore::new(store)), &place, signals).await),
            Err(why) => misused(why),
        },
    }
}

/// Runs a hook. Whatever becomes of it, the agent goes on.
pub(crate) fn hook(args: &Hook) -> ExitCode {
    full_disks_are_errors();
    if let Some(moment) = args.hook.of_files() {
        return if args.test { misused("the hooks of session files have no sample") } else { super::files::hooks::run(moment, &args.host) };
    }
    let answer = if args.test { tested(args.hook) } else { heard(args.hook, &args.place.open()) };
    if let Some(detail) = answer["detail"].as_str() {
        eprintln!("passmuster hook: {detail}");
    }
    super::print(&format!("{answer}\n"));
    ExitCode::SUCCESS
}

fn heard(hook: HookKind, store: &Kept) -> Value {
    let mut input = Vec::new();
    // What could not be read is no input, and is answered as that.
    let _ = std::io::stdin().read_to_end(&mut input);
    answer(hook, store, &String::from_utf8_lossy(&input).into_owned().into())
}

fn answer(hook: HookKind, store: &Kept, input: &Value) -> Value {
    let answer = match hook {
        HookKind::PreDelegate => store.pre_delegate(input),
        HookKind::SubagentStop => store.subagent_stop(input),
        _ => unreachable!("the hooks of session files are none of the store's"),
    };
    answer.map_or_else(|error| json!({ "reason": error.to_string() }), Value::Object)
}

/// Runs a hook on a session that waits for approval.
fn tested(hook: HookKind) -> Value {
    let sample = |root: &Path| -> Result<Value, StoreError> {
        let store = Kept::new(root);
        let metadata = json!({ "task_id": "T001", "workspace": "prod" }).as_object().cloned().unwrap_or_default();
        let new = New { agent_name: "terraform-architect".into(), purpose: "approval_workflow".into(), metadata, session_id: None };
        let id = store.create(new)?;
        store.update(&id, StateUpdate { phase: Some("approval".into()), ..StateUpdate::default() })?;
        Ok(answer(hook, &store, &json!({ "agent_name": "terraform-architect", "task_id": "T001", "agent_id": id, "exit_code": 0 })))
    };
    let folder = tempfile::tempdir().map_err(|error| error.to_string());
    folder
        .and_then(|folder| sample(folder.path()).map_err(|error| error.to_string()))
        .unwrap_or_else(|why| json!({ "reason": format!("the sample cannot be made: {why}") }))
}

/// A write beyond the limit of a file's size is an error, as on a full disk, not the end of the program.
fn full_disks_are_errors() {
    // Where it cannot be had, the system does as it likes.
    let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false)));
}

/// Figures as a person reads them.
fn shown(stats: &Stats) -> String {
    let mut text = format!("{} sessions, {} active, {} unreadable\n", stats.sessions, stats.active, stats.skipped);
    for (phase, count) in &stats.by_phase {
        text += &format!("  {phase:<26} {count:>7}\n");
    }
    text += "by agent\n";
    for (agent, count) in &stats.by_agent {
        text += &format!("  {agent:<26} {count:>7}\n");
    }
    text += "against targets\n";
    for figure in &stats.figures {
        let value = figure.value.map_or("none yet".to_owned(), |value| format!("{value:.1} {}", figure.unit));
        let met = figure.met.map_or("", |met| if met { "met" } else { "NOT MET" });
        text += &format!("  {:<26} {value:>12}   target {:<8} {met}\n", figure.name, figure.target);
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn asked(words: &[&str]) -> Result<(&'static str, Value), clap::error::ErrorKind> {
        let cli = Cli::try_parse_from(["store"].iter().chain(words)).map_err(|error| error.kind())?;
        match cli.store.command {
            StoreAction::Operation(operation) => Ok((operation.spec.name, Value::Object(operation.args))),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_required_stands_with_its_flag_or_in_its_place() {
        Cli::command().debug_assert();
        let args = json!({ "session_id": "s", "outcome": "failed", "summary": "-" });
        assert_eq!(asked(&["finalize", "s", "failed", "--summary", "-"]), Ok(("finalize_session", args.clone())));
        let long = ["finalize-session", "--session-id", "s", "--outcome", "failed", "--summary", "-", "--root", "/r"];
        assert_eq!(asked(&long), Ok(("finalize_session", args)));
        assert_eq!(asked(&["list", "--active-only"]), Ok(("list_sessions", json!({ "active_only": true }))));
        let list = ["list-sessions", "--active-only", "false", "--agent", "a"];
        assert_eq!(asked(&list), Ok(("list_sessions", json!({ "active_only": false, "agent_name": "a" }))));
        assert_eq!(asked(&["cleanup", "--hours", "-1"]), Ok(("cleanup_sessions", json!({ "hours": -1 }))));
        let update = ["update", "s", "--metadata", r#"{"n":[1]}"#];
        assert_eq!(asked(&update), Ok(("update_state", json!({ "session_id": "s", "metadata": { "n": [1] } }))));
    }

    #[test]
    fn what_is_missing_or_no_json_is_a_usage_error() {
        use clap::error::ErrorKind;
        assert_eq!(asked(&["finalize", "s"]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(asked(&["update", "s", "--metadata", "{"]), Err(ErrorKind::ValueValidation));
    }
}
