use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::AgentKind;

use super::Phase;

/// How an agent is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In a terminal, turn after turn.
    Interactive,
    /// One turn, then exit: `codex exec`, `claude -p`, `gemini -p`.
    Headless,
}

impl Mode {
    /// Both modes.
    pub const ALL: [Mode; 2] = [Mode::Interactive, Mode::Headless];

    /// The mode's word, as profiles write it.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Interactive => "interactive",
            Mode::Headless => "headless",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What is known of one agent: a file in `fixtures/agents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Agent")]
pub struct AgentProfile {
    /// Which agent.
    pub agent: AgentKind,
    /// What its terminal shows first; `{version}` stands for the version.
    pub banner: String,
    /// What its terminal shows when it takes a prompt.
    pub prompt: String,
    /// The arguments that mean headless.
    pub headless: Vec<String>,
    /// The arguments that mean that an earlier session goes on.
    pub resume: Vec<String>,
    /// The flags that take a value.
    pub values: Vec<String>,
    /// Subcommands that stand-ins do not imitate.
    pub unsupported: Vec<String>,
    /// Where the native file is, as a pattern for people.
    pub file: String,
    /// What tells a session's identity before its transcript does.
    pub identity: String,
    /// How the agent tells that a turn is over.
    pub hook: String,
    /// Its profiles, by set, version and mode.
    #[serde(default, rename = "profile")]
    pub profiles: Vec<Profile>,
}

/// One row: how one agent, in some versions and one mode, behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The set: `spec`, `measured`, or a name of one's own.
    pub set: String,
    /// The versions.
    pub version: String,
    /// Whether it stands for its set where no version is asked for.
    #[serde(default)]
    pub default: bool,
    /// The mode.
    pub mode: Mode,
    /// The phase in which the native file comes to exist.
    pub file_created: Phase,
    /// The phase in which it first has the session's messages.
    pub has_content: Phase,
    /// The phase from which a manager must show the session and its data.
    pub observable: Phase,
    /// How long after the phase the file came, as measured, in milliseconds; used by hand only.
    #[serde(default)]
    pub delay_ms: Option<(u64, u64)>,
    /// Lines in the file as the session goes on, as measured.
    #[serde(default)]
    pub lines: Option<LineCounts>,
    /// What removes the file.
    #[serde(default)]
    pub removed: String,
    /// What `list_sessions` may say before the session is observable.
    #[serde(default)]
    pub list: String,
    /// What `get_session_data` may say before the session is observable.
    #[serde(default)]
    pub read: String,
    /// Where the knowledge comes from.
    pub source: String,
    /// What else there is to say.
    #[serde(default)]
    pub note: String,
}

/// Lines in the native file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
#[schemars(rename = "Lines")]
pub struct LineCounts {
    pub idle: u64,
    pub first_turn: u64,
    pub turn_1: u64,
    pub second_turn: u64,
    pub turn_2: u64,
}
