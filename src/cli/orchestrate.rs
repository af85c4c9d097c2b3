//! `passmuster orchestrate`: the reference orchestrator.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::frontends::clients::{Via, connect};
use crate::profile::{Choice, Profiles};
use crate::suites::orchestrator::faults::{self, OrchestratorFault};
use crate::suites::orchestrator::reference::{Assignment, WorkerReport, orchestrate};
use crate::trace::WorkerState;

/// Run workers on a session manager, as every orchestrator should: the reference orchestrator
///
/// The manager is the one that PASSMUSTER_CLI (a program), PASSMUSTER_RPC_SOCKET, PASSMUSTER_MCP_URL or
/// PASSMUSTER_MCP_COMMAND (a JSON array) names. Each worker's report is a line on standard output; outcomes go to the file
/// that PASSMUSTER_OUTCOME names, too. The exit code is 0 when all work is done. Ctrl-C
/// calls the work off: its sessions are ended, and reported.
#[derive(Debug, Args)]
pub(crate) struct Orchestrate {
    /// The work: [{"agent":"codex","cwd":"/…","message":"…","deadline_s":20}, …] [default: $PASSMUSTER_WORKERS]
    #[arg(long, value_name = "JSON")]
    workers: Option<String>,
    /// The front to go through: cli, rpc or mcp
    #[arg(long, value_name = "FRONT")]
    via: Via,
    /// The agents' profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "spec")]
    profiles: Choice,
    /// A defect for it to have
    #[arg(long, value_name = "NAME", value_parser = faults::named)]
    fault: Option<&'static OrchestratorFault>,
}

/// Runs the command.
pub(crate) fn run(args: Orchestrate) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = runtime.block_on(work(args));
    runtime.shutdown_background();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("passmuster: {why}");
            ExitCode::from(2)
        }
    }
}

async fn work(args: Orchestrate) -> Result<bool, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let tasks = args.workers.or_else(|| variable("PASSMUSTER_WORKERS")).ok_or("no work: give --workers or set PASSMUSTER_WORKERS")?;
    let tasks: Vec<Assignment> = serde_json::from_str(&tasks).map_err(|error| {
        format!("the workers: {error}; wanted [{{\"agent\":\"codex\",\"cwd\":\"/…\",\"message\":\"…\",\"deadline_s\":20}}]")
    })?;
    let profiles = Profiles::load(&args.profiles).map_err(|errors| errors.in_a_line())?;
    let (client, pushed) = connect(args.via, variable)?;
    let choices = faults::choices(args.fault);
    let mut outcomes = match variable("PASSMUSTER_OUTCOME").map(PathBuf::from) {
        Some(path) => Some(File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?),
        None => None,
    };
    let tell = |report: &WorkerReport| {
        super::print(&line(report));
        if report.outcome.state != WorkerState::Done {
            eprintln!("passmuster: worker {}: {}", report.outcome.worker, report.why);
        }
        if let Some(Err(error)) = outcomes.as_mut().map(|file| file.write_all(line(&report.outcome).as_bytes())) {
            eprintln!("passmuster: an outcome could not be written: {error}");
        }
    };
    let (stop, mut interrupted) = (CancellationToken::new(), super::interrupt::watch());
    let calling_off = stop.clone();
    tokio::spawn(async move {
        if interrupted.wait_for(|interrupted| *interrupted).await.is_ok() {
            calling_off.cancel();
        }
    });
    Ok(orchestrate(client, pushed, profiles, choices, tasks, stop, tell).await)
}

fn line(value: &impl serde::Serialize) -> String {
    format!("{}\n", serde_json::to_string(value).expect("reports are plain data"))
}
