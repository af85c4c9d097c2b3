//! What went over the wire during one call, as it was: kept beside the reply in the trace, for people.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::mcp::connection::ToolAnswer;
use super::rpc::peer::PeerAnswer;
use super::transport::{Raw, WireCall};
use crate::sut::CallError;
use crate::sut::recorder::shortened;

/// The key of a record under which it is kept.
pub(crate) const KEY: &str = "wire";

/// How many exchanges of one call are kept: a call that waits for something makes many.
const EXCHANGES: usize = 8;

/// How much of an answer is looked at, in bytes.
const LOOKED_AT: usize = 2_000;

tokio::task_local! {
    static EXCHANGED: RefCell<Vec<Value>>;
}

/// Does something; gives what it was, and what went over the wire meanwhile.
pub(crate) async fn keeping<T>(doing: impl Future<Output = T>) -> (T, Map<String, Value>) {
    let kept = async { (doing.await, EXCHANGED.with(RefCell::take)) };
    let (done, exchanged) = EXCHANGED.scope(RefCell::default(), kept).await;
    let kept = (!exchanged.is_empty()).then(|| (KEY.to_owned(), exchanged.into()));
    (done, kept.into_iter().collect())
}

/// Keeps one exchange of the call that is being made.
pub(crate) fn note(sent: &WireCall, came: &Result<Raw, CallError>) {
    // Outside of a call that is recorded nobody asks for it.
    let _ = EXCHANGED.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < EXCHANGES {
            kept.push(json!({ "sent": shortened(&sending(sent)), "came": shortened(&coming(came)) }));
        }
    });
}

fn sending(call: &WireCall) -> String {
    match call {
        WireCall::Process { argv, .. } => argv.join(" "),
        WireCall::Named { name, params } => format!("{name} {}", beginning(params)),
    }
}

fn coming(answer: &Result<Raw, CallError>) -> String {
    match answer {
        Ok(Raw::Cli(output)) => format!("{}: {}{}", output.exit, output.stdout, output.stderr),
        Ok(Raw::Rpc(PeerAnswer::Result(result))) => beginning(result),
        Ok(Raw::Mcp(ToolAnswer::Result(result))) => beginning(result),
        Ok(Raw::Rpc(PeerAnswer::Error { code, message, data })) => format!("error {}: {message} {}", beginning(code), beginning(data)),
        Ok(Raw::Mcp(ToolAnswer::Error { code, message, data })) => format!("error {code}: {message} {}", beginning(data)),
        Ok(Raw::Http(answer)) => format!("status {}: {}", answer.status, beginning(&answer.value)),
        Err(error) => error.to_string(),
    }
}

/// The beginning of a value's JSON, without the rest ever being written.
fn beginning(value: &impl Serialize) -> String {
    let mut written = Beginning(Vec::new());
    // It fails where the beginning is full.
    let _ = serde_json::to_writer(&mut written, value);
    String::from_utf8_lossy(&written.0).into_owned()
}

struct Beginning(Vec<u8>);

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() >= LOOKED_AT {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(LOOKED_AT - self.0.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::running::ProcessExit;
    use crate::sut::transports::process::ProcessOutput;

    fn listing() -> WireCall {
        WireCall::Process { argv: vec!["m".into(), "ls".into()], stdin: None }
    }

    #[tokio::test]
    async fn every_exchange_of_a_call_is_kept_as_it_was() {
        let doing = async {
            let output = ProcessOutput { exit: ProcessExit::Code(3), stdout: "no\n".into(), stderr: "why".into() };
            note(&listing(), &Ok(Raw::Cli(output)));
            note(&WireCall::Named { name: "list".into(), params: Some(json!({"a": 1})) }, &Err(CallError::TimedOut { limit_ms: 9 }));
            7
        };
        let (done, kept) = keeping(doing).await;
        let wanted = json!({"wire": [
            {"sent": "m ls", "came": "exited with status 3: no\nwhy"},
            {"sent": "list {\"a\":1}", "came": "no answer within 9 ms"},
        ]});
        assert_eq!((done, Value::Object(kept)), (7, wanted));
    }

    #[tokio::test]
    async fn a_call_that_goes_over_no_wire_keeps_nothing_and_one_that_repeats_itself_little() {
        assert!(keeping(async {}).await.1.is_empty());
        let often = async { (0..100).for_each(|_| note(&listing(), &Err(CallError::TimedOut { limit_ms: 9 }))) };
        assert_eq!(keeping(often).await.1[KEY].as_array().unwrap().len(), EXCHANGES);
        note(&listing(), &Err(CallError::TimedOut { limit_ms: 9 }));
    }

    #[test]
    fn of_a_long_answer_the_beginning_is_looked_at() {
        assert_eq!(beginning(&"x".repeat(1_000_000)).len(), LOOKED_AT);
        assert!(coming(&Ok(Raw::Rpc(PeerAnswer::Result("é".repeat(5_000).into())))).starts_with("\"ééé"));
    }
}
