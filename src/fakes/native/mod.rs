//! The agents, each a row: how it writes and reads its native session files, and how it tells of its turns (measured 2026-11-20).
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

/// What an agent does in a way of its own. Everything else that is known of it stands in `fixtures/agents`.
pub(crate) trait NativeAgent: Sync {
    /// Where it keeps its native files, below its home.
    fn root(&self) -> &'static str;

    /// A new session's own id.
    fn new_id(&self) -> Uuid {
        Uuid::new_v4()
    }

    /// Where the file of a session is, below the root.
    fn path(&self, session: &Identity) -> PathBuf;

    /// How it writes that file.
    fn format(&self) -> Box<dyn NativeFormat>;

    /// Takes what one JSON value of a file says into the transcript: each message with its role, `user` or `assistant`.
    fn read(&self, value: &Value, said: &mut Vec<TranscriptMessage>);

    /// Whether a file is of a session in that directory: by what it says, unless the place alone tells.
    fn is_in_folder(&self, _path: &Path, says: Option<&str>, cwd: &Path) -> bool {
        says.is_some_and(|said| Path::new(said) == cwd)
    }

    /// How it runs the hooks of others.
    fn hooks(&self) -> HookStyle;

    /// Whether a turn that failed has a hook of its own.
    fn tells_failed_turns(&self) -> bool {
        matches!(self.hooks(), HookStyle::Settings { events: (_, _, Some(_)), .. })
    }

    /// What the hook at a turn's end is told, besides `common`, which all have; no reply: the turn failed.
    fn turn_payload(&self, session: &Identity, turn: u64, prompt: &str, reply: Option<&str>, common: Value) -> Value;

    /// Whether a turn was completed, by what its hook was told.
    fn is_completed(&self, payload: &Value) -> bool;

    /// Flags that take the prompt as their value, each with the mode that it means.
    fn prompt_flags(&self) -> &'static [(&'static str, Mode)] {
        &[]
    }

    /// The arguments with which it plays one turn and exits; `resumes` is its own id of the session that it goes on with.
    fn one_turn(&self, message: &str, resumes: Option<&str>) -> Vec<String>;
}

/// How an agent is told which programs to run at its hooks.
pub(crate) enum HookStyle {
    /// A program of its configuration, called with one JSON argument at the end of each turn.
    Notify {
        /// The TOML file, below the home.
        config: &'static str,
        /// The flag before a setting of one's own, and its other name.
        flags: [&'static str; 2],
    },
    /// Commands in JSON settings, given JSON on standard input.
    Settings {
        /// The files that apply, below the home and below the working directory.
        files: (&'static [&'static str], &'static [&'static str]),
        /// How settings of one's own are handed over.
        own: OwnSettings,
        /// The events, by their names in the settings: a start, a turn's end, a failed turn's end where that is another.
        events: (&'static str, &'static str, Option<&'static str>),
    },
}

/// How settings of one's own are handed to an agent.
pub(crate) enum OwnSettings {
    /// As JSON, behind this flag.
    Flag(&'static str),
    /// In a file, which this variable names.
    Variable(&'static str),
}

/// A message of a native file.
pub(crate) type TranscriptMessage = (&'static str, String);

/// The agents' rows, by their words.
const AGENTS: &[(&str, &dyn NativeAgent)] =
    &[("claude", &claude::ClaudeAgent), ("codex", &codex::CodexAgent), ("gemini", &gemini::GeminiAgent)];

/// An agent's own ways.
pub(crate) fn of(agent: AgentKind) -> &'static dyn NativeAgent {
    AGENTS.iter().find(|(word, _)| *word == agent.name()).map(|(_, native)| *native).expect("every agent has a row")
}

/// A message: its content is a text, or parts of which some are.
pub(crate) fn message(word: &str, content: &Value) -> Option<TranscriptMessage> {
    let text = match content {
        Value::String(text) => text.clone(),
        parts => parts.as_array()?.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
    };
    let role = ["user", "assistant"].into_iter().find(|role| *role == word)?;
    (!text.is_empty()).then_some((role, text))
}

/// What happens to a session, as its file sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NativeMoment<'a> {
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
pub(crate) enum FileChange {
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
pub(crate) trait NativeFormat: std::fmt::Debug + Send {
    /// The lines with which a file begins.
    fn header(&self, session: &Identity, now: Timestamp) -> Vec<Value>;
    /// The lines of a prompt.
    fn prompt(&mut self, session: &Identity, turn: u64, text: &str, now: Timestamp) -> Vec<Value>;
    /// The lines of a turn's end.
    fn turn_end(&mut self, session: &Identity, turn: u64, reply: &str, status: TurnStatus, now: Timestamp) -> Vec<Value>;
    /// Whether the file goes away with a process that ends in good order, after that many good turns.
    fn vanishes(&self, good_turns: u64) -> bool;
    /// Goes on behind the lines of a file that is there.
    fn go_on(&mut self, _lines: Vec<Value>) {}
}

/// Who a session is, to its agent.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) uuid: Uuid,
    pub(crate) cwd: String,
    pub(crate) began: Timestamp,
    pub(crate) headless: bool,
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
pub(crate) struct NativeSession {
    native: &'static dyn NativeAgent,
    profile: Profile,
    identity: Identity,
    path: PathBuf,
    format: Box<dyn NativeFormat>,
    exists: bool,
    /// Lines that wait for the phase in which the file gets its content.
    held: Vec<Value>,
    good_turns: u64,
    /// How many turns the file had when this run of the agent began.
    earlier_turns: u64,
}

impl NativeSession {
    /// The file of a session that begins now.
    pub(crate) fn new(kind: AgentKind, profile: &Profile, home: &Path, cwd: &Path, now: Timestamp, session: Uuid) -> Self {
        let identity =
            Identity { uuid: session, cwd: cwd.to_string_lossy().into_owned(), began: now, headless: profile.mode == Mode::Headless };
        let native = of(kind);
        let path = home.join(native.root()).join(native.path(&identity));
        let format = native.format();
        Self { native, profile: profile.clone(), identity, path, format, exists: false, held: Vec::new(), good_turns: 0, earlier_turns: 0 }
    }

    /// The session that an existing file holds, with what it says, to be gone on with.
    pub(crate) fn resumed(mut self, path: PathBuf, session: Uuid, text: &str) -> Self {
        self.path = path;
        self.identity.uuid = session;
        self.exists = true;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut said = Vec::new();
        lines.iter().for_each(|line| self.native.read(line, &mut said));
        let count = |wanted: &str| said.iter().filter(|(role, _)| *role == wanted).count() as u64;
        (self.earlier_turns, self.good_turns) = (count("user"), count("assistant"));
        self.format.go_on(lines);
        self
    }

    /// The agent's own id of the session.
    pub(crate) fn id(&self) -> String {
        self.identity.uuid.to_string()
    }

    /// What a moment does to the file.
    pub(crate) fn at(&mut self, moment: NativeMoment<'_>, now: Timestamp) -> Vec<FileChange> {
        let (phase, lines) = match moment {
            NativeMoment::Started => (Phase::Started, Vec::new()),
            NativeMoment::PromptAccepted { turn, text } => {
                let turn = self.earlier_turns + turn;
                (Phase::PromptAccepted, self.format.prompt(&self.identity, turn, text, now))
            }
            NativeMoment::TurnCompleted { turn, reply, status, .. } => {
                let turn = self.earlier_turns + turn;
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

    /// What a hook at the session's start is told; none where the agent has no such hook.
    pub(crate) fn start_payload(&self) -> Option<Value> {
        let HookStyle::Settings { events: (start, ..), .. } = self.native.hooks() else { return None };
        let mut payload = self.common(start);
        payload["source"] = "startup".into();
        Some(payload)
    }

    /// What a hook at a turn's end is told; no reply: the turn failed.
    pub(crate) fn turn_payload(&self, turn: u64, prompt: &str, reply: Option<&str>) -> Value {
        let event = match self.native.hooks() {
            HookStyle::Settings { events: (_, end, failed), .. } => failed.filter(|_| reply.is_none()).unwrap_or(end),
            HookStyle::Notify { .. } => "",
        };
        self.native.turn_payload(&self.identity, self.earlier_turns + turn, prompt, reply, self.common(event))
    }

    fn common(&self, event: &str) -> Value {
        json!({ "session_id": self.id(), "transcript_path": self.path, "cwd": self.identity.cwd, "hook_event_name": event })
    }
}

/// The version that a stand-in claims to be: the first that its profile row names.
pub(crate) fn version(profiles: &Profiles, kind: AgentKind, mode: Mode) -> String {
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
            NativeMoment::TurnCompleted { turn: 1, reply: "answer", status },
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
    #[case(AgentKind::CODEX, Choice::Spec, [0, 0, 5, 5])]
    #[case(AgentKind::CODEX, Choice::Measured, [0, 3, 5, 5])]
    #[case(AgentKind::CLAUDE, Choice::Spec, [0, 1, 2, 2])]
    #[case(AgentKind::CLAUDE, Choice::Measured, [0, 1, 2, 2])]
    #[case(AgentKind::GEMINI, Choice::Spec, [1, 2, 3, 3])]
    #[case(AgentKind::GEMINI, Choice::Measured, [1, 2, 3, 3])]
    fn lines_come_in_their_phases(#[case] kind: AgentKind, #[case] choice: Choice, #[case] lines: [usize; 4]) {
        let profiles = Profiles::load(&choice).unwrap();
        assert_eq!(played(kind, profiles.get(kind, Mode::Interactive), TurnStatus::Completed), lines);
    }

    #[test]
    fn every_agent_has_a_row() {
        let rows: Vec<&str> = AGENTS.iter().map(|(word, _)| *word).collect();
        assert_eq!(rows, AgentKind::all().iter().map(|agent| agent.name()).collect::<Vec<_>>());
    }

    #[test]
    fn a_failed_first_turn_takes_geminis_file_with_it() {
        let profiles = Profiles::load(&Choice::Measured).unwrap();
        let left = |kind| *played(kind, profiles.get(kind, Mode::Interactive), TurnStatus::Failed).last().unwrap();
        assert_eq!(left(AgentKind::GEMINI), 0);
        assert!(left(AgentKind::CODEX) > 0 && left(AgentKind::CLAUDE) > 0);
    }
}
