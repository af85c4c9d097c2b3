//! The trace state: follows a trace, keeps what is known of each open session, and tells the rules what occurs.

pub(crate) mod answered;
pub(crate) mod asked;
pub(crate) mod lists;
pub(crate) mod truth;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::contract::{AgentKind, WorkerState};
use crate::spec::RequirementId;
use crate::trace::history::Moment;
use crate::trace::settings::Settings;
use crate::trace::{AnnouncementView, RecordView, What};

use super::clock::RecordClock;
use super::closed::{Closed, Fast, shard};
use super::session::{AssignedWorker, EndProgress, LastList, Observable, SessionState, StartState, Unverified};
use super::unjudged::{Occasions, unjudged};
use super::{FindingSink, Occurrence};

/// How long a start whose session no list shows may still turn up in one, in milliseconds.
const LOOKED_FOR_MS: u64 = 60 * 60 * 1000;

/// An `end_session` that took longer may have been given up by who asked, in milliseconds.
const GIVEN_UP_MS: u64 = 5000;

/// From so many unanswered calls on, and four for each open session, those are forgotten that nobody waits for any more.
const MANY_PENDING: usize = 4096;

/// So many sessions of others are known at most.
const MANY_OTHERS: usize = 4096;

/// A call that waits for its answer.
struct OpenCalls {
    asked: Moment,
    call: PendingCall,
}

pub(crate) enum PendingCall {
    Start(Box<StartState>),
    List { verifies: bool },
    Read(Arc<str>),
    End(Arc<str>),
    About(Arc<str>),
}

/// An agent's run, as far as the truth tells.
#[derive(Default)]
struct RunState {
    folder: u64,
    session: Option<Arc<str>>,
    open: bool,
    completed: bool,
}

/// Which sessions are judged.
#[derive(Clone, Copy)]
enum Part {
    All,
    Shard { k: u64, of: u64 },
    None,
}

/// What is known, as a trace goes by.
pub(crate) struct TraceState {
    part: Part,
    clock: RecordClock,
    opened: u64,
    observable: HashMap<AgentKind, Observable>,
    observe_ms: u64,
    sessions: HashMap<Arc<str>, SessionState, Fast>,
    closed: Closed,
    pending: HashMap<u64, OpenCalls, Fast>,
    /// The open session that works on something.
    works: HashMap<u64, Arc<str>, Fast>,
    unverified: Unverified,
    unsettled: Vec<StartState>,
    workers: Vec<AssignedWorker>,
    runs: HashMap<String, RunState, Fast>,
    listing: Option<LastList>,
    /// Sessions that others have started, and when each was first listed; looked for where workers are stated.
    others: HashMap<Box<str>, Moment, Fast>,
    /// How many starts wait for their answer.
    starting: usize,
    /// Announcements about sessions whose start has not been answered yet.
    early: VecDeque<(String, Moment, AnnouncementView)>,
    now: Moment,
    seen: Occasions,
}

impl TraceState {
    pub(crate) fn new(settings: &Settings) -> Self {
        let observable = |agent: AgentKind| (agent, Observable::from_phase(settings.observable.get(&agent).copied()));
        Self {
            part: Part::All,
            clock: RecordClock::default(),
            opened: 0,
            observable: AgentKind::all().iter().copied().map(observable).collect(),
            observe_ms: u64::try_from(settings.limits.observe.as_millis()).unwrap_or(u64::MAX),
            sessions: HashMap::default(),
            closed: Closed::default(),
            pending: HashMap::default(),
            works: HashMap::default(),
            unverified: Unverified::new(),
            unsettled: Vec::new(),
            workers: Vec::new(),
            runs: HashMap::default(),
            listing: None,
            others: HashMap::default(),
            starting: 0,
            early: VecDeque::new(),
            now: Moment { index: 0, ms: 0 },
            seen: Occasions::default(),
        }
    }

    pub(crate) fn divide(&mut self, k: u64, of: u64) {
        self.part = Part::Shard { k, of };
    }

    fn is_ours(&self, id: &str) -> bool {
        match self.part {
            Part::All => true,
            Part::Shard { k, of } => shard(id, of) == k,
            Part::None => false,
        }
    }

    pub(crate) fn sessions_seen(&self) -> u64 {
        self.opened
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there was nothing but calls, answers and announcements.
    pub(crate) fn is_of_calls(&self) -> bool {
        !(self.seen.workers || self.seen.outcomes || self.seen.exit || self.seen.truth)
    }

    pub(crate) fn unjudged(&self) -> Vec<(RequirementId, String)> {
        unjudged(&self.seen)
    }

    pub(crate) fn see(&mut self, index: usize, view: &RecordView, sink: &mut FindingSink) {
        if view.what == What::Begun {
            self.clock.begin_anew();
        }
        self.now = Moment { index, ms: self.clock.read(view.ms) };
        let happens = matches!(view.what, What::Asked { .. } | What::Answered { .. } | What::Told { .. } | What::Exited { .. });
        if happens && view.ms.is_none() {
            self.seen.untimed += 1;
            sink.untimed = Some(index);
        }
        match &view.what {
            What::Asked { id, op, args } => self.asked(*id, op, args, sink),
            What::Answered { id, said } => self.answered(*id, said.as_ref(), sink),
            What::Told { session, news } => self.told(session, *news),
            What::Truth { run, fact } => self.truth(run, fact),
            What::Bound { session, run } => self.bind(session, run),
            What::Worker(worker) => {
                self.seen.workers = true;
                if let Part::Shard { k, .. } = self.part {
                    self.part = if k == 1 { Part::All } else { Part::None };
                }
                let worker = AssignedWorker {
                    index: worker.worker,
                    cwd: worker.cwd.as_str().into(),
                    deadline_s: worker.deadline_s,
                    began: None,
                    sessions: Vec::new(),
                    outcome: None,
                };
                self.seen.shared |= self.is_shared(&worker);
                self.workers.push(worker);
            }
            What::Outcome(outcome) => {
                self.seen.outcomes = true;
                let now = self.now;
                if let Some(worker) = self.workers.iter_mut().find(|worker| worker.index == outcome.worker) {
                    worker.outcome = Some((now, outcome.clone()));
                }
            }
            What::Exited { code, overdue } => self.exited(*code, *overdue, sink),
            What::Begun | What::Restarted | What::Other | What::Unknown => {}
        }
        self.confirm_overdue(sink);
    }

    fn exited(&mut self, code: Option<i32>, overdue: bool, sink: &mut FindingSink) {
        self.seen.exit = true;
        if matches!(self.part, Part::None) {
            return;
        }
        let at = self.now;
        for session in self.sessions.values_mut().filter(|session| session.end_asked.is_none()) {
            session.nothing = asked::nothing_of(session, self.listing.as_ref());
        }
        let mut left: Vec<&SessionState> = self.sessions.values().collect();
        left.sort_by_key(|session| session.known);
        for session in left {
            let worker = session.worker.map(|worker| self.answerable(&self.workers[worker]));
            sink.hear(&Occurrence::Left { session, worker, at });
        }
        let mut starts: Vec<&StartState> = self.unsettled.iter().chain(self.unanswered()).collect();
        starts.sort_by_key(|start| start.asked);
        for start in starts {
            sink.hear(&Occurrence::StartLeft { start, at });
        }
        let own =
            |worker: &AssignedWorker| -> Vec<&SessionState> { worker.sessions.iter().filter_map(|id| self.sessions.get(id)).collect() };
        let of_workers: usize = self.workers.iter().map(|worker| own(worker).len()).sum();
        // What was started in a shared folder counts for all who share it.
        let there = |worker| std::iter::once(worker).chain(self.sharing(worker)).flat_map(own).collect();
        let workers: Vec<(&AssignedWorker, Vec<&SessionState>)> = self.workers.iter().map(|worker| (worker, there(worker))).collect();
        for (worker, sessions) in workers.iter().filter(|(worker, _)| !self.is_shared(worker)) {
            sink.hear(&Occurrence::WorkerOver { worker, sessions, at });
        }
        let strays = self.opened > of_workers as u64 || self.seen.strangers > 0;
        // What is of no session is for the first shard to judge.
        if matches!(self.part, Part::All | Part::Shard { k: 1, .. }) {
            sink.hear(&Occurrence::Exited { code, overdue, workers: &workers, others: !self.others.is_empty(), strays, at });
        }
        self.sessions.clear();
        self.unsettled.clear();
        self.pending.clear();
        self.works.clear();
        self.unverified.clear();
    }

    /// The other workers in a worker's folder.
    fn sharing<'a>(&'a self, worker: &'a AssignedWorker) -> impl Iterator<Item = &'a AssignedWorker> {
        self.workers.iter().filter(|other| other.shares_with(worker))
    }

    fn is_shared(&self, worker: &AssignedWorker) -> bool {
        self.sharing(worker).next().is_some()
    }

    /// Who answers for a session of a worker: of those who share its folder one that called for help, for it may be that one's.
    fn answerable<'a>(&'a self, worker: &'a AssignedWorker) -> &'a AssignedWorker {
        let blame = |worker: &&AssignedWorker| match worker.outcome.as_ref().map(|(_, outcome)| outcome.state) {
            Some(WorkerState::Escalated) => 0,
            None => 1,
            Some(_) => 2,
        };
        std::iter::once(worker).chain(self.sharing(worker)).min_by_key(blame).unwrap_or(worker)
    }

    /// The trace is over. What is open then is not judged: it may have gone on.
    pub(crate) fn finish(&mut self, _: &mut FindingSink) {
        let is_open = |session: &&SessionState| !matches!(session.ending, EndProgress::Done { .. });
        self.seen.open = self.sessions.values().filter(is_open).count() as u64;
        self.seen.unsettled = (self.unsettled.len() + self.unanswered().count()) as u64;
    }

    /// The starts that wait for their answer; the folder stands for the session.
    fn unanswered(&self) -> impl Iterator<Item = &StartState> {
        self.pending.values().filter_map(|pending| match &pending.call {
            PendingCall::Start(start) if self.is_ours(start.cwd.as_deref().unwrap_or_default()) => Some(&**start),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Judge;
    use super::super::tests::{brief::trace, see};
    use super::*;

    fn trace_state(lines: &str) -> TraceState {
        let mut judge = Judge::new(&Settings::default());
        see(&mut judge, &trace(lines));
        judge.trace_state
    }

    #[rstest]
    #[case::one_day_later_there_is_room_for_one(1, 4104)]
    #[case::one_day_later_there_is_not_room_for_two(2, 3)]
    fn calls_that_nobody_waits_for_any_more_are_forgotten_once_they_are_many(#[case] later: usize, #[case] waiting: usize) {
        let open = "0 start claude /a -> s1\n 0 start claude /b -> s2\n 0 read s1\n";
        let over = "0 start claude /c -> s3\n 0 read s3\n 0 end s3 -> ok\n 0 list -> []\n";
        let lists = "0 list\n".repeat(4101) + &"86_400_001 list\n".repeat(later);
        assert_eq!(trace_state(&format!("{open}{over}{lists}")).pending.len(), waiting);
    }

    #[rstest]
    #[case::as_many_as_are_kept(4096, 4096)]
    #[case::one_more(4097, 4096)]
    fn announcements_about_what_is_being_started_are_kept_up_to_a_limit(#[case] announced: usize, #[case] kept: usize) {
        assert_eq!(trace_state(&("0 start codex /w\n".to_owned() + &"1 completed s1\n".repeat(announced))).early.len(), kept);
    }

    #[test]
    fn announcements_are_not_kept_while_nothing_is_being_started() {
        assert_eq!(trace_state("0 start codex /w\n 1 completed s8\n 2 -> s1\n 3 completed s9").early.len(), 0);
    }
}
