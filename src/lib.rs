//! Specification and conformance harness for AI coding-agent session managers and their orchestrators.
//!
//! The tour, in layer order; a lower layer never imports an upper one.

pub mod clock;
pub mod contract;
pub mod mistake;
pub mod profile;
pub mod spec;
pub mod trace;

pub mod rules;

pub mod agent;
pub mod commands;
pub mod driver;
pub mod reference;
pub mod report;
pub mod results;
pub mod runner;
pub mod schemas;
pub mod steps;
pub mod tables;
