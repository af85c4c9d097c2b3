//! `~/.claude/projects/<cwd with / and . as ->/<uuid4>.jsonl`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::contract::TurnStatus;

use super::{HookStyle, Identity, NativeAgent, NativeFormat, OwnSettings, TranscriptMessage, message};

/// Claude Code.
pub(crate) struct ClaudeAgent;

impl NativeAgent for ClaudeAgent {
    fn root(&self) -> &'static str {
        ".claude/projects"
    }

    fn path(&self, session: &Identity) -> PathBuf {
        Path::new(&session.cwd.replace(['/', '.'], "-")).join(format!("{}.jsonl", session.uuid))
    }

    fn format(&self) -> Box<dyn NativeFormat> {
        Box::new(Claude::default())
    }

    /// What subagents say among themselves is not the session's.
    fn read(&self, line: &Value, said: &mut Vec<TranscriptMessage>) {
        if line["isSidechain"] != true && line["isMeta"] != true {
            said.extend(message(line["type"].as_str().unwrap_or_default(), &line["message"]["content"]));
        }
    }

    fn hooks(&self) -> HookStyle {
        HookStyle::Settings {
            files: (&[".claude/settings.json"], &[".claude/settings.json", ".claude/settings.local.json"]),
            own: OwnSettings::Flag("--settings"),
            events: ("SessionStart", "Stop", Some("StopFailure")),
        }
    }

    fn turn_payload(&self, _: &Identity, _: u64, _: &str, _: Option<&str>, mut common: Value) -> Value {
        common["stop_hook_active"] = false.into();
        common
    }

    /// A turn that failed has a hook of its own.
    fn is_completed(&self, _: &Value) -> bool {
        true
    }

    fn one_turn(&self, message: &str, resumes: Option<&str>) -> Vec<String> {
        let mut words = vec!["-p".to_owned()];
        words.extend(resumes.into_iter().flat_map(|id| ["--resume".to_owned(), id.to_owned()]));
        words.extend(["--".to_owned(), message.to_owned()]);
        words
    }
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

    fn go_on(&mut self, lines: Vec<Value>) {
        self.lines = lines.len() as u64;
    }
}
