//! `passmuster faults`: the fault catalogue, and the proof that each of them is caught.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::profile::{Choice, Profiles};
use crate::reference::{FAULTS, Fault};
use crate::runner::Options;
use crate::runner::matrix::{Killed, kill};

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
                let seen = if fault.source.is_empty() { String::new() } else { format!("; seen: {}", fault.source) };
                super::print(&format!("{}\n    {}\n    breaks {}{seen}\n", fault.name, fault.title, fault.breaks.join(" ")));
            }
            ExitCode::SUCCESS
        }
        Some(Command::Run { names }) => prove(names),
    }
}

fn prove(names: &[Fault]) -> ExitCode {
    let profiles = Profiles::load(&Choice::Spec).expect("the embedded profiles are tested");
    let faults = if names.is_empty() { FAULTS.to_vec() } else { names.to_vec() };
    let interrupted = super::interrupt::watch();
    let killed = kill(&faults, &profiles, &|| Options { interrupted: interrupted.clone(), ..Options::default() });
    for killed in &killed {
        super::print(&line(killed));
    }
    let exact = killed.iter().filter(|killed| killed.is_exact()).count();
    super::print(&format!("{exact} of {} faults are caught by exactly their requirements\n", killed.len()));
    if exact == killed.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(killed: &Killed) -> String {
    let found = killed.found.failed.keys().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut line = format!("{} {:<30} {found}\n", if killed.is_exact() { "caught   " } else { "NOT EXACT" }, killed.fault.name);
    let missed = killed.missed();
    if !missed.is_empty() {
        line += &format!("          should fail and does not: {}\n", missed.join(" "));
    }
    for id in killed.stray() {
        line += &format!("          fails and should not: {id} in {}\n", killed.found.failed[id].join(" "));
    }
    for (key, why) in &killed.found.untested {
        line += &format!("          could not be tested: {key}: {why}\n");
    }
    line
}
