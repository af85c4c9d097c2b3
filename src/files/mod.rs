//! Markdown session files: what is wrong with one, where, and how it is put right. Pure: bytes and a clock in, findings and edits out.
//!
//! [`SessionFile`] is a file read once, every part with its place in bytes. The rules are rows of [`RULES`], one file a family of the
//! specification. [`check`] asks them all; [`repair`] applies what they offer until nothing changes.

mod changes;
mod check;
mod contained;
mod finding;
mod forms;
mod ignore;
mod matter;
mod outline;
mod reference;
mod repair;
mod rules;
mod session_file;
mod template;
mod text;
mod words;
mod yaml;

pub use check::{Surroundings, check};
pub(crate) use contained::{contained, inline};
pub use finding::{Edit, FileFinding, Repair, Safety};
pub use forms::{LINT_FORMS, LintForm, LintReport, LocatedFinding, UncheckedFile};
pub use matter::Matter;
pub(crate) use matter::front_matter_schema;
pub use outline::{FileSection, Heading, LogEntry, MarkdownOutline, TickBox};
pub use reference::{FileReference, mentions};
pub(crate) use repair::apply;
pub use repair::{Repaired, repair};
pub use rules::{FileRule, RULES, RuleOffer, rule};
pub(crate) use rules::{dangling, meant_code, slug};
pub use session_file::{FileName, SessionFile};
pub use template::{NewFile, fresh};
pub use text::FileText;
pub(crate) use words::words_for;
pub(crate) use yaml::quoted;
pub use yaml::{YamlKind, YamlNode};

/// Where session files lie, in a repository.
pub const ROOT: &str = ".agents/sessions";
