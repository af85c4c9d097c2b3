//! The Gherkin vocabulary: one table of steps, what they act on, and how they stop.

pub mod messages;

pub(crate) mod act_agent;
pub(crate) mod act_call;
pub(crate) mod act_start;
pub(crate) mod check_announced;
pub(crate) mod check_answer;
pub(crate) mod check_data;
pub(crate) mod check_session;
pub(crate) mod check_truth;

pub use crate::engine::vocabulary::{collection, steps};
pub use act_start::BEHAVIOURS;
