//! The reference manager's announcements: kept, so that a cursor can resume, and told to whoever listens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use crate::contract::{Announcement, Args};

use super::store::Store;

/// The file that announcements are kept in, a line each.
const FILE: &str = "events.jsonl";

/// Every announcement of a state folder, in order.
pub struct Events {
    store: Arc<dyn Store>,
    said: Mutex<Vec<Announcement>>,
    count: watch::Sender<usize>,
    live: broadcast::Sender<Announcement>,
}

impl Events {
    /// Goes on where the store's announcements end.
    pub fn open(store: Arc<dyn Store>) -> Self {
        let kept = store.load(FILE).unwrap_or_default();
        let said: Vec<Announcement> = String::from_utf8_lossy(&kept).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { count: watch::Sender::new(said.len()), said: Mutex::new(said), live: broadcast::Sender::new(1024), store }
    }

    /// Announces: keeps it, then tells it.
    pub fn announce(&self, announcement: Announcement) {
        let line = serde_json::to_string(&announcement).expect("announcements are plain data");
        if let Err(error) = self.store.append(FILE, &line) {
            eprintln!("passmuster: an announcement could not be kept: {error}");
        }
        let count = {
            let mut said = self.said();
            said.push(announcement.clone());
            said.len()
        };
        // Nobody may be listening.
        let _ = self.live.send(announcement);
        self.count.send_replace(count);
    }

    /// Announcements from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Announcement> {
        self.live.subscribe()
    }

    /// The announcements after a cursor (from the first where there is none); waits for one, at most that long.
    pub async fn after(&self, cursor: usize, limit: Duration) -> Args {
        let mut count = self.count.subscribe();
        // When the time is over, what there is is the answer: nothing.
        let _ = tokio::time::timeout(limit, count.wait_for(|count| *count > cursor)).await;
        let said = self.said();
        let events: Vec<Value> = said.iter().skip(cursor).map(|said| json!(said)).collect();
        Args::from_iter([("events".to_owned(), events.into()), ("cursor".to_owned(), said.len().to_string().into())])
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Vec<Announcement>> {
        self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
