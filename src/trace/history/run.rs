use std::collections::BTreeMap;

use crate::contract::{AgentKind, AgentRun, TurnStatus};

use super::Moment;

/// One run of an agent's program: what its stand-in reported, and what the operating system showed.
#[derive(Debug)]
pub struct AgentRunHistory<'a> {
    /// The run.
    pub id: &'a AgentRun,
    /// Which agent, where the trace saw it start.
    pub agent: Option<AgentKind>,
    /// Its working directory, where the trace saw it start.
    pub cwd: Option<&'a str>,
    /// When it was up.
    pub started: Moment,
    /// When it exited or was gone.
    pub over: Option<Moment>,
    /// Whether it went without a word.
    pub gone: bool,
    /// Its turns, by number.
    pub turns: BTreeMap<u64, TurnHistory<'a>>,
    /// The signals that it noticed.
    pub signals: Vec<(Moment, &'a str)>,
    /// What was alive of it past the end limit.
    pub survivors: Vec<Survivor<'a>>,
    /// When its native file was removed.
    pub removed: Option<Moment>,
    /// The moments of all its facts.
    pub facts: Vec<Moment>,
}

/// One turn of a run.
#[derive(Debug, Clone, Copy)]
pub struct TurnHistory<'a> {
    /// The first fact about it.
    pub opened: Moment,
    /// When its prompt was taken.
    pub accepted: Option<Moment>,
    /// The prompt.
    pub text: Option<&'a str>,
    /// When the harness let it end.
    pub released: Option<Moment>,
    /// When the agent finished it, and how.
    pub completed: Option<(Moment, TurnStatus)>,
}

impl TurnHistory<'_> {
    /// From when on it may be called complete: its release, or where nobody releases turns its completion.
    pub fn over(&self) -> Option<Moment> {
        self.released.or(self.completed.map(|(at, _)| at))
    }
}

/// A process that was alive past the end limit.
#[derive(Debug, Clone, Copy)]
pub struct Survivor<'a> {
    /// When that was seen.
    pub at: Moment,
    /// The process.
    pub pid: u32,
    /// What it is.
    pub command: &'a str,
    /// Whether it had left its parent before.
    pub reparented: bool,
}

impl<'a> AgentRunHistory<'a> {
    /// A run of which nothing but its first fact is known.
    pub(crate) fn new(id: &'a AgentRun, started: Moment) -> Self {
        Self {
            id,
            agent: None,
            cwd: None,
            started,
            over: None,
            gone: false,
            turns: BTreeMap::new(),
            signals: Vec::new(),
            survivors: Vec::new(),
            removed: None,
            facts: Vec::new(),
        }
    }

    /// Whether it is known to have lived at that millisecond, in a trace that goes on to `last`.
    pub fn lived_at(&self, ms: u64, last: Moment) -> bool {
        self.over.map_or(last.ms, |over| over.ms) > ms
    }
}
