//! The Gherkin vocabulary: one table of steps, what they act on, and how they stop.

pub mod gate;
pub mod messages;
mod table;
mod world;

mod act_agent;
mod act_call;
mod act_start;
mod check_announced;
mod check_answer;
mod check_data;
mod check_session;
mod check_truth;

pub use act_start::BEHAVIOURS;
pub use table::{Kind, StepDef, collection, steps};
pub use world::{Found, Ground, RecordPlace, Session, StepResult, Stop, World, WorldOptions};
