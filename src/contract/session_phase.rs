use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the work of a stored session stands (suite `resumption`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionPhase {
    /// Made; nothing done yet.
    Initializing,
    /// Looking into something, perhaps over several turns.
    Investigating,
    /// Making a plan.
    Planning,
    /// Waiting for somebody's approval.
    Approval,
    /// Doing what was approved.
    Executing,
    /// Looking at what was done.
    Validating,
    /// Over: done.
    Completed,
    /// Over: not done.
    Failed,
    /// Over: given up.
    Abandoned,
}

impl SessionPhase {
    /// Every phase, in the contract's order.
    pub const ALL: [SessionPhase; 9] = [
        SessionPhase::Initializing,
        SessionPhase::Investigating,
        SessionPhase::Planning,
        SessionPhase::Approval,
        SessionPhase::Executing,
        SessionPhase::Validating,
        SessionPhase::Completed,
        SessionPhase::Failed,
        SessionPhase::Abandoned,
    ];

    /// The phase's word.
    pub const fn name(self) -> &'static str {
        match self {
            SessionPhase::Initializing => "initializing",
            SessionPhase::Investigating => "investigating",
            SessionPhase::Planning => "planning",
            SessionPhase::Approval => "approval",
            SessionPhase::Executing => "executing",
            SessionPhase::Validating => "validating",
            SessionPhase::Completed => "completed",
            SessionPhase::Failed => "failed",
            SessionPhase::Abandoned => "abandoned",
        }
    }

    /// Whether a session is over in it: an outcome.
    pub const fn is_final(self) -> bool {
        matches!(self, SessionPhase::Completed | SessionPhase::Failed | SessionPhase::Abandoned)
    }

    /// Whether a session can be resumed from it.
    pub const fn is_resumable(self) -> bool {
        matches!(self, SessionPhase::Approval | SessionPhase::Investigating | SessionPhase::Planning)
    }

    /// The phase of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

impl fmt::Display for SessionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
