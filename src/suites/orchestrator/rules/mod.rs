//! The rules for orchestrators: one pure judgement for each requirement of the suite `orchestrator`, over a trace that
//! goes by.
//!
//! The trace state follows the trace and keeps what is known of each open session; whatever may matter to a rule
//! it tells as an [`Occurrence`], before it takes note of it itself. A rule looks at one occurrence and says what it
//! thinks. Memory is bounded by the sessions that are open at once, and eight bytes for each that is closed;
//! of a breach that another record might explain a few words are kept.

pub(crate) mod clock;
pub(crate) mod closed;
pub(crate) mod ending;
pub(crate) mod needs;
pub(crate) mod observing;
pub(crate) mod outcomes;
pub(crate) mod pace;
pub(crate) mod session;
pub(crate) mod starting;
#[cfg(test)]
mod tests;
pub(crate) mod trace_state;
pub(crate) mod unjudged;

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::SessionId;
use crate::spec::RequirementId;
use crate::trace::{Record, RecordView};

use crate::trace::Contradiction;
use crate::trace::history::Moment;
use crate::trace::settings::Settings;

pub use session::{AssignedWorker, DAY_MS, Deadline, EndProgress, Observable, SHORTEST_DEADLINE_MS, SessionState, StartState};
use trace_state::TraceState;

/// Something that a rule may have an opinion about. What is known of a session is what was known before it.
pub enum Occurrence<'a> {
    /// Any call about a session is asked for.
    CalledAbout {
        /// The session, with this call counted.
        session: &'a SessionState,
        /// When.
        at: Moment,
    },
    /// `get_session_data` is asked for.
    ReadAsked {
        /// The session.
        session: &'a SessionState,
        /// When.
        at: Moment,
    },
    /// `get_session_data` is answered.
    ReadAnswered {
        /// The session.
        session: &'a SessionState,
        /// When it was asked for.
        asked: Moment,
        /// When the answer came.
        at: Moment,
        /// The answer.
        read: Read,
    },
    /// `start_session` is asked for.
    StartAsked {
        /// The open session with the same work, under another request; and when it was not to be seen.
        beside: Option<(&'a SessionState, Option<Moment>)>,
        /// The start of the same work of which nobody knows what came of it.
        unsettled: Option<&'a StartState>,
        /// The `request_id`.
        request: Option<&'a str>,
        /// When.
        at: Moment,
    },
    /// `end_session` is asked for.
    EndAsked {
        /// The session.
        session: &'a SessionState,
        /// When it was not to be seen.
        nothing: Option<Moment>,
        /// When.
        at: Moment,
    },
    /// Something is asked of a session that others have started.
    OfOthersAsked {
        /// The session.
        id: &'a str,
        /// What is asked.
        op: &'a str,
        /// When it was first listed.
        listed: Moment,
        /// When.
        at: Moment,
    },
    /// `end_session` is asked for, of a session that was ended and found gone.
    EndedAgain {
        /// The session.
        id: &'a str,
        /// When.
        at: Moment,
    },
    /// A session was ended, and a minute later nobody had looked at a list.
    Unconfirmed {
        /// The session.
        session: &'a SessionState,
    },
    /// The orchestrator is over, and this is how it leaves a session.
    Left {
        /// The session.
        session: &'a SessionState,
        /// Its worker.
        worker: Option<&'a AssignedWorker>,
        /// When.
        at: Moment,
    },
    /// A list showed the session of a start of which nobody knew.
    StartFound,
    /// The orchestrator is over, and nobody knows what came of a start.
    StartLeft {
        /// The start.
        start: &'a StartState,
        /// When.
        at: Moment,
    },
    /// The orchestrator is over, and with it a worker.
    WorkerOver {
        /// The worker.
        worker: &'a AssignedWorker,
        /// Its sessions.
        sessions: &'a [&'a SessionState],
        /// When.
        at: Moment,
    },
    /// The orchestrator is over.
    Exited {
        /// Its exit status; none where a signal ended it.
        code: Option<i32>,
        /// Whether it had to be ended.
        overdue: bool,
        /// Every worker, with its sessions.
        workers: &'a [(&'a AssignedWorker, Vec<&'a SessionState>)],
        /// Whether a list showed sessions that others have started.
        others: bool,
        /// Whether there were sessions that belong to no worker: one that starts them in another folder than it was told.
        strays: bool,
        /// When.
        at: Moment,
    },
}

/// What a read showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Data.
    Data,
    /// `session_not_found`.
    NotFound,
    /// Pending, in one of the two ways to say so, or an empty text.
    Pending,
    /// `session_ended`.
    Over,
    /// No answer, or another error.
    Failed,
}

/// What a rule thinks of an occurrence.
pub enum RuleOutcome {
    /// It is nothing to it.
    NotApplicable,
    /// It was kept.
    Held,
    /// It was broken.
    Violated(Box<Contradiction>),
}

impl RuleOutcome {
    fn broken(requirement: &str, session: &SessionState, message: String) -> Self {
        Self::broken_of(requirement, &session.id, message)
    }

    /// Broken in a session of that id; of none where it is empty.
    fn broken_of(requirement: &str, id: &str, message: String) -> Self {
        let id = Some(id).filter(|id| !id.is_empty());
        RuleOutcome::Violated(Box::new(Contradiction::of_id(requirement, id, message)))
    }

    /// What the orchestrator did.
    fn did(self, what: impl Into<String>) -> Self {
        self.with(|found| found.claimed = what.into())
    }

    /// What was known.
    fn known(self, what: impl Into<String>) -> Self {
        self.with(|found| found.truth = what.into())
    }

    /// The records that prove it, in the trace's order.
    fn shown_by(self, moments: impl IntoIterator<Item = Moment>) -> Self {
        self.with(|found| {
            found.records = moments.into_iter().map(|moment| moment.index).collect();
            found.records.sort_unstable();
            found.records.dedup();
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Contradiction)) -> Self {
        if let RuleOutcome::Violated(found) = &mut self {
            change(found);
        }
        self
    }
}

/// One rule.
pub struct OrchestratorRule {
    /// The requirement that it judges.
    pub requirement: &'static str,
    /// What it thinks of an occurrence.
    pub judge: fn(&Occurrence) -> RuleOutcome,
}

/// Every rule, in the order of their requirements.
pub const RULES: &[OrchestratorRule] = &[
    OrchestratorRule { requirement: "OR-1", judge: observing::first_turn_unpolled },
    OrchestratorRule { requirement: "OR-2", judge: observing::not_found_is_not_ended },
    OrchestratorRule { requirement: "OR-3", judge: observing::completion_is_announced },
    OrchestratorRule { requirement: "OR-4", judge: ending::ended_once },
    OrchestratorRule { requirement: "OR-5", judge: ending::end_is_confirmed },
    OrchestratorRule { requirement: "OR-6", judge: observing::gone_is_not_polled },
    OrchestratorRule { requirement: "OR-7", judge: starting::settled },
    OrchestratorRule { requirement: "OR-8", judge: outcomes::tail_is_told },
    OrchestratorRule { requirement: "OR-9", judge: outcomes::looked_before_the_kill },
    OrchestratorRule { requirement: "OR-10", judge: outcomes::a_day_is_too_long },
    OrchestratorRule { requirement: "OR-11", judge: pace::measured },
    OrchestratorRule { requirement: "OR-11b", judge: pace::bounded },
    OrchestratorRule { requirement: "OR-12", judge: outcomes::exit_status_is_true },
    OrchestratorRule { requirement: "OR-15", judge: outcomes::own_and_no_others },
];

/// The most findings of one rule that are kept; the rest is counted.
const KEPT: u64 = 1000;

/// How often a rule had something to judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was kept.
    pub kept: u64,
    /// How often it was broken; once in a session at most.
    pub broken: u64,
}

/// What the rules found in a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What contradicts a requirement, in the trace's order; of each rule the first thousand.
    pub contradictions: Vec<Contradiction>,
    /// What could not be judged, and why, by requirement.
    pub unjudged: Vec<(RequirementId, String)>,
    /// How often each rule had something to judge, where it ever had.
    pub tallies: BTreeMap<RequirementId, Tally>,
    absences: Vec<Absence>,
    /// Whether the trace has nothing but calls, answers and announcements.
    is_of_calls: bool,
}

/// Judges a whole trace. The records that a finding cites are counted from 0.
pub fn judge(records: &[Record], settings: &Settings) -> Judgement {
    let mut judge = Judge::new(settings);
    for (index, record) in records.iter().enumerate() {
        judge.see(index, &RecordView::of_record(record));
    }
    judge.finish()
}

/// Judges a trace as it goes by.
pub struct Judge {
    trace_state: TraceState,
    sink: FindingSink,
}

impl Judge {
    /// A judge who has seen nothing. Of the settings, the observe limit and the profiles' phases count.
    pub fn new(settings: &Settings) -> Self {
        Self { trace_state: TraceState::new(settings), sink: FindingSink { keep: KEPT, ..FindingSink::default() } }
    }

    /// Judges only a part of the sessions: shard `k` of `of`, by a hash of their ids that is the same everywhere. A trace
    /// that states workers is not divided: its first shard judges it all, the others nothing.
    #[must_use]
    pub fn shard(mut self, k: u64, of: u64) -> Self {
        self.trace_state.divide(k, of);
        self
    }

    /// Keeps that many findings of each rule, and counts the rest.
    #[must_use]
    pub fn keep(mut self, findings: u64) -> Self {
        self.sink.keep = findings;
        self
    }

    /// Takes note of the next record. Findings cite it by this index.
    pub fn see(&mut self, index: usize, view: &RecordView) {
        self.sink.now = index;
        self.trace_state.see(index, view, &mut self.sink);
    }

    /// How many sessions there were.
    pub fn sessions(&self) -> u64 {
        self.trace_state.sessions_seen()
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.trace_state.open_sessions()
    }

    /// What was found.
    pub fn finish(mut self) -> Judgement {
        self.trace_state.finish(&mut self.sink);
        let tallies = RULES.iter().zip(self.sink.tallies).filter(|(_, tally)| *tally != Tally::default());
        Judgement {
            contradictions: self.sink.found,
            unjudged: self.trace_state.unjudged(),
            tallies: tallies.map(|(rule, tally)| (id(rule), tally)).collect(),
            absences: self.sink.absences,
            is_of_calls: self.trace_state.is_of_calls(),
        }
    }
}

impl Judgement {
    /// Takes back what lines that could not be read may explain, and says so. These are the first of them, in order; so many
    /// more come after them. To be called once, with all of them.
    pub fn pass_over(&mut self, lines: &[usize], more: u64) {
        let Some(last) = lines.last() else { return };
        let absences = std::mem::take(&mut self.absences);
        // Whoever tells workers, outcomes or the truth tells them before or after a session's own records.
        let since = |absence: &Absence| if self.is_of_calls { absence.since } else { 0 };
        let may_explain =
            |absence: &Absence| lines.iter().any(|line| since(absence) < *line && *line < absence.at) || more > 0 && *last < absence.at;
        let doubtful: Vec<Absence> = absences.into_iter().filter(may_explain).collect();
        let taken_back: BTreeSet<usize> = doubtful.iter().filter_map(|absence| absence.kept).collect();
        let mut index = 0..;
        self.contradictions.retain(|_| index.next().is_none_or(|index| !taken_back.contains(&index)));
        for absence in doubtful {
            if let Some(tally) = self.tallies.get_mut(&id(&RULES[absence.rule])) {
                tally.broken -= 1;
            }
        }
        self.tallies.retain(|_, tally| *tally != Tally::default());
        let why = unjudged::unread(lines, more);
        self.unjudged.extend(RULES.iter().filter(|rule| needs::ever_every_record(rule.requirement)).map(|rule| (id(rule), why.clone())));
        self.unjudged.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
}

fn id(rule: &OrchestratorRule) -> RequirementId {
    rule.requirement.parse().expect("rules name requirements by their ids")
}

/// Hears every rule, and keeps what they found.
#[derive(Default)]
pub(crate) struct FindingSink {
    found: Vec<Contradiction>,
    tallies: [Tally; RULES.len()],
    keep: u64,
    /// The last call, answer, announcement or end that tells no time.
    untimed: Option<usize>,
    /// The record that goes by.
    now: usize,
    absences: Vec<Absence>,
}

/// A breach that rests on there being no other record between these two.
#[derive(Debug, Clone, PartialEq)]
struct Absence {
    /// Its place in [`RULES`].
    rule: usize,
    since: usize,
    at: usize,
    /// Its place among the contradictions, where it is kept.
    kept: Option<usize>,
}

impl FindingSink {
    /// Hears what the rules think of an occurrence. In one session each finds one thing at most.
    fn hear(&mut self, occurrence: &Occurrence) {
        let is_untimed = self.untimed.is_some_and(|untimed| untimed >= occurrence.since());
        for (at, rule) in RULES.iter().enumerate() {
            if is_untimed && needs::times(rule.requirement, occurrence) {
                continue;
            }
            match (rule.judge)(occurrence) {
                RuleOutcome::NotApplicable => {}
                RuleOutcome::Held => self.tallies[at].kept += 1,
                RuleOutcome::Violated(found) => self.take(at, *found, occurrence),
            }
        }
    }

    fn take(&mut self, rule: usize, found: Contradiction, occurrence: &Occurrence) {
        // A worker's finding names a session that its occurrence does not.
        let again = |known: &Contradiction| known.requirement == found.requirement && known.session == found.session;
        let is_known = match occurrence.session() {
            Some(session) => {
                let known = session.found.get();
                session.found.set(known | 1 << rule);
                known & (1 << rule) != 0
            }
            None => found.session.is_some() && self.found.iter().any(again),
        };
        if is_known {
            return;
        }
        self.tallies[rule].broken += 1;
        let kept = (self.tallies[rule].broken <= self.keep).then_some(self.found.len());
        if needs::every_record(RULES[rule].requirement, occurrence) {
            self.absences.push(Absence { rule, since: occurrence.since(), at: self.now, kept });
        }
        if kept.is_some() {
            self.found.push(found);
        }
    }
}

impl<'a> Occurrence<'a> {
    /// The one session that it is about.
    fn session(&self) -> Option<&'a SessionState> {
        match self {
            Occurrence::CalledAbout { session, .. }
            | Occurrence::ReadAsked { session, .. }
            | Occurrence::ReadAnswered { session, .. }
            | Occurrence::EndAsked { session, .. }
            | Occurrence::Unconfirmed { session }
            | Occurrence::Left { session, .. } => Some(session),
            Occurrence::StartAsked { .. }
            | Occurrence::OfOthersAsked { .. }
            | Occurrence::EndedAgain { .. }
            | Occurrence::StartFound
            | Occurrence::StartLeft { .. }
            | Occurrence::WorkerOver { .. }
            | Occurrence::Exited { .. } => None,
        }
    }
}

impl Occurrence<'_> {
    /// The first record that may bear on it: of a session without a worker its start, of everything else the trace's first.
    fn since(&self) -> usize {
        self.session().filter(|session| session.worker.is_none()).map_or(0, |session| session.asked.index)
    }
}

impl Contradiction {
    /// The session that a finding is about, as text.
    pub fn session_id(&self) -> Option<&str> {
        self.session.as_ref().map(SessionId::as_str)
    }
}
