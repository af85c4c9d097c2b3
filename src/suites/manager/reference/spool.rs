//! The spool: where hooks leave what they have to tell, so that nothing is lost while no manager runs. What was left stays
//! until the manager has dealt with it: a manager that is killed in between hears it again.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc;

use crate::contract::SessionId;

use super::host::{HookTime, Signal};

/// The socket that a reader is poked on.
const POKE: &str = "poke.sock";
/// How long a reader goes without looking where nobody pokes it: whoever wrote may have been killed before the poke.
const LOOK_ANYWAY: Duration = Duration::from_millis(500);

/// Something told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(crate) enum SpooledReport {
    /// A hook ran.
    Hook {
        /// The session.
        session: SessionId,
        /// When.
        moment: HookTime,
        /// What the agent gave it.
        payload: Value,
    },
    /// An agent's process ended.
    Exited {
        /// The session.
        session: SessionId,
        /// The process.
        pid: Option<u32>,
    },
}

/// Kept until what was told is dealt with. When the last clone goes, the spool forgets it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receipt {
    _left: Option<Arc<Left>>,
}

#[derive(Debug)]
struct Left(PathBuf);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Leaves something in a spool: whole, in order, then a poke for whoever reads.
///
/// # Errors
/// The system's.
pub(crate) fn leave(spool: &Path, told: &SpooledReport) -> io::Result<()> {
    // What one agent tells, it tells one after the other; the clock keeps that order.
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!("{at:020}-{}", uuid::Uuid::new_v4().simple());
    let (new, path) = (spool.join(format!(".{name}")), spool.join(format!("{name}.json")));
    std::fs::write(&new, serde_json::to_vec(told)?)?;
    std::fs::rename(&new, &path)?;
    // Nobody may be reading; then the next reader finds it.
    let _ = StdDatagram::unbound().and_then(|socket| socket.send_to(b"!", spool.join(POKE)));
    Ok(())
}

/// Reads a spool for ever, from what is in it on.
///
/// # Errors
/// Where the socket cannot be made.
pub(crate) fn read(spool: PathBuf) -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let poke = spool.join(POKE);
    // One that was left by a reader that is gone refuses; only one manager has the state folder.
    let _ = std::fs::remove_file(&poke);
    let socket = UnixDatagram::bind(&poke)?;
    let (into, signals) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut told = BTreeSet::new();
        let mut byte = [0; 1];
        while !into.is_closed() {
            let left = left(&spool);
            for path in left.difference(&told) {
                if let Some(signal) = take(path) {
                    let _ = into.send(signal);
                }
            }
            told = left;
            let _ = tokio::time::timeout(LOOK_ANYWAY, socket.recv(&mut byte)).await;
        }
    });
    Ok(signals)
}

/// What is in a spool, in the order in which it was left.
fn left(spool: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(spool).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn take(path: &Path) -> Option<Signal> {
    let bytes = std::fs::read(path).ok()?;
    let receipt = Receipt { _left: Some(Arc::new(Left(path.to_owned()))) };
    match serde_json::from_slice(&bytes) {
        Ok(SpooledReport::Hook { session, moment, payload }) => Some(Signal::Hook { session, moment, payload, receipt }),
        Ok(SpooledReport::Exited { session, pid }) => Some(Signal::Exited { session, pid, receipt }),
        Err(error) => {
            eprintln!("passmuster: {} is left out: {error}", path.display());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(session: &str) -> SpooledReport {
        SpooledReport::Exited { session: session.into(), pid: None }
    }

    async fn next(signals: &mut mpsc::UnboundedReceiver<Signal>) -> (String, Receipt) {
        match tokio::time::timeout(Duration::from_secs(20), signals.recv()).await.unwrap().unwrap() {
            Signal::Exited { session, receipt, .. } | Signal::Hook { session, receipt, .. } => (session.0, receipt),
        }
    }

    #[tokio::test]
    async fn what_was_left_while_nobody_read_is_told_in_order() {
        let spool = tempfile::tempdir().unwrap();
        let sessions: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
        sessions.iter().for_each(|session| leave(spool.path(), &exited(session)).unwrap());
        std::fs::write(spool.path().join("0.json"), "{").unwrap();
        let mut signals = read(spool.path().to_owned()).unwrap();
        for session in sessions {
            assert_eq!(next(&mut signals).await.0, session);
        }
        assert!(left(spool.path()).is_empty());
    }

    #[tokio::test]
    async fn what_nobody_dealt_with_is_told_again_by_the_next_reader_and_by_this_one_once() {
        let spool = tempfile::tempdir().unwrap();
        let mut signals = read(spool.path().to_owned()).unwrap();
        leave(spool.path(), &exited("s1")).unwrap();
        let (_, receipt) = next(&mut signals).await;
        leave(spool.path(), &exited("s2")).unwrap();
        assert_eq!(next(&mut signals).await.0, "s2");
        // A manager that is killed gives no receipt.
        std::mem::forget(receipt);
        let mut signals = read(spool.path().to_owned()).unwrap();
        assert_eq!(next(&mut signals).await.0, "s1");
    }
}
