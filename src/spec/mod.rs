//! The specification: Markdown documents, read as requirements.

pub(crate) mod check;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod links;
pub(crate) mod lock;
pub(crate) mod need;
pub(crate) mod registry;
pub(crate) mod requirement;
pub(crate) mod version;
pub(crate) mod word;
pub(crate) mod words;

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
