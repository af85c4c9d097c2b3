//! Container engines, for those who need one: what is asked of any, and one in memory on the virtual clock.

pub(crate) mod engine;
pub(crate) mod memory;
