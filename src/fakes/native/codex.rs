//! `~/.codex/sessions/YYYY/MM/DD/rollout-….jsonl`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::TurnStatus;

use super::{HookStyle, Identity, NativeAgent, NativeFormat, TranscriptMessage};

/// Codex.
pub(crate) struct CodexAgent;

impl NativeAgent for CodexAgent {
    fn root(&self) -> &'static str {
        ".codex/sessions"
    }

    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// The path carries the time at which the thread was made, not the file's.
    fn path(&self, session: &Identity) -> PathBuf {
        let began = session.began;
        let day = began.strftime("%Y/%m/%d").to_string();
        Path::new(&day).join(format!("rollout-{}-{}.jsonl", began.strftime("%Y-%m-%dT%H-%M-%S"), session.uuid))
    }

    fn format(&self) -> Box<dyn NativeFormat> {
        Box::new(Codex)
    }

    fn read(&self, line: &Value, said: &mut Vec<TranscriptMessage>) {
        let payload = &line["payload"];
        said.extend(match (line["type"].as_str(), payload["type"].as_str()) {
            (Some("response_item"), Some("message")) => super::message(payload["role"].as_str().unwrap_or_default(), &payload["content"]),
            (Some("event_msg"), Some("error")) => payload["message"].as_str().map(|why| ("assistant", format!("error: {why}"))),
            (Some("event_msg"), Some("turn_aborted")) => Some(("assistant", "(interrupted)".to_owned())),
            _ => None,
        });
    }

    fn hooks(&self) -> HookStyle {
        HookStyle::Notify { config: ".codex/config.toml", flags: ["-c", "--config"] }
    }

    fn turn_payload(&self, session: &Identity, turn: u64, prompt: &str, reply: Option<&str>, _: Value) -> Value {
        json!({
            "type": "agent-turn-complete",
            "thread-id": session.uuid.to_string(),
            "turn-id": session.derived(turn),
            "cwd": session.cwd,
            "input-messages": [prompt],
            "last-assistant-message": reply,
        })
    }

    fn is_completed(&self, payload: &Value) -> bool {
        payload["last-assistant-message"].is_string()
    }

    fn one_turn(&self, message: &str, resumes: Option<&str>) -> Vec<String> {
        let mut words = vec!["exec".to_owned(), "--json".to_owned()];
        words.extend(resumes.into_iter().flat_map(|id| ["resume".to_owned(), id.to_owned()]));
        words.extend(["--".to_owned(), message.to_owned()]);
        words
    }
}

#[derive(Debug)]
pub(crate) struct Codex;

fn line(now: Timestamp, kind: &str, payload: Value) -> Value {
    json!({ "timestamp": format!("{now:.3}"), "type": kind, "payload": payload })
}

fn message(role: &str, kind: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] })
}

impl NativeFormat for Codex {
    fn header(&self, session: &Identity, _: Timestamp) -> Vec<Value> {
        let id = session.uuid.to_string();
        vec![json!({
            "timestamp": format!("{:.3}", session.began),
            "ordinal": 0,
            "type": "session_meta",
            "payload": {
                "session_id": id,
                "id": id,
                "timestamp": format!("{:.3}", session.began),
                "cwd": session.cwd,
                "originator": if session.headless { "codex_exec" } else { "codex_cli_rs" },
                "cli_version": "0.169.0",
            },
        })]
    }

    fn prompt(&mut self, session: &Identity, turn: u64, text: &str, now: Timestamp) -> Vec<Value> {
        vec![
            line(now, "event_msg", json!({ "type": "task_started", "turn_id": session.derived(turn) })),
            line(now, "response_item", message("user", "input_text", text)),
        ]
    }

    fn turn_end(&mut self, session: &Identity, turn: u64, reply: &str, status: TurnStatus, now: Timestamp) -> Vec<Value> {
        let done = |last: Option<&str>| {
            line(now, "event_msg", json!({ "type": "task_complete", "turn_id": session.derived(turn), "last_agent_message": last }))
        };
        match status {
            TurnStatus::Completed => vec![line(now, "response_item", message("assistant", "output_text", reply)), done(Some(reply))],
            TurnStatus::Failed => vec![line(now, "event_msg", json!({ "type": "error", "message": reply })), done(None)],
            TurnStatus::Interrupted => {
                vec![line(now, "event_msg", json!({ "type": "turn_aborted", "turn_id": session.derived(turn), "reason": "interrupted" }))]
            }
        }
    }

    fn vanishes(&self, _: u64) -> bool {
        false
    }
}
