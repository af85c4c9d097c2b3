//! The states of a supervised session, and what leads from one to another.
//!
//! One table, [`TRANSITIONS`]. The reference supervisor runs on it, the standing rules judge by it, and the diagram and the
//! table in `spec/supervised-sessions.md` are drawn from it.

use serde::{Deserialize, Serialize};

/// A supervised session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SupervisedState {
    /// Its container is being made; its agent does not take input yet.
    Starting,
    /// Its agent runs in its container and takes input.
    Running,
    /// Its agent runs; nothing is typed.
    Paused,
    /// Its agent or its container ended, and nobody had asked for it; not alive.
    Error,
    /// It was stopped; not alive.
    Stopped,
}

/// What happens to a supervised session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SupervisedMove {
    /// The agent is up and takes input.
    Up,
    /// The agent did not come up, or its container could not be made.
    NotUp,
    /// `pause_session`.
    Pause,
    /// `resume_session`.
    Resume,
    /// The agent or its container ended unasked.
    Ended,
    /// `stop_session`.
    Stop,
    /// `restart_session`.
    Restart,
    /// A restart by the policy is due.
    Due,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SupervisedTransition {
    /// The state in which it applies.
    pub from: SupervisedState,
    /// What happens.
    pub on: SupervisedMove,
    /// The state afterwards.
    pub to: SupervisedState,
}

/// Every transition. What has no row leaves the state as it is.
pub(crate) const TRANSITIONS: &[SupervisedTransition] = {
    use SupervisedMove::*;
    use SupervisedState::*;
    &[
        row(Starting, Up, Running),
        row(Starting, NotUp, Error),
        row(Starting, Ended, Error),
        row(Starting, Stop, Stopped),
        row(Running, Pause, Paused),
        row(Running, Ended, Error),
        row(Running, Stop, Stopped),
        row(Running, Restart, Starting),
        row(Running, Due, Starting),
        row(Paused, Resume, Running),
        row(Paused, Ended, Error),
        row(Paused, Stop, Stopped),
        row(Paused, Restart, Starting),
        row(Error, Restart, Starting),
        row(Error, Due, Starting),
        row(Error, Stop, Stopped),
        row(Stopped, Restart, Starting),
    ]
};

const fn row(from: SupervisedState, on: SupervisedMove, to: SupervisedState) -> SupervisedTransition {
    SupervisedTransition { from, on, to }
}

/// The state that a move leads to; none where it changes nothing.
pub(crate) fn after(from: SupervisedState, on: SupervisedMove) -> Option<SupervisedState> {
    TRANSITIONS.iter().find(|row| row.from == from && row.on == on).map(|row| row.to)
}

/// Whether anything leads from one state to the other.
pub(crate) fn leads(from: SupervisedState, to: SupervisedState) -> bool {
    TRANSITIONS.iter().any(|row| row.from == from && row.to == to)
}

impl SupervisedState {
    /// Every state, in the order of a session's life.
    pub const ALL: [SupervisedState; 5] =
        [SupervisedState::Starting, SupervisedState::Running, SupervisedState::Paused, SupervisedState::Error, SupervisedState::Stopped];

    /// The state's word.
    pub const fn name(self) -> &'static str {
        match self {
            SupervisedState::Starting => "starting",
            SupervisedState::Running => "running",
            SupervisedState::Paused => "paused",
            SupervisedState::Error => "error",
            SupervisedState::Stopped => "stopped",
        }
    }

    /// What it means, for documents.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            SupervisedState::Starting => "being started",
            SupervisedState::Running => "the agent takes input",
            SupervisedState::Paused => "the agent runs, nothing is typed",
            SupervisedState::Error => "ended unasked",
            SupervisedState::Stopped => "stopped",
        }
    }

    /// Whether the state says that there is an agent.
    pub const fn is_alive(self) -> bool {
        matches!(self, SupervisedState::Starting | SupervisedState::Running | SupervisedState::Paused)
    }

    /// The state of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl SupervisedMove {
    /// What happens, in a few words.
    const fn words(self) -> &'static str {
        match self {
            SupervisedMove::Up => "the agent takes input",
            SupervisedMove::NotUp => "the agent does not come up",
            SupervisedMove::Pause => "pause_session",
            SupervisedMove::Resume => "resume_session",
            SupervisedMove::Ended => "agent or container ended unasked",
            SupervisedMove::Stop => "stop_session",
            SupervisedMove::Restart => "restart_session",
            SupervisedMove::Due => "a restart by the policy is due",
        }
    }
}

/// The table as documents show it: a diagram in its fence, then the rows.
pub(crate) fn section() -> String {
    let mut lines = vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned()];
    lines.extend(SupervisedState::ALL.iter().map(|state| format!("    {0}: {0} ({1})", state.name(), state.about())));
    lines.push(format!("    [*] --> {}: start_session", SupervisedState::Starting.name()));
    lines.extend(TRANSITIONS.iter().map(|row| format!("    {} --> {}: {}", row.from.name(), row.to.name(), row.on.words())));
    lines.extend(["```", "", "| state | when | then |", "| --- | --- | --- |"].map(str::to_owned));
    lines.extend(TRANSITIONS.iter().map(|row| format!("| {} | {} | {} |", row.from.name(), row.on.words(), row.to.name())));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_and_a_move_have_one_row() {
        for row in TRANSITIONS {
            assert_eq!(TRANSITIONS.iter().filter(|other| (other.from, other.on) == (row.from, row.on)).count(), 1, "{row:?}");
        }
    }

    #[test]
    fn stopped_is_left_by_restart_session_alone() {
        let out: Vec<_> = TRANSITIONS.iter().filter(|row| row.from == SupervisedState::Stopped).map(|row| row.on).collect();
        assert_eq!(out, [SupervisedMove::Restart]);
    }

    #[test]
    fn whatever_is_alive_can_end_and_be_stopped() {
        for state in SupervisedState::ALL.into_iter().filter(|state| state.is_alive()) {
            assert_eq!(after(state, SupervisedMove::Ended), Some(SupervisedState::Error));
            assert_eq!(after(state, SupervisedMove::Stop), Some(SupervisedState::Stopped));
        }
    }

    #[test]
    fn words_lead_back_to_their_state() {
        for state in SupervisedState::ALL {
            assert_eq!(SupervisedState::from_name(state.name()), Some(state));
        }
        assert!(leads(SupervisedState::Error, SupervisedState::Starting) && !leads(SupervisedState::Error, SupervisedState::Running));
    }
}
