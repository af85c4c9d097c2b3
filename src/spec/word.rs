use crate::core::diagnostic::meant;

use super::need::Need;
use super::requirement::{Level, Party};
use super::version::SpecVersion;

/// How a requirement's heading is written.
pub(crate) const HEADING: &str = "write `### LC-CLEAN-1 · MUST · manager · short title`";

/// A word that is not one of those that the specification knows in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Where a requirement's id belongs.
    #[error("`{0}` is not a requirement id: wanted one like LC-CLEAN-1 or LC-CREATE-3b")]
    Id(String),
    /// Where a level belongs.
    #[error("`{0}` is no level: wanted MUST, SHOULD or MAY")]
    Level(String),
    /// Where a party belongs.
    #[error("`{0}` is no party: wanted manager, orchestrator, supervisor or agent")]
    Party(String),
    /// Where a need belongs.
    #[error("`{0}` is no need: wanted an operation, announcements, serve, record, processes=session or agent=NAME")]
    Need(String),
    /// Where a version belongs.
    #[error("`{0}` is no version of the spec: wanted {known}", known = SpecVersion::ALL.map(|version| version.to_string()).join(", "))]
    Version(String),
}

impl WordError {
    /// What to do: write the word that was probably meant, or the form that is wanted.
    pub fn advice(&self) -> String {
        let (found, known, otherwise) = match self {
            WordError::Id(found) => (found, Vec::new(), HEADING),
            WordError::Level(found) => (found, Level::ALL.iter().map(ToString::to_string).collect(), HEADING),
            WordError::Party(found) => (found, Party::ALL.iter().map(ToString::to_string).collect(), HEADING),
            WordError::Need(found) => (found, Need::words(), "spec/README.md lists the needs"),
            WordError::Version(found) => (found, Vec::new(), "write the version of the spec in which this changes"),
        };
        meant(found, known.iter().map(String::as_str)).unwrap_or_else(|| otherwise.to_owned())
    }
}
