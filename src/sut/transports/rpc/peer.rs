//! A JSON-RPC 2.0 peer over any pair of byte streams, one message a line.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};

use crate::sut::CallError;
use crate::sut::transports::process::too_long;
use crate::sut::transports::wire::{Oddities, Oddity, WireLine, WireLines, excerpt};

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerAnswer {
    /// The `result`, `null` included.
    Result(Value),
    /// The `error`.
    Error {
        /// Its number, where it has one.
        code: Option<i64>,
        /// Its text; the whole error where it is no object.
        message: String,
        /// What else it says.
        data: Option<Value>,
    },
}

/// Where an open question's answer goes.
type AnswerTo = oneshot::Sender<Result<PeerAnswer, CallError>>;

/// Takes notifications: their method and `params`.
pub(crate) type Notified = Box<dyn Fn(&str, &Value) + Send + Sync>;

/// One end of a connection. Its tasks end with the connection.
#[derive(Debug)]
pub(crate) struct Peer {
    next: AtomicU64,
    jsonrpc_field: bool,
    shared: Arc<Shared>,
    /// `None` once this side has said goodbye.
    out: Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>,
    #[cfg(test)]
    closed: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What was asked and not answered, by id; `None` for an answer that nobody waits for any more. Nothing once the connection is
    /// closed.
    pending: Mutex<Option<HashMap<u64, Option<AnswerTo>>>>,
    oddities: Oddities,
}

impl Peer {
    /// Starts to talk. Notifications go to `notified`, whatever breaks the protocol to `oddities`.
    pub(crate) fn start(
        read: impl AsyncRead + Unpin + Send + 'static,
        write: impl AsyncWrite + Unpin + Send + 'static,
        jsonrpc_field: bool,
        notified: Notified,
        oddities: Oddities,
    ) -> Self {
        let shared = Arc::new(Shared { pending: Mutex::new(Some(HashMap::new())), oddities });
        let (out, queue) = mpsc::unbounded_channel();
        let (hang_up, closed) = watch::channel(false);
        tokio::spawn(write_lines(queue, write, closed.clone()));
        let reader = PeerReader { shared: shared.clone(), out: out.downgrade(), jsonrpc_field, notified };
        tokio::spawn(async move {
            reader.read_lines(WireLines::new(read)).await;
            reader.shared.lock().take();
            hang_up.send_replace(true);
        });
        Self {
            next: AtomicU64::new(1),
            jsonrpc_field,
            shared,
            out: Mutex::new(Some(out)),
            #[cfg(test)]
            closed,
        }
    }

    /// Asks, and waits for the answer; the caller sets the limit. Giving up early is safe.
    ///
    /// # Errors
    /// `Broken` where the connection is or gets closed, `Malformed` where what came is no answer.
    pub(crate) async fn request(&self, method: &str, params: Option<Value>) -> Result<PeerAnswer, CallError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (told, answer) = oneshot::channel();
        self.shared.lock().as_mut().ok_or_else(closed)?.insert(id, Some(told));
        let _open = OpenQuestion { id, shared: &self.shared };
        self.send(message(self.jsonrpc_field, json!({ "id": id, "method": method }), params));
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Tells, without an answer.
    pub(crate) fn notify(&self, method: &str, params: Option<Value>) {
        self.send(message(self.jsonrpc_field, json!({ "method": method }), params));
    }

    /// Says nothing more: the other side reads the end of its input. What it still says is heard.
    pub(crate) fn close(&self) {
        lock(&self.out).take();
    }

    /// Waits until the other side has closed the connection.
    #[cfg(test)]
    pub(crate) async fn hung_up(&self) {
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }

    fn send(&self, line: Vec<u8>) {
        if let Some(out) = lock(&self.out).as_ref() {
            // A writer that is gone shows as a closed connection, from the reader's side.
            let _ = out.send(line);
        }
    }
}

/// A question that is open; dropped, nobody waits for its answer, which may come all the same.
struct OpenQuestion<'a> {
    id: u64,
    shared: &'a Shared,
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        if let Some(told) = self.shared.lock().as_mut().and_then(|pending| pending.get_mut(&self.id)) {
            *told = None;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Option<AnswerTo>>>> {
        lock(&self.pending)
    }

    /// Who waits for that answer: `Some(None)` where somebody did.
    fn take(&self, id: &Value) -> Option<Option<AnswerTo>> {
        self.lock().as_mut()?.remove(&id.as_u64()?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn closed() -> CallError {
    CallError::Broken { what: "connection closed".to_owned() }
}

/// Puts a message together: `jsonrpc` first where the dialect has it, `params` last where there are any.
pub(crate) fn message(jsonrpc_field: bool, head: Value, params: Option<Value>) -> Vec<u8> {
    let mut whole = Map::new();
    if jsonrpc_field {
        whole.insert("jsonrpc".to_owned(), "2.0".into());
    }
    if let Value::Object(head) = head {
        whole.extend(head);
    }
    whole.extend(params.map(|params| ("params".to_owned(), params)));
    let mut line = Value::Object(whole).to_string().into_bytes();
    line.push(b'\n');
    line
}

async fn write_lines(mut queue: mpsc::UnboundedReceiver<Vec<u8>>, mut write: impl AsyncWrite + Unpin, mut closed: watch::Receiver<bool>) {
    let write_all = async {
        while let Some(line) = queue.recv().await {
            if write.write_all(&line).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = write_all => {}
        _ = closed.wait_for(|closed| *closed) => {}
    }
    let _ = write.shutdown().await;
}

struct PeerReader {
    shared: Arc<Shared>,
    out: mpsc::WeakUnboundedSender<Vec<u8>>,
    jsonrpc_field: bool,
    notified: Notified,
}

impl PeerReader {
    async fn read_lines(&self, mut lines: WireLines<impl AsyncRead + Unpin>) {
        loop {
            match lines.next().await {
                Ok(Some(WireLine::Whole(line))) => match serde_json::from_slice(&line) {
                    Ok(Value::Object(message)) => self.take(message),
                    _ => self.shared.oddities.note(Oddity::Garbage, &line),
                },
                Ok(Some(WireLine::TooLong)) => {
                    self.shared.oddities.note(Oddity::TooLong, "");
                    self.fail_open();
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// A line that is too long may be the answer to any open question: nobody waits for it in vain.
    fn fail_open(&self) {
        let open: Vec<_> = self.shared.lock().iter_mut().flat_map(|pending| pending.drain()).collect();
        for (_, told) in open {
            let _ = told.map(|told| told.send(Err(too_long())));
        }
    }

    fn take(&self, mut message: Map<String, Value>) {
        let id = message.get("id").filter(|id| !id.is_null()).cloned();
        match (message.get("method"), id) {
            (Some(Value::String(_)), Some(id)) => self.refuse(&id),
            (Some(Value::String(method)), None) => (self.notified)(method, message.get("params").unwrap_or(&Value::Null)),
            (None, Some(id)) => match self.shared.take(&id) {
                Some(told) => drop(told.map(|told| told.send(answer(&mut message)))),
                None => self.shared.oddities.note(Oddity::Unasked, Value::Object(message).to_string()),
            },
            _ => self.shared.oddities.note(Oddity::Shapeless, Value::Object(message).to_string()),
        }
    }

    /// The harness offers no methods.
    fn refuse(&self, id: &Value) {
        if let Some(out) = self.out.upgrade() {
            let head = json!({ "id": id, "error": { "code": -32601, "message": "the client offers no methods" } });
            let _ = out.send(self::message(self.jsonrpc_field, head, None));
        }
    }
}

/// Reads an answer by its keys: serde would take an array for a struct, and `null` for absent.
pub(crate) fn answer(message: &mut Map<String, Value>) -> Result<PeerAnswer, CallError> {
    match (message.remove("result"), message.remove("error").filter(|error| !error.is_null())) {
        (Some(result), None) => Ok(PeerAnswer::Result(result)),
        (None | Some(Value::Null), Some(Value::Object(mut error))) => Ok(PeerAnswer::Error {
            code: error.get("code").and_then(Value::as_i64),
            message: error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
            data: error.remove("data"),
        }),
        (None | Some(Value::Null), Some(error)) => Ok(PeerAnswer::Error { code: None, message: error.to_string(), data: None }),
        (Some(_), Some(_)) => Err(malformed("an answer with both `result` and `error`", message)),
        (None, None) => Err(malformed("an answer with neither `result` nor `error`", message)),
    }
}

fn malformed(what: &str, message: &Map<String, Value>) -> CallError {
    let rest = serde_json::to_string(message).unwrap_or_default();
    CallError::Malformed { what: format!("{what}: `{}`", excerpt(rest.as_bytes())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};

    struct Other {
        read: BufReader<tokio::io::ReadHalf<DuplexStream>>,
        write: tokio::io::WriteHalf<DuplexStream>,
    }

    impl Other {
        async fn hear(&mut self) -> Value {
            let mut line = String::new();
            self.read.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).unwrap()
        }

        async fn say(&mut self, line: &str) {
            self.write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
    }

    fn connect(jsonrpc_field: bool) -> (Peer, Other, Oddities, mpsc::UnboundedReceiver<(String, Value)>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(ours);
        let (tell, told) = mpsc::unbounded_channel();
        let notified = Box::new(move |method: &str, params: &Value| drop(tell.send((method.to_owned(), params.clone()))));
        let oddities = Oddities::default();
        let peer = Peer::start(read, write, jsonrpc_field, notified, oddities.clone());
        let (read, write) = tokio::io::split(theirs);
        (peer, Other { read: BufReader::new(read), write }, oddities, told)
    }

    #[tokio::test]
    async fn answers_find_their_questions_in_any_order() {
        let (peer, mut other, oddities, _told) = connect(true);
        let serve = async {
            let first = other.hear().await;
            assert_eq!(first, json!({"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1}}));
            assert_eq!(other.hear().await["id"], 2);
            other.say(r#"{"jsonrpc":"2.0","id":2,"result":null}"#).await;
            other.say(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no","data":{"code":"session_not_found"}}}"#).await;
        };
        let (first, second, ()) = tokio::join!(peer.request("a", Some(json!({"x":1}))), peer.request("b", None), serve);
        assert_eq!(second.unwrap(), PeerAnswer::Result(Value::Null));
        let error = PeerAnswer::Error { code: Some(-32001), message: "no".to_owned(), data: Some(json!({"code":"session_not_found"})) };
        assert_eq!(first.unwrap(), error);
        assert_eq!(oddities.count(), 0);
    }

    #[tokio::test]
    async fn what_nobody_asked_for_is_noted_and_passed_over() {
        let (peer, mut other, oddities, _told) = connect(true);
        let serve = async {
            other.hear().await;
            for line in [
                "not json",
                "[1]",
                r#"{"id":1"#,
                r#"{"id":9,"result":1}"#,
                r#"{"id":"1","result":1}"#,
                r#"{"id":1,"result":5}"#,
                r#"{"id":1,"result":6}"#,
            ] {
                other.say(line).await;
            }
            other.say(r#"{"jsonrpc":"2.0"}"#).await;
        };
        let (answer, ()) = tokio::join!(peer.request("a", None), serve);
        assert_eq!(answer.unwrap(), PeerAnswer::Result(json!(5)));
        drop(other);
        peer.hung_up().await;
        assert_eq!(
            oddities.sentences(),
            [
                "3 times the system sent a line that is not a JSON object; the first: `not json`",
                r#"3 times the system sent an answer to a question that was not open; the first: `{"id":9,"result":1}`"#,
                r#"the system sent a message that is no request, notification or answer: `{"jsonrpc":"2.0"}`"#,
            ]
        );
    }

    #[tokio::test]
    async fn an_answer_that_comes_after_it_was_given_up_is_nothing_odd() {
        let (peer, mut other, oddities, _told) = connect(true);
        let given_up = tokio::select! {
            _ = peer.request("wait_events", None) => false,
            _ = other.hear() => true,
        };
        assert!(given_up);
        other.say(r#"{"id":1,"result":1}"#).await;
        other.say(r#"{"id":1,"result":2}"#).await;
        drop(other);
        peer.hung_up().await;
        assert_eq!(oddities.sentences(), [r#"the system sent an answer to a question that was not open: `{"id":1,"result":2}`"#]);
    }

    #[tokio::test]
    async fn a_closed_connection_fails_what_is_open_and_what_comes_later() {
        let (peer, mut other, _oddities, _told) = connect(true);
        let hang_up = async {
            other.hear().await;
            drop(other);
        };
        let (open, ()) = tokio::join!(peer.request("a", None), hang_up);
        assert_eq!(open.unwrap_err(), closed());
        assert_eq!(peer.request("b", None).await.unwrap_err(), closed());
    }

    #[tokio::test]
    async fn saying_goodbye_ends_the_other_sides_input() {
        let (peer, mut other, _oddities, _told) = connect(true);
        peer.notify("bye", None);
        peer.close();
        assert_eq!(other.hear().await["method"], "bye");
        assert_eq!(other.read.read_line(&mut String::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_other_sides_questions_are_refused_and_its_notifications_taken() {
        let (_peer, mut other, _oddities, mut told) = connect(false);
        other.say(r#"{"id":"x","method":"sampling"}"#).await;
        assert_eq!(other.hear().await, json!({"id":"x","error":{"code":-32601,"message":"the client offers no methods"}}));
        other.say(r#"{"method":"turn_completed","params":{"session_id":"s"}}"#).await;
        assert_eq!(told.recv().await.unwrap(), ("turn_completed".to_owned(), json!({"session_id":"s"})));
    }

    #[tokio::test]
    async fn an_answer_must_have_one_of_result_and_error() {
        for (line, says) in [(r#"{"id":1}"#, "neither"), (r#"{"id":1,"result":1,"error":{"code":1}}"#, "both")] {
            let (peer, mut other, _oddities, _told) = connect(true);
            let (answer, ()) = tokio::join!(peer.request("a", None), other.say(line));
            assert!(answer.unwrap_err().to_string().contains(says), "{line}");
        }
    }

    #[tokio::test]
    async fn a_line_without_end_fails_the_open_question_when_it_is_too_long() {
        let (peer, mut other, _oddities, _told) = connect(true);
        let flood = async {
            let chunk = vec![b'x'; 1 << 20];
            for _ in 0..9 {
                other.write.write_all(&chunk).await.unwrap();
            }
        };
        let (answer, ()) = tokio::join!(peer.request("a", None), flood);
        assert_eq!(answer.unwrap_err(), too_long());
    }
}
