//! `~/.claude/projects/<cwd with / and . as ->/<uuid4>.jsonl`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::contract::TurnStatus;

use super::{Identity, NativeFormat};

pub(crate) fn path(home: &Path, session: &Identity) -> PathBuf {
    home.join(".claude/projects").join(session.cwd.replace(['/', '.'], "-")).join(format!("{}.jsonl", session.uuid))
}

/// Claude's lines are chained by `parentUuid`.
#[derive(Debug, Default)]
pub(crate) struct Claude {
    lines: u64,
}

impl Claude {
    fn line(&mut self, session: &Identity, kind: &str, message: Value, now: Timestamp) -> Value {
        let parent = (self.lines > 0).then(|| session.derived(self.lines));
        self.lines += 1;
        json!({
            "type": kind,
            "message": message,
            "uuid": session.derived(self.lines),
            "parentUuid": parent,
            "timestamp": format!("{now:.3}"),
            "sessionId": session.uuid.to_string(),
            "cwd": session.cwd,
            "version": "2.1.329",
        })
    }
}

impl NativeFormat for Claude {
    fn header(&self, _: &Identity, _: Timestamp) -> Vec<Value> {
        Vec::new()
    }

    fn prompt(&mut self, session: &Identity, _: u64, text: &str, now: Timestamp) -> Vec<Value> {
        vec![self.line(session, "user", json!({ "role": "user", "content": text }), now)]
    }

    fn turn_end(&mut self, session: &Identity, _: u64, reply: &str, status: TurnStatus, now: Timestamp) -> Vec<Value> {
        let text = match status {
            TurnStatus::Completed => reply.to_owned(),
            TurnStatus::Failed => format!("API Error: {reply}"),
            TurnStatus::Interrupted => "[Request interrupted by user]".to_owned(),
        };
        let message = json!({ "role": "assistant", "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn" });
        let mut line = self.line(session, "assistant", message, now);
        if status == TurnStatus::Failed {
            line["isApiErrorMessage"] = json!(true);
        }
        vec![line]
    }

    fn vanishes(&self, _: u64) -> bool {
        false
    }
}
