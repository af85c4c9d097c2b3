//! What the rules have to know of a system beside its trace: limits, timeouts, phases.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::{AgentKind, DEFAULT_TIMEOUT_S};
use crate::profile::{Choice, Mode, Phase, Profiles};

/// What rules must know besides the trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The outer bounds.
    pub limits: Limits,
    /// The phase from which each agent's sessions are observable. Rules that need the phase say nothing of agents that
    /// are not here.
    pub observable: BTreeMap<AgentKind, Phase>,
    /// How agents' processes and sessions go together.
    pub processes: Processes,
    /// The session timeout in force where neither the start nor its answer says one.
    pub timeout: Duration,
}

impl Settings {
    /// The contract's limits and timeout, and the profiles in force. Of an agent's two modes the later phase counts: a
    /// trace does not say in which of them agents were started.
    pub fn of(profiles: &Profiles) -> Self {
        let observable = |agent| Mode::ALL.map(|mode| profiles.get(agent, mode).observable).into_iter().max();
        Self {
            limits: Limits::default(),
            observable: AgentKind::all().iter().copied().filter_map(|agent| Some((agent, observable(agent)?))).collect(),
            processes: Processes::Session,
            timeout: Duration::from_secs_f64(DEFAULT_TIMEOUT_S),
        }
    }
}

impl Default for Settings {
    /// Those of the profile set `spec`.
    fn default() -> Self {
        Self::of(&Profiles::load(&Choice::Spec).expect("the embedded profiles are tested"))
    }
}

/// The limits of the manifest's `[limits]`: outer bounds, never waited for when the event comes earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one call's answer.
    pub call: Duration,
    /// For an agent to come up, and to take what it was given.
    pub start: Duration,
    /// From the profile's phase to being listed and readable.
    pub observe: Duration,
    /// For an announcement, and for a status that follows an agent's own death.
    pub announce: Duration,
    /// For everything of an ended session to be gone.
    pub end: Duration,
    /// How far two channels (the manager's answers, the agents' reports) may be apart; also the fallback length of an
    /// absence where no barrier is possible.
    pub settle: Duration,
}

impl Limits {
    /// Limits that nothing misses: what is found by them rests on none. A year, so that sums stay far from the largest number.
    pub(crate) const ENDLESS: Self = {
        let endless = Duration::from_secs(365 * 86_400);
        Self { call: endless, start: endless, observe: endless, announce: endless, end: endless, settle: endless }
    };
}

impl Default for Limits {
    /// The contract's defaults.
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            start: Duration::from_secs(5),
            observe: Duration::from_secs(2),
            announce: Duration::from_secs(5),
            end: Duration::from_secs(5),
            settle: Duration::from_millis(200),
        }
    }
}

/// How many agent processes a manager uses: the manifest's `processes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Processes {
    /// One for each session: the session lives while it does.
    #[default]
    Session,
    /// One for each turn: a session outlives them.
    Turn,
    /// One for all sessions: a daemon that may stay.
    Shared,
}

impl Processes {
    /// The word in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Processes::Session => "session",
            Processes::Turn => "turn",
            Processes::Shared => "shared",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_set_makes_codex_observable_last() {
        let observable = Settings::default().observable;
        assert_eq!(observable[&AgentKind::CODEX], Phase::FirstTurnCompleted);
        assert_eq!((observable[&AgentKind::CLAUDE], observable[&AgentKind::GEMINI]), (Phase::Started, Phase::Started));
    }

    #[test]
    fn of_two_modes_the_later_phase_counts() {
        let measured = Settings::of(&Profiles::load(&Choice::Measured).unwrap());
        assert_eq!(measured.observable[&AgentKind::CODEX], Phase::PromptAccepted);
    }
}
