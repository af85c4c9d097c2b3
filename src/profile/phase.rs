use std::fmt;

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

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 5] = [Phase::Started, Phase::PromptAccepted, Phase::FirstTurnCompleted, Phase::Exited, Phase::Never];

    /// The phase's word, as profiles and documents write it.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Started => "started",
            Phase::PromptAccepted => "prompt_accepted",
            Phase::FirstTurnCompleted => "first_turn_completed",
            Phase::Exited => "exited",
            Phase::Never => "never",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
