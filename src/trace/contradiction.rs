//! What a rule finds in a trace.

use serde::{Deserialize, Serialize};

use crate::contract::SessionId;
use crate::spec::RequirementId;
use crate::trace::Record;
use crate::trace::history::{Moment, SessionHistory};

/// The further key of the record at which a scenario's step found something: the contradiction, as JSON.
pub const FINDING: &str = "finding";

/// What the steps of a scenario found while a trace was recorded, each with the index of its record.
pub fn found_by_steps(records: &[Record]) -> Vec<Contradiction> {
    let told = records.iter().enumerate().filter_map(|(at, record)| Some((at, record.extra.get(FINDING)?.clone())));
    let read = told.filter_map(|(at, told)| Some((at, serde_json::from_value::<Contradiction>(told).ok()?)));
    read.map(|(at, found)| Contradiction { records: vec![at], ..found }).collect()
}

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
