//! Recording real traffic: nothing is changed on the way, and what was seen is in the trace, whoever dies.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use passmuster::contract::TurnStatus;
use passmuster::fakes::processes::{ProcFs, kill};
use passmuster::trace::{Entry, Record, jsonl};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::ground::{Ground, PATIENCE};
use super::{PASSMUSTER, Turns, Way, all, run};

fn records(path: &Path) -> Vec<Record> {
    jsonl::read(BufReader::new(std::fs::File::open(path).unwrap())).map(Result::unwrap).collect()
}

/// A trace's requests and announcements, in words, with how each request was answered.
fn told(records: &[Record]) -> Vec<String> {
    let answer = |id: &u64| {
        records.iter().find_map(|record| match &record.entry {
            Entry::Reply { id: of, ok: Some(_), .. } if of == id => Some("ok".to_owned()),
            Entry::Reply { id: of, error: Some(error), .. } if of == id => Some(error.code.name().to_owned()),
            _ => None,
        })
    };
    let word = |record: &Record| match &record.entry {
        Entry::Request { id, op, .. } => Some(format!("{op}: {}", answer(id).unwrap_or("unanswered".into()))),
        Entry::Event(said) => Some(said.name().to_owned()),
        _ => None,
    };
    records.iter().filter_map(word).collect()
}

fn recorder(out: &Path, server: &[&str]) -> Command {
    let mut command = Command::new(PASSMUSTER);
    command.args(["record", "--out"]).arg(out).arg("--").args(server);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn started(mut command: Command) -> (Child, std::process::ChildStdin, BufReader<std::process::ChildStdout>) {
    let mut child = command.spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    (child, input, output)
}

#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn wait(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(began.elapsed() < PATIENCE, "it did not end");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn every_byte_passes_unchanged_and_the_servers_status_is_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut input, mut output) = started(recorder(&folder.path().join("t"), &["/bin/sh", "-c", "cat; exit 7"]));
    // More than any pipe holds; every byte there is, in long lines and short ones, and no newline at the end.
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let writing = std::thread::spawn({
        let sent = sent.clone();
        move || input.write_all(&sent).unwrap()
    });
    let mut got = Vec::new();
    output.read_to_end(&mut got).unwrap();
    writing.join().unwrap();
    assert!(got == sent, "{} bytes came of {}", got.len(), sent.len());
    assert_eq!(wait(&mut child), Some(7));
}

/// The trace of an orchestrator at work on one Codex session.
const WORK: [&str; 5] = ["start_session: ok", "turn_completed", "get_session_data: ok", "end_session: ok", "list_sessions: ok"];

/// What is told that must be, in its order; the rest may come anywhere.
fn work(records: &[Record]) -> Vec<String> {
    let mut told: Vec<String> = told(records).into_iter().filter(|word| WORK.contains(&word.as_str())).collect();
    told.dedup();
    told
}

/// Judges a trace by the rules for orchestrators: whether it is conformant, and what was printed.
fn checked(trace: &Path) -> (bool, String) {
    let output = Command::new(PASSMUSTER).args(["trace", "check", "--format", "plain"]).arg(trace).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[rstest]
#[case::obeys_the_rules(&[], None)]
#[case::ends_twice(&["--fault", "ends-twice"], Some("OR-4"))]
#[tokio::test]
async fn an_orchestrators_work_over_mcp_is_in_the_trace_and_can_be_judged(#[case] fault: &[&str], #[case] breaks: Option<&str>) {
    let mut ground = Ground::new("process");
    let trace = ground.sandbox.path().join("run/trace");
    let command = json!([PASSMUSTER, "record", "--out", trace, "--", PASSMUSTER, "serve", "mcp", "--state", ground.state()]).to_string();
    let orchestrate = [&[PASSMUSTER, "orchestrate", "--via", "mcp"], fault].concat().iter().map(|word| (*word).to_owned()).collect();
    let way = Way { command: orchestrate, variables: vec![("PASSMUSTER_MCP_COMMAND", command)], server: None };
    let came = run(&mut ground, &way, &["codex"], Turns::End(TurnStatus::Completed)).await;
    assert_eq!((came.exit, came.outcomes), (Some(0), all("done", 1)), "{}", came.said);
    ground.only(&[]).await;
    let (conformant, said) = checked(&trace);
    assert_eq!(conformant, breaks.is_none(), "{said}");
    match breaks {
        None => assert_eq!(work(&records(&trace)), WORK),
        Some(breaks) => assert!(said.contains(&format!("FAILED  {breaks} ")), "{said}"),
    }
}

#[tokio::test]
async fn an_orchestrators_work_over_a_socket_is_in_the_trace() {
    let mut ground = Ground::new("process");
    ground.serve().await;
    let (trace, socket) = (ground.sandbox.path().join("run/trace"), ground.sandbox.path().join("run/r.sock"));
    let mut record = Command::new(PASSMUSTER);
    record.args(["record", "--out"]).arg(&trace).arg("--listen").arg(&socket).arg("--to").arg(ground.socket());
    let mut record = record.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(record.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("recording between"), "{said}");
    let orchestrate = [PASSMUSTER, "orchestrate", "--via", "rpc"].map(str::to_owned).to_vec();
    let variables = vec![("PASSMUSTER_RPC_SOCKET", socket.display().to_string())];
    let way = Way { command: orchestrate, variables, server: None };
    let came = run(&mut ground, &way, &["codex"], Turns::End(TurnStatus::Completed)).await;
    assert_eq!((came.exit, came.outcomes), (Some(0), all("done", 1)), "{}", came.said);
    kill(record.id(), Signal::TERM);
    assert_eq!((wait(&mut record), socket.exists()), (Some(0), false));
    assert_eq!(work(&records(&trace)), WORK);
}

/// A server that answers one request and then waits to be ended.
const ONE_ANSWER: &str = r#"read line; printf '%s\n' '{"jsonrpc":"2.0","id":"a","result":{"sessions":[]}}'; exec sleep 100"#;

fn list(id: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "list_sessions", "params": {} }).to_string() + "\n"
}

fn asked_once(trace: &Path) -> (Child, std::process::ChildStdin) {
    let (child, mut input, mut output) = started(recorder(trace, &["/bin/sh", "-c", ONE_ANSWER]));
    input.write_all(list("a").as_bytes()).unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("sessions"));
    input.write_all(list("b").as_bytes()).unwrap();
    (child, input)
}

/// Waits until a trace has what was said.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn until(trace: &Path, wanted: &[&str]) -> Vec<Record> {
    let began = Instant::now();
    loop {
        let records = records(trace);
        if told(&records) == wanted {
            return records;
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", told(&records));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

const SEEN: [&str; 2] = ["list_sessions: ok", "list_sessions: unanswered"];

/// The processes under another, by number.
fn children(pid: u32) -> Vec<u32> {
    let table = ProcFs::table();
    ProcFs::descendants(&table, pid).iter().map(|entry| entry.pid).collect()
}

#[test]
fn what_was_seen_is_kept_when_the_server_dies() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t");
    let (mut child, _input) = asked_once(&trace);
    until(&trace, &SEEN);
    children(child.id()).into_iter().for_each(|server| kill(server, Signal::KILL));
    assert_eq!(wait(&mut child), Some(137));
    let notes: Vec<String> = records(&trace)
        .into_iter()
        .filter_map(|record| match record.entry {
            Entry::Note { text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["request 2 (list_sessions) was never answered", "the server ended: signal: 9 (SIGKILL)"]);
}

#[test]
fn what_was_seen_is_kept_when_the_recorder_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t");
    let (mut child, _input) = asked_once(&trace);
    until(&trace, &SEEN);
    let servers = children(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    servers.into_iter().for_each(|server| kill(server, Signal::KILL));
    assert_eq!(told(&records(&trace)), SEEN);
}

#[test]
fn what_asks_the_recorder_to_end_asks_the_server_and_a_second_recording_goes_on_with_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let trace: PathBuf = folder.path().join("t");
    for recordings in 1..=2 {
        let (mut child, _input) = asked_once(&trace);
        until(&trace, &[SEEN, SEEN].concat()[..2 * recordings]);
        kill(child.id(), Signal::TERM);
        assert_eq!(wait(&mut child), Some(143));
    }
    let records = records(&trace);
    assert_eq!(told(&records), [SEEN, SEEN].concat());
    let times: Vec<u64> = records.iter().filter_map(|record| record.at_ms).collect();
    assert!(times.is_sorted(), "{times:?}");
    let lines = std::fs::read_to_string(&trace).unwrap();
    let metas: Vec<Value> =
        lines.lines().filter(|line| line.contains(r#""meta""#)).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(metas.len() == 2 && metas.iter().all(|meta| meta["at"].is_string() && meta["system"] == "sh"), "{metas:?}");
}
