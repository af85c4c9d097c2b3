//! The Gherkin vocabulary: one table of steps, what they act on, and how they stop.

pub mod gate;
pub mod messages;
mod table;
mod world;

mod act_agent;
mod act_call;
mod act_record;
mod act_start;
mod act_store;
mod check_announced;
mod check_answer;
mod check_data;
mod check_session;
mod check_store;
mod check_truth;
mod kept;

pub use act_start::BEHAVIOURS;
pub use act_store::IDS;
pub use table::{Kind, StepDef, collection, steps};
pub use world::{Found, Ground, RecordPlace, Session, StepResult, Stop, World, WorldOptions};
