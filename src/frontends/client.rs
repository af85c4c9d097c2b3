//! The client of a manager's daemon: what the CLI is made of. The daemon is started where none runs.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::contract::{ANNOUNCEMENTS, Args, ContractError, ErrorCode};
use crate::fakes::processes::ProcFs;

/// How long the daemon may take to come up: it looks at every session that it takes over.
const COME_UP: Duration = Duration::from_secs(10);
/// How long it may take to end; it ends every session on the way.
const GO_DOWN: Duration = Duration::from_secs(30);
/// How often it is looked at: the system does not tell when a socket can be connected to, or a stranger's process ends.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The daemon's socket in a state folder.
pub(crate) fn socket(state: &Path) -> PathBuf {
    state.join("m.sock")
}

/// The daemon of a state folder.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// The state folder.
    pub state: PathBuf,
    /// The arguments with which this program becomes the daemon.
    pub args: Vec<String>,
    /// The socket of somebody else's manager, which is neither started nor ended.
    pub others: Option<PathBuf>,
}

impl Daemon {
    /// Asks for one operation.
    ///
    /// # Errors
    /// The manager's; `internal` where the daemon cannot be reached.
    pub(crate) fn call(&self, operation: &str, args: &Args) -> Result<Value, ContractError> {
        let mut stream = self.connect().map_err(internal)?;
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": operation, "params": args });
        let gone = |error: io::Error| internal(format!("the daemon is gone: {error}"));
        stream.write_all(format!("{request}\n").as_bytes()).map_err(gone)?;
        for line in BufReader::new(stream).lines() {
            let message: Value = serde_json::from_str(&line.map_err(gone)?).map_err(|error| internal(error.to_string()))?;
            if message["id"] != json!(1) {
                continue;
            }
            return match &message["error"] {
                Value::Null => Ok(message["result"].clone()),
                error => {
                    let code = error["data"]["code"].as_str().and_then(ErrorCode::from_name).unwrap_or(ErrorCode::Internal);
                    Err(ContractError::new(code, error["message"].as_str().unwrap_or_default()))
                }
            };
        }
        Err(internal("the daemon ended before it answered".into()))
    }

    /// Announcements from now on, as they go over the wire.
    ///
    /// # Errors
    /// Where the daemon cannot be reached.
    pub(crate) fn follow(&self) -> Result<FollowStream, ContractError> {
        let mut stream = self.connect().map_err(internal)?;
        // Any answer proves that the connection is served, and with it that its announcements are heard.
        let question = json!({ "jsonrpc": "2.0", "id": 0, "method": "list_sessions" });
        let gone = |error: io::Error| internal(format!("the daemon is gone: {error}"));
        stream.write_all(format!("{question}\n").as_bytes()).map_err(gone)?;
        let mut follow = FollowStream { lines: BufReader::new(stream).lines(), early: Vec::new() };
        loop {
            let message = follow.message().ok_or_else(|| internal("the daemon ended".into()))?;
            match announcement(&message) {
                Some(said) => follow.early.insert(0, said),
                None if message["id"] == json!(0) => return Ok(follow),
                None => {}
            }
        }
    }

    /// Ends every session and the daemon; returns when it is gone. A daemon that was killed left its sessions behind: one is
    /// started to end them.
    ///
    /// # Errors
    /// Where the daemon cannot be reached, or does not end.
    pub(crate) fn shutdown(&self) -> Result<(), ContractError> {
        if let Some(path) = &self.others {
            return Err(internal(format!("{}: whoever serves there ends it", path.display())));
        }
        if let Ok(running) = UnixStream::connect(socket(&self.state)) {
            end(&running)?;
        }
        if std::fs::read_dir(self.state.join("sessions")).is_ok_and(|mut records| records.next().is_some()) {
            end(&self.connect().map_err(internal)?)?;
        }
        Ok(())
    }

    /// A connection to the daemon. Of several clients that find none, one starts it and the others wait for that.
    fn connect(&self) -> Result<UnixStream, String> {
        if let Some(path) = &self.others {
            return UnixStream::connect(path).map_err(|error| format!("{}: {error}", path.display()));
        }
        let path = socket(&self.state);
        if let Ok(stream) = UnixStream::connect(&path) {
            return Ok(stream);
        }
        let at = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("{path}: {error}")
        };
        std::fs::create_dir_all(&self.state).map_err(at(&self.state))?;
        let starting = File::create(self.state.join("starting")).map_err(at(&self.state))?;
        starting.lock().map_err(at(&self.state))?;
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(stream),
            Err(_) => self.start(&path),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
    fn start(&self, path: &Path) -> Result<UnixStream, String> {
        let log = self.state.join("daemon.log");
        let out = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut daemon = std::env::current_exe()
            .and_then(|program| Command::new(program).args(&self.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(out).spawn())
            .map_err(|error| format!("the daemon cannot be started: {error}"))?;
        let began = Instant::now();
        while began.elapsed() < COME_UP {
            if let Ok(stream) = UnixStream::connect(path) {
                return Ok(stream);
            }
            if let Ok(Some(status)) = daemon.try_wait() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("the daemon ended with {status}: {}", said.trim()));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Err(format!("the daemon did not come up within {} s; see {}", COME_UP.as_secs(), log.display()))
    }
}

/// Asks the daemon at the other end of a connection to end (TERM), and waits until it has.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn end(stream: &UnixStream) -> Result<(), ContractError> {
    let failed = |error: rustix::io::Errno| internal(format!("the daemon cannot be told to end: {error}"));
    let daemon = rustix::net::sockopt::socket_peercred(stream).map_err(failed)?.pid;
    let pid = daemon.as_raw_nonzero().get().unsigned_abs();
    let ticks = ProcFs::ticks(pid);
    // One that is just being killed is as good as ended.
    let _ = rustix::process::kill_process(daemon, rustix::process::Signal::TERM);
    let began = Instant::now();
    while ticks != 0 && ProcFs::ticks(pid) == ticks {
        if began.elapsed() > GO_DOWN {
            return Err(internal(format!("the daemon (pid {pid}) did not end within {} s", GO_DOWN.as_secs())));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Announcements, one after the other, until the daemon ends.
#[derive(Debug)]
pub(crate) struct FollowStream {
    lines: Lines<BufReader<UnixStream>>,
    /// What came before the connection was known to be served; the last is the first.
    early: Vec<Value>,
}

impl FollowStream {
    fn message(&mut self) -> Option<Value> {
        self.lines.next()?.ok().and_then(|line| serde_json::from_str(&line).ok())
    }
}

impl Iterator for FollowStream {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        if let Some(said) = self.early.pop() {
            return Some(said);
        }
        loop {
            if let Some(said) = announcement(&self.message()?) {
                return Some(said);
            }
        }
    }
}

/// A notification, as the announcement that it carries.
fn announcement(message: &Value) -> Option<Value> {
    let spec = ANNOUNCEMENTS.iter().find(|spec| message["method"] == spec.name)?;
    let mut said = Args::from_iter([("event".to_owned(), spec.name.into())]);
    said.extend(message["params"].as_object().cloned().unwrap_or_default());
    Some(Value::Object(said))
}

fn internal(why: String) -> ContractError {
    ContractError::new(ErrorCode::Internal, why)
}
