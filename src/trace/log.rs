use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::core::clock::Clock;

use super::{Entry, Record};

/// The trace of one scenario while it is being recorded. Clones share one log.
#[derive(Debug, Clone)]
pub struct Log {
    clock: Clock,
    records: Arc<Mutex<Vec<Record>>>,
    length: Arc<watch::Sender<usize>>,
}

impl Log {
    /// An empty log whose offsets count from `clock`'s origin.
    pub fn new(clock: Clock) -> Self {
        Self { clock, records: Arc::default(), length: Arc::new(watch::Sender::new(0)) }
    }

    /// The clock that stamps the records.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Appends what happened now; returns its index.
    pub fn push(&self, entry: Entry) -> usize {
        self.push_with(entry, Map::new())
    }

    /// The same, with further keys.
    pub fn push_with(&self, entry: Entry, extra: Map<String, Value>) -> usize {
        let mut records = self.lock();
        records.push(Record { at_ms: Some(self.clock.elapsed_ms()), at: None, entry, extra });
        let length = records.len();
        self.length.send_replace(length);
        length - 1
    }

    /// A copy of everything recorded so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// Runs a function over everything recorded so far, without copying. The function must not touch the log.
    pub fn read<T>(&self, look: impl FnOnce(&[Record]) -> T) -> T {
        look(&self.lock())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until `look` finds something in the records; looks again at every append. Wrap it in a time limit.
    pub async fn wait_for<T>(&self, mut look: impl FnMut(&[Record]) -> Option<T>) -> T {
        let mut length = self.length.subscribe();
        loop {
            length.borrow_and_update();
            if let Some(found) = self.read(&mut look) {
                return found;
            }
            length.changed().await.expect("the log holds the sender");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
