//! A session, as the reference manager keeps it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::contract::{AgentKind, SessionId, Status};

use super::host::{Handle, Signal};

/// One session's record: a file of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
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
    /// The agent's native file, once a hook has named it.
    #[serde(default)]
    pub native: Option<PathBuf>,
    /// The agent's own id of the session, once a hook has told it: Codex names no file.
    #[serde(default)]
    pub thread: Option<String>,
    /// Its id by any agent's hook: what the agent goes on with.
    #[serde(default)]
    pub resumes: Option<String>,
    /// Messages that were delivered.
    pub messages: u64,
    /// Those of them that wait for the turn before them, where each turn has a process of its own.
    #[serde(default)]
    pub waiting: VecDeque<String>,
    /// Turns whose end was announced.
    pub turns: u64,
    /// The agent's own ids of those turns, where it has such.
    #[serde(default)]
    pub turn_ids: Vec<String>,
    /// The timeout, in seconds.
    pub timeout_s: f64,
    /// When it was started.
    pub started: Timestamp,
    /// The last sign of activity.
    pub last_activity: Timestamp,
    /// The native file's size at that time, in bytes: growth is activity.
    #[serde(default)]
    pub native_bytes: u64,
    /// Whether the agent's process is over.
    #[serde(default)]
    pub dead: bool,
    /// Whether the session's end was announced.
    #[serde(default)]
    pub end_announced: bool,
    /// Whether a manager that came back went on with it: only faulty ones note that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

impl SessionRecord {
    /// The status of a session whose agent lives or not.
    pub(crate) fn status(&self, alive: bool) -> Status {
        match &self.handle {
            _ if self.dead => Status::Error,
            None if self.messages == 0 => Status::Waiting,
            None => Status::Starting,
            Some(_) if !alive => Status::Error,
            Some(_) if self.is_busy() => Status::Running,
            Some(_) => Status::Waiting,
        }
    }

    /// Whether a turn is in flight.
    pub(crate) fn is_busy(&self) -> bool {
        self.messages > self.turns && !self.dead
    }

    /// The name of the record's file in the store.
    pub(crate) fn file(id: &SessionId) -> String {
        format!("sessions/{id}.json")
    }
}

/// A session and what is known of it at one moment.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) record: SessionRecord,
    /// Whether its agent lives.
    pub(crate) alive: bool,
    /// Since its start.
    pub(crate) age: Duration,
    /// Since its last activity.
    pub(crate) idle: Duration,
    /// How often its data was asked for.
    pub(crate) asked: u64,
}

/// One session in the engine.
pub(crate) struct Live {
    record: Mutex<SessionRecord>,
    /// Held by whatever changes the session: messages, turn ends and the end come one at a time.
    pub(crate) gate: AsyncMutex<()>,
    /// What its agent tells, to the task that attends it.
    pub(crate) tell: mpsc::UnboundedSender<Signal>,
    /// Wakes that task: the deadline has moved.
    pub(crate) moved: Notify,
    /// Cancelled when the session is no more.
    pub(crate) over: CancellationToken,
    /// How often it was read, asked for, in vain, and when in vain or looked for in vain: only faulty managers care.
    pub(crate) reads: AtomicU64,
    pub(crate) asked: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    /// Whether the next message to it is lost, in a faulty manager.
    pub(crate) mute: AtomicBool,
    /// Whether its timeout is over and it was not ended, in a faulty manager.
    pub(crate) overdue: AtomicBool,
    pub(crate) remembered: Mutex<Option<(Instant, bool)>>,
    /// What was shown of it first.
    pub(crate) shown: Mutex<Option<String>>,
}

impl Live {
    /// A session and the other end of its `tell`.
    pub(crate) fn new(record: SessionRecord) -> (Self, mpsc::UnboundedReceiver<Signal>) {
        let (tell, told) = mpsc::unbounded_channel();
        let live = Self {
            record: Mutex::new(record),
            gate: AsyncMutex::new(()),
            tell,
            moved: Notify::new(),
            over: CancellationToken::new(),
            reads: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            mute: AtomicBool::new(false),
            overdue: AtomicBool::new(false),
            remembered: Mutex::new(None),
            shown: Mutex::new(None),
        };
        (live, told)
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, SessionRecord> {
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn id(&self) -> SessionId {
        self.record().id.clone()
    }
}
