//! Traces for the rules' tests, in a few words.
//!
//! A trace is lines that end with `;`, in the marks of a timeline:
//!
//! - `0 start s1 codex`: a session is asked for, alone in its folder `/w/s1`, with the message `go`; 10 ms later its agent
//!   is up, as the run `s1`, then come the id and the prompt, 10 ms apart
//! - `100 > end_session s1`, `100 > send_message s1 message=more`, `100 > list_sessions`: something is asked
//! - `102 < text=go`, `102 < listed s1=running s2`, `102 < ok`, `102 < internal`: what was asked last of all that is open is
//!   answered
//! - `104 * turn_completed s1 turn=1`: a fact of a run
//! - `105 ! turn_completed s1`: an announcement
//! - `106 # the end`: a note
//! - `107 bound s2 s1`: a session is found to be a run; `108 restart`: the manager is killed and started again

use serde_json::{Map, Value, json};

use crate::contract::ErrorCode;
use crate::trace::Record;

use crate::trace::Contradiction;
use crate::trace::history::History;
use crate::trace::settings::Settings;

/// The requirements that a rule finds contradicted, in order.
pub(crate) fn found(judge: fn(&History, &Settings) -> Vec<Contradiction>, text: &str) -> Vec<String> {
    found_by(judge, text, &Settings::default())
}

pub(crate) fn found_by(judge: fn(&History, &Settings) -> Vec<Contradiction>, text: &str, settings: &Settings) -> Vec<String> {
    judge(&History::new(&trace(text)), settings).into_iter().map(|found| found.requirement.to_string()).collect()
}

/// The trace that such a text is.
pub(crate) fn trace(text: &str) -> Vec<Record> {
    let mut scene = Scene::default();
    text.split(';').map(str::trim).filter(|line| !line.is_empty()).for_each(|line| scene.line(line));
    scene.records
}

#[derive(Default)]
struct Scene {
    records: Vec<Record>,
    asked: u64,
    open: Vec<u64>,
}

impl Scene {
    fn line(&mut self, line: &str) {
        let (at, line) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` says nothing"));
        let at = at.parse().unwrap_or_else(|error| panic!("`{at}` is no time: {error}"));
        let words: Vec<&str> = line.split(' ').collect();
        match *words.as_slice() {
            ["start", id, agent] => {
                self.line(&format!("{at} > start_session agent={agent} cwd=/w/{id} message=go"));
                self.line(&format!("{} * agent_started {id} agent={agent} cwd=/w/{id}", at + 10));
                self.line(&format!("{} < session_id={id}", at + 20));
                self.line(&format!("{} * prompt_accepted {id} turn=1 text=go", at + 30));
            }
            ["bound", session, run] => {
                self.push(at, json!({"kind": "bound", "session_id": session, "agent_run": run, "by": "nonce"}));
            }
            ["restart"] => self.push(at, json!({"kind": "restarted"})),
            [">", op, ref args @ ..] => {
                self.asked += 1;
                self.open.push(self.asked);
                self.push(at, json!({"kind": "request", "id": self.asked, "op": op, "args": fields("session_id", args)}));
            }
            ["<", ref answer @ ..] => {
                let id = self.open.pop().unwrap_or_else(|| panic!("nothing is open at {at} ms"));
                match *answer {
                    ["ok"] => self.push(at, json!({"kind": "reply", "id": id, "ok": {}})),
                    ["listed", ref items @ ..] => self.push(at, json!({"kind": "reply", "id": id, "ok": {"sessions": listed(items)}})),
                    [code] if ErrorCode::from_name(code).is_some() => {
                        self.push(at, json!({"kind": "reply", "id": id, "error": {"code": code, "message": ""}}));
                    }
                    _ => self.push(at, json!({"kind": "reply", "id": id, "ok": fields("", answer)})),
                }
            }
            ["*", fact, ref more @ ..] => {
                let mut said = json!({"kind": "truth", "fact": fact, "agent": "codex", "pid": 1});
                said.as_object_mut().unwrap().extend(fields("agent_run", more));
                self.push(at, said);
            }
            ["!", event, ref more @ ..] => {
                let mut said = json!({"kind": "event", "event": event});
                said.as_object_mut().unwrap().extend(fields("session_id", more));
                self.push(at, said);
            }
            ["#", ref note @ ..] => self.push(at, json!({"kind": "note", "text": note.join(" ")})),
            _ => panic!("`{line}` is no line of a trace"),
        }
    }

    fn push(&mut self, at: u64, mut line: Value) {
        line["at_ms"] = at.into();
        self.records.push(serde_json::from_value(line.clone()).unwrap_or_else(|error| panic!("{line}: {error}")));
    }
}

/// `key=value` pairs; a bare word is the `subject`. A value that is JSON is that, any other is text.
fn fields(subject: &str, words: &[&str]) -> Map<String, Value> {
    let field = |word: &&str| {
        let (key, value) = word.split_once('=').unwrap_or((subject, word));
        (key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into()))
    };
    words.iter().map(field).collect()
}

/// The items of a list: `id` or `id=status`.
fn listed(items: &[&str]) -> Vec<Value> {
    let item = |item: &&str| match item.split_once('=') {
        Some((id, status)) => json!({"session_id": id, "status": status}),
        None => json!({"session_id": item}),
    };
    items.iter().map(item).collect()
}
