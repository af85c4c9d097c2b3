//! What is known of a session and of a worker, as a trace goes by.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::contract::{AgentKind, TurnStatus};
use crate::profile::Phase;
use crate::trace::history::Moment;
use crate::trace::{AnnouncementView, Outcome};

use super::pace::PollPace;

/// The age from which "not found" is to be escalated: OR-10.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long after its end a session may wait for a list, in milliseconds: OR-5.
pub(crate) const CONFIRM_MS: u64 = 60_000;

/// How long after its first day a session's orchestrator is given to look at it, in milliseconds.
pub(crate) const DAY_SLACK_MS: u64 = 60 * 60 * 1000;

/// Where nobody stated a deadline, no deadline is taken to be shorter than this, in milliseconds.
pub const SHORTEST_DEADLINE_MS: u64 = 30_000;

/// Who counts a deadline from the moment before its start was on its way is early by that; so much is granted, in
/// milliseconds, and a quarter of the deadline at most.
const MOST_SLACK_MS: u64 = 2000;

/// From when on a session can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observable {
    /// From its start.
    AtOnce,
    /// From its first prompt, milliseconds later.
    Soon,
    /// From its first completed turn, or later.
    Late,
    /// Nobody knows: its agent has no profile.
    Unknown,
}

impl Observable {
    /// What an agent's phase means for those who call.
    pub fn from_phase(phase: Option<Phase>) -> Self {
        match phase {
            None => Observable::Unknown,
            Some(Phase::Started) => Observable::AtOnce,
            Some(Phase::PromptAccepted) => Observable::Soon,
            Some(Phase::FirstTurnCompleted | Phase::Exited | Phase::Never) => Observable::Late,
        }
    }
}

/// When a worker's time is up, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Then; those who count from a moment that the trace does not show may be that much early.
    At {
        /// Then.
        ms: u64,
        /// So much.
        slack_ms: u64,
    },
    /// Nobody stated it; it is not before then.
    NotBefore(u64),
}

impl Deadline {
    /// The deadline of a worker that began then.
    pub fn stated(began_ms: u64, deadline_s: f64) -> Self {
        let length = (deadline_s.max(0.0) * 1000.0) as u64;
        Deadline::At { ms: began_ms.saturating_add(length), slack_ms: (length / 4).min(MOST_SLACK_MS) }
    }

    /// The deadline of a session that began then and that nobody stated one for.
    pub fn unstated(began_ms: u64) -> Self {
        Deadline::NotBefore(began_ms.saturating_add(SHORTEST_DEADLINE_MS))
    }

    /// The first millisecond at which it may have passed.
    pub fn earliest(self) -> u64 {
        match self {
            Deadline::At { ms, slack_ms } => ms - slack_ms.min(ms),
            Deadline::NotBefore(ms) => ms,
        }
    }

    /// The words for it, for people.
    pub fn words(self) -> String {
        match self {
            Deadline::At { ms, .. } => format!("its deadline is at {ms} ms"),
            Deadline::NotBefore(_) => "no deadline is stated".to_owned(),
        }
    }
}

/// How far the end of a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndProgress {
    /// Nobody asked for it.
    NotAsked,
    /// It was asked for.
    Asked,
    /// The last request failed.
    Failed(Moment),
    /// It was ended.
    Done {
        /// When the answer came.
        at: Moment,
        /// Whether the answer took so long that who asked may have given up waiting.
        late: bool,
    },
}

/// A session, as far as it is known.
#[derive(Debug)]
pub struct SessionState {
    /// Its id.
    pub id: Arc<str>,
    /// Its agent.
    pub agent: Option<AgentKind>,
    /// From when on it can be observed.
    pub observable: Observable,
    /// The index of its worker, where workers are stated.
    pub worker: Option<usize>,
    /// What it works on: equal for sessions that repeat one another.
    pub work: u64,
    /// The `request_id` of its start.
    pub request: Option<Arc<str>>,
    /// When its start was first asked for.
    pub asked: Moment,
    /// When its id came back.
    pub known: Moment,
    /// When its time is up.
    pub deadline: Deadline,
    /// The first certain news: its turn is complete, it is over, it is not alive.
    pub told: Option<Moment>,
    /// The first announcement of any kind.
    pub announced: Option<Moment>,
    /// Whether the last turn announced was not completed.
    pub turn_failed: Option<Moment>,
    /// The first time that its data was read.
    pub data: Option<Moment>,
    /// The last time that its data was read, if that was truncated and the whole was not known.
    pub cut: Option<Moment>,
    /// Whether the whole was read when its work was known to be over.
    pub whole: bool,
    /// Whether a message was sent to it: when the work of that is over is not known.
    pub messaged: bool,
    /// The last time that there was nothing to see of it: not found, pending, not in the list.
    pub nothing: Option<Moment>,
    /// When it was not found though it had been observable.
    pub gone: Option<Moment>,
    /// How many reads after its deadline found nothing.
    pub inspections: u32,
    /// When it was last looked at, by a read or on its screen.
    pub looked: Option<Moment>,
    /// The first look after its first day.
    pub looked_at_day: Option<Moment>,
    /// When it was not found after its first day.
    pub not_found_at_day: Option<Moment>,
    /// How fast it is asked about.
    pub pace: PollPace,
    /// Its agent's run, where it is known.
    pub run: Option<Arc<str>>,
    /// Whether a turn of its agent is open in truth; none where no truth tells.
    pub turn_open: Option<bool>,
    /// Whether a turn of its agent was completed in truth.
    pub turn_completed: bool,
    /// When its end was first asked for.
    pub end_asked: Option<Moment>,
    /// How far its end has come.
    pub ending: EndProgress,
    /// How often its end failed.
    pub end_failures: u32,
    /// When a list was first asked for after its end.
    pub listed: Option<Moment>,
    /// When a list showed it alive after its last end.
    pub still_alive: Option<Moment>,
    /// Which rules have found something in it.
    pub found: Cell<u32>,
}

impl SessionState {
    /// Its age, in milliseconds.
    pub fn age(&self, ms: u64) -> u64 {
        ms.saturating_sub(self.asked.ms)
    }

    /// Whether nothing certain was known of it then: it could not be observed yet, nobody had told of it, its deadline had
    /// surely not passed, and it was not a day old.
    pub fn is_in_the_dark(&self, then: Moment) -> bool {
        let later = |moment: Option<Moment>| moment.is_none_or(|moment| moment > then);
        self.observable == Observable::Late
            && later(self.told)
            && later(self.announced)
            && later(self.data)
            && then.ms < self.deadline.earliest()
            && self.age(then.ms) < DAY_MS
    }

    /// Takes note of an announcement.
    pub fn hear(&mut self, at: Moment, news: AnnouncementView) {
        if news == AnnouncementView::Supervised {
            return;
        }
        self.announced.get_or_insert(at);
        self.pace.prompt();
        match news {
            AnnouncementView::TurnCompleted(status) => {
                self.told.get_or_insert(at);
                self.turn_failed = (status != TurnStatus::Completed).then_some(at);
            }
            AnnouncementView::SessionEnded => drop(self.told.get_or_insert(at)),
            AnnouncementView::NeedsInput | AnnouncementView::Supervised => {}
        }
    }

    /// Whether its deadline is stated.
    pub fn has_deadline(&self) -> bool {
        matches!(self.deadline, Deadline::At { .. })
    }
}

/// A `start_session` of which nobody knows what came of it.
#[derive(Debug)]
pub struct StartState {
    /// When it was asked for.
    pub asked: Moment,
    /// When it was known that nobody knows.
    pub failed: Moment,
    /// Its `request_id`.
    pub request: Option<Arc<str>>,
    /// Its folder.
    pub cwd: Option<Arc<str>>,
    /// Its agent.
    pub agent: Option<AgentKind>,
    /// What it is to work on.
    pub work: u64,
    /// Whether the list was looked at since.
    pub looked: bool,
}

/// A worker, as the trace states it, and what became of it.
#[derive(Debug)]
pub struct AssignedWorker {
    /// Its index.
    pub index: usize,
    /// Its folder.
    pub cwd: Arc<str>,
    /// How long it may take, in seconds.
    pub deadline_s: f64,
    /// When its first start was asked for.
    pub began: Option<Moment>,
    /// Its sessions, in the order they became known.
    pub sessions: Vec<Arc<str>>,
    /// How it came out, where that is told.
    pub outcome: Option<(Moment, Outcome)>,
}

impl AssignedWorker {
    /// Whether that is its folder.
    pub fn is_in(&self, cwd: &str) -> bool {
        self.cwd.trim_end_matches('/') == cwd.trim_end_matches('/')
    }

    /// Whether another worker has the same folder: whose the sessions in it are, nobody can tell then.
    pub fn shares_with(&self, other: &AssignedWorker) -> bool {
        self.index != other.index && self.is_in(&other.cwd)
    }
}

/// The last list that nobody needed for verifying: who was in it.
#[derive(Debug)]
pub(crate) struct LastList {
    /// When it was asked for.
    pub asked: Moment,
    /// When it came.
    pub at: Moment,
    /// The sessions in it, by a hash of their ids.
    pub ids: Vec<u64>,
}

/// Sessions that were ended and not yet verified, in the order they were ended.
pub(crate) type Unverified = VecDeque<Arc<str>>;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_quarter_of_a_short_one(4.0, 4000)]
    #[case::two_seconds_at_most(8.0, 7000)]
    #[case::two_seconds_of_a_long_one(20.0, 19_000)]
    #[case::nothing_of_none(0.0, 1000)]
    #[case::nothing_of_one_that_is_below_zero(-5.0, 1000)]
    fn of_a_deadline_is_granted(#[case] deadline_s: f64, #[case] earliest: u64) {
        assert_eq!(Deadline::stated(1000, deadline_s).earliest(), earliest);
    }
}
