//! The trace: everything asked, answered, announced and actually true, in order.
//!
//! A [`Log`] is filled by whoever drives and watches; [`jsonl`] writes and reads its lines; rules judge them.
mod contradiction;
pub mod history;
pub mod jsonl;
pub(crate) mod line;
pub(crate) mod log;
pub(crate) mod loose;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod scene;
pub(crate) mod select;
pub mod settings;
pub mod source;
pub(crate) mod timeline;
pub(crate) mod view;

pub use contradiction::{Contradiction, FINDING, found_by_steps};
pub use line::GlanceError;
pub use log::Log;
pub use loose::{Int, Length, LooseText, Truthful};
pub use record::{Binding, ContainerFact, Entry, Fact, Outcome, Record, Worker};
pub use view::{AnnouncementView, AnswerView, ArgsView, ListView, RecordView, Turned, What};

pub use select::select;

pub use crate::contract::WorkerState;
pub use timeline::{Row, RowKind, contradicted, timeline};
