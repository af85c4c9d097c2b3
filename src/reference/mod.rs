//! The reference session manager: conforms to every requirement, in memory or on real processes, behind every front.

mod events;
pub mod fault;
mod hearing;
pub mod host;
mod manager;
pub mod service;
mod session;
pub mod store;
pub mod transcript;
pub mod virtual_host;

pub use fault::{FAULTS, Fault, FaultSet};
pub use manager::{Config, Manager};
