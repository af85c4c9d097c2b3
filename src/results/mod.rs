//! What came of a run: the model that every report draws from, and how findings become verdicts.

pub mod baseline;
#[cfg(test)]
pub(crate) mod example;
pub mod kill_matrix;
pub mod model;
pub mod traced;
mod verdicts;

pub use verdicts::{Outcome, concerns, exit_code, failed_as_a_whole, judge_by, outcome, over, requirement_results, verdict_of};
