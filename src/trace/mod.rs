//! The trace: everything asked, answered, announced and actually true, in order.
//!
//! A [`Log`] is filled by whoever drives and watches; [`jsonl`] writes and reads its lines; rules judge them.

mod glance;
pub mod jsonl;
mod line;
mod log;
mod loose;
mod record;
mod select;
pub mod source;

pub use glance::{Answered, Asked, Glance, Listed, News, Turned, What};
pub use line::GlanceError;
pub use log::Log;
pub use loose::{Int, Length, Text, Truthful};
pub use record::{Binding, Entry, Fact, Outcome, RESTARTED, Record, Worker};

pub use select::select;

pub use crate::contract::WorkerState;
