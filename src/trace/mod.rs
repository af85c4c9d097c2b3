//! The trace: everything asked, answered, announced and actually true, in order.
//!
//! A [`Log`] is filled by whoever drives and watches; [`jsonl`] writes and reads its lines; rules judge them.

pub mod jsonl;
mod log;
mod record;

pub use log::Log;
pub use record::{Binding, Entry, Fact, Outcome, RESTARTED, Record, Worker};

pub use crate::contract::WorkerState;
