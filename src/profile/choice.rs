use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contract::AgentKind;
use crate::core::diagnostic::Diagnostics;

use super::read;
use super::{AgentProfile, Mode, Profile};

/// Which profiles are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The seeds' model: the default, and the hardest case.
    Spec,
    /// What the newest real versions did.
    Measured,
    /// A file of one's own: an agent's, or several agents' in `[[agents]]`.
    File(PathBuf),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "spec" => Choice::Spec,
            "measured" => Choice::Measured,
            path => Choice::File(path.into()),
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Spec => f.write_str("spec"),
            Choice::Measured => f.write_str("measured"),
            Choice::File(path) => path.display().fmt(f),
        }
    }
}

/// The profiles in force: for every agent, its file and the set chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profiles {
    set: String,
    agents: Vec<AgentProfile>,
}

impl Profiles {
    /// Loads the profiles of a choice. A file of one's own replaces the embedded agents of the same names; its rows of the
    /// set `spec` or of any other name are all in force, the last one for a mode deciding.
    ///
    /// # Errors
    /// Everything that is wrong with a file of one's own, with the places in it.
    pub fn load(choice: &Choice) -> Result<Self, Box<Diagnostics>> {
        let embedded = |(file, text): (String, &str)| read::agents(&file, text).expect("the embedded profiles are tested");
        let mut agents: Vec<AgentProfile> = AgentKind::files().flat_map(embedded).collect();
        let set = match choice {
            Choice::Spec => "spec".to_owned(),
            Choice::Measured => "measured".to_owned(),
            Choice::File(path) => {
                let own = read::file(path)?;
                let last = own.iter().flat_map(|agent| &agent.profiles).next_back();
                let set = last.map_or_else(|| "spec".to_owned(), |profile| profile.set.clone());
                agents.retain(|agent| !own.iter().any(|own| own.agent == agent.agent));
                agents.extend(own);
                agents.sort_by_key(|agent| agent.agent);
                set
            }
        };
        Ok(Self { set, agents })
    }

    /// An agent's file.
    pub fn agent(&self, kind: AgentKind) -> &AgentProfile {
        self.agents.iter().find(|agent| agent.agent == kind).expect("every agent has a file")
    }

    /// The row in force for an agent and a mode: of the set chosen (else of `spec`, else of any), the default version's.
    pub fn get(&self, kind: AgentKind, mode: Mode) -> &Profile {
        let rows = &self.agent(kind).profiles;
        let of = |set: &str| {
            let own = || rows.iter().filter(|row| row.set == set && row.mode == mode);
            own().find(|row| row.default).or_else(|| own().next_back())
        };
        of(&self.set)
            .or_else(|| of("spec"))
            .or_else(|| rows.iter().rfind(|row| row.mode == mode))
            .or(rows.last())
            .expect("a profile file has a row")
    }

    /// The set in force for an agent.
    pub fn set_name(&self, kind: AgentKind) -> &str {
        &self.get(kind, Mode::Interactive).set
    }

    /// Every agent, in the order of tables.
    pub fn agents(&self) -> &[AgentProfile] {
        &self.agents
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Phase;

    #[test]
    fn the_spec_set_is_the_seeds_model() {
        let profiles = Profiles::load(&Choice::Spec).unwrap();
        let observable = |agent| profiles.get(agent, Mode::Interactive).observable;
        assert_eq!(
            AgentKind::all().iter().copied().map(observable).collect::<Vec<_>>(),
            [Phase::Started, Phase::FirstTurnCompleted, Phase::Started]
        );
    }

    #[test]
    fn the_measured_set_takes_the_newest_versions() {
        let profiles = Profiles::load(&Choice::Measured).unwrap();
        assert_eq!(profiles.get(AgentKind::CODEX, Mode::Interactive).version, "0.169");
        assert_eq!(profiles.get(AgentKind::CLAUDE, Mode::Interactive).file_created, Phase::PromptAccepted);
        assert_eq!(profiles.get(AgentKind::GEMINI, Mode::Interactive).file_created, Phase::Started);
    }
}
