//! What is answered.

use std::sync::Arc;

use crate::contract::ErrorCode;
use crate::trace::AnswerView;
use crate::trace::history::Moment;

use super::super::session::{DAY_MS, Deadline, EndProgress, Observable, SessionState, StartState};
use super::super::{FindingSink, Occurrence, Read};
use super::{GIVEN_UP_MS, OpenCalls, PendingCall, TraceState};

impl TraceState {
    pub(crate) fn answered(&mut self, id: u64, said: Option<&Result<AnswerView, ErrorCode>>, sink: &mut FindingSink) {
        let Some(OpenCalls { asked, call }) = self.pending.remove(&id) else { return };
        let result = match said {
            Some(Ok(answered)) => Ok(answered),
            Some(Err(code)) => Err(*code),
            None => Err(ErrorCode::Timeout),
        };
        match call {
            PendingCall::Start(start) => self.started(*start, result),
            PendingCall::List { verifies } => self.listed(asked, verifies, result, sink),
            PendingCall::Read(session) => self.read(asked, &session, result, sink),
            PendingCall::End(session) => self.ended(asked, &session, result),
            PendingCall::About(session) => {
                if let (Err(code), Some(session)) = (result, self.sessions.get_mut(&session)) {
                    prompt_after(session, code);
                    if code == ErrorCode::SessionEnded {
                        session.told.get_or_insert(self.now);
                    }
                }
            }
        }
    }

    pub(crate) fn started(&mut self, mut start: StartState, result: Result<&AnswerView, ErrorCode>) {
        self.starting = self.starting.saturating_sub(1);
        match result.map(|answered| answered.session.get()) {
            Ok(Some(id)) if !self.sessions.contains_key(id) => self.open(id, &start),
            Ok(_) => {}
            // Of a start without a session, the folder stands for it.
            Err(_) if !self.is_ours(start.cwd.as_deref().unwrap_or_default()) => {}
            Err(code) if code.spec().definite => {}
            Err(_) => {
                start.failed = self.now;
                self.unsettled.push(start);
            }
        }
    }

    pub(crate) fn open(&mut self, id: &str, start: &StartState) {
        if !self.is_ours(id) {
            return;
        }
        self.opened += 1;
        self.others.remove(id);
        let id: Arc<str> = id.into();
        let worker = self.worker_of(start.cwd.as_deref());
        let deadline = match worker {
            Some(at) => {
                self.workers[at].sessions.push(Arc::clone(&id));
                let worker = &self.workers[at];
                let shortest = self.sharing(worker).map(|worker| worker.deadline_s).fold(worker.deadline_s, f64::min);
                Deadline::stated(worker.began.unwrap_or(start.asked).ms, shortest)
            }
            None => Deadline::unstated(start.asked.ms),
        };
        let observable = start.agent.and_then(|agent| self.observable.get(&agent).copied()).unwrap_or(Observable::Unknown);
        self.seen.unknown_agents += u64::from(observable == Observable::Unknown);
        let session = SessionState {
            id: Arc::clone(&id),
            agent: start.agent,
            observable,
            worker,
            work: start.work,
            request: start.request.clone(),
            asked: start.asked,
            known: self.now,
            deadline,
            told: None,
            announced: None,
            turn_failed: None,
            data: None,
            cut: None,
            whole: false,
            messaged: false,
            nothing: None,
            gone: None,
            inspections: 0,
            looked: None,
            looked_at_day: None,
            not_found_at_day: None,
            pace: Default::default(),
            run: None,
            turn_open: None,
            turn_completed: false,
            end_asked: None,
            ending: EndProgress::NotAsked,
            end_failures: 0,
            listed: None,
            still_alive: None,
            found: Default::default(),
        };
        self.works.insert(start.work, Arc::clone(&id));
        self.sessions.insert(Arc::clone(&id), session);
        if !self.runs.is_empty() {
            self.bind_by_folder(&id, start.cwd.as_deref());
        }
        self.hear_early(&id, start.asked);
    }

    /// What was announced of a session before its id came back.
    pub(crate) fn hear_early(&mut self, id: &Arc<str>, asked: Moment) {
        let early = std::mem::take(&mut self.early);
        for (of, at, news) in early {
            match self.sessions.get_mut(id) {
                Some(session) if of == **id && at > asked => session.hear(at, news),
                _ => self.early.push_back((of, at, news)),
            }
        }
    }

    pub(crate) fn read(&mut self, asked: Moment, id: &str, result: Result<&AnswerView, ErrorCode>, sink: &mut FindingSink) {
        let at = self.now;
        let observe_ms = self.observe_ms;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let read = match result {
            Ok(answered) if answered.pending.0 || answered.text.0.unwrap_or_default() == 0 => Read::Pending,
            Ok(_) => Read::Data,
            Err(ErrorCode::SessionPending) => Read::Pending,
            Err(ErrorCode::SessionNotFound) => Read::NotFound,
            Err(ErrorCode::SessionEnded) => Read::Over,
            Err(_) => Read::Failed,
        };
        sink.hear(&Occurrence::ReadAnswered { session, asked, at, read });
        session.pace.answered(at);
        let was_observable = match session.observable {
            Observable::AtOnce => session.data.is_some() || asked.ms >= session.known.ms.saturating_add(observe_ms),
            _ => session.data.is_some(),
        };
        match (read, result) {
            (Read::Data, Ok(answered)) => {
                session.data.get_or_insert(at);
                session.whole |= !answered.truncated.0 && session.told.is_some() && !session.messaged;
                session.cut = (answered.truncated.0 && !session.whole).then_some(at);
                session.pace.saw(answered.text.0.unwrap_or_default());
                if answered.truncated.0 {
                    session.pace.prompt();
                }
            }
            (Read::NotFound | Read::Pending, _) => {
                session.nothing = Some(at);
                session.inspections += u32::from(asked.ms >= session.deadline.earliest());
                if read == Read::NotFound && session.age(asked.ms) >= DAY_MS && session.told.is_none() {
                    session.not_found_at_day.get_or_insert(at);
                }
            }
            (Read::Over, _) => drop(session.told.get_or_insert(at)),
            (_, Err(code)) => prompt_after(session, code),
            _ => {}
        }
        let is_gone = read == Read::Over || (read == Read::NotFound && (was_observable || session.told.is_some()));
        if is_gone && session.end_asked.is_none() {
            session.gone.get_or_insert(at);
        }
    }

    pub(crate) fn ended(&mut self, asked: Moment, id: &str, result: Result<&AnswerView, ErrorCode>) {
        let at = self.now;
        let Some(session) = self.sessions.get_mut(id) else { return };
        match result {
            Ok(_) | Err(ErrorCode::SessionNotFound | ErrorCode::SessionEnded) => {
                let was_done = matches!(session.ending, EndProgress::Done { .. });
                if was_done && session.still_alive.is_none() {
                    return;
                }
                session.ending = EndProgress::Done { at, late: at.ms.saturating_sub(asked.ms) >= GIVEN_UP_MS };
                session.listed = None;
                session.still_alive = None;
                self.unverified.retain(|other| **other != *session.id);
                self.unverified.push_back(Arc::clone(&session.id));
            }
            Err(_) if matches!(session.ending, EndProgress::Done { .. }) => {}
            Err(_) => {
                session.end_failures += 1;
                session.ending = EndProgress::Failed(at);
            }
        }
    }
}

/// An indefinite error is a reason to ask again.
fn prompt_after(session: &mut SessionState, code: ErrorCode) {
    if !code.spec().definite {
        session.pace.prompt();
    }
}
