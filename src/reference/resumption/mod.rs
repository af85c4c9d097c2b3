//! The reference store of resumable sessions: a folder a session, a record written whole or not at all, a lock for whoever
//! changes it, a decision that writes nothing.
//!
//! Everything that the specification decides is a value in [`Seams`]; a fault is another value.

mod audit;
mod cleaning;
mod decision;
mod finishing;
mod folder;
pub mod hooks;
mod id;
mod record;
mod redaction;
pub(super) mod seams;
mod service;
pub mod stats;
mod store;

pub use decision::{Decision, Limits, Reason};
pub use record::{Record, Skipped};
pub use seams::Seams;
pub use service::Served;
pub use store::{Change, New, Now, Store, StoreError};
