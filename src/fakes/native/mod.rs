//! The native session files of the three agents: their places and shapes (measured 2026-11-20), and when they appear.
//! Pure: what is to be written comes back as [`FileChange`]s.

pub(crate) mod claude;
pub(crate) mod codex;
pub(crate) mod gemini;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::{AgentKind, TurnStatus};
use crate::profile::{Mode, Phase, Profile, Profiles};

/// What happens to a session, as its file sees it.
#[derive(Debug, Clone, Copy)]
pub enum NativeMoment<'a> {
    /// The process is up.
    Started,
    /// A prompt was taken.
    PromptAccepted {
        /// The turn that it opens.
        turn: u64,
        /// The prompt.
        text: &'a str,
    },
    /// A turn is over.
    TurnCompleted {
        /// The turn.
        turn: u64,
        /// Its prompt.
        prompt: &'a str,
        /// What the agent answered.
        reply: &'a str,
        /// How it ended.
        status: TurnStatus,
    },
    /// The process ends by itself.
    Exited {
        /// Whether in good order.
        clean: bool,
    },
}

/// Something to do to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Append to it; it comes to exist if it does not.
    Append {
        /// The file.
        path: PathBuf,
        /// The text.
        text: String,
    },
    /// Remove it.
    Remove {
        /// The file.
        path: PathBuf,
    },
}

/// How an agent writes its file.
trait NativeFormat: std::fmt::Debug + Send {
    /// The lines with which a file begins.
    fn header(&self, session: &Identity, now: Timestamp) -> Vec<Value>;
    /// The lines of a prompt.
    fn prompt(&mut self, session: &Identity, turn: u64, text: &str, now: Timestamp) -> Vec<Value>;
    /// The lines of a turn's end.
    fn turn_end(&mut self, session: &Identity, turn: u64, reply: &str, status: TurnStatus, now: Timestamp) -> Vec<Value>;
    /// Whether the file goes away with a process that ends in good order, after that many good turns.
    fn vanishes(&self, good_turns: u64) -> bool;
}

/// Who a session is, to its agent.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    uuid: Uuid,
    cwd: String,
    began: Timestamp,
    headless: bool,
}

impl Identity {
    /// An id that belongs to the session and a number, the same whenever it is asked for.
    fn derived(&self, number: u64) -> String {
        let mut bytes = *self.uuid.as_bytes();
        for (byte, more) in bytes[8..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= more;
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// The native file of one run of an agent.
#[derive(Debug)]
pub struct NativeSession {
    kind: AgentKind,
    profile: Profile,
    identity: Identity,
    path: PathBuf,
    format: Box<dyn NativeFormat>,
    exists: bool,
    /// Lines that wait for the phase in which the file gets its content.
    held: Vec<Value>,
    good_turns: u64,
}

impl NativeSession {
    /// The file of a session that begins now.
    pub fn new(kind: AgentKind, profile: &Profile, home: &Path, cwd: &Path, now: Timestamp, session: Uuid) -> Self {
        let identity =
            Identity { uuid: session, cwd: cwd.to_string_lossy().into_owned(), began: now, headless: profile.mode == Mode::Headless };
        let (path, format): (_, Box<dyn NativeFormat>) = match kind {
            AgentKind::Claude => (claude::path(home, &identity), Box::new(claude::Claude::default())),
            AgentKind::Codex => (codex::path(home, &identity), Box::new(codex::Codex)),
            AgentKind::Gemini => (gemini::path(home, &identity), Box::new(gemini::Gemini::default())),
        };
        Self { kind, profile: profile.clone(), identity, path, format, exists: false, held: Vec::new(), good_turns: 0 }
    }

    /// The session that an existing file holds, to be gone on with.
    pub fn resumed(mut self, path: PathBuf, session: Uuid) -> Self {
        self.path = path;
        self.identity.uuid = session;
        self.exists = true;
        self
    }

    /// The agent's own id of the session.
    pub fn id(&self) -> String {
        self.identity.uuid.to_string()
    }

    /// Where the file is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a moment does to the file.
    pub fn at(&mut self, moment: NativeMoment<'_>, now: Timestamp) -> Vec<FileChange> {
        let (phase, lines) = match moment {
            NativeMoment::Started => (Phase::Started, Vec::new()),
            NativeMoment::PromptAccepted { turn, text } => (Phase::PromptAccepted, self.format.prompt(&self.identity, turn, text, now)),
            NativeMoment::TurnCompleted { turn, reply, status, .. } => {
                self.good_turns += u64::from(status == TurnStatus::Completed);
                (Phase::FirstTurnCompleted, self.format.turn_end(&self.identity, turn, reply, status, now))
            }
            NativeMoment::Exited { clean } => {
                if clean && self.exists && self.format.vanishes(self.good_turns) {
                    self.exists = false;
                    return vec![FileChange::Remove { path: self.path.clone() }];
                }
                // A session without a prompt has nothing to keep.
                if self.held.is_empty() {
                    return Vec::new();
                }
                (Phase::Exited, Vec::new())
            }
        };
        self.held.extend(lines);
        let mut text = String::new();
        let creates = !self.exists && phase >= self.profile.file_created;
        if creates {
            self.exists = true;
            text.push_str(&jsonl(&self.format.header(&self.identity, now)));
        }
        if self.exists && phase >= self.profile.has_content {
            text.push_str(&jsonl(&std::mem::take(&mut self.held)));
        }
        if text.is_empty() && !creates { Vec::new() } else { vec![FileChange::Append { path: self.path.clone(), text }] }
    }

    /// What a hook at the session's start is told (Claude, Gemini: `SessionStart`).
    pub fn start_payload(&self) -> Value {
        json!({
            "session_id": self.id(),
            "transcript_path": self.path,
            "cwd": self.identity.cwd,
            "hook_event_name": "SessionStart",
            "source": "startup",
        })
    }

    /// What a hook at a turn's end is told: Codex's `notify` argument, Claude's and Gemini's standard input.
    pub fn turn_payload(&self, turn: u64, prompt: &str, reply: Option<&str>) -> Value {
        match self.kind {
            AgentKind::Codex => json!({
                "type": "agent-turn-complete",
                "thread-id": self.id(),
                "turn-id": self.identity.derived(turn),
                "cwd": self.identity.cwd,
                "input-messages": [prompt],
                "last-assistant-message": reply,
            }),
            AgentKind::Claude => json!({
                "session_id": self.id(),
                "transcript_path": self.path,
                "cwd": self.identity.cwd,
                "hook_event_name": if reply.is_some() { "Stop" } else { "StopFailure" },
                "stop_hook_active": false,
            }),
            AgentKind::Gemini => json!({
                "session_id": self.id(),
                "transcript_path": self.path,
                "cwd": self.identity.cwd,
                "hook_event_name": "AfterAgent",
                "prompt": prompt,
                "prompt_response": reply.unwrap_or_default(),
            }),
        }
    }
}

/// The version that a stand-in claims to be: the first that its profile row names.
pub fn version(profiles: &Profiles, kind: AgentKind, mode: Mode) -> String {
    let version = profiles.get(kind, mode).version.split(',').next().unwrap_or_default().trim().to_owned();
    if version == "*" { "0.0.0".into() } else { version }
}

fn jsonl(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Choice;
    use rstest::rstest;

    fn played(kind: AgentKind, profile: &Profile, status: TurnStatus) -> Vec<usize> {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let mut file = NativeSession::new(kind, profile, Path::new("/home"), Path::new("/work/1"), now, Uuid::nil());
        let mut lines = 0;
        let mut counts = Vec::new();
        for moment in [
            NativeMoment::Started,
            NativeMoment::PromptAccepted { turn: 1, text: "ask" },
            NativeMoment::TurnCompleted { turn: 1, prompt: "ask", reply: "answer", status },
            NativeMoment::Exited { clean: true },
        ] {
            for change in file.at(moment, now) {
                match change {
                    FileChange::Append { text, .. } => lines += text.lines().count(),
                    FileChange::Remove { .. } => lines = 0,
                }
            }
            counts.push(lines);
        }
        counts
    }

    #[rstest]
    #[case(AgentKind::Codex, Choice::Spec, [0, 0, 5, 5])]
    #[case(AgentKind::Codex, Choice::Measured, [0, 3, 5, 5])]
    #[case(AgentKind::Claude, Choice::Spec, [0, 1, 2, 2])]
    #[case(AgentKind::Claude, Choice::Measured, [0, 1, 2, 2])]
    #[case(AgentKind::Gemini, Choice::Spec, [1, 2, 3, 3])]
    #[case(AgentKind::Gemini, Choice::Measured, [1, 2, 3, 3])]
    fn lines_come_in_their_phases(#[case] kind: AgentKind, #[case] choice: Choice, #[case] lines: [usize; 4]) {
        let profiles = Profiles::load(&choice).unwrap();
        assert_eq!(played(kind, profiles.get(kind, Mode::Interactive), TurnStatus::Completed), lines);
    }

    #[test]
    fn a_failed_first_turn_takes_geminis_file_with_it() {
        let profiles = Profiles::load(&Choice::Measured).unwrap();
        let left = |kind| *played(kind, profiles.get(kind, Mode::Interactive), TurnStatus::Failed).last().unwrap();
        assert_eq!(left(AgentKind::Gemini), 0);
        assert!(left(AgentKind::Codex) > 0 && left(AgentKind::Claude) > 0);
    }
}
