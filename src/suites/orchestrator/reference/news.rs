//! What the manager announced, kept so that nobody misses what was said while they were busy.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::contract::{Announcement, Args, ErrorCode};

use crate::frontends::clients::Client;

/// How long one `wait_events` waits, in seconds.
const WAIT_S: u64 = 30;
/// The pause after one that failed: the manager may be starting again.
const PAUSE: Duration = Duration::from_secs(1);

/// Every announcement so far, in order. The number of workers bounds it.
#[derive(Debug, Default)]
pub(crate) struct News {
    said: Mutex<Vec<Announcement>>,
    count: watch::Sender<usize>,
}

impl News {
    /// Listens until dropped: by `wait_events`, whose cursor loses nothing, also across a manager's restart; and to what
    /// the manager says by itself. What comes both ways is heard twice, as any announcement may be.
    pub(crate) async fn listen(self: Arc<Self>, client: Arc<dyn Client>, mut pushed: mpsc::UnboundedReceiver<Announcement>) {
        let by_itself = async {
            while let Some(announcement) = pushed.recv().await {
                self.hear(announcement);
            }
            std::future::pending::<()>().await;
        };
        tokio::join!(self.ask(client.as_ref()), by_itself);
    }

    async fn ask(&self, client: &dyn Client) {
        let mut cursor = Value::Null;
        loop {
            let asked = Instant::now();
            let args = Args::from_iter([("after".to_owned(), cursor.clone()), ("timeout_s".to_owned(), json!(WAIT_S))]);
            // Twice its time is more than enough: a call that nobody answers is asked again.
            match tokio::time::timeout(Duration::from_secs(2 * WAIT_S), client.call("wait_events", args)).await {
                Ok(Ok(mut answer)) => {
                    let events = answer.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
                    // A manager that does not wait is not asked in a tight loop.
                    if events.is_empty() {
                        tokio::time::sleep_until(asked + PAUSE).await;
                    }
                    events.into_iter().filter_map(|said| Announcement::heard(said).ok()).for_each(|said| self.hear(said));
                    cursor = answer.remove("cursor").unwrap_or_default();
                }
                Ok(Err(error)) => {
                    // A cursor that the manager does not know any more: everything from the beginning, then.
                    if error.code == ErrorCode::InvalidArgument {
                        cursor = Value::Null;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(_) => {}
            }
        }
    }

    fn hear(&self, announcement: Announcement) {
        let mut said = self.said();
        said.push(announcement);
        self.count.send_replace(said.len());
    }

    /// Waits for the next announcement that `wanted` takes something from, from the `read`th on; `read` goes behind it.
    pub(crate) async fn next<T>(&self, read: &mut usize, wanted: impl Fn(&Announcement) -> Option<T>) -> T {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            let found = self.said().iter().enumerate().skip(*read).find_map(|(at, said)| Some((at, wanted(said)?)));
            match found {
                Some((at, found)) => {
                    *read = at + 1;
                    return found;
                }
                None => count.changed().await.expect("the news hold the sender"),
            }
        }
    }

    fn said(&self) -> MutexGuard<'_, Vec<Announcement>> {
        self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
