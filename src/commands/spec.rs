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
    match &args.command {
        Command::List { suite, level, party } => {
            super::print(&list(Registry::embedded(), Filters { suite: suite.as_deref(), level: *level, party: *party }));
            ExitCode::SUCCESS
        }
        Command::Check => {
            let count = match Registry::read_embedded() {
                Ok(registry) => {
                    let found = check(&registry, &super::explain::scenarios());
                    if found.is_empty() {
                        println!("the spec is whole: {} requirements", registry.iter().count());
                        return ExitCode::SUCCESS;
                    }
                    found.iter().for_each(|finding| eprintln!("{finding}"));
                    found.len()
                }
                Err(wrong) => {
                    let count = wrong.len();
                    wrong.into_iter().for_each(|error| eprintln!("{:?}", miette::Report::new(error)));
                    count
                }
            };
            eprintln!("{count} findings");
            ExitCode::FAILURE
        }
    }
}
