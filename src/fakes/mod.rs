//! Stand-in agents: programs named `claude`, `codex` and `gemini` that behave as their profiles say, and the
//! control channel by which the harness directs them and learns what is true.

pub mod control;
pub mod control_server;
pub(crate) mod native;
pub mod processes;
pub mod registry;
pub(crate) mod sim;
pub mod standin;
pub(crate) mod turns;
