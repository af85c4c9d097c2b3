//! `passmuster session`: the reference manager's own command line, a client of its daemon.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::contract::{ANNOUNCEMENTS, ContractError, ErrorCode, SessionId};
use crate::reference::host::Moment;
use crate::reference::spool::{Told, leave};

use crate::reference::fronts::server::Place;

use super::serve::{Reference, serve};

/// How long the daemon may take to come up.
const COME_UP: Duration = Duration::from_secs(10);
/// How often its socket is tried.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The reference session manager's command line
#[derive(Debug, Args)]
pub struct Session {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    reference: Reference,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start an agent in a directory
    StartSession {
        /// claude, codex or gemini
        #[arg(long, allow_hyphen_values = true)]
        agent: String,
        /// The working directory
        #[arg(long, allow_hyphen_values = true)]
        cwd: String,
        /// The first message
        #[arg(long, allow_hyphen_values = true)]
        message: Option<String>,
        /// A title
        #[arg(long, allow_hyphen_values = true)]
        title: Option<String>,
        /// The session's timeout, in seconds
        #[arg(long, allow_hyphen_values = true)]
        timeout_s: Option<f64>,
        /// Repeating the request with the same id gives the same session
        #[arg(long, allow_hyphen_values = true)]
        request_id: Option<String>,
    },
    /// List every session
    ListSessions,
    /// Read a session's transcript, or its end
    GetSessionData {
        /// The session
        #[arg(long, allow_hyphen_values = true)]
        session_id: String,
        /// How many characters of the end
        #[arg(long, allow_hyphen_values = true)]
        tail_chars: Option<i64>,
    },
    /// Give a session's agent a message
    SendMessage {
        /// The session
        #[arg(long, allow_hyphen_values = true)]
        session_id: String,
        /// The message
        #[arg(long, allow_hyphen_values = true)]
        message: String,
    },
    /// End a session
    EndSession {
        /// The session
        #[arg(long, allow_hyphen_values = true)]
        session_id: String,
    },
    /// Wait for announcements after a cursor
    WaitEvents {
        /// The cursor
        #[arg(long, allow_hyphen_values = true)]
        after: Option<String>,
        /// How long to wait, in seconds
        #[arg(long, allow_hyphen_values = true)]
        timeout_s: Option<f64>,
    },
    /// Show what a session's terminal shows
    CaptureScreen {
        /// The session
        #[arg(long, allow_hyphen_values = true)]
        session_id: String,
    },
    /// Print announcements as they come
    Events {
        /// Go on for ever
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

/// The daemon's socket in a state folder.
pub fn socket(state: &Path) -> PathBuf {
    state.join("m.sock")
}

/// Runs the command.
pub fn run(args: Session) -> ExitCode {
    let reference = &args.reference;
    let (operation, fields) = match args.command {
        Command::Daemon => {
            // Its own session: it outlives the terminal and the group of the command that started it.
            let _ = rustix::process::setsid();
            return serve(reference, &Place::RpcSocket(socket(&reference.folder())));
        }
        Command::Keeper => return crate::reference::keeper::main(),
        Command::Hook { spool, session, moment, payload } => return hook(&spool, &session, &moment, payload),
        Command::Shutdown => return shutdown(reference),
        Command::Events { .. } => return follow(reference),
        Command::StartSession { agent, cwd, message, title, timeout_s, request_id } => (
            "start_session",
            json!({ "agent": agent, "cwd": cwd, "message": message, "title": title, "timeout_s": timeout_s, "request_id": request_id }),
        ),
        Command::ListSessions => ("list_sessions", json!({})),
        Command::GetSessionData { session_id, tail_chars } => {
            ("get_session_data", json!({ "session_id": session_id, "tail_chars": tail_chars }))
        }
        Command::SendMessage { session_id, message } => ("send_message", json!({ "session_id": session_id, "message": message })),
        Command::EndSession { session_id } => ("end_session", json!({ "session_id": session_id })),
        Command::WaitEvents { after, timeout_s } => ("wait_events", json!({ "after": after, "timeout_s": timeout_s })),
        Command::CaptureScreen { session_id } => ("capture_screen", json!({ "session_id": session_id })),
    };
    match ask(reference, operation, &fields) {
        Ok(result) => {
            super::print(&format!("{result}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", json!({ "error": { "code": error.code.name(), "message": error.message } }));
            ExitCode::FAILURE
        }
    }
}

fn internal(why: String) -> ContractError {
    ContractError::new(ErrorCode::Internal, why)
}

/// Asks the daemon, which is started where none runs.
fn ask(reference: &Reference, operation: &str, fields: &Value) -> Result<Value, ContractError> {
    let mut stream = connected(reference).map_err(internal)?;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": operation, "params": fields });
    stream.write_all(format!("{request}\n").as_bytes()).map_err(|error| internal(format!("the daemon is gone: {error}")))?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(|error| internal(format!("the daemon is gone: {error}")))?;
        let message: Map<String, Value> = serde_json::from_str(&line).map_err(|error| internal(error.to_string()))?;
        if message.get("id") != Some(&json!(1)) {
            continue;
        }
        if let Some(error) = message.get("error") {
            let code = error["code"].as_i64().and_then(ErrorCode::from_rpc).unwrap_or(ErrorCode::Internal);
            return Err(ContractError::new(code, error["message"].as_str().unwrap_or_default()));
        }
        return Ok(message.get("result").cloned().unwrap_or_default());
    }
    Err(internal("the daemon ended before it answered".into()))
}

/// A connection to the daemon. Of several commands that find none, one starts it.
fn connected(reference: &Reference) -> Result<UnixStream, String> {
    let state = reference.folder();
    let path = socket(&state);
    if let Ok(stream) = UnixStream::connect(&path) {
        return Ok(stream);
    }
    std::fs::create_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
    let starting = File::create(state.join("starting")).map_err(|error| format!("{}: {error}", state.display()))?;
    starting.lock().map_err(|error| format!("{}: {error}", state.display()))?;
    if let Ok(stream) = UnixStream::connect(&path) {
        return Ok(stream);
    }
    let log = state.join("daemon.log");
    let out = File::options().create(true).append(true).open(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut daemon = Process::new(program)
        .args(["session", "daemon"])
        .args(reference.words())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(out)
        .spawn()
        .map_err(|error| format!("the daemon cannot be started: {error}"))?;
    let began = Instant::now();
    while began.elapsed() < COME_UP {
        if let Ok(stream) = UnixStream::connect(&path) {
            return Ok(stream);
        }
        if let Ok(Some(status)) = daemon.try_wait() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("the daemon ended with {status}: {}", said.lines().last().unwrap_or_default()));
        }
        std::thread::sleep(TRY_AGAIN);
    }
    Err(format!("the daemon did not come up within {} s; see {}", COME_UP.as_secs(), log.display()))
}

fn follow(reference: &Reference) -> ExitCode {
    let stream = match connected(reference) {
        Ok(stream) => stream,
        Err(why) => {
            eprintln!("{}", json!({ "error": { "code": "internal", "message": why } }));
            return ExitCode::FAILURE;
        }
    };
    // An answer proves that the connection, and with it the subscription, is there.
    let mut asking = &stream;
    if writeln!(asking, "{}", json!({ "jsonrpc": "2.0", "id": 0, "method": "list_sessions" })).is_err() {
        return ExitCode::FAILURE;
    }
    for line in BufReader::new(&stream).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Map<String, Value>>(&line) else { continue };
        let said = match message.get("method").and_then(Value::as_str) {
            Some(method) if ANNOUNCEMENTS.iter().any(|spec| spec.name == method) => {
                let mut said = Map::from_iter([("event".to_owned(), method.into())]);
                said.extend(message.get("params").and_then(Value::as_object).cloned().unwrap_or_default());
                Value::Object(said)
            }
            _ if message.get("id") == Some(&json!(0)) => json!({ "event": "ready" }),
            _ => continue,
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{said}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Asks the daemon to end, and waits until its lock is free: then all of it is gone.
fn shutdown(reference: &Reference) -> ExitCode {
    let state = reference.folder();
    let Ok(stream) = UnixStream::connect(socket(&state)) else {
        println!("{{}}");
        return ExitCode::SUCCESS;
    };
    let peer = rustix::net::sockopt::socket_peercred(&stream);
    if let Ok(peer) = peer {
        let _ = rustix::process::kill_process(peer.pid, rustix::process::Signal::TERM);
    }
    match File::open(state.join("lock")).and_then(|lock| lock.lock()) {
        Ok(()) => {
            let _ = std::fs::remove_file(socket(&state));
            println!("{{}}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", json!({ "error": { "code": "internal", "message": error.to_string() } }));
            ExitCode::FAILURE
        }
    }
}

/// Leaves an agent's hook in the spool.
fn hook(spool: &Path, session: &str, moment: &str, payload: Option<String>) -> ExitCode {
    let payload = payload.unwrap_or_else(|| {
        let mut text = String::new();
        let _ = std::io::stdin().read_to_string(&mut text);
        text
    });
    let told = serde_json::from_value::<Moment>(moment.into()).ok().zip(serde_json::from_str(&payload).ok());
    let Some((moment, payload)) = told else {
        eprintln!("passmuster session hook: not a hook's payload: {payload}");
        return ExitCode::from(2);
    };
    match leave(spool, &Told::Hook { session: SessionId(session.to_owned()), moment, payload }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("passmuster session hook: {}: {error}", spool.display());
            ExitCode::FAILURE
        }
    }
}
