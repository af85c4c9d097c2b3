//! `passmuster files new|list|show|update|log|handoff|complete|delete|start`: the tool.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::contract::ContractError;
use crate::suites::session_files::reference::{SessionFolder, repository_of};

use super::super::operation::answered;

/// What is done with a session file.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolAction {
    /// Begin a session: print its new file's name
    New(NewArgs),
    /// List the sessions, the last written first
    List(ListArgs),
    /// Print a session file; with --json what it holds, and its revision
    Show(ShowArgs),
    /// Change what is named: status, task, sections, agents, ticked boxes
    Update(UpdateArgs),
    /// Add an entry to the session log
    Log(LogArgs),
    /// Hand a session off: Current State, Next Steps, a log entry
    Handoff(HandoffArgs),
    /// Complete a session: print what is to be done before its file is deleted
    Complete(FileArgs),
    /// Delete a completed session's file, once its checklist is done and nothing names it
    Delete(DeleteArgs),
    /// Begin work: which sessions are active, resume one of them, or begin afresh
    Start(StartArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// What it is about
    #[arg(long, allow_hyphen_values = true)]
    title: String,
    /// What is being done
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    current_task: String,
    /// Words for the file's name (default: of the title)
    #[arg(long, value_name = "WORDS")]
    description: Option<String>,
    /// Background for whoever takes over
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    context: Option<String>,
    /// The issue's id
    #[arg(long, value_name = "ID")]
    linear_issue: Option<String>,
    /// The issue's address
    #[arg(long, value_name = "URL")]
    linear_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Without those that are completed
    #[arg(long)]
    active_only: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file's name in `.agents/sessions`
    file: String,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    of: FileArgs,
    /// Its values, sections and revision, as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    of: FileArgs,
    /// in_progress, paused or completed
    #[arg(long)]
    status: Option<String>,
    /// What is being done
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    current_task: Option<String>,
    /// A section and its new text (repeatable)
    #[arg(long, value_names = ["TITLE", "TEXT"], num_args = 2, allow_hyphen_values = true)]
    section: Vec<String>,
    /// All agents that were spawned: a JSON list of `agent`, `task`, `status`, `summary`
    #[arg(long, value_name = "JSON", value_parser = json_list)]
    spawned_agents: Option<Value>,
    /// The text of a box to tick (repeatable)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    ticked: Vec<String>,
    /// Only where the file is still of this revision (`show --json`)
    #[arg(long)]
    revision: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    of: FileArgs,
    /// Who writes it
    #[arg(long)]
    who: String,
    /// What happened
    #[arg(allow_hyphen_values = true)]
    text: String,
}

#[derive(Debug, Args)]
pub(crate) struct HandoffArgs {
    #[command(flatten)]
    of: FileArgs,
    /// Where you are now
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    current_state: String,
    /// What is to be done next, as a list
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    next_steps: String,
    /// A file that was changed (repeatable)
    #[arg(long, value_name = "PATH")]
    files_modified: Vec<String>,
    /// Who takes over: joins the agents that were spawned
    #[arg(long, value_name = "AGENT")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    of: FileArgs,
    /// An item of the checklist that nobody but you can know to be done (repeatable)
    #[arg(long, value_name = "ITEM")]
    confirmed: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The file of the session to resume, or `fresh`
    #[arg(long, value_name = "FILE|fresh")]
    choice: Option<String>,
    /// With `--choice fresh`: what the new session is about
    #[arg(long, allow_hyphen_values = true)]
    title: Option<String>,
    /// With `--choice fresh`: what is being done
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    current_task: Option<String>,
}

fn json_list(word: &str) -> Result<Value, String> {
    serde_json::from_str(word).ok().filter(Value::is_array).ok_or_else(|| "wanted a JSON list".into())
}

/// The session files of the repository that one is in.
pub(crate) fn here() -> SessionFolder {
    SessionFolder { repository: repository_of(std::path::Path::new(".")), now: Timestamp::now }
}

/// Runs the command.
pub(crate) fn run(action: &ToolAction) -> ExitCode {
    let tool = here();
    match action {
        ToolAction::List(args) if !args.json => match tool.list(args.active_only) {
            Ok(list) => {
                for session in &list.sessions {
                    let words = format!(
                        "{}  {:<11}  {}  {}: {}",
                        session.file, session.status, session.last_updated, session.title, session.current_task
                    );
                    super::super::print(&format!("{}\n", crate::core::sanitise(&words).replace('\n', " ")));
                }
                list.skipped.iter().for_each(|(name, why)| eprintln!("{}: {}", crate::core::sanitise(name), crate::core::sanitise(why)));
                ExitCode::SUCCESS
            }
            Err(error) => answered(Err(error.into())),
        },
        ToolAction::Show(args) if !args.json => match tool.read(&args.of.file) {
            Ok((_, bytes)) => {
                let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes);
                ExitCode::SUCCESS
            }
            Err(error) => answered(Err(error.into())),
        },
        other => answered(asked(&tool, other)),
    }
}

fn asked(tool: &SessionFolder, action: &ToolAction) -> Result<Value, ContractError> {
    let (operation, args) = call(action);
    // What is not given is not there.
    let args: Map<String, Value> =
        args.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    tool.answer(operation, &args)
}

fn call(action: &ToolAction) -> (&'static str, Value) {
    match action {
        ToolAction::New(new) => (
            "create_session",
            json!({
                "title": new.title, "current_task": new.current_task, "description": new.description, "context": new.context,
                "linear_issue": new.linear_issue, "linear_url": new.linear_url,
            }),
        ),
        ToolAction::List(list) => ("list_sessions", json!({ "active_only": list.active_only })),
        ToolAction::Show(show) => ("read_session", json!({ "file": show.of.file })),
        ToolAction::Update(update) => {
            let sections: Map<String, Value> = update.section.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone().into())).collect();
            let args = json!({
                "file": update.of.file, "status": update.status, "current_task": update.current_task, "spawned_agents": update.spawned_agents,
                "sections": sections, "ticked": update.ticked, "revision": update.revision,
            });
            ("update_session", args)
        }
        ToolAction::Log(log) => ("append_log", json!({ "file": log.of.file, "who": log.who, "text": log.text })),
        ToolAction::Handoff(handoff) => (
            "hand_off",
            json!({
                "file": handoff.of.file, "current_state": handoff.current_state, "next_steps": handoff.next_steps,
                "files_modified": handoff.files_modified, "to": handoff.to,
            }),
        ),
        ToolAction::Complete(of) => ("complete_session", json!({ "file": of.file })),
        ToolAction::Delete(delete) => ("delete_session", json!({ "file": delete.of.file, "confirmed": delete.confirmed })),
        ToolAction::Start(start) => {
            ("start_protocol", json!({ "choice": start.choice, "title": start.title, "current_task": start.current_task }))
        }
    }
}
