//! `passmuster spec`: the specification's own commands.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::spec::{Filters, Level, Party, Registry, check, list};

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
        /// Only this level: MUST, SHOULD or MAY
        #[arg(long, value_name = "LEVEL", value_parser = |word: &str| word.to_uppercase().parse::<Level>())]
        level: Option<Level>,
        /// Only what binds this party: manager, orchestrator or agent
        #[arg(long, value_name = "PARTY", value_parser = str::parse::<Party>)]
        party: Option<Party>,
    },
    /// Find duplicate ids, tags without a requirement, requirements without a scenario
    Check,
}

/// Runs the command.
pub fn run(args: &Spec) -> ExitCode {
    let registry = Registry::embedded();
    match &args.command {
        Command::List { suite, level, party } => {
            super::print(&list(registry, Filters { suite: suite.as_deref(), level: *level, party: *party }));
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
