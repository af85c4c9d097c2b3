//! The reference session manager: conforms to every requirement, in memory or on real processes, behind every front.

pub mod host;
pub mod service;
