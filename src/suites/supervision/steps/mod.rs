//! The steps that the features of the suite `supervision` are written in.

pub(crate) mod act_session;
pub(crate) mod act_trouble;
pub(crate) mod check_announced;
pub(crate) mod check_session;
pub(crate) mod check_truth;
pub(crate) mod sessions;

pub(crate) use sessions::SupervisionState;
