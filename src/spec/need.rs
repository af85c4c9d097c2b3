use std::fmt;
use std::str::FromStr;

use crate::contract::{AgentKind, OPERATIONS};

use super::word::WordError;

/// What a system must offer for a requirement to apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// An operation of the contract.
    Operation(&'static str),
    /// Announcements, by `wait_events` or on a stream.
    Announcements,
    /// That the harness can kill the manager and start it again.
    Serve,
    /// That the place of one session's record is known.
    Record,
    /// That whoever works on a call can be killed.
    Kill,
    /// That the harness sees the system's containers: what runs in them, whatever their engine says.
    Containers,
    /// One agent process for each session.
    ProcessPerSession,
    /// That it manages this agent.
    Agent(AgentKind),
}

impl Need {
    /// The needs, operations first, in the contract's order.
    fn all() -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for operation in OPERATIONS.iter().copied().flatten().map(|operation| Need::Operation(operation.name)) {
            if !needs.contains(&operation) {
                needs.push(operation);
            }
        }
        needs.extend([Need::Announcements, Need::Serve, Need::Record, Need::Kill, Need::Containers, Need::ProcessPerSession]);
        needs.extend(AgentKind::all().iter().copied().map(Need::Agent));
        needs
    }

    /// The words for needs, as documents and tags write them.
    pub fn words() -> Vec<String> {
        Self::all().iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Operation(name) => f.write_str(name),
            Need::Announcements => f.write_str("announcements"),
            Need::Serve => f.write_str("serve"),
            Need::Record => f.write_str("record"),
            Need::Kill => f.write_str("kill"),
            Need::Containers => f.write_str("containers"),
            Need::ProcessPerSession => f.write_str("processes=session"),
            Need::Agent(agent) => write!(f, "agent={agent}"),
        }
    }
}

impl FromStr for Need {
    type Err = WordError;

    /// Reads a need's word.
    ///
    /// # Errors
    /// Names the word found and the words known.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::all().into_iter().find(|need| need.to_string() == word).ok_or_else(|| WordError::Need(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_need() {
        for need in Need::all() {
            assert_eq!(need.to_string().parse(), Ok(need));
        }
    }

    #[test]
    fn a_misspelt_need_is_refused_and_the_nearest_named() {
        let error = "end_sesion".parse::<Need>().unwrap_err();
        assert_eq!(error.advice(), "did you mean `end_session`?");
        assert_eq!("moonlight".parse::<Need>().unwrap_err().advice(), "spec/README.md lists the needs");
    }
}
