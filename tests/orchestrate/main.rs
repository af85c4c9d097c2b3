//! Orchestrators on the reference manager over every front, with real processes: work is done, and nothing is left.

#[path = "../reference/ground.rs"]
#[expect(dead_code, reason = "made for the tests of the manager, which need more of it")]
mod ground;
mod recording;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use passmuster::contract::TurnStatus;
use passmuster::fakes::processes::kill;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use ground::{Ground, PATIENCE};

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

/// How an orchestrator reaches the manager: its command, and the variables that it is given.
struct Way {
    command: Vec<String>,
    variables: Vec<(&'static str, String)>,
    /// A server that runs beside it.
    server: Option<Child>,
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// The canonical command line of the ground's manager.
fn cli(ground: &Ground) -> (&'static str, String) {
    let path = ground.sandbox.path().join("run/manager");
    let state = ground.state();
    std::fs::write(&path, format!("#!/bin/sh\nexec '{PASSMUSTER}' session --state '{}' \"$@\"\n", state.display())).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    ("PASSMUSTER_CLI", path.display().to_string())
}

async fn way(ground: &mut Ground, name: &str) -> Way {
    let orchestrate = |via: &str| [PASSMUSTER, "orchestrate", "--via", via].map(str::to_owned).to_vec();
    match name {
        "cli" => Way { command: orchestrate("cli"), variables: vec![cli(ground)], server: None },
        "rpc" => {
            ground.serve().await;
            let socket = ground.socket().display().to_string();
            Way { command: orchestrate("rpc"), variables: vec![("PASSMUSTER_RPC_SOCKET", socket)], server: None }
        }
        "mcp over stdio" => {
            let command = json!([PASSMUSTER, "serve", "mcp", "--state", ground.state()]).to_string();
            Way { command: orchestrate("mcp"), variables: vec![("PASSMUSTER_MCP_COMMAND", command)], server: None }
        }
        "mcp over http" => {
            let log = ground.sandbox.log_path("mcp");
            let mut serve = ground.passmuster(&["serve", "mcp", "--http", "127.0.0.1:0"]);
            let server = serve.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
            let began = Instant::now();
            let url = loop {
                let said = std::fs::read_to_string(&log).unwrap();
                if let Some((_, url)) = said.split_once(" at ") {
                    break url.trim().to_owned();
                }
                assert!(began.elapsed() < PATIENCE, "it did not come up: {said}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            Way { command: orchestrate("mcp"), variables: vec![("PASSMUSTER_MCP_URL", url)], server: Some(server) }
        }
        script => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/orchestrators").join(script);
            Way { command: vec!["python3".to_owned(), script.display().to_string()], variables: vec![cli(ground)], server: None }
        }
    }
}

struct Came {
    exit: Option<i32>,
    outcomes: Vec<Value>,
    said: String,
}

/// What becomes of the turns of an orchestrator's agents, as soon as their prompts were taken.
#[derive(Clone, Copy)]
enum Turns {
    /// They end.
    End(TurnStatus),
    /// They stay open, and the orchestrator is asked to end.
    CalledOff,
}

/// Runs an orchestrator on one worker for each agent.
async fn run(ground: &mut Ground, way: &Way, agents: &[&str], turns: Turns) -> Came {
    let folders: Vec<PathBuf> = (1..=agents.len()).map(|number| ground.sandbox.work_folder(number).unwrap()).collect();
    let workers: Vec<Value> = agents
        .iter()
        .zip(&folders)
        .map(|(agent, cwd)| json!({ "agent": agent, "cwd": cwd, "message": "do it", "deadline_s": PATIENCE.as_secs() }))
        .collect();
    let outcome = ground.sandbox.path().join("run/outcome");
    let mut command = Command::new(&way.command[0]);
    command.args(&way.command[1..]).env_clear().envs(ground.sandbox.env()).envs(way.variables.iter().map(|(name, value)| (*name, value)));
    command.env("PASSMUSTER_WORKERS", Value::from(workers).to_string()).env("PASSMUSTER_OUTCOME", &outcome);
    if way.command[0] == "python3" {
        command.env("PATH", format!("{}:{}", ground.sandbox.path().join("bin").display(), std::env::var("PATH").unwrap()));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let orchestrator = running.id().unwrap();
    let release = async {
        for worker in 1..=agents.len() {
            let run = ground.registry.until(|runs| runs.get(worker - 1).filter(|run| !run.prompts.is_empty()).cloned()).await;
            if let Turns::End(status) = turns {
                ground.registry.release(&run.id, 1, "done", status);
            }
        }
        if let Turns::CalledOff = turns {
            kill(orchestrator, Signal::TERM);
        }
        std::future::pending::<()>().await;
    };
    let ended = tokio::time::timeout(2 * PATIENCE, running.wait_with_output());
    let ended = tokio::select! {
        ended = ended => ended.expect("it came to its end in time").unwrap(),
        () = release => unreachable!("it never ends"),
    };
    let mut outcomes: Vec<Value> =
        std::fs::read_to_string(&outcome).unwrap_or_default().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    outcomes.sort_by_key(|outcome| outcome["worker"].as_u64());
    Came { exit: ended.status.code(), outcomes, said: String::from_utf8_lossy(&ended.stderr).into_owned() }
}

fn all(state: &str, count: usize) -> Vec<Value> {
    (0..count).map(|worker| json!({ "worker": worker, "state": state, "truncated": false })).collect()
}

#[rstest]
#[tokio::test]
async fn work_is_done_over_every_front_and_nothing_is_left(
    #[values("cli", "rpc", "mcp over stdio", "mcp over http", "next_work.py")] name: &str,
) {
    let mut ground = Ground::new("process");
    let way = way(&mut ground, name).await;
    let came = run(&mut ground, &way, &["codex", "claude", "gemini"], Turns::End(TurnStatus::Completed)).await;
    assert_eq!((came.exit, came.outcomes), (Some(0), all("done", 3)), "{}", came.said);
    assert!(ground.registry.runs().iter().all(|run| run.prompts.len() == 1) && ground.registry.runs().len() == 3);
    ground.only(&["passmuster"]).await;
}

#[rstest]
#[tokio::test]
async fn work_that_failed_is_told_by_the_exit_status_and_ended_too(#[values("cli", "rpc", "next_work.py")] name: &str) {
    let mut ground = Ground::new("process");
    let way = way(&mut ground, name).await;
    let came = run(&mut ground, &way, &["codex", "claude"], Turns::End(TurnStatus::Failed)).await;
    assert_eq!((came.exit, came.outcomes), (Some(1), all("failed", 2)), "{}", came.said);
    ground.only(&["passmuster"]).await;
}

#[tokio::test]
async fn work_that_is_called_off_is_ended_and_reported() {
    let mut ground = Ground::new("process");
    let way = way(&mut ground, "rpc").await;
    let came = run(&mut ground, &way, &["codex", "claude"], Turns::CalledOff).await;
    assert_eq!((came.exit, came.outcomes), (Some(1), all("failed", 2)), "{}", came.said);
    ground.only(&["passmuster"]).await;
}
