//! `passmuster faults`: the fault catalogue.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::reference::FAULTS;

/// The fault catalogue: named defects of the reference, each of which the suites must catch
#[derive(Debug, Args)]
pub struct Faults {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every fault, what it breaks, and where it was seen [default]
    List,
}

/// Runs the command.
pub fn run(args: &Faults) -> ExitCode {
    let (Some(Command::List) | None) = args.command;
    for fault in FAULTS {
        super::print(&format!("{}\n    {}\n    breaks {}; seen in {}\n", fault.name, fault.title, fault.breaks.join(" "), fault.source));
    }
    ExitCode::SUCCESS
}
