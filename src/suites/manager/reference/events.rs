//! The reference manager's announcements: kept, so that a cursor can resume, and told to whoever listens.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use crate::contract::{Announcement, Args, SessionId};

use super::manager::locked;
use super::store::StateStore;

/// The file that announcements are kept in, a line each. A cursor is the number of lines before it.
const FILE: &str = "events.jsonl";

/// Every announcement of a state folder, in order.
pub(crate) struct Events {
    store: Arc<dyn StateStore>,
    /// A line that a crash has torn stays a line: cursors beyond it go on meaning what they meant.
    said: Mutex<Vec<Option<Announcement>>>,
    count: watch::Sender<usize>,
    live: broadcast::Sender<Announcement>,
    /// Whether who comes later is told what was said before.
    replays: bool,
}

impl Events {
    /// Goes on where the store's announcements end.
    pub(crate) fn open(store: Arc<dyn StateStore>, replays: bool) -> Self {
        let kept = store.load(FILE).unwrap_or_default();
        let said: Vec<_> = String::from_utf8_lossy(&kept).lines().map(|line| serde_json::from_str(line).ok()).collect();
        if !kept.is_empty() && !kept.ends_with(b"\n") {
            // What comes next must not be torn along with it.
            let _ = store.append(FILE, "");
        }
        Self { count: watch::Sender::new(said.len()), said: Mutex::new(said), live: broadcast::Sender::new(1024), store, replays }
    }

    /// Announces: keeps it, then tells it.
    ///
    /// # Errors
    /// Where it could not be kept: it is told all the same.
    pub(crate) fn announce(&self, announcement: Announcement) -> io::Result<()> {
        let line = serde_json::to_string(&announcement).expect("announcements are plain data");
        let (count, kept) = {
            // The order of the lines is the order of the cursors.
            let mut said = self.said();
            let kept = self.store.append(FILE, &line);
            said.push(Some(announcement.clone()));
            (said.len(), kept)
        };
        // Nobody may be listening.
        let _ = self.live.send(announcement);
        self.count.send_modify(|known| *known = count.max(*known));
        kept
    }

    /// Announcements from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Announcement> {
        self.live.subscribe()
    }

    /// The announcements after a cursor (from the first where there is none); waits for one, at most that long.
    pub(crate) async fn after(&self, cursor: usize, limit: Duration) -> Args {
        let mut count = self.count.subscribe();
        let cursor = if self.replays { cursor } else { cursor.max(*count.borrow()) };
        // When the time is over, what there is is the answer: nothing.
        let _ = tokio::time::timeout(limit, count.wait_for(|count| *count > cursor)).await;
        let said = self.said();
        let events: Vec<Value> = said.iter().skip(cursor).flatten().map(|said| json!(said)).collect();
        Args::from_iter([("events".to_owned(), events.into()), ("cursor".to_owned(), said.len().max(cursor).to_string().into())])
    }

    /// The sessions that anything was announced of.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        self.said().iter().flatten().map(|said| said.session_id().clone()).collect()
    }

    fn said(&self) -> MutexGuard<'_, Vec<Option<Announcement>>> {
        locked(&self.said)
    }
}
