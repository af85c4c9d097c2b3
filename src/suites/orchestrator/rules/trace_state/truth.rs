//! Announcements, and what is actually true.

use std::sync::Arc;

use crate::contract::TurnStatus;
use crate::trace::{AnnouncementView, Turned};

use super::super::closed::hash;
use super::{MANY_PENDING, RunState, TraceState};

impl TraceState {
    pub(crate) fn told(&mut self, id: &str, news: AnnouncementView) {
        let at = self.now;
        match self.sessions.get_mut(id) {
            Some(session) => session.hear(at, news),
            None if self.starting + self.unsettled.len() == 0 => self.early.clear(),
            None => {
                self.early.push_back((id.to_owned(), at, news));
                if self.early.len() > MANY_PENDING {
                    self.early.pop_front();
                }
            }
        }
    }

    pub(crate) fn truth(&mut self, id: &str, fact: &Turned) {
        self.seen.truth = true;
        if *fact == Turned::Else {
            return;
        }
        if !self.runs.contains_key(id) {
            self.runs.insert(id.to_owned(), RunState::default());
        }
        let run = self.runs.get_mut(id).expect("it was just made");
        match fact {
            Turned::Up(cwd) => run.folder = hash(&**cwd),
            Turned::Open => run.open = true,
            Turned::Complete(status) => {
                run.open = false;
                run.completed |= *status == TurnStatus::Completed;
            }
            Turned::Gone => run.open = false,
            Turned::Else => {}
        }
        if let Some(session) = run.session.as_ref().and_then(|id| self.sessions.get_mut(id)) {
            session.turn_open = Some(run.open);
            session.turn_completed |= run.completed;
        }
    }

    /// Finds the run of a new session by its folder, where that is the only one there.
    pub(crate) fn bind_by_folder(&mut self, session: &Arc<str>, cwd: Option<&str>) {
        let Some(cwd) = cwd.map(hash) else { return };
        let mut there = self.runs.iter().filter(|(_, run)| run.folder == cwd && run.session.is_none());
        if let (Some((run, _)), None) = (there.next(), there.next()) {
            let run = run.clone();
            self.bind(session, &run);
        }
    }

    pub(crate) fn bind(&mut self, session: &str, name: &str) {
        let (Some(session), Some(run)) = (self.sessions.get_mut(session), self.runs.get_mut(name)) else { return };
        run.session = Some(Arc::clone(&session.id));
        session.run = Some(name.into());
        session.turn_open = Some(run.open);
        session.turn_completed |= run.completed;
    }
}
