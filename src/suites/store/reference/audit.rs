//! The audit log: a line of JSON for every creation, change of phase, decision and end.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::SessionPhase;

use super::decision::Reason;

/// The log's file in a store's root.
pub(crate) const LOG: &str = "audit.jsonl";

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The session.
    pub session_id: String,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Happened {
    /// A session was created.
    Created {
        /// Whose.
        agent_name: String,
    },
    /// A session moved to a phase.
    Moved {
        /// From this one.
        from_phase: SessionPhase,
        /// To this one.
        to_phase: SessionPhase,
    },
    /// Somebody asked whether to resume a session.
    Decided {
        /// The answer.
        resume: bool,
        /// Why.
        reason: Reason,
        /// Whether it was asked by the hook, before a delegation.
        delegation: bool,
    },
    /// A session ended.
    Finalized {
        /// How.
        outcome: SessionPhase,
        /// How long it took.
        duration_seconds: f64,
    },
    /// A session was removed by a clean-up.
    Removed,
}

/// The log of one store. It is opened when there is something to say.
#[derive(Debug)]
pub(crate) struct Audit {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Audit {
    pub(crate) fn new(root: &Path) -> Self {
        Self { path: root.join(LOG), file: Mutex::default() }
    }

    /// Notes what happened. What cannot be noted is complained about and keeps nobody from working.
    pub(crate) fn note(&self, at: Timestamp, session_id: &str, happened: Happened) {
        let entry = AuditEntry { at, session_id: session_id.to_owned(), happened };
        match self.append(&entry) {
            // Where there is no root, there is nothing to note about it either.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                eprintln!("passmuster: {}: {error}", self.path.display());
            }
            _ => {}
        }
    }

    fn append(&self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // One that was removed, by a rotation say, is not the log any more.
        if !file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|file| file.nlink() > 0)) {
            *file = Some(File::options().append(true).create(true).mode(0o600).open(&self.path)?);
        }
        file.as_mut().expect("just opened").write_all(&line)
    }

    /// The entries, oldest first. Lines that mean nothing (half of one, after a kill) are left out.
    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        let text = std::fs::read(&self.path).unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}
