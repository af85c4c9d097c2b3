//! The recording wrapper: everything asked and answered goes into the trace.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::contract::{Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable};
use crate::trace::{Entry, Log};

use super::{CallError, Driver, Offer};

/// How long one `wait_events` call waits, in seconds, on a system in real time.
const WAIT_S: u64 = 5;

/// The most that one answer may weigh, in bytes of memory: twice what a noisy agent prints, or a list of ten thousand.
const ANSWER_LIMIT: usize = 4 << 20;

/// The most that a scenario's answers may weigh together: every one is recorded.
const ANSWERS_LIMIT: usize = 64 << 20;

/// How long after a `wait_events` that brought nothing the next one is asked.
const PAUSE: Duration = Duration::from_millis(10);

/// How many announcements of a scenario are recorded.
const ANNOUNCEMENTS_LIMIT: usize = 10_000;

/// A driver whose calls and announcements are recorded.
pub struct Recorder {
    driver: Box<dyn Driver>,
    operations: OperationTable,
    log: Log,
    next: Cell<u64>,
    weight: Cell<usize>,
    announced: Cell<usize>,
    listening: RefCell<Vec<AbortHandle>>,
}

/// One call and its answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The operation.
    pub operation: &'static str,
    /// Its arguments.
    pub args: Args,
    /// What came back.
    pub result: Result<Args, CallError>,
}

impl Answered {
    /// The answer's kind in one word: `success`, an error's code, `no answer`, `garbage` or `broken`.
    pub fn word(&self) -> &'static str {
        match &self.result {
            Ok(_) => "success",
            Err(CallError::Contract(error)) => error.code.name(),
            Err(CallError::TimedOut { .. }) => "no answer",
            Err(CallError::Malformed { .. }) => "garbage",
            Err(CallError::Broken { .. }) => "broken",
        }
    }

    /// The answer for people: its kind, and what came with it, shortened.
    pub fn claim(&self) -> String {
        match &self.result {
            Ok(result) => format!("{}: {}", self.operation, shortened(&serde_json::Value::from(result.clone()).to_string())),
            Err(error) => format!("{}: {}", self.operation, shortened(&error.to_string())),
        }
    }
}

/// The first 300 characters of a text, marked when cut.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

impl Recorder {
    /// Wraps a driver; what passes is recorded in `log`.
    pub fn new(driver: Box<dyn Driver>, operations: OperationTable, log: Log) -> Self {
        Self {
            driver,
            operations,
            log,
            next: Cell::new(1),
            weight: Cell::default(),
            announced: Cell::default(),
            listening: RefCell::default(),
        }
    }

    /// The driver itself.
    pub fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// The operation of that name in the suite's table.
    ///
    /// # Panics
    /// Where the table has no such operation: a step's own mistake.
    pub fn operation(&self, name: &str) -> &'static OperationSpec {
        OperationSpec::find(self.operations, name).unwrap_or_else(|| panic!("the suite has no operation `{name}`"))
    }

    /// What the system offers of an operation.
    pub fn offer(&self, name: &str) -> Offer {
        self.driver.offer(self.operation(name))
    }

    /// Asks for an operation and records both sides.
    pub async fn call(&self, name: &'static str, args: Args) -> Answered {
        let id = self.next.get();
        self.next.set(id + 1);
        self.log.push(Entry::Request { id, op: name.to_owned(), args: args.clone() });
        let result = self.driver.call(self.operation(name), &args).await.and_then(|result| self.weighed(result));
        let (ok, error) = match &result {
            Ok(result) => (Some(result.clone()), None),
            Err(error) => (None, Some(recorded(error))),
        };
        self.log.push(Entry::Reply { id, ok, error });
        Answered { operation: name, args, result }
    }

    /// Records announcements from now on: by `wait_events` where the system offers it (it loses nothing), else from its
    /// stream; `stream` asks for the stream first. Returns when the subscription holds.
    ///
    /// # Errors
    /// The driver's, where a stream cannot be opened.
    pub async fn listen(self: &Rc<Self>, stream: bool, is_virtual: bool) -> Result<(), CallError> {
        let offered = self.driver.announcements();
        if offered.by_stream && (stream || !offered.by_waiting) {
            let (into, mut announced) = mpsc::unbounded_channel();
            self.driver.subscribe(into).await?;
            let recorder = Rc::clone(self);
            let task = tokio::task::spawn_local(async move {
                while let Some(announcement) = announced.recv().await {
                    recorder.record(Entry::Event(announcement));
                }
            });
            self.listening.borrow_mut().push(task.abort_handle());
        } else if offered.by_waiting {
            let recorder = Rc::clone(self);
            let wait_s = if is_virtual { 600 } else { WAIT_S };
            let task = tokio::task::spawn_local(async move { recorder.keep_waiting(wait_s).await });
            self.listening.borrow_mut().push(task.abort_handle());
        }
        Ok(())
    }

    /// Listens no more: what is announced from now on is not recorded, and no call is left waiting.
    pub async fn stop_listening(&self) {
        for task in self.listening.take() {
            task.abort();
        }
        // The aborted tasks are dropped when the runtime comes to them.
        tokio::task::yield_now().await;
    }

    /// Records what the system said by itself; who says it for ever must not fill the memory.
    fn record(&self, entry: Entry) {
        let announced = self.announced.get();
        self.announced.set(announced + 1);
        match announced {
            ..ANNOUNCEMENTS_LIMIT => drop(self.log.push(entry)),
            ANNOUNCEMENTS_LIMIT => {
                let text = format!("what was announced beyond {ANNOUNCEMENTS_LIMIT} announcements is not recorded");
                self.log.push(Entry::Note { text });
            }
            _ => {}
        }
    }

    /// An answer, unless it weighs too much, or those of the scenario do by now.
    fn weighed(&self, result: Args) -> Result<Args, CallError> {
        let weight = result.values().map(weight).sum::<usize>();
        let too_much = |whose: &str, limit: usize| {
            let what = format!("{whose} takes more than {} MB of memory", limit >> 20);
            Err(CallError::Malformed { what })
        };
        if weight > ANSWER_LIMIT {
            return too_much("the answer", ANSWER_LIMIT);
        }
        self.weight.set(self.weight.get() + weight);
        if self.weight.get() > ANSWERS_LIMIT {
            return too_much("what was answered in this scenario", ANSWERS_LIMIT);
        }
        Ok(result)
    }

    async fn keep_waiting(&self, wait_s: u64) {
        let wait = self.operation("wait_events");
        let mut cursor = serde_json::Value::Null;
        loop {
            let mut args = Args::new();
            args.insert("after".into(), cursor.clone());
            args.insert("timeout_s".into(), wait_s.into());
            match self.driver.call(wait, &args).await.and_then(|answer| self.weighed(answer)) {
                Ok(answer) => {
                    let said = answer.get("events").and_then(|events| events.as_array()).map(Vec::as_slice).unwrap_or_default();
                    if said.is_empty() {
                        // Some answer at once, whatever they are given to wait.
                        tokio::time::sleep(PAUSE).await;
                    }
                    for said in said {
                        match serde_json::from_value::<Announcement>(said.clone()) {
                            Ok(announcement) => self.record(Entry::Event(announcement)),
                            Err(why) => self.record(Entry::Note { text: format!("wait_events: {}: {why}", shortened(&said.to_string())) }),
                        }
                    }
                    if let Some(next) = answer.get("cursor") {
                        cursor = next.clone();
                    }
                }
                Err(error) => {
                    self.record(Entry::Note { text: format!("wait_events: {error}") });
                    // A manager that restarts is back after a moment; a poll needs some interval.
                    tokio::time::sleep(10 * PAUSE).await;
                }
            }
        }
    }
}

/// What a value takes in memory, roughly.
fn weight(value: &serde_json::Value) -> usize {
    const NODE: usize = 64;
    use serde_json::Value;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| NODE + name.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// An answer that was none, in the contract's words.
pub(super) fn recorded(error: &CallError) -> ContractError {
    match error {
        CallError::Contract(error) => error.clone(),
        CallError::TimedOut { .. } => ContractError::new(ErrorCode::Timeout, error.to_string()),
        CallError::Malformed { .. } | CallError::Broken { .. } => ContractError::new(ErrorCode::Internal, error.to_string()),
    }
}
