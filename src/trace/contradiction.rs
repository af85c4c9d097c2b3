//! What a rule finds in a trace.

use serde::{Deserialize, Serialize};

use crate::contract::SessionId;
use crate::spec::RequirementId;
use crate::trace::history::{Moment, SessionHistory};

/// Something in a trace that contradicts a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The requirement.
    pub requirement: RequirementId,
    /// The session that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What is wrong, in one sentence, with the session named.
    pub message: String,
    /// What the manager claimed.
    pub claimed: String,
    /// What was true.
    pub truth: String,
    /// The indices of the records that prove it.
    pub records: Vec<usize>,
}

impl Contradiction {
    pub(crate) fn of(requirement: &str, session: Option<&SessionHistory>, message: String) -> Self {
        Self::of_id(requirement, session.map(|session| session.id), message)
    }

    pub(crate) fn of_id(requirement: &str, session: Option<&str>, message: String) -> Self {
        Self {
            requirement: requirement.parse().expect("rules name requirements by their ids"),
            session: session.map(SessionId::from),
            message,
            claimed: String::new(),
            truth: String::new(),
            records: Vec::new(),
        }
    }

    pub(crate) fn claims(mut self, claimed: impl Into<String>) -> Self {
        self.claimed = claimed.into();
        self
    }

    pub(crate) fn truly(mut self, truth: impl Into<String>) -> Self {
        self.truth = truth.into();
        self
    }

    pub(crate) fn shown_by(mut self, moments: impl IntoIterator<Item = Moment>) -> Self {
        self.records = moments.into_iter().map(|moment| moment.index).collect();
        self
    }
}
