//! What is asked.

use std::sync::Arc;

use crate::trace::ArgsView;
use crate::trace::history::Moment;

use super::super::closed::hash;
use super::super::session::{DAY_MS, EndProgress, LastList, SessionState, StartState};
use super::super::{FindingSink, Occurrence};
use super::{MANY_PENDING, OpenCalls, PendingCall, TraceState};

impl TraceState {
    pub(crate) fn asked(&mut self, id: u64, op: &str, args: &ArgsView, sink: &mut FindingSink) {
        let call = match (op, args.session.get()) {
            ("start_session", _) => self.start_asked(args, sink),
            ("list_sessions", _) => PendingCall::List { verifies: !self.unverified.is_empty() },
            (_, Some(session)) => match self.about_asked(op, session, sink) {
                Some(call) => call,
                None => return,
            },
            _ => return,
        };
        self.pending.insert(id, OpenCalls { asked: self.now, call });
        if self.pending.len() > MANY_PENDING + 4 * self.sessions.len() {
            let oldest = self.now.ms.saturating_sub(DAY_MS);
            self.pending.retain(|_, pending| match &pending.call {
                PendingCall::Start(_) | PendingCall::List { .. } => pending.asked.ms >= oldest,
                PendingCall::Read(id) | PendingCall::End(id) | PendingCall::About(id) => self.sessions.contains_key(id),
            });
        }
    }

    pub(crate) fn start_asked(&mut self, args: &ArgsView, sink: &mut FindingSink) -> PendingCall {
        let at = self.now;
        let worker = self.worker_of(args.cwd.get());
        if let Some(worker) = worker {
            self.workers[worker].began.get_or_insert(at);
        }
        let request = args.request.get();
        let work = match worker {
            // Another request in a shared folder may be another worker's.
            Some(worker) if self.is_shared(&self.workers[worker]) => hash((worker, request, request.is_none().then_some(at.index))),
            Some(worker) => hash(("worker", worker)),
            None => hash((args.agent.get(), args.cwd.get(), args.message.get())),
        };
        let beside = self.works.get(&work).and_then(|id| self.sessions.get(id));
        let beside = beside.filter(|session| request.is_none() || session.request.as_deref() != request);
        let beside =
            beside.filter(|session| session.end_asked.is_none()).map(|session| (session, nothing_of(session, self.listing.as_ref())));
        let unsettled = self.unsettled.iter().find(|start| start.work == work);
        sink.hear(&Occurrence::StartAsked { beside, unsettled, request, at });
        // A repetition is the same start: what it starts is as old as the first.
        let first = unsettled.filter(|first| first.request.is_some() && first.request.as_deref() == request);
        let asked = first.map_or(at, |first| first.asked);
        self.unsettled.retain(|start| start.work != work);
        self.starting += 1;
        PendingCall::Start(Box::new(StartState {
            asked,
            failed: at,
            request: request.map(Into::into),
            cwd: args.cwd.get().map(Into::into),
            agent: args.agent_kind(),
            work,
            looked: false,
        }))
    }

    pub(crate) fn worker_of(&self, cwd: Option<&str>) -> Option<usize> {
        let cwd = cwd?;
        self.workers.iter().position(|worker| worker.is_in(cwd))
    }

    pub(crate) fn about_asked(&mut self, op: &str, id: &str, sink: &mut FindingSink) -> Option<PendingCall> {
        let at = self.now;
        if let Some(listed) = self.others.get(id) {
            // To look at a session is not to take it.
            if matches!(op, "end_session" | "send_message") {
                sink.hear(&Occurrence::OfOthersAsked { id, op, listed: *listed, at });
            }
            return None;
        }
        let Some(session) = self.sessions.get_mut(id) else {
            match self.closed.contains(id) {
                true if op == "end_session" => sink.hear(&Occurrence::EndedAgain { id, at }),
                false if self.is_ours(id) => self.seen.strangers += 1,
                _ => {}
            }
            return None;
        };
        session.pace.count(at);
        let id = Arc::clone(&session.id);
        let session = &self.sessions[&id];
        sink.hear(&Occurrence::CalledAbout { session, at });
        match op {
            "get_session_data" => self.read_asked(id, sink),
            "end_session" => self.end_asked(id, sink),
            "capture_screen" => {
                self.sessions.get_mut(&id)?.looked = Some(at);
                Some(PendingCall::About(id))
            }
            "send_message" => {
                let session = self.sessions.get_mut(&id)?;
                (session.whole, session.messaged) = (false, true);
                session.pace.prompt();
                Some(PendingCall::About(id))
            }
            _ => None,
        }
    }

    pub(crate) fn read_asked(&mut self, id: Arc<str>, sink: &mut FindingSink) -> Option<PendingCall> {
        let at = self.now;
        let session = self.sessions.get_mut(&id)?;
        let deadline = session.deadline.earliest();
        let last_look = session.looked.map_or(session.asked.ms, |look| look.ms);
        if last_look < deadline && deadline <= at.ms {
            session.pace.prompt();
        }
        sink.hear(&Occurrence::ReadAsked { session, at });
        session.pace.read(at);
        session.looked = Some(at);
        if session.age(at.ms) >= DAY_MS {
            session.looked_at_day.get_or_insert(at);
        }
        Some(PendingCall::Read(id))
    }

    pub(crate) fn end_asked(&mut self, id: Arc<str>, sink: &mut FindingSink) -> Option<PendingCall> {
        let at = self.now;
        let session = self.sessions.get_mut(&id)?;
        let nothing = nothing_of(session, self.listing.as_ref());
        sink.hear(&Occurrence::EndAsked { session, nothing, at });
        session.nothing = nothing;
        session.end_asked.get_or_insert(at);
        if !matches!(session.ending, EndProgress::Done { .. }) {
            session.ending = EndProgress::Asked;
        }
        Some(PendingCall::End(id))
    }
}

/// When a session was not to be seen: by a read of it, or by a list that nobody needed for verifying.
pub(crate) fn nothing_of(session: &SessionState, listing: Option<&LastList>) -> Option<Moment> {
    let absent = listing.filter(|list| list.asked > session.known && !list.ids.contains(&hash(&*session.id)));
    session.nothing.max(absent.map(|list| list.at))
}
