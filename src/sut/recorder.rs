//! The recording wrapper: everything asked and answered goes into the trace.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::AbortHandle;

use crate::contract::{Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable};
use crate::trace::{Entry, Log};

use super::{CallError, Driver, Offer};
use crate::sut::transports::wire::Oddities;
use crate::sut::transports::wire_log;

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
pub(crate) struct Recorder {
    driver: Box<dyn Driver>,
    operations: OperationTable,
    log: Log,
    next: Cell<u64>,
    weight: Cell<usize>,
    announced: Cell<usize>,
    /// The first answer that the manifest's mapping could not read.
    unmapped: RefCell<Option<String>>,
    /// The shortest limit that something missed, in milliseconds.
    missed: Cell<Option<u64>>,
    /// What `wait_events` brought and is no announcement.
    unread: Oddities,
    listening: RefCell<Vec<AbortHandle>>,
    /// Held while the system is asked for announcements, and while it is started again.
    waiting: Mutex<()>,
    /// Who waits for announcements is to give up.
    hush: Notify,
}

/// One call and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// The operation.
    pub operation: &'static str,
    /// Its arguments.
    pub args: Args,
    /// What came back.
    pub result: Result<Args, CallError>,
}

impl Answered {
    /// The answer's kind in one word: `success`, an error's code, `no answer`, `not seen` (what the manifest
    /// waits for), `garbage` or `broken`.
    pub(crate) fn word(&self) -> &'static str {
        match &self.result {
            Ok(_) => "success",
            Err(CallError::Contract(error)) => error.code.name(),
            Err(CallError::TimedOut { .. }) => "no answer",
            Err(CallError::NotSeen { .. }) => "not seen",
            Err(CallError::Malformed { .. } | CallError::Unmapped { .. }) => "garbage",
            Err(CallError::Broken { .. }) => "broken",
        }
    }

    /// The answer for people: its kind, and what came with it, shortened.
    pub(crate) fn claim(&self) -> String {
        match &self.result {
            Ok(result) => format!("{}: {}", self.operation, shortened(&serde_json::Value::from(result.clone()).to_string())),
            Err(error) => format!("{}: {}", self.operation, shortened(&error.to_string())),
        }
    }
}

/// The first 300 characters of a text, marked when cut.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

impl Recorder {
    /// Wraps a driver; what passes is recorded in `log`.
    pub(crate) fn new(driver: Box<dyn Driver>, operations: OperationTable, log: Log) -> Self {
        Self {
            driver,
            operations,
            log,
            next: Cell::new(1),
            weight: Cell::default(),
            announced: Cell::default(),
            unmapped: RefCell::default(),
            missed: Cell::default(),
            unread: Oddities::default(),
            listening: RefCell::default(),
            waiting: Mutex::default(),
            hush: Notify::new(),
        }
    }

    /// The driver itself.
    pub(crate) fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// The operation of that name in the suite's table.
    ///
    /// # Panics
    /// Where the table has no such operation: a step's own mistake.
    pub(crate) fn operation(&self, name: &str) -> &'static OperationSpec {
        OperationSpec::find(self.operations, name).unwrap_or_else(|| panic!("the suite has no operation `{name}`"))
    }

    /// What the system offers of an operation.
    pub(crate) fn offer(&self, name: &str) -> Offer {
        self.driver.offer(self.operation(name))
    }

    /// Asks for an operation and records both sides.
    pub(crate) async fn call(&self, name: &'static str, args: Args) -> Answered {
        let id = self.asked(name, &args);
        let (result, wire) = wire_log::keeping(self.driver.call(self.operation(name), &args)).await;
        self.answered(id, name, args, result, wire)
    }

    /// Asks for an operation; whoever works on it is killed unless it was answered within `after`.
    pub(crate) async fn call_killed(&self, name: &'static str, args: Args, after: Duration) -> Answered {
        let id = self.asked(name, &args);
        let (result, wire) = wire_log::keeping(self.driver.call_killed(self.operation(name), &args, after)).await;
        self.answered(id, name, args, result, wire)
    }

    /// Kills the system and starts it again. Nobody asks for announcements meanwhile: a command that starts its server where
    /// none runs would take the place of the one that is being started.
    ///
    /// # Errors
    /// The driver's, where it does not come back.
    pub(crate) async fn restart(&self) -> Result<(), CallError> {
        self.hush.notify_waiters();
        let _alone = self.waiting.lock().await;
        self.driver.restart().await
    }

    fn asked(&self, name: &str, args: &Args) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        self.log.push(Entry::Request { id, op: name.to_owned(), args: args.clone() });
        id
    }

    fn answered(&self, id: u64, name: &'static str, args: Args, result: Result<Args, CallError>, wire: Args) -> Answered {
        let result = result.and_then(|result| self.weighed(result));
        if let Err(CallError::TimedOut { limit_ms }) = &result {
            self.note_missed(Duration::from_millis(*limit_ms));
        }
        if let Err(CallError::Unmapped { what }) = &result {
            self.unmapped.borrow_mut().get_or_insert_with(|| format!("{name}: {what}"));
        }
        let (ok, error) = match &result {
            Ok(result) => (Some(result.clone()), None),
            Err(error) => (None, Some(recorded(error))),
        };
        self.log.push_with(Entry::Reply { id, ok, error }, wire);
        Answered { operation: name, args, result }
    }

    /// Records announcements from now on: by `wait_events` where the system offers it (it loses nothing), else from its
    /// stream; `stream` asks for the stream first. Returns when the subscription holds.
    ///
    /// # Errors
    /// The driver's, where a stream cannot be opened.
    pub(crate) async fn listen(self: &Rc<Self>, stream: bool, is_virtual: bool) -> Result<(), CallError> {
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

    /// The first answer that the manifest's mapping could not read, in a sentence: nothing is to be judged by what came of it.
    pub(crate) fn unmapped(&self) -> Option<String> {
        self.unmapped.borrow().clone()
    }

    /// Notes that something did not come within a limit.
    pub(crate) fn note_missed(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.missed.set(Some(self.missed.get().map_or(limit, |known| known.min(limit))));
    }

    /// The shortest limit that something missed, in milliseconds.
    pub(crate) fn missed_ms(&self) -> Option<u64> {
        self.missed.get()
    }

    /// How many announcements could not be read so far and why, where there were any.
    pub(crate) fn unread(&self) -> Option<String> {
        self.unread.unread().or_else(|| self.driver.unread())
    }

    /// Listens no more: what is announced from now on is not recorded, and no call is left waiting.
    pub(crate) async fn stop_listening(&self) {
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
            let alone = self.waiting.lock().await;
            let answer = tokio::select! {
                () = self.hush.notified() => None,
                answer = self.driver.call(wait, &args) => Some(answer),
            };
            drop(alone);
            match answer.map(|answer| answer.and_then(|answer| self.weighed(answer))) {
                // What is announced while nobody asks must not be lost.
                None => tokio::time::sleep(10 * PAUSE).await,
                Some(Ok(answer)) => {
                    let said = answer.get("events").and_then(|events| events.as_array()).map(Vec::as_slice).unwrap_or_default();
                    if said.is_empty() {
                        // Some answer at once, whatever they are given to wait.
                        tokio::time::sleep(PAUSE).await;
                    }
                    for said in said {
                        match Announcement::heard(said.clone()) {
                            Ok(announcement) => self.record(Entry::Event(announcement)),
                            Err(why) => {
                                let said = said.to_string();
                                self.record(Entry::Note { text: format!("wait_events: {}: {why}", shortened(&said)) });
                                self.unread.unreadable(said, why);
                            }
                        }
                    }
                    if let Some(next) = answer.get("cursor") {
                        cursor = next.clone();
                    }
                }
                Some(Err(error)) => {
                    self.record(Entry::Note { text: format!("wait_events: {error}") });
                    // What failed may do so again at once; a poll needs some interval.
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
pub(crate) fn recorded(error: &CallError) -> ContractError {
    match error {
        CallError::Contract(error) => error.clone(),
        CallError::TimedOut { .. } | CallError::NotSeen { .. } => ContractError::new(ErrorCode::Timeout, error.to_string()),
        CallError::Malformed { .. } | CallError::Unmapped { .. } | CallError::Broken { .. } => {
            ContractError::new(ErrorCode::Internal, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::contract::SESSION_OPERATIONS;
    use crate::core::clock::Clock;
    use crate::sut::Announces;

    /// A system that always answers the same, after a while.
    struct Same {
        answer: Value,
        takes: Duration,
        /// As many others as there are calls in flight.
        asking: Rc<()>,
    }

    #[async_trait(?Send)]
    impl Driver for Same {
        async fn call(&self, _: &'static OperationSpec, _: &Args) -> Result<Args, CallError> {
            let _asking = Rc::clone(&self.asking);
            tokio::time::sleep(self.takes).await;
            Ok(self.answer.as_object().unwrap().clone())
        }
        fn offer(&self, _: &'static OperationSpec) -> Offer {
            Offer { offered: true, args: Vec::new() }
        }
        fn announcements(&self) -> Announces {
            Announces { by_waiting: true, by_stream: false }
        }
        async fn subscribe(&self, _: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
            Ok(())
        }
        async fn restart(&self) -> Result<(), CallError> {
            for _ in 0..100 {
                assert_eq!(Rc::strong_count(&self.asking), 1, "somebody asks it meanwhile");
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        }
        fn can_restart(&self) -> bool {
            true
        }
        async fn close(&self) -> Vec<String> {
            Vec::new()
        }
        fn stderr_tail(&self) -> String {
            String::new()
        }
    }

    fn recorder(answer: Value) -> (Rc<Recorder>, Log) {
        recorder_of(Same { answer, takes: Duration::ZERO, asking: Rc::default() })
    }

    fn recorder_of(same: Same) -> (Rc<Recorder>, Log) {
        let log = Log::new(Clock::start());
        (Rc::new(Recorder::new(Box::new(same), SESSION_OPERATIONS, log.clone())), log)
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_much_memory_is_none() {
        let (recorder, log) = recorder(json!({ "text": "x".repeat(ANSWER_LIMIT) }));
        let answered = recorder.call("get_session_data", Args::new()).await;
        assert_eq!((answered.word(), answered.claim()), ("garbage", "get_session_data: the answer takes more than 4 MB of memory".into()));
        assert!(matches!(&log.records()[1].entry, Entry::Reply { ok: None, error: Some(error), .. } if error.code == ErrorCode::Internal));
    }

    #[tokio::test]
    async fn nor_are_those_that_take_too_much_together() {
        let (recorder, _) = recorder(json!({ "text": "x".repeat(ANSWER_LIMIT - 1_000) }));
        let mut words = Vec::new();
        while words.last() != Some(&"garbage") {
            words.push(recorder.call("get_session_data", Args::new()).await.word());
        }
        assert_eq!(words.len(), ANSWERS_LIMIT / ANSWER_LIMIT + 1);
    }

    #[test]
    fn small_values_weigh_more_than_they_are_long() {
        assert_eq!([json!(7), json!("ab"), json!([1, 2]), json!({"a": null})].map(|value| weight(&value)), [64, 66, 192, 193]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_and_cannot_be_read_is_noted_and_told() {
        let event = json!({ "event": "turn_completed", "session_id": "s", "status": "success" });
        let (recorder, log) = recorder(json!({ "events": [event], "cursor": "0" }));
        assert_eq!(recorder.unread(), None);
        let waiting = async {
            recorder.listen(false, true).await.unwrap();
            log.wait_for(|records| (!records.is_empty()).then_some(())).await;
            recorder.stop_listening().await;
        };
        tokio::task::LocalSet::new().run_until(waiting).await;
        let why = "unknown variant `success`, expected one of `completed`, `interrupted`, `failed`";
        assert!(recorder.unread().unwrap().ends_with(&format!(" could not be read: {why}")), "{:?}", recorder.unread());
        assert!(matches!(&log.records()[0].entry, Entry::Note { text } if text.ends_with(why)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_for_ever_is_recorded_for_a_while() {
        let event = json!({ "event": "turn_completed", "session_id": "s" });
        let (recorder, log) = recorder(json!({ "events": vec![event; 600], "cursor": "0" }));
        let waiting = async {
            recorder.listen(false, true).await.unwrap();
            log.wait_for(|records| matches!(&records.last()?.entry, Entry::Note { .. }).then_some(())).await;
            recorder.stop_listening().await;
        };
        tokio::task::LocalSet::new().run_until(waiting).await;
        assert_eq!(log.len(), ANNOUNCEMENTS_LIMIT + 1);
    }

    #[rstest]
    #[case::in_a_wait(Duration::from_secs(600))]
    #[case::between_two(Duration::ZERO)]
    #[tokio::test(start_paused = true)]
    async fn nobody_asks_for_announcements_while_it_is_started_again(#[case] takes: Duration) {
        let same = Same { answer: json!({ "events": [] }), takes, asking: Rc::default() };
        let asking = Rc::downgrade(&same.asking);
        let (recorder, _) = recorder_of(same);
        let restarting = async {
            recorder.listen(false, true).await.unwrap();
            tokio::time::sleep(PAUSE / 2).await;
            let began = tokio::time::Instant::now();
            recorder.restart().await.unwrap();
            assert_eq!(began.elapsed(), 100 * PAUSE, "nobody's wait was waited for");
            // Only then it is asked again.
            tokio::time::sleep(11 * PAUSE).await;
            assert!(takes.is_zero() || asking.strong_count() == 2);
            recorder.stop_listening().await;
        };
        tokio::task::LocalSet::new().run_until(restarting).await;
    }
}
