//! Somebody's orchestrator on one scenario, for real: its command is run with the addresses of all fronts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::core::clock::Clock;
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::ScenarioRun;
use crate::engine::worker::Backstage;
use crate::fakes::processes::{ProcFs, starting};
use crate::frontends::service::Opening;
use crate::frontends::{Dispatcher, mcp, rpc};
use crate::suites::orchestrator::reference::Assignment;
use crate::suites::orchestrator::steps::Plan;
use crate::sut::Tail;
use crate::sut::manifest::{Template, Variables};
use crate::sut::sandbox::Sandbox;
use crate::trace::{Entry, Outcome};

use super::plan_of;
use super::rehearsal::{Ended, Rehearsal};

/// How long after the last deadline an orchestrator is ended: it has to look, to end its sessions and to verify that.
const GRACE: Duration = Duration::from_secs(20);
/// How long the last of what it wrote is waited for, once it is over.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much of its output is kept, in bytes.
const KEPT: usize = 16 * 1024;

/// An orchestrator to be gated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrchestratorCommand {
    /// Its name, as reports show it.
    pub name: String,
    /// Its manifest, or else its script or program, where that is a file.
    pub file: Option<String>,
    /// The command; of one that is run once per worker, with variables.
    pub command: Vec<String>,
    /// Further environment, with variables.
    pub env: BTreeMap<String, String>,
    /// Whether it is run once for each worker.
    pub per_worker: bool,
    /// Where it is run.
    pub folder: PathBuf,
}

impl OrchestratorCommand {
    /// One without a command, run here, once for all workers.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), file: None, command: Vec::new(), env: BTreeMap::new(), per_worker: false, folder: ".".into() }
    }
}

/// Where the manager is to be found.
struct Addresses {
    cli: PathBuf,
    socket: PathBuf,
    url: String,
    bridge: Vec<String>,
    outcome: PathBuf,
}

/// Plays one scenario.
pub(crate) async fn play(
    planned: &PlannedScenario,
    orchestrator: &OrchestratorCommand,
    backstage: &Backstage,
    opening: Opening,
) -> Result<ScenarioRun, String> {
    let Backstage { profiles, sandbox, time_limit, .. } = backstage;
    let plan = plan_of(planned);
    for worker in 0..plan.workers.len() {
        std::fs::create_dir_all(sandbox.path().join("work").join(worker.to_string()))
            .map_err(|error| format!("no work folder: {error}"))?;
    }
    let rehearsal = Rehearsal::set(planned, &plan, &sandbox.path().join("work"), profiles, Clock::start(), opening).await;
    let dispatcher = Dispatcher::new(rehearsal.manager.clone());
    let addresses = serve(&dispatcher, sandbox).await?;
    let ended = run(orchestrator, &rehearsal, &addresses, &plan, *time_limit).await?;
    // Whatever the orchestrator left running is not to call any more.
    let left = ProcFs::end_descendants_of(std::process::id(), &[]);
    let played = rehearsal.judged(planned, &plan, ended, profiles);
    for process in left {
        rehearsal.log.push(Entry::Litter { process: process.to_string() });
    }
    rehearsal.manager.let_go();
    let _ = tokio::time::timeout(GRACE, dispatcher.close()).await;
    Ok(played)
}

/// Serves every front.
async fn serve(dispatcher: &Dispatcher, sandbox: &Sandbox) -> Result<Addresses, String> {
    let text = |error: std::io::Error| format!("the manager cannot be served: {error}");
    let program = std::env::current_exe().map_err(text)?.display().to_string();
    let run = sandbox.path().join("run");
    let (socket, cli) = (run.join("m.sock"), run.join("manager"));
    let script = format!("#!/bin/sh\nexec '{program}' session --connect '{}' \"$@\"\n", socket.display());
    std::fs::write(&cli, script).map_err(text)?;
    std::fs::set_permissions(&cli, std::fs::Permissions::from_mode(0o755)).map_err(text)?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    let url = format!("http://{}/mcp", listener.local_addr().map_err(text)?);
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let (own, path) = (dispatcher.clone(), socket.clone());
    tokio::spawn(async move {
        rpc::serve_socket(&own, &path, || {
            let _ = ready.send(());
        })
        .await
    });
    let own = dispatcher.clone();
    tokio::spawn(async move { mcp::serve_http(&own, listener).await });
    is_ready.await.map_err(|_| "the manager's socket cannot be served".to_owned())?;
    let bridge = [&program, "serve", "mcp", "--connect", &socket.display().to_string()].map(str::to_owned).to_vec();
    Ok(Addresses { cli, socket, url, bridge, outcome: run.join("outcome.jsonl") })
}

/// Runs the command, once or once per worker, until it is over or its time is.
async fn run(
    orchestrator: &OrchestratorCommand,
    rehearsal: &Rehearsal,
    at: &Addresses,
    plan: &Plan,
    time_limit: Duration,
) -> Result<Ended, String> {
    let said = Tail::new(KEPT);
    let mut children = Vec::new();
    let mut readers = JoinSet::new();
    if orchestrator.per_worker {
        for (number, work) in rehearsal.work.iter().enumerate() {
            children.push(spawn(orchestrator, rehearsal, at, Some((number, work)), &said, &mut readers)?);
        }
    } else {
        children.push(spawn(orchestrator, rehearsal, at, None, &said, &mut readers)?);
    }
    let latest = plan.workers.iter().map(|work| work.deadline_s).max().unwrap_or_default();
    let patience = Duration::from_secs(latest.into()) + GRACE;
    let (mut started, began) = (rehearsal.manager.started(), Instant::now());
    let over = async {
        let mut code = Some(0);
        for child in &mut children {
            // The first that is not well decides.
            let status = child.wait().await.ok().and_then(|status| status.code());
            code = if code == Some(0) { status } else { code };
        }
        code
    };
    tokio::pin!(over);
    let ended = loop {
        // Deadlines count from a worker's first start; each start gives time anew, within the scenario's own limit.
        let last = started.borrow_and_update().unwrap_or(began);
        let until = (last + patience).min(began + time_limit);
        tokio::select! {
            code = &mut over => {
                // What it said last is read to its end; a child that it left behind may hold the pipe open.
                let _ = tokio::time::timeout(LAST_WORDS, async { while readers.join_next().await.is_some() {} }).await;
                break Some(code);
            }
            () = rehearsal.manager.flooded() => {
                let outcomes = outcomes(&at.outcome);
                return Ok(Ended { code: None, overdue: false, flooded: true, outcomes, stderr: said.text() });
            }
            () = tokio::time::sleep_until(until) => break None,
            Ok(()) = started.changed() => {}
        }
    };
    Ok(Ended { code: ended.flatten(), overdue: ended.is_none(), flooded: false, outcomes: outcomes(&at.outcome), stderr: said.text() })
}

fn spawn(
    orchestrator: &OrchestratorCommand,
    rehearsal: &Rehearsal,
    at: &Addresses,
    one: Option<(usize, &Assignment)>,
    said: &Tail,
    readers: &mut JoinSet<()>,
) -> Result<Child, String> {
    let workers = match one {
        Some((_, work)) => json!([work]).to_string(),
        None => rehearsal.workers(),
    };
    let bridge = json!(at.bridge).to_string();
    let path = |path: &Path| path.display().to_string();
    let own = [
        ("PASSMUSTER_CLI", path(&at.cli)),
        ("PASSMUSTER_RPC_SOCKET", path(&at.socket)),
        ("PASSMUSTER_MCP_URL", at.url.clone()),
        ("PASSMUSTER_MCP_COMMAND", bridge),
        ("PASSMUSTER_WORKERS", workers),
        ("PASSMUSTER_OUTCOME", path(&at.outcome)),
    ];
    let mut variables: Variables =
        own.iter().map(|(name, value)| (name.trim_start_matches("PASSMUSTER_").to_lowercase(), Value::from(value.as_str()))).collect();
    if let Some((number, work)) = one {
        variables.insert("worker".into(), number.into());
        variables.insert("agent".into(), work.agent.name().into());
        variables.insert("cwd".into(), work.cwd.as_str().into());
        variables.insert("message".into(), work.message.as_str().into());
        variables.insert("deadline_s".into(), work.deadline_s.into());
    }
    let filled = |source: &String| -> Result<String, String> {
        if !source.contains("{{") {
            return Ok(source.clone());
        }
        Template::parse(source)?.text(&variables).map_err(|error| format!("`{source}`: {error}"))
    };
    let words: Vec<String> = orchestrator.command.iter().map(&filled).collect::<Result<_, _>>()?;
    let (program, args) = words.split_first().ok_or("the orchestrator's command is empty")?;
    let mut command = Command::new(program);
    command.args(args).current_dir(&orchestrator.folder).envs(own);
    for (name, value) in &orchestrator.env {
        command.env(name, filled(value)?);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = starting().and_then(|_allowed| command.spawn()).map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    // What it prints is read to its end, so that it never waits for us; the end of standard error is kept.
    if let Some(mut out) = child.stdout.take() {
        tokio::spawn(async move { tokio::io::copy(&mut out, &mut tokio::io::sink()).await });
    }
    if let Some(mut err) = child.stderr.take() {
        let said = said.clone();
        readers.spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = err.read(&mut buffer).await {
                said.push(&buffer[..count]);
            }
        });
    }
    Ok(child)
}

/// What was told of the workers; lines that say nothing are passed over, of two of one worker the last counts.
fn outcomes(path: &Path) -> Vec<Outcome> {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let told: BTreeMap<usize, Outcome> =
        text.lines().filter_map(|line| serde_json::from_str::<Outcome>(line).ok()).map(|outcome| (outcome.worker, outcome)).collect();
    told.into_values().collect()
}
