//! What came of a run: the model that every report draws from, and how findings become verdicts.

pub mod baseline;
pub(crate) mod cause;
pub(crate) mod diff;
#[cfg(test)]
pub(crate) mod example;
pub mod kill_matrix;
pub(crate) mod merge;
pub mod model;
pub(crate) mod verdicts;

pub use diff::{ChangeKind, DIFF_SCHEMA, Diff, Of, VerdictChange, diff};
pub use merge::{MergeError, merged};
pub use verdicts::{
    ConformanceOutcome, concerns, exit_code, failed_as_a_whole, headline, judge_by, names, outcome, over, requirement_results, verdict_of,
};
