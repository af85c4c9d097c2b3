use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry as Slot};
use std::hash::{Hash as _, Hasher as _};

use crate::contract::Announcement;
use crate::trace::Entry;

use super::translate::Way;

/// Which announcements a trace has. One that is told to two clients, or both by itself and to who waits for it, was
/// announced once; one that the same client is told twice was announced twice.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedOnce(HashMap<u64, (u64, Way)>);

impl AnnouncedOnce {
    /// Whether a record has something that the trace has not.
    pub(crate) fn is_new(&mut self, entry: &Entry, connection: u64, way: Way) -> bool {
        let Entry::Event(said) = entry else { return true };
        // Without its number, a turn cannot be told from the next one.
        let (session, turn) = match said {
            Announcement::TurnCompleted { session_id, turn: Some(turn), .. } => (session_id, *turn),
            Announcement::SessionEnded { session_id, .. } => (session_id, 0),
            Announcement::TurnCompleted { turn: None, .. }
            | Announcement::NeedsInput { .. }
            | Announcement::StateChanged { .. }
            | Announcement::HealthFailed { .. }
            | Announcement::RestartScheduled { .. }
            | Announcement::Escalated { .. } => return true,
        };
        let mut hasher = DefaultHasher::new();
        (said.name(), session, turn).hash(&mut hasher);
        match self.0.entry(hasher.finish()) {
            Slot::Vacant(slot) => {
                slot.insert((connection, way));
                true
            }
            Slot::Occupied(slot) => way == Way::Said && *slot.get() == (connection, way),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_counts_once_however_many_are_told_and_twice_where_one_is() {
        let turn = |turn| Entry::Event(Announcement::TurnCompleted { session_id: "s".into(), turn, status: None });
        let mut told = AnnouncedOnce::default();
        assert!(told.is_new(&turn(Some(1)), 0, Way::Said));
        assert!(!told.is_new(&turn(Some(1)), 0, Way::WaitedFor));
        assert!(!told.is_new(&turn(Some(1)), 1, Way::Said));
        assert!(told.is_new(&turn(Some(1)), 0, Way::Said));
        assert!(told.is_new(&turn(Some(2)), 1, Way::WaitedFor));
        assert!(!told.is_new(&turn(Some(2)), 1, Way::WaitedFor));
        assert!(told.is_new(&turn(None), 0, Way::Said) && told.is_new(&turn(None), 1, Way::Said));
    }
}
