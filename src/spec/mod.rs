//! The specification: Markdown documents, read as requirements.

mod check;
mod document;
mod explain;
mod registry;
mod requirement;

pub use check::{CheckFinding, ScenarioTags, check};
pub use document::SpecError;
pub use explain::{FaultNote, explain, list};
pub use registry::Registry;
pub use requirement::{Level, Party, Requirement, RequirementId};

/// The version of the spec that this harness judges by.
pub const VERSION: &str = "1.0";
