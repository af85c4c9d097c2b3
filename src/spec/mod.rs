//! The specification: Markdown documents, read as requirements.

mod check;
mod document;
mod explain;
mod links;
mod lock;
mod need;
mod registry;
mod requirement;
mod version;
mod word;
mod words;

pub use check::{CheckFinding, ScenarioTags, check, without_fault};
pub use explain::{FaultNote, Filters, explain, list};
pub use links::{heading_anchor, links};
pub use lock::{locked, unlocked};
pub use need::Need;
pub use registry::{Registry, carried};
pub use requirement::{Level, Party, Requirement, RequirementId};
pub use version::SpecVersion;
pub use word::WordError;
pub use words::stray_words;

/// The version of the spec that this harness judges by.
pub const VERSION: &str = "1.0";
