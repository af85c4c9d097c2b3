//! The ground that the tests stand on.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use passmuster::core::clock::Clock;
use passmuster::fakes::control_server::ControlServer;
use passmuster::fakes::processes::{ProcFs, kill};
use passmuster::fakes::registry::{AgentRegistry, FakeRun};
use passmuster::profile::{Choice, Profiles};
use passmuster::sut::sandbox::{Sandbox, SandboxOptions};
use passmuster::trace::Log;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

/// Only a broken test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox with stand-ins, and a manager in it. Everything in it ends with it.
pub(crate) struct Ground {
    pub sandbox: Sandbox,
    pub registry: AgentRegistry,
    runtime: &'static str,
    pub server: Option<Child>,
    folders: usize,
    pub mark: String,
    _stage: ControlServer,
}

impl Ground {
    pub(crate) fn new(runtime: &'static str) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let profiles = Profiles::load(&Choice::Spec).unwrap();
        let sandbox = Sandbox::create(&SandboxOptions { id: id.clone(), profiles, passmuster: PASSMUSTER.into(), keep: false }).unwrap();
        let registry = AgentRegistry::new(Log::new(Clock::start()));
        let control_server = ControlServer::open(&sandbox.control_socket(), registry.clone()).unwrap();
        Self { sandbox, registry, runtime, server: None, folders: 0, mark: format!("PASSMUSTER_SANDBOX={id}"), _stage: control_server }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.sandbox.path().join("state")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.sandbox.path().join("run/m.sock")
    }

    pub(crate) fn passmuster(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PASSMUSTER);
        command.args(words).args(["--runtime", self.runtime, "--state"]).arg(self.state());
        command.env_clear().envs(self.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a manager on the sandbox's state, on a socket, and waits until it is there.
    pub(crate) async fn serve(&mut self) {
        let socket = self.socket();
        let log = std::fs::File::create(self.sandbox.log_path("server")).unwrap();
        let mut serve = self.passmuster(&["serve", "rpc", "--socket", socket.to_str().unwrap()]);
        self.server = Some(serve.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let began = Instant::now();
        // Its own word: for a moment, what a killed manager was just starting still holds the old socket.
        while !std::fs::read_to_string(self.sandbox.log_path("server")).unwrap().contains("serving") {
            assert!(began.elapsed() < PATIENCE && self.server.as_mut().unwrap().try_wait().unwrap().is_none(), "it did not come up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills the manager, and it alone.
    pub(crate) fn kill_server(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    pub(crate) async fn ask(&self, operation: &str, args: Value) -> Result<Value, Value> {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": operation, "params": args });
        stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let answer = async {
            while let Ok(Some(line)) = lines.next_line().await {
                let message: Value = serde_json::from_str(&line).unwrap();
                if message["id"] == 1 {
                    return if message["error"].is_null() { Ok(message["result"].clone()) } else { Err(message["error"].clone()) };
                }
            }
            Err(json!("no answer"))
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time")
    }

    pub(crate) async fn start(&mut self, agent: &str, message: &str) -> (String, FakeRun) {
        self.folders += 1;
        let cwd = self.sandbox.work_folder(self.folders).unwrap();
        let started = self.ask("start_session", json!({ "agent": agent, "cwd": cwd, "message": message })).await.unwrap();
        let run = self.until(|runs| runs.iter().find(|run| run.cwd == cwd.to_string_lossy() && !run.prompts.is_empty()).cloned()).await;
        (started["session_id"].as_str().unwrap().to_owned(), run)
    }

    pub(crate) async fn until<T>(&self, look: impl FnMut(&[FakeRun]) -> Option<T>) -> T {
        tokio::time::timeout(PATIENCE, self.registry.until(look)).await.expect("the stand-ins got there in time")
    }

    pub(crate) async fn listed(&self) -> Vec<(String, String)> {
        let listed = self.ask("list_sessions", json!({})).await.unwrap();
        let word = |session: &Value, name: &str| session[name].as_str().unwrap_or_default().to_owned();
        listed["sessions"].as_array().unwrap().iter().map(|session| (word(session, "session_id"), word(session, "status"))).collect()
    }

    /// The first turns that are announced, whenever they were: session, turn, status.
    pub(crate) async fn turns(&self, count: usize) -> Vec<(String, u64, String)> {
        let began = Instant::now();
        loop {
            let answer = self.ask("wait_events", json!({ "timeout_s": 0 })).await.unwrap();
            let turns = answer["events"].as_array().unwrap().iter().filter(|event| event["event"] == "turn_completed");
            let word = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
            let turns: Vec<_> =
                turns.map(|event| (word(event, "session_id"), event["turn"].as_u64().unwrap(), word(event, "status"))).collect();
            if turns.len() >= count {
                return turns;
            }
            assert!(began.elapsed() < PATIENCE, "announced so far: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The processes of the sandbox, by name.
    pub(crate) fn processes(&self) -> Vec<String> {
        let marked = ProcFs::table().into_iter().filter(|entry| ProcFs::has_mark(entry.pid, &self.mark));
        marked.map(|entry| format!("{} {}", entry.pid, entry.command)).collect()
    }

    /// Waits until the sandbox has no process but these.
    pub(crate) async fn only(&self, names: &[&str]) {
        let began = Instant::now();
        loop {
            let left: Vec<String> =
                self.processes().into_iter().filter(|process| !names.iter().any(|name| process.ends_with(name))).collect();
            if left.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "still running: {left:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Ground {
    #[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.sandbox.log_path("server")).unwrap_or_default());
        }
        while !self.processes().is_empty() {
            for entry in ProcFs::table().into_iter().filter(|entry| ProcFs::has_mark(entry.pid, &self.mark)) {
                kill(entry.pid, Signal::KILL);
            }
            if let Some(server) = &mut self.server {
                let _ = server.wait();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
