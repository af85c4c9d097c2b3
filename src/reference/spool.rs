//! The spool: where hooks and keepers leave what they have to tell, so that nothing is lost while no manager runs.

use std::io;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::contract::SessionId;

use super::host::{Moment, Signal};

/// The socket that a reader is poked on.
const POKE: &str = "poke.sock";
/// How long a reader goes without looking where nobody pokes it: whoever wrote may have been killed before the poke.
const LOOK_ANYWAY: Duration = Duration::from_millis(500);

/// Something told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// A hook ran.
    Hook {
        /// The session.
        session: SessionId,
        /// When.
        moment: Moment,
        /// What the agent gave it.
        payload: Value,
    },
    /// An agent's process ended.
    Exited {
        /// The session.
        session: SessionId,
        /// Its status; `None` for a signal.
        code: Option<i32>,
    },
}

impl From<Told> for Signal {
    fn from(told: Told) -> Self {
        match told {
            Told::Hook { session, moment, payload } => Signal::Hook { session, moment, payload },
            Told::Exited { session, code } => Signal::Exited { session, code },
        }
    }
}

/// Leaves something in a spool: whole, in order, then a poke for whoever reads.
///
/// # Errors
/// The system's.
pub fn leave(spool: &Path, told: &Told) -> io::Result<()> {
    let name = uuid::Uuid::now_v7().to_string();
    let (new, path) = (spool.join(format!(".{name}")), spool.join(format!("{name}.json")));
    std::fs::write(&new, serde_json::to_vec(told)?)?;
    std::fs::rename(&new, &path)?;
    // Nobody may be reading; then the next reader finds it.
    let _ = StdDatagram::unbound().and_then(|socket| socket.send_to(b"!", spool.join(POKE)));
    Ok(())
}

/// Reads a spool, from what is in it on.
///
/// # Errors
/// Where the socket cannot be made.
pub fn read(spool: PathBuf, into: mpsc::UnboundedSender<Signal>) -> io::Result<JoinHandle<()>> {
    std::fs::create_dir_all(&spool)?;
    let poke = spool.join(POKE);
    // One that was left by a reader that is gone refuses; only one manager has the state folder.
    let _ = std::fs::remove_file(&poke);
    let socket = UnixDatagram::bind(&poke)?;
    Ok(tokio::spawn(async move {
        let mut byte = [0; 1];
        loop {
            for told in drain(&spool) {
                if into.send(told.into()).is_err() {
                    return;
                }
            }
            let _ = tokio::time::timeout(LOOK_ANYWAY, socket.recv(&mut byte)).await;
        }
    }))
}

/// Takes everything out, in the order in which it was left.
fn drain(spool: &Path) -> Vec<Told> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(spool)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let take = |path: PathBuf| {
        let told = serde_json::from_slice(&std::fs::read(&path).ok()?).ok();
        let _ = std::fs::remove_file(path);
        told
    };
    files.into_iter().filter_map(take).collect()
}
