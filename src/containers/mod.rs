//! Container engines, for those who need one: what is asked of any, one in memory on the virtual clock, and a Podman of one's own.

pub(crate) mod engine;
#[cfg_attr(not(test), allow(dead_code, reason = "what judges supervisors on it comes next"))]
pub(crate) mod image;
pub(crate) mod memory;
#[cfg_attr(not(test), allow(dead_code, reason = "what judges supervisors on it comes next"))]
pub(crate) mod private_podman;
