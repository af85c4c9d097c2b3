//! `~/.gemini/tmp/<project-name>/chats/session-….jsonl`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::contract::TurnStatus;
use crate::profile::Mode;

use super::{HookStyle, Identity, NativeAgent, NativeFormat, OwnSettings, TranscriptMessage, message};

/// Gemini CLI.
pub(crate) struct GeminiAgent;

impl NativeAgent for GeminiAgent {
    fn root(&self) -> &'static str {
        ".gemini/tmp"
    }

    fn path(&self, session: &Identity) -> PathBuf {
        let project = Path::new(&session.cwd).file_name().map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned());
        let short: String = session.uuid.simple().to_string().chars().take(8).collect();
        let file = format!("session-{}-{short}.jsonl", session.began.strftime("%Y-%m-%dT%H-%M"));
        Path::new(&project).join("chats").join(file)
    }

    fn format(&self) -> Box<dyn NativeFormat> {
        Box::new(Gemini::default())
    }

    /// Messages as a whole replace those before; up to 0.22 the whole file was one such value.
    fn read(&self, value: &Value, said: &mut Vec<TranscriptMessage>) {
        let one = |line: &Value| {
            let word = line["type"].as_str().unwrap_or_default();
            message(if word == "gemini" { "assistant" } else { word }, &line["content"])
        };
        match value["$set"]["messages"].as_array().or(value["messages"].as_array()) {
            Some(messages) => *said = messages.iter().filter_map(one).collect(),
            None => said.extend(one(value)),
        }
    }

    /// The files say no directory: the folder that they are in is named after it.
    fn is_in_folder(&self, path: &Path, _: Option<&str>, cwd: &Path) -> bool {
        let project = path.parent().and_then(Path::parent).and_then(Path::file_name);
        project.is_some() && project == cwd.file_name()
    }

    fn hooks(&self) -> HookStyle {
        HookStyle::Settings {
            files: (&[".gemini/settings.json"], &[".gemini/settings.json"]),
            own: OwnSettings::Variable("GEMINI_CLI_SYSTEM_SETTINGS_PATH"),
            events: ("SessionStart", "AfterAgent", None),
        }
    }

    fn turn_payload(&self, _: &Identity, _: u64, prompt: &str, reply: Option<&str>, mut common: Value) -> Value {
        common["prompt"] = prompt.into();
        common["prompt_response"] = reply.unwrap_or_default().into();
        common
    }

    fn is_completed(&self, payload: &Value) -> bool {
        payload["prompt_response"].as_str().is_some_and(|reply| !reply.is_empty())
    }

    fn prompt_flags(&self) -> &'static [(&'static str, Mode)] {
        const { &[("-p", Mode::Headless), ("--prompt", Mode::Headless), ("-i", Mode::Interactive), ("--prompt-interactive", Mode::Interactive)] }
    }

    fn one_turn(&self, message: &str, resumes: Option<&str>) -> Vec<String> {
        let resumes = resumes.into_iter().flat_map(|id| ["--resume".to_owned(), id.to_owned()]);
        resumes.chain([format!("--prompt={message}")]).collect()
    }
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

    fn go_on(&mut self, lines: Vec<Value>) {
        for line in lines {
            match line["$set"]["messages"].as_array() {
                Some(messages) => self.kept = messages.clone(),
                None if line["type"].is_string() => self.kept.push(line),
                None => {}
            }
        }
    }
}
