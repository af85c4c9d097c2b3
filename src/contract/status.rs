use serde::{Deserialize, Serialize};

/// A session's status, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being started.
    Starting,
    /// Working on a turn.
    Running,
    /// Idle: waiting for a message.
    Waiting,
    /// Held by its operator.
    Paused,
    /// Broken; not alive.
    Error,
    /// Stopped; not alive.
    Stopped,
    /// Ended; not alive, counts as gone from a list.
    Ended,
}

impl Status {
    /// Every status, in the contract's order.
    pub const ALL: [Status; 7] =
        [Status::Starting, Status::Running, Status::Waiting, Status::Paused, Status::Error, Status::Stopped, Status::Ended];

    /// The status's word.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Starting => "starting",
            Status::Running => "running",
            Status::Waiting => "waiting",
            Status::Paused => "paused",
            Status::Error => "error",
            Status::Stopped => "stopped",
            Status::Ended => "ended",
        }
    }

    /// The meaning, as documents show it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Status::Starting => "being started",
            Status::Running => "working on a turn",
            Status::Waiting => "idle: waiting for a message",
            Status::Paused => "held by its operator",
            Status::Error => "broken",
            Status::Stopped => "stopped",
            Status::Ended => "ended; counts as gone from a list",
        }
    }

    /// Whether the word says that the agent lives.
    pub const fn is_alive(self) -> bool {
        matches!(self, Status::Starting | Status::Running | Status::Waiting | Status::Paused)
    }

    /// The status of that word; `None` for words that the contract does not know (they claim nothing).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
