//! Specification and conformance harness for AI coding-agent session managers and their orchestrators.
//!
//! Three ways in, each a page in `examples/`: judge a recorded trace ([`suites::orchestrator::rules::judge`]), verify a system
//! ([`engine::prepare`], [`engine::run`]), add a suite ([`engine::Suite`]).
//!
//! The tour, in layer order; a lower layer never imports an upper one, which `tests/layers.rs` holds. Of each layer what programs and tests
//! outside need is public, and no more.

pub mod core;

pub mod contract;
pub mod files;
pub mod spec;

pub mod profile;
pub mod trace;

pub(crate) mod containers;
pub mod fakes;
pub mod sut;

pub(crate) mod frontends;
pub mod results;

pub mod engine;
pub mod suites;

pub mod report;

pub mod docgen;

pub mod cli;
