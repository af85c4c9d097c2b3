//! The reference supervisor: agents in containers, a record of each in a registry, watched and started again by a stated policy.

pub(crate) mod health;
pub(crate) mod launching;
pub(crate) mod news;
pub(crate) mod operations;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod recovering;
pub(crate) mod registry;
pub(crate) mod restarting;
pub(crate) mod stopping;
pub(crate) mod supervisor;
pub(crate) mod workspace;

pub(crate) use policy::{PauseMode, SupervisionPolicy};
pub(crate) use supervisor::{Supervisor, SupervisorConfig};
