//! The reference session manager: conforms to every requirement, in memory or on real processes, behind every front.

pub(crate) mod attending;
pub(crate) mod besides;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod hearing;
pub(crate) mod host;
pub(crate) mod manager;
pub(crate) mod messaging;
pub(crate) mod native;
pub(crate) mod observing;
pub(crate) mod open;
pub(crate) mod process_host;
pub(crate) mod real;
pub(crate) mod requests;
pub(crate) mod restoring;
pub(crate) mod session;
pub(crate) mod spool;
pub(crate) mod starting;
pub(crate) mod store;
pub(crate) mod tmux_host;
pub(crate) mod transcript;
pub(crate) mod virtual_host;

pub(crate) use manager::{Complaints, Manager, ManagerConfig};
pub(crate) use open::{Nature, Runtime, open};
pub(crate) use process_host::ProcessHost;
pub(crate) use tmux_host::TmuxHost;
