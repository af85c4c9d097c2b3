use serde::{Deserialize, Serialize};

/// The phases of a session, in order. Rules are written in phases, never in agents' names alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The agent's process is up.
    Started,
    /// The agent took its first prompt.
    PromptAccepted,
    /// The agent finished its first turn.
    FirstTurnCompleted,
    /// The agent exited.
    Exited,
    /// It never comes.
    Never,
}
