//! The `passmuster` binary: parse, run, exit code.
fn main() {}
