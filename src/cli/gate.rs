//! `passmuster gate`: gate an orchestrator.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::engine::{Reference, SCENARIO, Target};
use crate::suites::SUITES;
use crate::suites::orchestrator::gate::{self, Gated};

use super::running::{RunArgs, RunContext, finished, judged};

/// Run an orchestrator against difficult managers, and judge what it does
///
/// CMD is run once for each scenario (or as the manifest's [orchestrator] table says). It finds the manager by
/// PASSMUSTER_CLI, PASSMUSTER_RPC_SOCKET, PASSMUSTER_MCP_URL or PASSMUSTER_MCP_COMMAND, and its work in
/// PASSMUSTER_WORKERS; it may tell how its workers came out in the file PASSMUSTER_OUTCOME. Without a command and without a
/// manifest the reference orchestrator is gated, in memory.
#[derive(Debug, Args)]
pub(crate) struct Gate {
    /// A manifest with a table [orchestrator]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    running: RunArgs,
    /// The orchestrator's command, after `--`
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: Gate) -> ExitCode {
    finished(gated(&args))
}

fn gated(args: &Gate) -> miette::Result<u8> {
    let target = if args.manifest.is_none() && args.command.is_empty() {
        Target::Reference(Reference::calling(SUITES))
    } else {
        let orchestrator = gate::read(args.manifest.as_deref(), &args.command).map_err(|error| miette::Report::new(*error))?;
        Target::Real(Arc::new(Gated { orchestrator, suites: SUITES }))
    };
    judged(&target, &args.running, RunContext { repro: repro(args), ..RunContext::default() })
}

/// The command line that repeats one scenario.
fn repro(args: &Gate) -> String {
    let mut words = vec!["passmuster gate".to_owned()];
    words.extend(args.manifest.iter().map(|path| path.display().to_string()));
    words.push(SCENARIO.to_owned());
    if !args.command.is_empty() {
        words.push("--".to_owned());
        words.extend(args.command.iter().map(|word| quoted(word)));
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
