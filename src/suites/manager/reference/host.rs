//! Where the reference manager's agents run: the seam between its engine and its runtimes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::contract::{AgentKind, SessionId};

use super::spool::Receipt;

/// A place where agents run: in memory, on ptys, in tmux.
///
/// Implementors carry out and observe; they decide nothing about sessions. A [`Handle`] is plain data that outlives
/// the manager's process: a manager that comes back adopts its agents by their handles.
#[async_trait]
pub(crate) trait Host: Send + Sync {
    /// Starts an agent. Returns once its process is up.
    ///
    /// # Errors
    /// [`HostError::CannotStart`] where the program is missing or refuses; nothing is left behind.
    async fn launch(&self, launch: AgentLaunch) -> Result<Handle, HostError>;

    /// Finds an agent again whose launch was the last that a killed manager did: it may be up, and its handle was never
    /// written down.
    async fn recover(&self, _session: &SessionId) -> Option<Handle> {
        None
    }

    /// Types a message into the agent's terminal and submits it, exactly as given, whatever it holds.
    ///
    /// # Errors
    /// [`HostError::Gone`] where the agent no longer takes input.
    async fn deliver(&self, handle: &Handle, message: &str) -> Result<(), HostError>;

    /// Whether the agent's own process lives.
    async fn alive(&self, handle: &Handle) -> bool;

    /// Ends the agent and everything under it, whatever ignores what; returns when all of it is gone.
    ///
    /// # Errors
    /// [`HostError::Failed`] where something could not be ended.
    async fn end(&self, handle: &Handle, how: End) -> Result<(), HostError>;

    /// What the agent's terminal shows.
    ///
    /// # Errors
    /// [`HostError::Gone`] where there is no terminal any more.
    async fn screen(&self, handle: &Handle) -> Result<String, HostError>;

    /// A native file's bytes; `None` where it is not there.
    async fn read_file(&self, path: &Path) -> Option<Vec<u8>>;

    /// Every file below a folder, oldest first.
    async fn files_below(&self, folder: &Path) -> Vec<PathBuf>;

    /// Whether a folder is there.
    async fn is_folder(&self, path: &Path) -> bool;

    /// The home folder that agents get.
    fn home(&self) -> PathBuf;

    /// Takes an agent back whose manager came back: whatever the host watches of it, it watches again.
    async fn adopt(&self, _handle: &Handle) {}

    /// Ends what the host itself runs, once no agent is left.
    async fn close(&self) {}

    /// Where turn-end hooks, start hooks and exits are told, from all agents of this host. Taken once by each engine.
    /// What was told while nobody listened is in it already.
    fn signals(&self) -> mpsc::UnboundedReceiver<Signal>;

    /// Does to an agent's file what no conforming manager does. The default reaches this machine's files.
    async fn tamper(&self, path: &Path, how: Tamper) {
        // A fault that cannot be carried out is one that does no harm.
        let _ = match how {
            Tamper::Append(text) => append(path, text),
            Tamper::Remove => std::fs::remove_file(path),
        };
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// What faulty managers do to agents' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tamper {
    /// Append a text; the file comes to exist if it does not.
    Append(&'static str),
    /// Remove it.
    Remove,
}

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct AgentLaunch {
    /// For which session; hooks carry it back.
    pub session: SessionId,
    /// Which agent.
    pub agent: AgentKind,
    /// Where.
    pub cwd: PathBuf,
    /// The first message, passed as the last argument.
    pub message: Option<String>,
    /// Whether it runs for that message's turn alone, or as long as it likes.
    pub plays: Plays,
    /// Further environment.
    pub env: BTreeMap<String, String>,
}

/// For how long an agent is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plays {
    /// Until it is ended.
    On,
    /// For one turn; then it exits.
    OneTurn {
        /// Its own id of the session that it goes on with.
        resumes: Option<String>,
    },
}

/// A started agent, as data: enough to find it again from another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handle {
    /// For which session.
    pub session: SessionId,
    /// The agent's process.
    pub pid: u32,
    /// When that process began, in the system's ticks: pids are used again.
    pub started: u64,
    /// How the host reaches it: a socket's path, a tmux target.
    pub address: String,
}

/// How to end an agent. The conforming engine always uses [`End::Tree`]; the others are what faulty managers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// Everything: the agent, what is under it, what left it (own session, reparented).
    Tree,
    /// The agent and what is still under it; not what was reparented away.
    Descendants,
    /// Only the agent's own process, asked politely (HUP or TERM), not awaited.
    Polite,
    /// The agent's process alone, by KILL.
    ProcessOnly,
    /// The agent's process group, by KILL.
    Group,
}

/// What a host tells the engine by itself.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// An agent ran a hook that the host had set up.
    Hook {
        /// The session.
        session: SessionId,
        /// When.
        moment: HookTime,
        /// The agent's own payload: Codex's notify argument, Claude's and Gemini's standard input.
        payload: Value,
        /// To be kept until it is dealt with.
        #[allow(dead_code, reason = "it is dropped when what it stands for is dealt with")]
        receipt: Receipt,
    },
    /// An agent's process ended. Told after every hook that it ran.
    Exited {
        /// The session.
        session: SessionId,
        /// The process, where that is known: a session may have another by now.
        pid: Option<u32>,
        /// To be kept until it is dealt with.
        #[allow(dead_code, reason = "it is dropped when what it stands for is dealt with")]
        receipt: Receipt,
    },
}

impl Signal {
    /// The session that it is about.
    pub(crate) fn session(&self) -> &SessionId {
        match self {
            Signal::Hook { session, .. } | Signal::Exited { session, .. } => session,
        }
    }
}

/// When a hook ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HookTime {
    /// The agent started its session (Claude, Gemini: `SessionStart`).
    Start,
    /// The agent finished a turn (Codex `notify`, Claude `Stop`, Gemini `AfterAgent`).
    TurnEnd,
    /// A turn failed (Claude `StopFailure`).
    TurnFailed,
}

/// What a host could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    /// The agent could not be started.
    #[error("the agent could not be started: {0}")]
    CannotStart(String),
    /// The agent is gone.
    #[error("the agent is gone")]
    Gone,
    /// Something else.
    #[error("{0}")]
    Failed(String),
}
