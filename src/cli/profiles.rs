//! `passmuster profiles`: what is known of the agents.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::contract::AgentKind;
use crate::profile::{AgentProfile, Choice, Profiles, diff, list, show};

/// Exit code where profiles cannot be read.
const BROKEN: u8 = 2;

/// List, show and compare the agents' profiles: when a session becomes observable
#[derive(Debug, Args)]
pub(crate) struct ProfilesCommand {
    #[command(subcommand)]
    command: ProfilesAction,
}

#[derive(Debug, Subcommand)]
enum ProfilesAction {
    /// Print every row; `*` marks those in force
    List {
        /// The profiles in force: spec, measured, or a file
        #[arg(long, value_name = "SET", default_value = "spec")]
        profiles: Choice,
    },
    /// Print what is known of an agent, phase by phase
    Show {
        /// The agents [default: every one]
        agents: Vec<AgentKind>,
        /// The profiles in force: spec, measured, or a file
        #[arg(long, value_name = "SET", default_value = "spec")]
        profiles: Choice,
    },
    /// Print what differs between two choices; exit code 1 where something does
    Diff {
        /// The one: spec, measured, or a file
        old: Choice,
        /// The other
        new: Choice,
    },
}

/// Runs the command.
pub(crate) fn run(args: &ProfilesCommand) -> ExitCode {
    match told(args) {
        Ok((text, code)) => {
            super::print(&text);
            code
        }
        Err(error) => {
            super::complain(&error);
            ExitCode::from(BROKEN)
        }
    }
}

fn told(args: &ProfilesCommand) -> miette::Result<(String, ExitCode)> {
    let load = |choice: &Choice| Profiles::load(choice).map_err(|errors| miette::Report::new(*errors));
    match &args.command {
        ProfilesAction::List { profiles } => Ok((list(&load(profiles)?), ExitCode::SUCCESS)),
        ProfilesAction::Show { agents, profiles } => {
            let profiles = load(profiles)?;
            let asked = |agent: &&AgentProfile| agents.is_empty() || agents.contains(&agent.agent);
            let shown: Vec<String> = profiles.agents().iter().filter(asked).map(|agent| show(&profiles, agent)).collect();
            Ok((shown.join("\n"), ExitCode::SUCCESS))
        }
        ProfilesAction::Diff { old, new } => {
            let text = diff(&load(old)?, &load(new)?);
            let code = if text.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            Ok((text, code))
        }
    }
}
