//! `passmuster session`: the reference manager's own command line, a client of its daemon. Its operations are the
//! contract's table.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::contract::{ContractError, OperationTable, SESSION_OPERATIONS, SessionId};
use crate::frontends::client::{Daemon, socket};
use crate::frontends::server::ServePlace;
use crate::suites::manager::reference::host::HookTime;
use crate::suites::manager::reference::spool::{SpooledReport, leave};

use super::operation::{AskedOperation, Operations, answered};
use super::serve::{ReferenceArgs, serve};

/// The reference session manager's command line
#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(subcommand)]
    command: SessionAction,
    #[command(flatten)]
    reference: ReferenceArgs,
    /// Ask whoever serves JSON-RPC on this socket; no daemon is started
    #[arg(long, value_name = "SOCKET", global = true)]
    connect: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum SessionAction {
    #[command(flatten)]
    Operation(AskedOperation<OfAManager>),
    /// Print announcements as they come, one a line, after a line that says that they are heard
    Events {
        /// Go on until the manager ends
        #[arg(long, required = true)]
        follow: bool,
    },
    /// End every session and the daemon
    Shutdown,
    /// Be the daemon
    #[command(hide = true)]
    Daemon,
    /// Hold one session's terminal
    #[command(hide = true)]
    Keeper,
    /// Tell the manager that an agent's hook ran
    #[command(hide = true)]
    Hook {
        #[arg(long)]
        spool: PathBuf,
        #[arg(long)]
        session: String,
        #[arg(long)]
        moment: String,
        /// The payload; without it, standard input
        payload: Option<String>,
    },
}

/// The operations of a session manager.
#[derive(Debug)]
struct OfAManager;

impl Operations for OfAManager {
    const TABLE: OperationTable = SESSION_OPERATIONS;
    const BRIEF: bool = false;
}

/// Runs the command.
pub(crate) fn run(args: SessionArgs) -> ExitCode {
    let reference = &args.reference;
    let state = reference.folder();
    let others = args.connect.clone();
    let own = || ["session".into(), "daemon".into()].into_iter().chain(reference.words()).collect();
    let daemon = || Daemon { state: state.clone(), args: own(), others: others.clone() };
    let done = match args.command {
        SessionAction::Daemon => {
            // Its own session: it outlives the terminal and the group of the command that started it.
            let _ = rustix::process::setsid();
            return serve(reference, &ServePlace::RpcSocket(socket(&state)));
        }
        SessionAction::Keeper => return crate::suites::manager::reference::process_host::shim::main(),
        SessionAction::Hook { spool, session, moment, payload } => return hook(&spool, &session, &moment, payload),
        SessionAction::Operation(operation) => daemon().call(operation.spec.name, &operation.args),
        SessionAction::Events { .. } => return follow(&daemon()).map_or_else(|error| answered(Err(error)), |()| ExitCode::SUCCESS),
        SessionAction::Shutdown => daemon().shutdown().map(|()| json!({})),
    };
    answered(done)
}

/// Prints what a daemon announces, a line each, until it ends.
pub(super) fn follow(daemon: &Daemon) -> Result<(), ContractError> {
    let announcements = daemon.follow()?;
    for line in std::iter::once(json!({ "event": "ready" })).chain(announcements) {
        let mut out = std::io::stdout().lock();
        // A reader that goes away has heard enough.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Ok(())
}

/// Leaves an agent's hook in the spool. Agents take some statuses for more than a complaint (Claude: 2), so it is 0 or 1.
fn hook(spool: &Path, session: &str, moment: &str, payload: Option<String>) -> ExitCode {
    let payload = payload.unwrap_or_else(|| {
        let mut text = String::new();
        let _ = std::io::stdin().read_to_string(&mut text);
        text
    });
    let told = serde_json::from_value::<HookTime>(moment.into()).ok().zip(serde_json::from_str(&payload).ok());
    let left = match told {
        Some((moment, payload)) => leave(spool, &SpooledReport::Hook { session: SessionId(session.to_owned()), moment, payload })
            .map_err(|error| error.to_string()),
        None => Err(format!("not a hook's payload: {payload}")),
    };
    match left {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("passmuster session hook: {}: {why}", spool.display());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        session: SessionArgs,
    }

    fn asked(words: &[&str]) -> Result<(&'static str, Value), clap::error::ErrorKind> {
        let cli = Cli::try_parse_from(["session"].iter().chain(words)).map_err(|error| error.kind())?;
        match cli.session.command {
            SessionAction::Operation(operation) => Ok((operation.spec.name, Value::Object(operation.args))),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_operation_is_a_verb_with_its_arguments_as_flags() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
        let words = ["start-session", "--agent", "codex", "--cwd", "/w", "--message", "--rf -x", "--timeout-s", "1.5", "--state", "/s"];
        let args = json!({"agent":"codex","cwd":"/w","message":"--rf -x","timeout_s":1.5});
        assert_eq!(asked(&words), Ok(("start_session", args)));
        assert_eq!(asked(&["list-sessions"]), Ok(("list_sessions", json!({}))));
        let read = ["get-session-data", "--session-id", "s1", "--tail-chars", "-5"];
        assert_eq!(asked(&read), Ok(("get_session_data", json!({"session_id":"s1","tail_chars":-5}))));
        assert_eq!(asked(&["wait-events", "--after", "7"]), Ok(("wait_events", json!({"after":"7"}))));
    }

    #[test]
    fn what_cannot_be_understood_is_a_usage_error() {
        use clap::error::ErrorKind;
        assert_eq!(asked(&["end-session"]), Err(ErrorKind::MissingRequiredArgument));
        assert_eq!(asked(&["get-session-data", "--session-id", "s", "--tail-chars", "1.5"]), Err(ErrorKind::ValueValidation));
        assert_eq!(asked(&["no-such-verb"]), Err(ErrorKind::InvalidSubcommand));
    }
}
