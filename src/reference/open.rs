//! A reference manager on a state folder, for real.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Clock;

use super::host::Host;
use super::store::FolderStore;
use super::{Config, FaultSet, Manager, ProcessHost, TmuxHost};

/// Where agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
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
pub struct Opened {
    /// The manager.
    pub manager: Arc<Manager>,
    _lock: File,
}

/// Opens a manager on a state folder, which nobody else may have open.
///
/// # Errors
/// Where the folder cannot be used, or is in use.
pub async fn open(state: &Path, runtime: Runtime, faults: FaultSet, default_timeout_s: Option<f64>) -> Result<Opened, String> {
    let at = |error: std::io::Error| format!("{}: {error}", state.display());
    std::fs::create_dir_all(state).map_err(at)?;
    let lock = File::create(state.join("lock")).map_err(at)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(format!("{}: another manager has this state folder open; end it, or name another with --state", state.display()));
        }
        Err(TryLockError::Error(error)) => return Err(at(error)),
    }
    let store = Arc::new(FolderStore::open(state).map_err(at)?);
    let host: Arc<dyn Host> = match runtime {
        Runtime::Process => Arc::new(ProcessHost::open(state).map_err(at)?),
        Runtime::Tmux => Arc::new(TmuxHost::open(state).map_err(at)?),
    };
    let mut config = Config { faults, ..Config::conforming(Clock::start()) };
    if let Some(default_timeout_s) = default_timeout_s {
        config.default_timeout_s = default_timeout_s;
    }
    Ok(Opened { manager: Manager::open(host, store, config).await, _lock: lock })
}
