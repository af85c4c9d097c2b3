//! The vocabulary of the suites for managers.

pub(crate) mod messages;

pub(crate) mod act_agent;
pub(crate) mod act_call;
pub(crate) mod act_start;
pub(crate) mod check_announced;
pub(crate) mod check_answer;
pub(crate) mod check_data;
pub(crate) mod check_session;
pub(crate) mod check_truth;
pub(crate) mod sessions;
pub(crate) mod turns;

pub(crate) use act_agent::{MADE, MADE_TOO};
pub(crate) use act_start::BEHAVIOURS;
pub(crate) use sessions::ManagerState;
