use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::need::Need;
use super::version::SpecVersion;
use super::word::WordError;

/// A requirement's id: `LC-CLEAN-1`, `LC-CREATE-3b`, `CX-3`. Ordered naturally: `LC-OBS-2` before `LC-OBS-10`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RequirementId(String);

impl RequirementId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The family: `LC-CLEAN` of `LC-CLEAN-1`.
    pub fn family(&self) -> &str {
        self.parts().0
    }

    /// The family, the number and the letter after it.
    fn parts(&self) -> (&str, u32, &str) {
        split(&self.0).expect("an id is checked when it is made")
    }
}

fn split(text: &str) -> Option<(&str, u32, &str)> {
    let (family, rest) = text.rsplit_once('-')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, letter) = rest.split_at(digits);
    let family_is_right = family.split('-').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase()));
    let letter_is_right = letter.is_empty() || (letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase()));
    (family_is_right && letter_is_right).then_some((family, number.parse().ok()?, letter))
}

impl FromStr for RequirementId {
    type Err = WordError;

    /// Reads an id.
    ///
    /// # Errors
    /// Says what was found and what an id looks like.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match split(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(WordError::Id(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RequirementId {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RequirementId> for String {
    fn from(id: RequirementId) -> Self {
        id.0
    }
}

impl fmt::Display for RequirementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialOrd for RequirementId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RequirementId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

/// How much a requirement binds (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// It binds.
    Must,
    /// It binds unless there is a reason.
    Should,
    /// It is permitted.
    May,
}

impl Level {
    /// Every level.
    pub const ALL: [Level; 3] = [Level::Must, Level::Should, Level::May];

    /// The RFC 2119 word.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        }
    }
}

impl FromStr for Level {
    type Err = WordError;

    /// Reads the RFC 2119 word.
    ///
    /// # Errors
    /// Names the word found and the words known.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.word() == word).ok_or_else(|| WordError::Level(word.to_owned()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whom a requirement binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// A session manager.
    Manager,
    /// A caller of session managers.
    Orchestrator,
    /// A supervisor of agents in containers.
    Supervisor,
    /// An agent: a fact held in profiles, never part of a manager's verdict.
    Agent,
}

impl Party {
    /// Every party.
    pub const ALL: [Party; 4] = [Party::Manager, Party::Orchestrator, Party::Supervisor, Party::Agent];

    /// The party's word.
    pub const fn word(self) -> &'static str {
        match self {
            Party::Manager => "manager",
            Party::Orchestrator => "orchestrator",
            Party::Supervisor => "supervisor",
            Party::Agent => "agent",
        }
    }
}

impl FromStr for Party {
    type Err = WordError;

    /// Reads the party's word.
    ///
    /// # Errors
    /// Names the word found and the words known.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|party| party.word() == word).ok_or_else(|| WordError::Party(word.to_owned()))
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A requirement, as its document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its id.
    pub id: RequirementId,
    /// How much it binds.
    pub level: Level,
    /// Whom it binds.
    pub party: Party,
    /// The suite: its document's.
    pub suite: String,
    /// A short title, as reports show it.
    pub title: String,
    /// What a system must offer for it to be exercised.
    pub needs: Vec<Need>,
    /// The version of the spec that states it first.
    pub since: SpecVersion,
    /// The version of the spec that states it no more.
    pub retired: Option<SpecVersion>,
    /// The normative sentence.
    pub sentence: String,
    /// Why, in a line or two.
    pub rationale: String,
    /// The document.
    pub file: String,
    /// The heading's line in it.
    pub line: usize,
}

impl Requirement {
    /// Whether a version of the spec states it.
    pub fn is_in(&self, version: SpecVersion) -> bool {
        self.since <= version && self.retired.is_none_or(|retired| version < retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_naturally() {
        let mut ids: Vec<RequirementId> =
            ["LC-OBS-10", "LC-OBS-2", "CX-1", "LC-CREATE-3c", "LC-CREATE-3", "LC-CREATE-3b"].iter().map(|id| id.parse().unwrap()).collect();
        ids.sort();
        let sorted: Vec<_> = ids.iter().map(RequirementId::as_str).collect();
        assert_eq!(sorted, ["CX-1", "LC-CREATE-3", "LC-CREATE-3b", "LC-CREATE-3c", "LC-OBS-2", "LC-OBS-10"]);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "LC", "LC-CLEAN", "lc-clean-1", "LC-CLEAN-1bb", "LC-CLEAN-x", "-1", "each-agent"] {
            assert!(text.parse::<RequirementId>().is_err(), "{text}");
        }
    }
}
