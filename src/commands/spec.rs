//! `passmuster spec`: the specification's own commands.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::spec::{Registry, check, list};

/// List and check the specification
#[derive(Debug, Args)]
pub struct Spec {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every requirement in a line
    List {
        /// Only this suite
        #[arg(long, value_name = "SUITE", value_parser = super::verify::suite_name)]
        suite: Option<String>,
    },
    /// Find duplicate ids, tags without a requirement, requirements without a scenario
    Check,
}

/// Runs the command.
pub fn run(args: &Spec) -> ExitCode {
    let registry = Registry::embedded();
    match &args.command {
        Command::List { suite } => {
            super::print(&list(registry, suite.as_deref()));
            ExitCode::SUCCESS
        }
        Command::Check => {
            let found = check(registry, &super::explain::scenarios());
            for finding in &found {
                eprintln!("{finding}");
            }
            match found.len() {
                0 => {
                    println!("the spec is whole: {} requirements", registry.iter().count());
                    ExitCode::SUCCESS
                }
                count => {
                    eprintln!("{count} findings");
                    ExitCode::FAILURE
                }
            }
        }
    }
}
