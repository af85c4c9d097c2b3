use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::json;

/// The agents' files: what is known of each, by its word.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/agents");

/// Their words, in the order tables show them.
static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut words: Vec<&str> = FILES.files().filter_map(|file| file.path().file_stem()?.to_str()).collect();
    words.sort_unstable();
    words
});

static ALL: LazyLock<Vec<AgentKind>> = LazyLock::new(|| WORDS.iter().copied().map(AgentKind).collect());

/// A coding agent, by its word. There are those that have a file in `fixtures/agents`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentKind(&'static str);

impl AgentKind {
    /// Anthropic's Claude Code.
    pub const CLAUDE: AgentKind = AgentKind("claude");
    /// OpenAI's Codex CLI: what the suite `codex-observability` is about.
    pub const CODEX: AgentKind = AgentKind("codex");
    /// Google's Gemini CLI.
    pub const GEMINI: AgentKind = AgentKind("gemini");

    /// Every agent, in the order tables show them.
    pub fn all() -> &'static [AgentKind] {
        &ALL
    }

    /// The agent's word in arguments, and the name of its executable.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The files of all agents: path and text.
    pub(crate) fn files() -> impl Iterator<Item = (String, &'static str)> {
        let text = |agent: &AgentKind| {
            let name = format!("{agent}.toml");
            let text = FILES.get_file(&name).and_then(|file| file.contents_utf8()).expect("every agent has a file of text");
            (format!("fixtures/agents/{name}"), text)
        };
        ALL.iter().map(text)
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AgentKind {
    type Err = String;

    /// Reads an agent's word.
    ///
    /// # Errors
    /// Names the word found and the words known.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = || {
            let (last, others) = WORDS.split_last().expect("there are agents");
            format!("{} or {last}", others.join(", "))
        };
        ALL.iter().copied().find(|kind| kind.name() == word).ok_or_else(|| format!("unknown agent `{word}`: wanted {}", known()))
    }
}

impl Serialize for AgentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for AgentKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(|_| de::Error::unknown_variant(&word, &WORDS))
    }
}

impl JsonSchema for AgentKind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AgentKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json!({ "description": "A coding agent, by its word.", "type": "string", "enum": *WORDS })
            .try_into()
            .expect("a schema is an object")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_that_are_named_have_files() {
        assert_eq!(AgentKind::all(), [AgentKind::CLAUDE, AgentKind::CODEX, AgentKind::GEMINI]);
        assert_eq!("cursor".parse::<AgentKind>().unwrap_err(), "unknown agent `cursor`: wanted claude, codex or gemini");
    }
}
