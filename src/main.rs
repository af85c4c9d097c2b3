//! The `passmuster` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    passmuster::commands::main()
}
