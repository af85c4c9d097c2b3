//! The reference store of resumable sessions: a folder a session, a record written whole or not at all, a lock for whoever
//! changes it, a decision that writes nothing.
//!
//! Everything that the specification decides is a value in [`StoreBehavior`]; a fault is another value.

pub(crate) mod audit;
pub(crate) mod cleaning;
pub(crate) mod decision;
pub(crate) mod finishing;
pub(crate) mod folder;
pub(crate) mod hooks;
pub(crate) mod id;
pub(crate) mod record;
pub(crate) mod redaction;
pub(crate) mod service;
pub(crate) mod stats;
pub(crate) mod store;

pub use crate::suites::store::behavior::StoreBehavior;
pub use decision::{Decision, Reason, ResumeLimits};
pub use record::{Skipped, StoreRecord};
pub use service::ServedStore;
pub use store::{New, Now, StateUpdate, Store, StoreError};
