//! The specification: Markdown documents, read as requirements.

mod check;
mod document;
mod explain;
mod need;
mod registry;
mod requirement;
mod word;

pub use check::{CheckFinding, ScenarioTags, check};
pub use document::SpecError;
pub use explain::{FaultNote, Filters, explain, list};
pub use need::Need;
pub use registry::Registry;
pub use requirement::{Level, Party, Requirement, RequirementId};
pub use word::WordError;

/// The version of the spec that this harness judges by.
pub const VERSION: &str = "1.0";
