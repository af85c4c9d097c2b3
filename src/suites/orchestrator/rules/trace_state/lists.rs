//! Lists: what they say for certain, which starts they settle, which ends they confirm.

use std::sync::Arc;

use crate::contract::{ErrorCode, Status};
use crate::trace::history::Moment;
use crate::trace::{AnswerView, ListView};

use super::super::closed::hash;
use super::super::session::{CONFIRM_MS, EndProgress, LastList, StartState};
use super::super::{FindingSink, Occurrence};
use super::{LOOKED_FOR_MS, MANY_OTHERS, TraceState};

impl TraceState {
    pub(crate) fn listed(&mut self, asked: Moment, verifies: bool, result: Result<&AnswerView, ErrorCode>, sink: &mut FindingSink) {
        let items = result.ok().and_then(|answered| answered.sessions.as_deref());
        if let Some(items) = items {
            self.learn(items);
            self.settle(asked, items, sink);
            self.tell_apart(items);
            if !verifies {
                let ids = items.iter().filter_map(|item| item.session.get()).map(hash).collect();
                self.listing = Some(LastList { asked, at: self.now, ids });
            }
        }
        self.verify(asked, items, sink);
    }

    /// What a list says of sessions for certain.
    pub(crate) fn learn(&mut self, items: &[ListView]) {
        for item in items {
            let dead = item.status.get().and_then(Status::from_name).is_some_and(|status| !status.is_alive());
            let Some(session) = item.session.get().filter(|_| dead).and_then(|id| self.sessions.get_mut(id)) else { continue };
            session.told.get_or_insert(self.now);
        }
    }

    /// Starts of which nobody knew, found in a list or not.
    pub(crate) fn settle(&mut self, asked: Moment, items: &[ListView], sink: &mut FindingSink) {
        let mut found = Vec::new();
        for start in self.unsettled.iter_mut().filter(|start| asked > start.failed) {
            start.looked = true;
            let is_it = |item: &&ListView| match (item.request.get(), &start.request) {
                (Some(listed), Some(own)) => listed == &**own,
                _ => item.cwd.get().is_some() && item.cwd.get() == start.cwd.as_deref(),
            };
            let new = |id: &&str| !self.sessions.contains_key(*id) && !self.closed.contains(id);
            if let Some(id) = items.iter().filter(is_it).filter_map(|item| item.session.get()).find(new) {
                found.push((start.asked, id));
            }
        }
        let now = self.now.ms;
        self.unsettled.retain(|start| !start.looked || now.saturating_sub(start.failed.ms) < LOOKED_FOR_MS);
        for (asked, id) in found {
            let Some(at) = self.unsettled.iter().position(|start| start.asked == asked) else { continue };
            let start = self.unsettled.swap_remove(at);
            sink.hear(&Occurrence::StartFound);
            self.open(id, &start);
        }
    }

    /// Finds sessions that others have started: listed in a folder that is no worker's, with no request of an own start.
    fn tell_apart(&mut self, items: &[ListView]) {
        if !self.seen.workers {
            return;
        }
        for item in items {
            let (Some(id), Some(cwd)) = (item.session.get(), item.cwd.get()) else { continue };
            let is_known = self.sessions.contains_key(id) || self.closed.contains(id) || self.others.contains_key(id);
            let is_own = |start: &StartState| start.cwd.as_deref() == Some(cwd) || start.request.as_deref() == item.request.get();
            let is_asked_for = || self.unsettled.iter().any(is_own) || self.unanswered().any(is_own);
            if !is_known && self.worker_of(Some(cwd)).is_none() && !is_asked_for() && self.others.len() < MANY_OTHERS {
                self.others.insert(id.into(), self.now);
            }
        }
    }

    /// Looks in a list for the sessions that were ended before it was asked for. One that failed has been tried, at least.
    pub(crate) fn verify(&mut self, asked: Moment, items: Option<&[ListView]>, sink: &mut FindingSink) {
        let now = self.now;
        let mut gone = Vec::new();
        let sessions = &mut self.sessions;
        self.unverified.retain(|id| {
            let Some(session) = sessions.get_mut(id) else { return false };
            let EndProgress::Done { at, .. } = session.ending else { return false };
            if at > asked {
                return true;
            }
            session.listed.get_or_insert(asked);
            let Some(items) = items else { return true };
            match items.iter().find(|item| item.session.get() == Some(id)) {
                Some(item) if item.status.get().is_none_or(|word| Status::from_name(word).is_some_and(Status::is_alive)) => {
                    session.still_alive = Some(now);
                    true
                }
                _ => {
                    gone.push(Arc::clone(id));
                    false
                }
            }
        });
        for id in gone {
            self.close(&id, sink);
        }
    }

    /// A session is over and seen to be; what belongs to a worker is kept until the worker is judged.
    pub(crate) fn close(&mut self, id: &Arc<str>, sink: &mut FindingSink) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.still_alive = None;
        if session.worker.is_some() {
            return;
        }
        sink.hear(&Occurrence::Unconfirmed { session });
        self.forget(id);
    }

    pub(crate) fn forget(&mut self, id: &Arc<str>) {
        let Some(session) = self.sessions.remove(id) else { return };
        if self.works.get(&session.work).is_some_and(|other| other == id) {
            self.works.remove(&session.work);
        }
        if let Some(run) = session.run {
            self.runs.remove(&*run);
        }
        self.closed.insert(id);
    }

    /// Sessions that were ended a minute ago: who wanted to look has looked.
    pub(crate) fn confirm_overdue(&mut self, sink: &mut FindingSink) {
        while let Some(id) = self.unverified.front() {
            let session = self.sessions.get(id).filter(|session| session.worker.is_none());
            let Some(EndProgress::Done { at, .. }) = session.map(|session| session.ending) else { return };
            if self.now.ms.saturating_sub(at.ms) <= CONFIRM_MS {
                return;
            }
            let id = self.unverified.pop_front().expect("it has a front");
            sink.hear(&Occurrence::Unconfirmed { session: &self.sessions[&id] });
            self.forget(&id);
        }
    }
}
