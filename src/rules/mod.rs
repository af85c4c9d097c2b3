//! Pure judgements over a trace and the profiles: one file per rule family, one table.

use serde::{Deserialize, Serialize};

use crate::spec::RequirementId;

/// Something in a trace that contradicts a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The requirement.
    pub requirement: RequirementId,
    /// What is wrong, in one sentence, with the session named.
    pub message: String,
    /// What the manager claimed.
    pub claimed: String,
    /// What was true.
    pub truth: String,
    /// The indices of the records that prove it.
    pub records: Vec<usize>,
}
