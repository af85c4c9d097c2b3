//! `passmuster faults`: the fault catalogue, and the proof that each of them is caught.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::profile::{Choice, Profiles};
use crate::reference::{FAULTS, Fault};
use crate::runner::{Kill, Options, kill_matrix};
use crate::spec::RequirementId;

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
    /// Run the suites on every fault; fail unless each fails exactly its requirements
    Run {
        /// Only these faults
        names: Vec<Fault>,
    },
}

/// Runs the command.
pub fn run(args: &Faults) -> ExitCode {
    match &args.command {
        None | Some(Command::List) => {
            for fault in FAULTS {
                let breaks = fault.breaks.join(" ");
                super::print(&format!("{}\n    {}\n    breaks {breaks}; seen in {}\n", fault.name, fault.title, fault.source));
            }
            ExitCode::SUCCESS
        }
        Some(Command::Run { names }) => prove(names),
    }
}

fn prove(names: &[Fault]) -> ExitCode {
    let profiles = Profiles::load(&Choice::Spec).expect("the embedded profiles are tested");
    let options = Options { interrupted: super::interrupt::watch(), ..Options::default() };
    let kills = match kill_matrix(names, &profiles, &options) {
        Ok(kills) => kills,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            return ExitCode::from(2);
        }
    };
    for kill in &kills {
        super::print(&line(kill));
    }
    let exact = kills.iter().filter(|kill| kill.is_exact()).count();
    super::print(&format!("{exact} of {} faults are caught by exactly their requirements\n", kills.len()));
    if exact == kills.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(kill: &Kill) -> String {
    let ids = |ids: &[RequirementId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let found: Vec<RequirementId> = kill.found.iter().cloned().collect();
    let mut line = format!("{} {:<22} {}\n", if kill.is_exact() { "caught  " } else { "NOT EXACT" }, kill.fault.name, ids(&found));
    if !kill.survived.is_empty() {
        line.push_str(&format!("          should fail and does not: {}\n", ids(&kill.survived)));
    }
    if !kill.wrong.is_empty() {
        line.push_str(&format!("          fails and should not: {}\n", ids(&kill.wrong)));
    }
    line
}
