//! `~/.gemini/tmp/<project-name>/chats/session-….jsonl`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::contract::TurnStatus;

use super::{Identity, NativeFormat};

pub(crate) fn path(home: &Path, session: &Identity) -> PathBuf {
    let project = Path::new(&session.cwd).file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned());
    let short: String = session.uuid.simple().to_string().chars().take(8).collect();
    let file = format!("session-{}-{short}.jsonl", session.began.strftime("%Y-%m-%dT%H-%M"));
    home.join(".gemini/tmp").join(project).join("chats").join(file)
}

/// Gemini can take messages back: a later `$set` replaces all earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Gemini {
    kept: Vec<Value>,
    asked: Option<Value>,
}

fn record(session: &Identity, number: u64, kind: &str, text: &str, now: Timestamp) -> Value {
    json!({ "id": session.derived(number), "timestamp": format!("{now:.3}"), "type": kind, "content": text })
}

impl NativeFormat for Gemini {
    fn header(&self, session: &Identity, now: Timestamp) -> Vec<Value> {
        vec![json!({
            "sessionId": session.uuid.to_string(),
            "projectHash": session.derived(0).replace('-', ""),
            "startTime": format!("{:.3}", session.began),
            "lastUpdated": format!("{now:.3}"),
            "kind": "main",
        })]
    }

    fn prompt(&mut self, session: &Identity, turn: u64, text: &str, now: Timestamp) -> Vec<Value> {
        let asked = record(session, 2 * turn, "user", text, now);
        self.asked = Some(asked.clone());
        vec![asked]
    }

    fn turn_end(&mut self, session: &Identity, turn: u64, reply: &str, status: TurnStatus, now: Timestamp) -> Vec<Value> {
        let asked = self.asked.take();
        if status != TurnStatus::Completed {
            return vec![json!({ "$set": { "messages": self.kept } })];
        }
        let answer = record(session, 2 * turn + 1, "gemini", reply, now);
        self.kept.extend(asked.into_iter().chain([answer.clone()]));
        vec![answer]
    }

    fn vanishes(&self, good_turns: u64) -> bool {
        good_turns == 0
    }
}
