//! `passmuster agent`: a stand-in agent, by hand.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::contract::AgentKind;
use crate::fakes::standin::{ByHand, run_by_hand};
use crate::profile::{Choice, Profiles};

/// Run a stand-in agent by hand: it takes prompts and writes its session file as its profile says.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// Which agent: claude, codex or gemini
    agent: AgentKind,
    /// The agent's profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "measured")]
    profiles: Choice,
    /// How long each turn takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    turn_ms: u64,
    /// The agent's own arguments, after `--`
    #[arg(last = true)]
    args: Vec<OsString>,
}

/// Runs the command.
pub(crate) fn run(args: AgentArgs) -> ExitCode {
    match Profiles::load(&args.profiles) {
        Ok(profiles) => run_by_hand(args.agent, args.args, &ByHand { profiles, turn: Duration::from_millis(args.turn_ms) }),
        Err(error) => {
            eprintln!("{:?}", miette::Report::new(*error));
            ExitCode::from(2)
        }
    }
}
