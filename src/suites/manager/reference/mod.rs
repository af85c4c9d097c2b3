//! The reference session manager: conforms to every requirement, in memory or on real processes, behind every front.

pub(crate) mod attending;
pub(crate) mod besides;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod hearing;
pub mod host;
pub(crate) mod manager;
pub(crate) mod messaging;
pub(crate) mod native;
pub(crate) mod observing;
pub(crate) mod open;
pub mod process_host;
pub(crate) mod real;
pub(crate) mod requests;
pub(crate) mod restoring;
pub(crate) mod session;
pub mod spool;
pub(crate) mod starting;
pub mod store;
pub(crate) mod tmux_host;
pub mod transcript;
pub mod virtual_host;

pub use manager::{Complaints, Manager, ManagerConfig};
pub use open::{Nature, Opened, Runtime, open};
pub use process_host::ProcessHost;
pub use tmux_host::TmuxHost;
