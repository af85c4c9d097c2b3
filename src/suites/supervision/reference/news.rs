//! What a supervisor announces, kept for whoever asks with a cursor.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::contract::Announcement;

/// How many announcements are on their way to a listener at most.
const ON_THE_WAY: usize = 1024;

/// The announcements of one supervisor, since it was started.
#[derive(Debug)]
pub(crate) struct SupervisorNews {
    /// Cursors of another supervisor mean nothing here.
    name: String,
    said: Mutex<Vec<Announcement>>,
    live: broadcast::Sender<Announcement>,
}

impl SupervisorNews {
    /// No news yet, of a supervisor of that name.
    pub(crate) fn new(name: String) -> Self {
        Self { name, said: Mutex::default(), live: broadcast::channel(ON_THE_WAY).0 }
    }

    /// Announces.
    pub(crate) fn say(&self, announcement: Announcement) {
        self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(announcement.clone());
        // Nobody may be listening.
        let _ = self.live.send(announcement);
    }

    /// What is announced from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Announcement> {
        self.live.subscribe()
    }

    /// The announcements after a cursor; waits for the first at most so long.
    pub(crate) async fn after(&self, cursor: Option<&str>, wait: Duration) -> Value {
        let from = cursor.and_then(|cursor| cursor.strip_prefix(&self.name)?.strip_prefix(':')?.parse().ok()).unwrap_or(0);
        let mut live = self.subscribe();
        if self.events(from).is_empty() {
            // Lagging is news, too.
            let _ = tokio::time::timeout(wait, live.recv()).await;
        }
        let events = self.events(from);
        json!({ "cursor": format!("{}:{}", self.name, from + events.len()), "events": events })
    }

    fn events(&self, from: usize) -> Vec<Announcement> {
        self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(from..).unwrap_or_default().to_vec()
    }
}
