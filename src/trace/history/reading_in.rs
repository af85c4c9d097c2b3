//! How a [`History`] is read from records: one pass over the lines, then who belongs to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::contract::{AgentRun, Announcement, SessionId, TurnStatus};
use crate::trace::{Entry, Fact, Record};

use super::Moment;
use super::run::{AgentRunHistory, Survivor, TurnHistory};
use super::session::{Announced, AnswerHistory, CallHistory, Listing, Message, SessionHistory};
use crate::trace::history::History;

/// What one pass over the lines gathers.
#[derive(Default)]
struct Gathered<'a> {
    moments: Vec<Moment>,
    calls: Vec<CallHistory<'a>>,
    open: BTreeMap<u64, usize>,
    runs: Vec<AgentRunHistory<'a>>,
    run_at: BTreeMap<&'a AgentRun, usize>,
    bound: Vec<(&'a SessionId, &'a AgentRun)>,
    announced: Vec<(Moment, &'a Announcement)>,
    restarts: Vec<Moment>,
}

pub(crate) fn history(records: &[Record]) -> History<'_> {
    let mut gathered = Gathered::default();
    let mut origin = None;
    let mut ms = 0;
    for (index, record) in records.iter().enumerate() {
        // A clock that was set back tells no time until it has caught up.
        ms = offset(record, &mut origin).map_or(ms, |told| told.max(ms));
        let now = Moment { index, ms };
        gathered.moments.push(now);
        gathered.take(now, &record.entry);
    }
    gathered.into_history(records)
}

/// The record's offset; of recorded production traces, counted from the first wall time.
fn offset(record: &Record, origin: &mut Option<Timestamp>) -> Option<u64> {
    record.at_ms.or_else(|| {
        let at: Timestamp = record.at.as_deref()?.parse().ok()?;
        let origin = *origin.get_or_insert(at);
        u64::try_from(at.as_millisecond() - origin.as_millisecond()).ok()
    })
}

impl<'a> Gathered<'a> {
    fn take(&mut self, now: Moment, entry: &'a Entry) {
        match entry {
            Entry::Request { id, op, args } => {
                self.open.insert(*id, self.calls.len());
                self.calls.push(CallHistory { op, args, asked: now, answer: None });
            }
            Entry::Reply { id, ok, error } => {
                let said = ok.as_ref().map(Ok).or(error.as_ref().map(Err));
                if let (Some(call), Some(said)) = (self.open.remove(id), said) {
                    self.calls[call].answer = Some(AnswerHistory { at: now, said });
                }
            }
            Entry::Truth(fact) => self.take_fact(now, fact),
            Entry::Bound { session_id, agent_run, .. } => self.bound.push((session_id, agent_run)),
            Entry::Event(announcement) => self.announced.push((now, announcement)),
            Entry::Restarted => self.restarts.push(now),
            Entry::Meta { .. }
            | Entry::Step { .. }
            | Entry::Litter { .. }
            | Entry::Note { .. }
            | Entry::Container(_)
            | Entry::Recorded { .. }
            | Entry::Worker(_)
            | Entry::Outcome(_)
            | Entry::OrchestratorExited { .. }
            | Entry::Unknown => {}
        }
    }

    fn take_fact(&mut self, now: Moment, fact: &'a Fact) {
        let id = fact.agent_run();
        let at = *self.run_at.entry(id).or_insert_with(|| {
            self.runs.push(AgentRunHistory::new(id, now));
            self.runs.len() - 1
        });
        let run = &mut self.runs[at];
        run.facts.push(now);
        match fact {
            Fact::AgentStarted { agent, cwd, .. } => (run.agent, run.cwd) = (Some(*agent), Some(cwd.as_str())),
            Fact::PromptAccepted { turn, text, .. } => {
                let turn = turn_of(run, *turn, now);
                (turn.accepted, turn.text) = (Some(now), Some(text.as_str()));
            }
            Fact::TurnStarted { turn, .. } => drop(turn_of(run, *turn, now)),
            Fact::TurnReleased { turn, .. } => turn_of(run, *turn, now).released = Some(now),
            Fact::TurnCompleted { turn, status, .. } => {
                turn_of(run, *turn, now).completed = Some((now, status.unwrap_or(TurnStatus::Completed)));
            }
            Fact::FileWritten { .. } => {}
            Fact::FileRemoved { .. } => run.removed = run.removed.or(Some(now)),
            Fact::AgentSignalled { signal, .. } => run.signals.push((now, signal)),
            Fact::AgentExited { .. } => run.over = run.over.or(Some(now)),
            Fact::AgentGone { .. } => {
                run.gone |= run.over.is_none();
                run.over = run.over.or(Some(now));
            }
            Fact::DescendantAlive { pid, command, reparented, .. } => {
                run.survivors.push(Survivor { at: now, pid: *pid, command, reparented: *reparented });
            }
        }
    }

    fn into_history(self, records: &'a [Record]) -> History<'a> {
        let mut sessions = sessions(&self.calls);
        let mut naming: BTreeMap<&str, Vec<CallHistory>> = BTreeMap::new();
        for call in &self.calls {
            if let Some(id) = call.text("session_id") {
                naming.entry(id).or_default().push(*call);
            }
        }
        for session in &mut sessions {
            session.calls = naming.remove(session.id).unwrap_or_default();
            session.messages.extend(session.calls.iter().filter(|call| call.op == "send_message").filter_map(|call| message(call, false)));
            session.runs = runs_of(session, &self);
            for (at, announcement) in &self.announced {
                match announcement {
                    Announcement::TurnCompleted { session_id, turn, .. } if session_id.as_str() == session.id => {
                        session.announced.push(Announced { at: *at, turn: *turn });
                    }
                    Announcement::SessionEnded { session_id, .. } if session_id.as_str() == session.id => session.announced_end.push(*at),
                    _ => {}
                }
            }
        }
        let listings = self.calls.iter().filter_map(listing).collect();
        History { records, calls: self.calls, listings, runs: self.runs, restarts: self.restarts, sessions, moments: self.moments }
    }
}

fn turn_of<'r, 'a>(run: &'r mut AgentRunHistory<'a>, number: u64, now: Moment) -> &'r mut TurnHistory<'a> {
    run.turns.entry(number).or_insert(TurnHistory { opened: now, accepted: None, text: None, released: None, completed: None })
}

/// One session for each start that gave an id; starts that repeat a `request_id` are one start.
fn sessions<'a>(calls: &[CallHistory<'a>]) -> Vec<SessionHistory<'a>> {
    let mut sessions: Vec<SessionHistory> = Vec::new();
    let mut given: BTreeMap<&str, (usize, &CallHistory)> = BTreeMap::new();
    for call in calls {
        let Some((known, id)) = started(call) else { continue };
        if let Some((session, earlier)) = given.get(id) {
            sessions[*session].id_reused |= !same_start(earlier, call);
            continue;
        }
        given.insert(id, (sessions.len(), call));
        let first = calls.iter().find(|other| same_start(other, call)).unwrap_or(call);
        let timeout = call.args.get("timeout_s").or_else(|| call.ok()?.1.get("timeout_s")).and_then(|timeout| timeout.as_f64());
        sessions.push(SessionHistory {
            id,
            id_reused: false,
            agent: call.text("agent").and_then(|agent| agent.parse().ok()),
            cwd: call.text("cwd"),
            begun: first.asked,
            known,
            timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            messages: message(&CallHistory { asked: first.asked, ..*call }, true).into_iter().collect(),
            calls: Vec::new(),
            announced: Vec::new(),
            announced_end: Vec::new(),
            runs: Vec::new(),
        });
    }
    sessions
}

/// The id that a start gave, and when.
pub(crate) fn started<'a>(call: &CallHistory<'a>) -> Option<(Moment, &'a str)> {
    let (at, result) = call.ok().filter(|_| call.op == "start_session")?;
    Some((at, result.get("session_id")?.as_str()?))
}

/// Whether two calls ask for the same start: one call, or the same `request_id`.
pub(crate) fn same_start(one: &CallHistory, other: &CallHistory) -> bool {
    let request = one.text("request_id");
    one.op == "start_session"
        && other.op == one.op
        && (one.asked == other.asked || (request.is_some() && request == other.text("request_id")))
}

fn message<'a>(call: &CallHistory<'a>, first: bool) -> Option<Message<'a>> {
    let text = call.text("message").filter(|text| !text.is_empty())?;
    Some(Message { text, asked: call.asked, taken: call.ok().map(|(at, _)| at), first })
}

/// A session's runs: those it is bound to, or where no other start asked for its folder all that came up there.
fn runs_of(session: &SessionHistory, gathered: &Gathered) -> Vec<usize> {
    let alone = session.cwd.is_some() && {
        let starts = || gathered.calls.iter().filter(|call| call.op == "start_session");
        let own = starts().find(|call| call.asked == session.begun);
        own.is_some_and(|own| starts().all(|call| call.text("cwd") != session.cwd || same_start(own, call)))
    };
    let bound = |run: &AgentRunHistory| gathered.bound.iter().any(|(id, bound)| id.as_str() == session.id && *bound == run.id);
    let in_folder = |run: &AgentRunHistory| alone && run.cwd == session.cwd && session.begun < run.started;
    let found = gathered.runs.iter().enumerate().filter(|(_, run)| bound(run) || in_folder(run));
    found.map(|(at, _)| at).collect()
}

fn listing<'a>(call: &CallHistory<'a>) -> Option<Listing<'a>> {
    let (answered, result) = call.ok().filter(|_| call.op == "list_sessions")?;
    let items = result.get("sessions")?.as_array()?;
    let items =
        items.iter().filter_map(|item| Some((item.get("session_id")?.as_str()?, item.get("status").and_then(|status| status.as_str()))));
    Some(Listing { asked: call.asked, answered, items: items.collect() })
}
