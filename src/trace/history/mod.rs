//! A trace, read once: sessions with what was asked and said of them, and agents' runs with their facts.
pub(crate) mod reading_in;
pub(crate) mod run;
pub(crate) mod session;

pub use run::{AgentRunHistory, Survivor, TurnHistory};
pub use session::{Account, Announced, AnswerHistory, CallHistory, Listing, Message, Says, SessionHistory, same_prompt};

use crate::contract::TurnStatus;
use crate::profile::Phase;
use crate::trace::Record;
use crate::trace::settings::Settings;

/// A place in a trace. Order is the trace's; milliseconds, which never go back, are only compared with limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The record's index.
    pub index: usize,
    /// Milliseconds since the trace began.
    pub ms: u64,
}

impl Moment {
    /// The millisecond at which a limit that runs from here has passed.
    pub fn after(self, limit: std::time::Duration) -> u64 {
        self.ms.saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What a trace says, by session and by run.
#[derive(Debug)]
pub struct History<'a> {
    /// The records it was read from.
    pub records: &'a [Record],
    /// Every call, in the order asked.
    pub calls: Vec<CallHistory<'a>>,
    /// Every answered `list_sessions`, in the order asked.
    pub listings: Vec<Listing<'a>>,
    /// The agents' runs, in the order they came up.
    pub runs: Vec<AgentRunHistory<'a>>,
    /// Where the manager was killed and started again.
    pub restarts: Vec<Moment>,
    pub(crate) sessions: Vec<SessionHistory<'a>>,
    pub(crate) moments: Vec<Moment>,
}

impl<'a> History<'a> {
    /// Reads a trace.
    pub fn new(records: &'a [Record]) -> Self {
        reading_in::history(records)
    }

    /// The sessions that can be judged: those whose id nobody else was given.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionHistory<'a>> {
        self.sessions.iter().filter(|session| !session.id_reused)
    }

    /// The session of that id.
    pub fn session(&self, id: &str) -> Option<&SessionHistory<'a>> {
        self.sessions().find(|session| session.id == id)
    }

    /// The trace's last moment.
    pub fn last(&self) -> Moment {
        self.moments.last().copied().unwrap_or(Moment { index: 0, ms: 0 })
    }

    /// The runs of a session's agent.
    pub fn runs_of(&self, session: &SessionHistory<'a>) -> impl Iterator<Item = &AgentRunHistory<'a>> {
        session.runs.iter().map(|&at| &self.runs[at])
    }

    /// The sessions that a run serves: more than one where agents' processes are shared.
    pub fn served_by(&self, run: usize) -> impl Iterator<Item = &SessionHistory<'a>> {
        self.sessions.iter().filter(move |session| session.runs.contains(&run))
    }

    /// The session's turns, in order. Of a run that serves several sessions, those that one of its messages opened.
    pub fn turns_of(&self, session: &SessionHistory<'a>) -> Vec<&TurnHistory<'a>> {
        let mut turns: Vec<&TurnHistory> = Vec::new();
        for &at in &session.runs {
            let shared = self.served_by(at).count() > 1;
            turns.extend(self.runs[at].turns.values().filter(|turn| !shared || turn.text.is_some_and(|text| session.was_sent(text))));
        }
        turns.sort_by_key(|turn| turn.opened);
        turns
    }

    /// When the session's first turn completed well.
    pub fn first_completed(&self, session: &SessionHistory<'a>) -> Option<Moment> {
        let completed = |turn: &&TurnHistory| turn.completed.filter(|(_, status)| *status == TurnStatus::Completed).map(|(at, _)| at);
        self.turns_of(session).iter().filter_map(completed).min()
    }

    /// Whether the session's first turn was still open then.
    pub fn in_first_turn(&self, session: &SessionHistory<'a>, then: Moment) -> bool {
        self.turns_of(session).iter().all(|turn| turn.over().is_none_or(|over| then < over))
    }

    /// When the session became observable, by the phase of its agent's profile; never before its id was known.
    pub fn observable(&self, session: &SessionHistory<'a>, settings: &Settings) -> Option<Moment> {
        let phase = match settings.observable.get(&session.agent?)? {
            Phase::Started => self.runs_of(session).map(|run| run.started).min(),
            Phase::PromptAccepted => self.turns_of(session).iter().filter_map(|turn| turn.accepted).min(),
            Phase::FirstTurnCompleted => self.first_completed(session),
            Phase::Exited | Phase::Never => None,
        };
        phase.map(|phase| phase.max(session.known))
    }

    /// Whether anything but its agent's own death may have ended the session by then: its end was asked for, its
    /// timeout passed, or the manager was restarted.
    pub fn may_be_ended(&self, session: &SessionHistory<'a>, then: Moment, settings: &Settings) -> bool {
        session.end_asked().iter().chain(&self.restarts).any(|at| *at < then)
            || then.ms >= session.begun.after(session.timeout.unwrap_or(settings.timeout))
    }

    /// Whether the session surely lived when this was said of it: its agent was up before the question, outlived the
    /// answer by the settle limit, and nothing may have ended it.
    pub fn surely_alive(&self, session: &SessionHistory<'a>, said: &Account<'a>, settings: &Settings) -> bool {
        let outlives = |over: Moment| over.ms > said.answered.after(settings.limits.settle);
        let lives = |run: &AgentRunHistory| run.started < said.asked && run.over.is_none_or(outlives);
        !self.may_be_ended(session, said.answered, settings) && self.runs_of(session).any(lives)
    }

    /// When the session's agent died though nothing had ended the session; `None` also where that is in doubt: while something was
    /// asked about it, or within the end limit of the end of an id that no session has, it did not surely die by itself.
    pub fn own_death(&self, session: &SessionHistory<'a>, settings: &Settings) -> Option<Moment> {
        let ends: Option<Vec<Moment>> = self.runs_of(session).map(|run| run.over).collect();
        let is_known = |id: &str| self.sessions.iter().any(|session| session.id == id);
        let is_to_blame = |call: &CallHistory, death: Moment| {
            let until = |limit| call.answer.is_none_or(|answer| death.ms <= answer.at.after(limit));
            let is_open = call.asked < death && call.answer.is_none_or(|answer| death < answer.at);
            match call.text("session_id") {
                Some(id) if call.op == "end_session" && !is_known(id) => call.asked < death && until(settings.limits.end),
                Some(id) if call.op == "end_session" && id != session.id => call.asked < death && until(settings.limits.settle),
                Some(id) => id == session.id && is_open,
                None => call.op == "list_sessions" && is_open,
            }
        };
        let alone = |death: &Moment| !self.calls.iter().any(|call| is_to_blame(call, *death));
        ends?.into_iter().max().filter(|death| !self.may_be_ended(session, *death, settings)).filter(alone)
    }

    /// What the manager said of a session, once its id was known, in the order asked.
    pub fn accounts(&self, session: &SessionHistory<'a>) -> Vec<Account<'a>> {
        let mut said: Vec<Account> = session.calls.iter().filter_map(Account::of_call).collect();
        said.extend(self.listings.iter().map(|listing| Account::of_listing(listing, session.id)));
        said.extend(session.announced_end.iter().map(|&at| Account::of_announced_end(at)));
        said.retain(|account| session.known < account.asked);
        said.sort_by_key(|account| account.asked);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::scene::trace;

    fn read(lines: &str) -> Vec<Record> {
        crate::trace::jsonl::read(lines.as_bytes()).map(|record| record.unwrap()).collect()
    }

    #[test]
    fn wall_times_count_from_the_first() {
        let records = read(
            r#"{"at":"2026-01-01T00:00:00Z","kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/w"}}
{"at":"2026-01-01T01:00:01.5+01:00","kind":"reply","id":1,"ok":{"session_id":"s1"}}
{"kind":"event","event":"session_ended","session_id":"s1"}"#,
        );
        let history = History::new(&records);
        let session = history.session("s1").unwrap();
        assert_eq!((session.begun.ms, session.known.ms, session.announced_end[0].ms), (0, 1500, 1500));
    }

    #[test]
    fn a_clock_that_is_set_back_stands_still() {
        let records = trace("5 # on; 100 # set back; 50 # behind; 101 # caught up");
        let moments: Vec<u64> = History::new(&records).moments.iter().map(|at| at.ms).collect();
        assert_eq!(moments, [5, 100, 100, 101]);
    }

    #[test]
    fn only_a_restart_is_a_restart() {
        let records = trace("0 # restarted; 1 restart");
        assert_eq!(History::new(&records).restarts.iter().map(|at| at.ms).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn in_a_folder_of_two_sessions_a_run_belongs_to_whom_it_is_bound_to() {
        let records = trace(
            "0 > start_session cwd=/w/x; 1 < session_id=s1; 2 > start_session cwd=/w/x; 3 < session_id=s2; 4 * agent_started r1 cwd=/w/x; \
             5 * agent_started r2 cwd=/w/x; 6 bound s2 r2",
        );
        let history = History::new(&records);
        let runs = |id| history.runs_of(history.session(id).unwrap()).map(|run| run.id.0.as_str()).collect::<Vec<_>>();
        assert_eq!((runs("s1"), runs("s2")), (vec![], vec!["r2"]));
    }

    #[test]
    fn a_session_whose_id_was_given_twice_is_not_judged() {
        let records = read(
            r#"{"at_ms":0,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/a"}}
{"at_ms":1,"kind":"reply","id":1,"ok":{"session_id":"s1"}}
{"at_ms":2,"kind":"request","id":2,"op":"start_session","args":{"agent":"codex","cwd":"/b"}}
{"at_ms":3,"kind":"reply","id":2,"ok":{"session_id":"s1"}}"#,
        );
        assert!(History::new(&records).session("s1").is_none());
    }

    #[test]
    fn a_lost_start_and_its_repetition_are_one_session() {
        let records = read(
            r#"{"at_ms":0,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/a","message":"go","request_id":"q"}}
{"at_ms":5,"kind":"truth","fact":"agent_started","agent_run":"r1","agent":"codex","pid":1,"cwd":"/a"}
{"at_ms":6,"kind":"truth","fact":"prompt_accepted","agent_run":"r1","turn":1,"text":"go"}
{"at_ms":10,"kind":"reply","id":1,"error":{"code":"timeout"}}
{"at_ms":11,"kind":"request","id":2,"op":"start_session","args":{"agent":"codex","cwd":"/a","message":"go","request_id":"q"}}
{"at_ms":12,"kind":"reply","id":2,"ok":{"session_id":"s1"}}"#,
        );
        let history = History::new(&records);
        let session = history.session("s1").unwrap();
        assert_eq!((session.begun.ms, session.known.ms, session.messages.len(), session.runs.len()), (0, 12, 1, 1));
        assert_eq!(session.messages[0].asked, session.begun);
    }

    #[test]
    fn a_shared_runs_turns_belong_to_whose_message_opened_them() {
        let records = read(
            r#"{"at_ms":0,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/a","message":"one"}}
{"at_ms":1,"kind":"reply","id":1,"ok":{"session_id":"s1"}}
{"at_ms":2,"kind":"request","id":2,"op":"start_session","args":{"agent":"codex","cwd":"/b","message":"two"}}
{"at_ms":3,"kind":"reply","id":2,"ok":{"session_id":"s2"}}
{"at_ms":4,"kind":"bound","session_id":"s1","agent_run":"r1","by":"nonce"}
{"at_ms":4,"kind":"bound","session_id":"s2","agent_run":"r1","by":"nonce"}
{"at_ms":5,"kind":"truth","fact":"prompt_accepted","agent_run":"r1","turn":1,"text":"two\n"}
{"at_ms":6,"kind":"truth","fact":"turn_completed","agent_run":"r1","turn":1}"#,
        );
        let history = History::new(&records);
        let completed = |id| history.first_completed(history.session(id).unwrap()).map(|at| at.ms);
        assert_eq!((completed("s1"), completed("s2")), (None, Some(6)));
    }
}
