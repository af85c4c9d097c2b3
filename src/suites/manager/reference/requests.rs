//! Starts that were answered, by their `request_id`: a repetition finds its answer, after a restart and after the
//! session's end as well.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::contract::Args;

use super::manager::locked;
use super::store::StateStore;

/// The file that answers are kept in, a line each.
const FILE: &str = "requests.jsonl";

/// The answers to starts that had a `request_id`.
pub(crate) struct Requests {
    store: Arc<dyn StateStore>,
    answers: Mutex<BTreeMap<String, Args>>,
    asking: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
}

#[derive(Serialize, Deserialize)]
struct RequestLine {
    request_id: String,
    answer: Args,
}

impl Requests {
    /// The answers of a store.
    pub(crate) fn open(store: Arc<dyn StateStore>) -> Self {
        let kept = store.load(FILE).unwrap_or_default();
        let answers = String::from_utf8_lossy(&kept)
            .lines()
            .filter_map(|line| serde_json::from_str::<RequestLine>(line).ok())
            .map(|line| (line.request_id, line.answer))
            .collect();
        Self { store, answers: Mutex::new(answers), asking: Mutex::default() }
    }

    /// Waits until nobody else is asking with that `request_id`.
    pub(crate) async fn turn(&self, request_id: &str) -> OwnedMutexGuard<()> {
        let turn = locked(&self.asking).entry(request_id.to_owned()).or_default().clone();
        turn.lock_owned().await
    }

    /// What was answered before.
    pub(crate) fn answer(&self, request_id: &str) -> Option<Args> {
        locked(&self.answers).get(request_id).cloned()
    }

    /// Remembers an answer.
    ///
    /// # Errors
    /// Where it could not be kept, too: then it is lost with this process.
    pub(crate) fn remember(&self, request_id: &str, answer: &Args) -> io::Result<()> {
        let line = RequestLine { request_id: request_id.to_owned(), answer: answer.clone() };
        let text = serde_json::to_string(&line).expect("answers are plain data");
        locked(&self.answers).insert(line.request_id, line.answer);
        self.store.append(FILE, &text)
    }
}
