//! A reference manager on a state folder, for real.

use std::fmt;
use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::clock::Clock;

use super::host::Host;
use super::store::FolderStore;
use super::{Manager, ManagerConfig, ProcessHost, TmuxHost};
use crate::suites::manager::behavior::ManagerBehavior;

/// Where agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// On terminals of their own.
    Process,
    /// In tmux.
    Tmux,
}

impl FromStr for Runtime {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "process" => Ok(Runtime::Process),
            "tmux" => Ok(Runtime::Tmux),
            other => Err(format!("`{other}` is no runtime: wanted process or tmux")),
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runtime::Process => "process",
            Runtime::Tmux => "tmux",
        })
    }
}

/// A manager that holds its state folder's lock for as long as it lives.
pub(crate) struct Opened {
    /// The manager.
    pub manager: Arc<Manager>,
    _lock: File,
}

/// How long a lock is waited for: what a killed manager was just starting holds it until it runs its own program.
const LOCK: Duration = Duration::from_secs(1);
/// How often it is tried: waiting for it cannot be limited.
const TRY_AGAIN: Duration = Duration::from_millis(5);
/// The longest path of a Unix socket, in bytes.
const LONGEST_SOCKET: usize = 107;
/// The longest name of a socket in a state folder.
const SOCKET: &str = "k/s1000000000.sock";

/// In what a manager is not the ordinary one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nature {
    /// What it chooses where managers can choose.
    pub behavior: ManagerBehavior,
    /// The session timeout where a start names none, in seconds.
    pub default_timeout_s: Option<f64>,
}

/// Opens a manager on a state folder, which nobody else may have open.
///
/// # Errors
/// Where the folder cannot be used, or is in use; where the manager gives up.
pub(crate) async fn open(state: &Path, runtime: Runtime, nature: Nature) -> Result<Opened, String> {
    let at = |error: std::io::Error| format!("{}: {error}", state.display());
    let (length, most) = (state.as_os_str().len(), LONGEST_SOCKET - SOCKET.len() - 1);
    if length > most {
        let what = format!("the state folder's path has {length} bytes, at most {most} leave room for sockets in it");
        return Err(format!("{}: {what}; name a shorter one with --state", state.display()));
    }
    // What is typed at agents, and their transcripts, are their user's alone.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(at)?;
    let lock = File::create(state.join("lock")).map_err(at)?;
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK => tokio::time::sleep(TRY_AGAIN).await,
            Err(TryLockError::WouldBlock) => {
                let what = "another manager has this state folder open";
                return Err(format!("{}: {what}; end it, or name another with --state", state.display()));
            }
            Err(TryLockError::Error(error)) => return Err(at(error)),
        }
    }
    let store = Arc::new(FolderStore::open(state).map_err(at)?);
    let host: Arc<dyn Host> = match runtime {
        Runtime::Process => Arc::new(ProcessHost::open(state).map_err(at)?),
        Runtime::Tmux => Arc::new(TmuxHost::open(state).map_err(at)?),
    };
    let Nature { behavior, default_timeout_s } = nature;
    let mut config = ManagerConfig { behavior, ..ManagerConfig::conforming(Clock::start()) };
    if let Some(default_timeout_s) = default_timeout_s {
        config.default_timeout_s = default_timeout_s;
    }
    let manager = Manager::open(host, store, config).await;
    match manager.gives_up() {
        Some(why) => Err(why.to_owned()),
        None => Ok(Opened { manager, _lock: lock }),
    }
}
