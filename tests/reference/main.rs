//! The reference manager on real processes: what a conformance suite cannot ask of any manager, asked of ours.

mod ground;

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use passmuster::contract::{AgentKind, TurnStatus};
use passmuster::fakes::control::{Child as Under, Script};
use passmuster::fakes::processes::{LiveProcesses as _, ProcFs, kill};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use ground::Ground;

#[rstest]
#[tokio::test]
async fn agents_outlive_a_killed_manager_and_what_they_tell_meanwhile_is_not_lost(#[values("process", "tmux")] runtime: &'static str) {
    let mut ground = Ground::new(runtime);
    ground.serve().await;
    let (first, run) = ground.start("codex", "before").await;
    let (second, other) = ground.start("claude", "to die").await;
    ground.kill_server();
    assert!(ProcFs.alive(run.pid, run.started_ticks));
    ground.registry.release(&run.id, 1, "done meanwhile", TurnStatus::Completed);
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
        ground.registry.release(&run.id, turn, "on", TurnStatus::Completed);
    }
    // What would press keys of its own is refused, not altered.
    let refused = ground.ask("send_message", json!({ "session_id": session, "message": "a\u{1b}[201~\rb" })).await.unwrap_err();
    assert_eq!(refused["data"]["code"], "invalid_argument");
    let prompts: Vec<String> = ground.registry.runs()[0].prompts.iter().skip(1).map(|(_, text)| text.clone()).collect();
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
    ground.registry.script_for(cwd.to_str().unwrap(), script);
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
    ground.registry.script_for(cwd.to_str().unwrap(), script);
    let (session, run) = ground.start("codex", "x").await;
    let shim = ProcFs::entry(run.pid).unwrap().parent;
    kill(shim, Signal::KILL);
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
    assert!(ground.registry.runs().iter().all(|run| !ProcFs.alive(run.pid, run.started_ticks)));
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
    assert_eq!(run.agent, AgentKind::GEMINI);
    ground.registry.release(&run.id, 1, "y", TurnStatus::Completed);
    let said = tokio::task::spawn_blocking(move || lines.next().unwrap().unwrap()).await.unwrap();
    assert_eq!(said, r#"{"event":"turn_completed","session_id":"s1","turn":1,"status":"completed"}"#);
    assert!(ground.passmuster(&["session", "shutdown"]).output().unwrap().status.success());
    follow.wait().unwrap();
}
