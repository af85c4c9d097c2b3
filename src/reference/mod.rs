//! The reference session manager: conforms to every requirement, in memory or on real processes, behind every front.

mod attending;
mod besides;
mod ending;
mod events;
pub mod fault;
pub mod fronts;
mod hearing;
pub mod host;
mod manager;
mod messaging;
mod native;
mod observing;
mod open;
pub mod orchestrator;
pub mod process_host;
mod real;
mod requests;
mod restoring;
pub mod resumption;
mod seams;
pub mod service;
mod session;
pub mod spool;
mod starting;
pub mod store;
mod tmux_host;
pub mod transcript;
pub mod variation;
pub mod virtual_host;

pub use fault::{FAULTS, Fault, FaultSet};
pub use manager::{Complaints, Config, Manager};
pub use open::{Nature, Opened, Runtime, open};
pub use process_host::ProcessHost;
pub use tmux_host::TmuxHost;
pub use variation::{VARIATIONS, Variation, VariationSet};
