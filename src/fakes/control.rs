//! The control channel between the harness and its stand-ins: JSON lines, a stand-in's [`AgentReport`]s one way, the
//! harness's [`ControlCommand`]s the other. In memory the same values go over channels.

use serde::{Deserialize, Serialize};

use crate::contract::{AgentKind, TurnStatus};

/// What a stand-in tells the harness. The first line is always [`AgentReport::Hello`]; the harness answers it with
/// [`ControlCommand::Script`] before the stand-in does anything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum AgentReport {
    /// It is up.
    Hello {
        /// Which agent it stands for.
        agent: AgentKind,
        /// Its process.
        pid: u32,
        /// Its working directory.
        cwd: String,
        /// Its arguments, without the program's name.
        args: Vec<String>,
    },
    /// It took a prompt, by whatever way, exactly as it arrived.
    PromptAccepted {
        /// The turn it opens, from 1.
        turn: u64,
        /// The prompt.
        text: String,
    },
    /// It works on a turn; the turn stays open until [`ControlCommand::Release`].
    TurnStarted {
        /// The turn.
        turn: u64,
    },
    /// It finished a turn.
    TurnCompleted {
        /// The turn.
        turn: u64,
        /// How.
        status: TurnStatus,
    },
    /// It wrote its native file.
    FileWritten {
        /// The file.
        path: String,
        /// Its size now.
        bytes: u64,
    },
    /// It removed its native file.
    FileRemoved {
        /// The file.
        path: String,
    },
    /// It got a signal.
    Signalled {
        /// `TERM`, `HUP`, `INT`, …
        signal: String,
    },
    /// It started a process of its own, as it was told.
    Child {
        /// The process.
        pid: u32,
        /// How it was started.
        how: Child,
    },
    /// It was called in a way that it does not imitate.
    Unsupported {
        /// What was asked.
        what: String,
    },
    /// The answer to [`ControlCommand::Settle`]: what was asked before it is done and reported.
    Done {
        /// The number of the command, from 1; the script is not counted.
        done: u64,
    },
    /// It exits.
    Exiting {
        /// With that status.
        code: i32,
    },
}

/// What the harness tells a stand-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum ControlCommand {
    /// How to behave; the answer to [`AgentReport::Hello`].
    Script(Script),
    /// End the open turn.
    Release {
        /// The turn.
        turn: u64,
        /// What the agent answers.
        reply: String,
        /// How the turn ends: `failed` is a model error.
        status: TurnStatus,
    },
    /// Exit, with this status, as a program that ends by itself.
    Exit {
        /// The status.
        code: i32,
    },
    /// Die at once by SIGKILL, without a word.
    Die,
    /// Say [`AgentReport::Done`] when everything asked before is done and reported.
    Settle,
}

/// How a stand-in behaves, from the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// Signals to note and otherwise ignore: `HUP`, `TERM`, `INT`.
    pub ignore: Vec<String>,
    /// Exit with this status at once, before anything is drawn or written.
    pub exit_at_once: Option<i32>,
    /// Processes to start before the first prompt is taken.
    pub children: Vec<Child>,
    /// Draw nothing, ever: neither banner nor answers.
    pub silent: bool,
    /// Bytes of noise to print at the start.
    pub print_bytes: u64,
    /// End each turn without waiting for the harness, after this many milliseconds.
    pub auto_release_ms: Option<u64>,
    /// The program does not exist: the stand-in is taken off the PATH (in memory: the launch fails).
    pub missing: bool,
}

/// The ways in which a stand-in starts a process under itself. Each lives at most ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Child {
    /// A plain background child.
    Background,
    /// One that ignores HUP and TERM.
    Stubborn,
    /// In a session of its own (`setsid`).
    Setsid,
    /// Whose parent is gone already (double fork).
    Reparented,
}
