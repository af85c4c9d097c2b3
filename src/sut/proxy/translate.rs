//! From the bytes of a connection to the records of a trace, by a manifest's words.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::contract::{Announcement, Args, OperationSpec};
use crate::sut::CallError;
use crate::sut::announced::announcement;
use crate::sut::manifest::{AnswerSeen, EventMap, Manifest, Step, Stream, TransportKind, Variables, judge};
use crate::sut::recorder::recorded;
use crate::sut::transports::mcp::connection::ToolAnswer;
use crate::sut::transports::process::ANSWER_LIMIT;
use crate::sut::transports::rpc::peer::{PeerAnswer, answer};
use crate::sut::transports::transport::Raw;
use crate::sut::transports::wire::{Oddities, excerpt};
use crate::trace::Entry;

use super::Side;
use super::words::{KnownCall, Tongue, Words};

/// How many lines that are no messages a connection's trace quotes.
const QUOTED: u32 = 10;

/// How something came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It was said.
    Said,
    /// `wait_events` was answered with it: perhaps it was said before.
    WaitedFor,
}

/// One connection, as far as it was heard.
pub(crate) struct Translator {
    words: Arc<Words>,
    /// What is spoken, once the client's first message shows it.
    tongue: Option<Arc<Tongue>>,
    begun: [Vec<u8>; 2],
    /// Open requests by their ids, as JSON.
    asked: HashMap<String, OpenRequest>,
    odd: u32,
}

/// An open request.
struct OpenRequest {
    number: u64,
    operation: &'static OperationSpec,
    step: Arc<Step>,
    variables: Variables,
}

impl Translator {
    pub(crate) fn new(words: Arc<Words>) -> Self {
        Self { words, tongue: None, begun: Default::default(), asked: HashMap::new(), odd: 0 }
    }

    /// Hears what a side says; every message in it that the trace has a word for is written.
    pub(crate) fn hear(&mut self, side: Side, bytes: &[u8], number: impl Fn() -> u64, mut write: impl FnMut(Entry, Way)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let mut line = std::mem::take(&mut self.begun[side as usize]);
            line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            self.line(side, &line, &number, &mut write);
        }
        let begun = &mut self.begun[side as usize];
        // What is longer than any answer may be is passed on, and not understood.
        if begun.len() + rest.len() <= ANSWER_LIMIT {
            begun.extend_from_slice(rest);
        }
    }

    /// Says what the connection's end left open.
    pub(crate) fn end(&mut self, mut write: impl FnMut(Entry)) {
        let mut open: Vec<_> = self.asked.values().map(|asked| (asked.number, asked.operation.name)).collect();
        open.sort_unstable();
        for (number, operation) in open {
            write(Entry::Note { text: format!("request {number} ({operation}) was never answered") });
        }
    }

    fn line(&mut self, side: Side, line: &[u8], number: &impl Fn() -> u64, write: &mut impl FnMut(Entry, Way)) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let Ok(Value::Object(mut message)) = serde_json::from_slice(line) else {
            self.odd += 1;
            if self.odd <= QUOTED {
                let who = if side == Side::Client { "client" } else { "server" };
                write(Entry::Note { text: format!("the {who} sent a line that is no message: `{}`", excerpt(line)) }, Way::Said);
            }
            return;
        };
        let method = message.get("method").and_then(Value::as_str).map(str::to_owned);
        let id = message.get("id").filter(|id| !id.is_null()).map(Value::to_string);
        match (side, method, id) {
            (Side::Client, Some(method), Some(id)) => self.asks(id, &method, message.remove("params"), number, write),
            (Side::Server, Some(method), None) => self.announces(&method, &message.remove("params").unwrap_or_default(), write),
            (Side::Server, None, Some(id)) => self.answers(&id, &mut message, write),
            _ => {}
        }
    }

    fn asks(&mut self, id: String, method: &str, params: Option<Value>, number: &impl Fn() -> u64, write: &mut impl FnMut(Entry, Way)) {
        let tongue = self.tongue.get_or_insert_with(|| self.words.begun_with(method)).clone();
        let mut params = params.unwrap_or_default();
        let (name, given) = match tongue.manifest.transport.kind {
            TransportKind::Mcp if method == "tools/call" => {
                let arguments = params.get_mut("arguments").map(Value::take).unwrap_or_default();
                (params["name"].as_str().unwrap_or_default().to_owned(), arguments)
            }
            TransportKind::Mcp => return,
            _ => (method.to_owned(), params),
        };
        let Some((KnownCall { operation, step, .. }, mut variables)) =
            tongue.calls.iter().find_map(|call| Some((call, call.read(&name, &given)?)))
        else {
            return;
        };
        imply_agent(operation, &tongue.manifest, &mut variables);
        let number = number();
        if !is_waiting(operation) {
            let args: Args = variables
                .iter()
                .filter(|(name, _)| operation.args.iter().any(|field| field.name == *name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            write(Entry::Request { id: number, op: operation.name.to_owned(), args }, Way::Said);
        }
        self.asked.insert(id, OpenRequest { number, operation, step: step.clone(), variables });
    }

    fn answers(&mut self, id: &str, message: &mut Map<String, Value>, write: &mut impl FnMut(Entry, Way)) {
        let (Some(asked), Some(tongue)) = (self.asked.remove(id), &self.tongue) else { return };
        let Manifest { transport, status, .. } = &tongue.manifest;
        let result = seen(transport.kind, message)
            .and_then(|mut seen| judge(&asked.step, asked.operation, true, &mut seen, &asked.variables, status));
        match result {
            Ok(result) if is_waiting(asked.operation) => {
                let said = result.get("events").and_then(Value::as_array).into_iter().flatten();
                said.filter_map(|said| Announcement::heard(said.clone()).ok()).for_each(|said| write(Entry::Event(said), Way::WaitedFor));
            }
            Err(_) if is_waiting(asked.operation) => {}
            Ok(result) => write(Entry::Reply { id: asked.number, ok: Some(result), error: None }, Way::Said),
            Err(error) => write(Entry::Reply { id: asked.number, ok: None, error: Some(recorded(&error)) }, Way::Said),
        }
    }

    fn announces(&mut self, method: &str, params: &Value, write: &mut impl FnMut(Entry, Way)) {
        // A client that only listens has said nothing yet.
        let tongue = self.tongue.clone().unwrap_or_else(|| self.words.begun_with(method));
        let of_method = |map: &&EventMap| matches!(&map.stream, Stream::Method(known) if known == method);
        for map in tongue.manifest.events.iter().filter(of_method) {
            if let Some(said) = announcement(map, params, &Variables::new(), &Oddities::default()) {
                write(Entry::Event(said), Way::Said);
            }
        }
    }
}

/// Announcements that are waited for are announcements, as in every other trace.
fn is_waiting(operation: &OperationSpec) -> bool {
    operation.name == "wait_events"
}

/// The agent of a start that does not say it: its program's name does, or there is but one.
fn imply_agent(operation: &OperationSpec, manifest: &Manifest, variables: &mut Variables) {
    if operation.name != "start_session" || variables.contains_key("agent") {
        return;
    }
    let program = variables.get("agent_command").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    let only = match manifest.agents.as_slice() {
        [only] => Some(only.name().to_owned()),
        _ => None,
    };
    variables.extend(program.or(only).map(|agent| ("agent".to_owned(), agent.into())));
}

fn seen(kind: TransportKind, message: &mut Map<String, Value>) -> Result<AnswerSeen, CallError> {
    let raw = match (answer(message)?, kind) {
        (PeerAnswer::Result(Value::Object(result)), TransportKind::Mcp) => Raw::Mcp(ToolAnswer::Result(result)),
        (answer, _) => Raw::Rpc(answer),
    };
    Ok(raw.seen())
}

#[cfg(test)]
mod tests {
    use crate::contract::{Claim, SESSION_OPERATIONS};
    use std::cell::Cell;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    /// The records of what two sides say by turns, without their times.
    fn heard(words: Words, said: &[(Side, &str)]) -> Vec<Value> {
        let mut translator = Translator::new(Arc::new(words));
        let (next, mut entries) = (Cell::new(0), Vec::new());
        for (side, bytes) in said {
            let number = || next.replace(next.get() + 1) + 1;
            translator.hear(*side, bytes.as_bytes(), number, |entry, _| entries.push(serde_json::to_value(entry).unwrap()));
        }
        translator.end(|entry| entries.push(serde_json::to_value(entry).unwrap()));
        entries
    }

    use Side::{Client, Server};

    #[test]
    fn canonical_json_rpc_is_understood_also_in_pieces() {
        let said = [
            (Client, r#"{"jsonrpc":"2.0","id":"x","method":"get_session_data","params":{"session_id":"s","colour":1}}"#),
            (Client, "\n"),
            (Server, "{\"jsonrpc\":\"2.0\",\"method\":\"turn_completed\",\"params\":{\"session_id\":\"s\",\"turn\":1}}\n{\"jsonrpc\""),
            (Server, ":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32001,\"message\":\"no\"}}\n"),
            (Server, "Listening …\n"),
        ];
        let records = [
            json!({"kind":"request","id":1,"op":"get_session_data","args":{"session_id":"s"}}),
            json!({"kind":"event","event":"turn_completed","session_id":"s","turn":1}),
            json!({"kind":"reply","id":1,"error":{"code":"session_not_found","message":"no"}}),
            json!({"kind":"note","text":"the server sent a line that is no message: `Listening …`"}),
        ];
        assert_eq!(heard(Words::canonical(), &said), records);
    }

    #[test]
    fn canonical_mcp_is_understood_and_waited_for_announcements_are_announcements() {
        let said = [
            (Client, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}\n"),
            (Server, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n"),
            (Client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"wait_events\",\"arguments\":{}}}\n"),
            (
                Client,
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"end_session\",\"arguments\":{\"session_id\":\"s\"}}}\n",
            ),
            (Client, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"list_sessions\"}}\n"),
            (
                Server,
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[],\"isError\":true,\"structuredContent\":{\"error\":{\"code\":\"session_ended\",\"message\":\"over\"}}}}\n",
            ),
            (
                Server,
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"structuredContent\":{\"events\":[{\"event\":\"session_ended\",\"session_id\":\"s\"}],\"cursor\":\"1\"}}}\n",
            ),
        ];
        let records = [
            json!({"kind":"request","id":2,"op":"end_session","args":{"session_id":"s"}}),
            json!({"kind":"request","id":3,"op":"list_sessions","args":{}}),
            json!({"kind":"reply","id":2,"error":{"code":"session_ended","message":"over"}}),
            json!({"kind":"event","event":"session_ended","session_id":"s"}),
            json!({"kind":"note","text":"request 3 (list_sessions) was never answered"}),
        ];
        assert_eq!(heard(Words::canonical(), &said), records);
    }

    #[test]
    fn a_manifests_words_are_understood_and_an_operation_of_several_calls_by_the_one_it_always_makes_last() {
        let manifest = Manifest::read(
            Path::new("fixtures/manifests/codex-app-server.toml"),
            &["lifecycle", "codex-observability"].map(|name| Claim { name, operations: SESSION_OPERATIONS }),
        )
        .unwrap();
        let said = [
            (Client, "{\"id\":1,\"method\":\"initialize\",\"params\":{}}\n"),
            (
                Client,
                "{\"id\":2,\"method\":\"thread/start\",\"params\":{\"cwd\":\"/w\",\"approvalPolicy\":\"never\",\"sandbox\":\"workspace-write\"}}\n",
            ),
            (Server, "{\"id\":2,\"result\":{\"thread\":{\"id\":\"t1\"}}}\n"),
            (
                Client,
                "{\"id\":3,\"method\":\"turn/start\",\"params\":{\"threadId\":\"t1\",\"input\":[{\"type\":\"text\",\"text\":\"hi\"}]}}\n",
            ),
            (Server, "{\"id\":3,\"result\":{}}\n"),
            (Server, "{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"t1\",\"turn\":{\"status\":\"completed\"}}}\n"),
            (Client, "{\"id\":4,\"method\":\"thread/archive\",\"params\":{\"threadId\":\"t1\"}}\n"),
            (Server, "{\"id\":4,\"result\":{}}\n"),
        ];
        let records = [
            json!({"kind":"request","id":1,"op":"start_session","args":{"cwd":"/w","agent":"codex"}}),
            json!({"kind":"reply","id":1,"ok":{"session_id":"t1"}}),
            json!({"kind":"request","id":2,"op":"send_message","args":{"session_id":"t1","message":"hi"}}),
            json!({"kind":"reply","id":2,"ok":{}}),
            json!({"kind":"event","event":"turn_completed","session_id":"t1","status":"completed"}),
            json!({"kind":"request","id":3,"op":"end_session","args":{"session_id":"t1"}}),
            json!({"kind":"reply","id":3,"ok":{}}),
        ];
        assert_eq!(heard(Words::of(manifest).unwrap(), &said), records);
    }
}
