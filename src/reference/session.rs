//! A session, as the reference manager keeps it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::{AgentKind, SessionId, Status};

use super::host::Handle;

/// One session's record: a file of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The id.
    pub id: SessionId,
    /// The agent.
    pub agent: AgentKind,
    /// The working directory.
    pub cwd: PathBuf,
    /// The title that it was given.
    #[serde(default)]
    pub title: Option<String>,
    /// The request that it was started by.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The first message.
    #[serde(default)]
    pub message: Option<String>,
    /// How the host finds the agent again.
    #[serde(default)]
    pub handle: Option<Handle>,
    /// The agent's native file, once it is known.
    #[serde(default)]
    pub native: Option<PathBuf>,
    /// Messages that were delivered.
    pub messages: u64,
    /// Turns whose end was announced.
    pub turns: u64,
    /// The agent's own ids of those turns, where it has such.
    #[serde(default)]
    pub turn_ids: Vec<String>,
    /// The timeout, in seconds.
    pub timeout_s: f64,
    /// The last sign of activity.
    pub last_activity: Timestamp,
    /// Whether the agent's process is over.
    #[serde(default)]
    pub dead: bool,
    /// Whether the session's end was announced.
    #[serde(default)]
    pub end_announced: bool,
}

impl SessionRecord {
    /// The status of a session whose agent lives or not.
    pub fn status(&self, alive: bool) -> Status {
        match (alive, &self.handle) {
            (_, None) => Status::Starting,
            (false, _) => Status::Error,
            (true, _) if self.messages > self.turns => Status::Running,
            (true, _) => Status::Waiting,
        }
    }

    /// The name of the record's file in the store.
    pub fn file(id: &SessionId) -> String {
        format!("sessions/{id}.json")
    }
}
