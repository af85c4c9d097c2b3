//! What holds for all suites together, and for the engine with them.

mod busy;
mod orchestrating;
mod planning;
mod tables;
