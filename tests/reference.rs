//! The reference manager on real processes: what a conformance suite cannot ask of any manager, asked of ours.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use passmuster::agent::cast::{Cast, Run};
use passmuster::agent::control::{Child as Under, Script};
use passmuster::agent::processes::{ProcFs, Processes as _, kill};
use passmuster::agent::stage::Stage;
use passmuster::clock::Clock;
use passmuster::contract::{AgentKind, TurnStatus};
use passmuster::driver::sandbox::{Sandbox, SandboxOptions};
use passmuster::profile::{Choice, Profiles};
use passmuster::trace::Log;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

/// Only a broken test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox with stand-ins, and a manager in it. Everything in it ends with it.
struct Ground {
    sandbox: Sandbox,
    cast: Cast,
    runtime: &'static str,
    server: Option<Child>,
    folders: usize,
    mark: String,
    _stage: Stage,
}

impl Ground {
    fn new(runtime: &'static str) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let profiles = Profiles::load(&Choice::Spec).unwrap();
        let sandbox = Sandbox::create(&SandboxOptions { id: id.clone(), profiles, passmuster: PASSMUSTER.into(), keep: false }).unwrap();
        let cast = Cast::new(Log::new(Clock::start()));
        let stage = Stage::open(&sandbox.stage_socket(), cast.clone()).unwrap();
        Self { sandbox, cast, runtime, server: None, folders: 0, mark: format!("PASSMUSTER_SANDBOX={id}"), _stage: stage }
    }

    fn state(&self) -> PathBuf {
        self.sandbox.path().join("state")
    }

    fn socket(&self) -> PathBuf {
        self.sandbox.path().join("run/m.sock")
    }

    fn passmuster(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PASSMUSTER);
        command.args(words).args(["--runtime", self.runtime, "--state"]).arg(self.state());
        command.env_clear().envs(self.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a manager on the sandbox's state, on a socket, and waits until it is there.
    async fn serve(&mut self) {
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
    fn kill_server(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    async fn ask(&self, operation: &str, args: Value) -> Result<Value, Value> {
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

    async fn start(&mut self, agent: &str, message: &str) -> (String, Run) {
        self.folders += 1;
        let cwd = self.sandbox.work_folder(self.folders).unwrap();
        let started = self.ask("start_session", json!({ "agent": agent, "cwd": cwd, "message": message })).await.unwrap();
        let run = self.until(|runs| runs.iter().find(|run| run.cwd == cwd.to_string_lossy() && !run.prompts.is_empty()).cloned()).await;
        (started["session_id"].as_str().unwrap().to_owned(), run)
    }

    async fn until<T>(&self, look: impl FnMut(&[Run]) -> Option<T>) -> T {
        tokio::time::timeout(PATIENCE, self.cast.until(look)).await.expect("the stand-ins got there in time")
    }

    async fn listed(&self) -> Vec<(String, String)> {
        let listed = self.ask("list_sessions", json!({})).await.unwrap();
        let word = |session: &Value, name: &str| session[name].as_str().unwrap_or_default().to_owned();
        listed["sessions"].as_array().unwrap().iter().map(|session| (word(session, "session_id"), word(session, "status"))).collect()
    }

    /// The first turns that are announced, whenever they were: session, turn, status.
    async fn turns(&self, count: usize) -> Vec<(String, u64, String)> {
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
    fn processes(&self) -> Vec<String> {
        let marked = ProcFs::table().into_iter().filter(|entry| ProcFs::has_mark(entry.pid, &self.mark));
        marked.map(|entry| format!("{} {}", entry.pid, entry.command)).collect()
    }

    /// Waits until the sandbox has no process but these.
    async fn only(&self, names: &[&str]) {
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

#[rstest]
#[tokio::test]
async fn agents_outlive_a_killed_manager_and_what_they_tell_meanwhile_is_not_lost(#[values("process", "tmux")] runtime: &'static str) {
    let mut ground = Ground::new(runtime);
    ground.serve().await;
    let (first, run) = ground.start("codex", "before").await;
    let (second, other) = ground.start("claude", "to die").await;
    ground.kill_server();
    assert!(ProcFs.alive(run.pid, run.started_ticks));
    ground.cast.release(&run.id, 1, "done meanwhile", TurnStatus::Completed);
    ground.until(|runs| runs.iter().find(|now| now.id == run.id && now.completed == 1).map(drop)).await;
    kill(other.pid, Signal::KILL);
    ground.until(|runs| runs.iter().find(|now| now.id == other.id && now.over).map(drop)).await;
    ground.serve().await;
    let said = ground.turns(2).await;
    assert!(said.contains(&(first.clone(), 1, "completed".into())) && said.contains(&(second.clone(), 1, "failed".into())), "{said:?}");
    let data = ground.ask("get_session_data", json!({ "session_id": first })).await.unwrap();
    assert!(data["text"].as_str().unwrap().contains("done meanwhile"), "{data}");
    let statuses = ground.listed().await;
    assert_eq!(statuses, [(first.clone(), "waiting".to_owned()), (second.clone(), "error".to_owned())]);
    // The one that lives takes messages, and both can be ended.
    ground.ask("send_message", json!({ "session_id": first, "message": "after" })).await.unwrap();
    ground.until(|runs| runs.iter().find(|now| now.id == run.id && now.prompts.len() == 2).map(drop)).await;
    for session in [first, second] {
        ground.ask("end_session", json!({ "session_id": session })).await.unwrap();
    }
    assert!(ground.listed().await.is_empty() && !ProcFs.alive(run.pid, run.started_ticks));
}

#[rstest]
#[tokio::test]
async fn nothing_runs_unlisted_when_the_manager_is_killed_while_it_starts_sessions(#[values("process", "tmux")] runtime: &'static str) {
    for after_ms in [0, 5, 15, 30, 60] {
        let mut ground = Ground::new(runtime);
        ground.serve().await;
        let cwd = ground.sandbox.work_folder(1).unwrap();
        let mut stream = UnixStream::connect(ground.socket()).await.unwrap();
        for id in 1..=3 {
            let params = json!({ "agent": "gemini", "cwd": cwd, "message": "x" });
            let request = json!({ "jsonrpc": "2.0", "id": id, "method": "start_session", "params": params });
            stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        ground.kill_server();
        ground.serve().await;
        for (session, _) in ground.listed().await {
            ground.ask("end_session", json!({ "session_id": session })).await.unwrap();
        }
        ground.only(&["passmuster", "tmux: server"]).await;
        let mut server = ground.server.take().unwrap();
        kill(server.id(), Signal::TERM);
        assert!(server.wait().unwrap().success());
        ground.only(&[]).await;
    }
}

#[rstest]
#[tokio::test]
async fn long_messages_of_many_lines_arrive_unaltered(#[values("process", "tmux")] runtime: &'static str) {
    let mut ground = Ground::new(runtime);
    ground.serve().await;
    let line = "ünïcode 漢字 'quotes' \"$HOME\" `x`; \\n #{pane} \t %s ~\n";
    let message: String = line.chars().cycle().take(19_999).collect::<String>() + ".";
    let (session, run) = ground.start("claude", &message).await;
    assert_eq!(run.prompts[0].1, message);
    // At once after the start, and two at the same time: each whole, none into the other.
    let other = message.replace("ü", "ö");
    let (one, two) = tokio::join!(
        ground.ask("send_message", json!({ "session_id": session, "message": message })),
        ground.ask("send_message", json!({ "session_id": session, "message": other })),
    );
    assert!(one.is_ok() && two.is_ok());
    for turn in 1..=3 {
        ground.until(|runs| runs[0].prompts.iter().find(|(number, _)| *number == turn).map(drop)).await;
        ground.cast.release(&run.id, turn, "on", TurnStatus::Completed);
    }
    // What would press keys of its own is refused, not altered.
    let refused = ground.ask("send_message", json!({ "session_id": session, "message": "a\u{1b}[201~\rb" })).await.unwrap_err();
    assert_eq!(refused["data"]["code"], "invalid_argument");
    let prompts: Vec<String> = ground.cast.runs()[0].prompts.iter().skip(1).map(|(_, text)| text.clone()).collect();
    assert!(prompts.contains(&message) && prompts.contains(&other) && prompts.len() == 2);
}

#[rstest]
#[tokio::test]
async fn whatever_an_agent_starts_ends_with_its_session(#[values("process", "tmux")] runtime: &'static str) {
    let mut ground = Ground::new(runtime);
    ground.serve().await;
    let cwd = ground.sandbox.work_folder(1).unwrap();
    let children = vec![Under::Background, Under::Stubborn, Under::Setsid, Under::Reparented];
    let script = Script { ignore: vec!["HUP".into(), "TERM".into()], children, ..Script::default() };
    ground.cast.script_for(cwd.to_str().unwrap(), script);
    let (session, run) = ground.start("codex", "x").await;
    let run = ground.until(|runs| runs.iter().find(|now| now.id == run.id && now.children.len() == 4).cloned()).await;
    let began = Instant::now();
    ground.ask("end_session", json!({ "session_id": session })).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(ProcFs.of_run(&run), []);
    ground.only(&["passmuster", "tmux: server"]).await;
}

#[rstest]
#[tokio::test]
async fn a_session_can_be_ended_whose_agent_lost_its_keeper(#[values("process")] runtime: &'static str) {
    let mut ground = Ground::new(runtime);
    ground.serve().await;
    let cwd = ground.sandbox.work_folder(1).unwrap();
    let script =
        Script { ignore: vec!["HUP".into(), "TERM".into()], children: vec![Under::Setsid, Under::Reparented], ..Script::default() };
    ground.cast.script_for(cwd.to_str().unwrap(), script);
    let (session, run) = ground.start("codex", "x").await;
    let keeper = ProcFs::entry(run.pid).unwrap().parent;
    kill(keeper, Signal::KILL);
    let sent = ground.ask("send_message", json!({ "session_id": session, "message": "y" })).await;
    assert!(sent.is_err());
    ground.ask("end_session", json!({ "session_id": session })).await.unwrap();
    ground.only(&["passmuster"]).await;
}

#[tokio::test]
async fn a_state_folder_has_one_manager() {
    let mut ground = Ground::new("process");
    ground.serve().await;
    let second = ground.passmuster(&["serve", "rpc"]).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains("another manager has this state folder open"), "{said}");
    let listed = ground.passmuster(&["session", "list-sessions"]).output().unwrap();
    let said = String::from_utf8(listed.stderr).unwrap();
    assert!(listed.status.code() == Some(1) && said.contains("another manager has this state folder open"), "{said}");
}

#[rstest]
#[tokio::test]
async fn the_end_of_the_input_ends_a_server_that_somebody_waits_at(
    #[values("rpc", "mcp")] front: &str,
    #[values("process", "tmux")] runtime: &'static str,
) {
    use std::io::Write as _;
    let mut ground = Ground::new(runtime);
    let mut server = ground.passmuster(&["serve", front]).stdin(Stdio::piped()).spawn().unwrap();
    let cwd = ground.sandbox.work_folder(1).unwrap();
    let start = json!({ "agent": "codex", "cwd": cwd, "message": "x" });
    let lines = match front {
        "rpc" => vec![json!({ "id": 1, "method": "wait_events" }), json!({ "id": 2, "method": "start_session", "params": start })],
        _ => vec![
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "wait_events" } }),
            json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "start_session", "arguments": start } }),
        ],
    };
    let mut stdin = server.stdin.take().unwrap();
    for line in lines {
        writeln!(stdin, "{line}").unwrap();
    }
    let run = ground.until(|runs| runs.first().filter(|run| !run.prompts.is_empty()).cloned()).await;
    let began = Instant::now();
    drop(stdin);
    assert!(server.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(!ProcFs.alive(run.pid, run.started_ticks));
    ground.only(&[]).await;
    ground.server = None;
}

#[tokio::test]
async fn commands_at_once_start_one_daemon_and_shutdown_leaves_nothing() {
    let ground = Ground::new("process");
    // What a killed daemon leaves: a socket that refuses.
    std::fs::create_dir_all(ground.state()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(ground.state().join("m.sock")).unwrap());
    let cwds: Vec<PathBuf> = (1..=4).map(|number| ground.sandbox.work_folder(number).unwrap()).collect();
    let starts: Vec<Child> = cwds
        .iter()
        .map(|cwd| {
            let words = ["session", "start-session", "--agent", "codex", "--message", "-x", "--cwd", cwd.to_str().unwrap()];
            ground.passmuster(&words).spawn().unwrap()
        })
        .collect();
    let mut ids: Vec<String> = starts
        .into_iter()
        .map(|start| {
            let output = start.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()["session_id"].as_str().unwrap().to_owned()
        })
        .collect();
    ids.sort();
    assert_eq!(ids, ["s1", "s2", "s3", "s4"]);
    let read = ground.passmuster(&["session", "get-session-data", "--session-id", "s9"]).output().unwrap();
    let error: Value = serde_json::from_slice(&read.stderr).unwrap();
    assert_eq!((read.status.code(), &error["error"]["code"], read.stdout.len()), (Some(1), &json!("session_not_found"), 0));
    assert_eq!(ground.passmuster(&["session", "end-session"]).output().unwrap().status.code(), Some(2));
    // A daemon that was killed leaves its agents; shutdown ends them all the same.
    let daemons = |ground: &Ground| -> Vec<u32> {
        let is_daemon = |pid: u32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("session\0daemon")
        };
        let marked = ProcFs::table().into_iter().map(|entry| entry.pid).filter(|pid| ProcFs::has_mark(*pid, &ground.mark));
        marked.filter(|pid| is_daemon(*pid)).collect()
    };
    let daemon = daemons(&ground);
    assert_eq!(daemon.len(), 1);
    kill(daemon[0], Signal::KILL);
    let shutdown = ground.passmuster(&["session", "shutdown"]).output().unwrap();
    assert!(shutdown.status.success(), "{}", String::from_utf8_lossy(&shutdown.stderr));
    ground.only(&[]).await;
    assert!(ground.cast.runs().iter().all(|run| !ProcFs.alive(run.pid, run.started_ticks)));
    let left: Vec<_> = std::fs::read_dir(ground.state().join("k")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn announcements_can_be_followed() {
    use std::io::BufRead as _;
    let ground = Ground::new("process");
    let mut follow = ground.passmuster(&["session", "events", "--follow"]).spawn().unwrap();
    let mut lines = std::io::BufReader::new(follow.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), r#"{"event":"ready"}"#);
    let cwd = ground.sandbox.work_folder(1).unwrap();
    let words = ["session", "start-session", "--agent", "gemini", "--message", "x", "--cwd", cwd.to_str().unwrap()];
    assert!(ground.passmuster(&words).output().unwrap().status.success());
    let run = ground.until(|runs| runs.first().filter(|run| !run.prompts.is_empty()).cloned()).await;
    assert_eq!(run.agent, AgentKind::Gemini);
    ground.cast.release(&run.id, 1, "y", TurnStatus::Completed);
    let said = tokio::task::spawn_blocking(move || lines.next().unwrap().unwrap()).await.unwrap();
    assert_eq!(said, r#"{"event":"turn_completed","session_id":"s1","turn":1,"status":"completed"}"#);
    assert!(ground.passmuster(&["session", "shutdown"]).output().unwrap().status.success());
    follow.wait().unwrap();
}
