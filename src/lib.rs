//! Specification and conformance harness for AI coding-agent session managers and their orchestrators.
//!
//! The tour, in layer order; a lower layer never imports an upper one.
pub mod cli;
pub mod contract;
pub mod core;
pub mod docgen;
pub mod engine;
pub mod fakes;
pub mod frontends;
pub mod profile;
pub mod spec;
pub mod suites;
pub mod sut;
pub mod trace;

pub mod report;
pub mod results;
