//! Specification and conformance harness for AI coding-agent session managers and their orchestrators.
//!
//! The tour, in layer order; a lower layer never imports an upper one (`tests/layers.rs` names what still does).

pub mod core;

pub mod contract;
pub mod spec;

pub mod profile;
pub mod trace;

pub mod fakes;
pub mod sut;

pub(crate) mod frontends;
pub mod results;

pub mod engine;
pub mod suites;

pub mod report;

pub mod docgen;

pub mod cli;
