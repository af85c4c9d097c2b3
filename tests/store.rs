//! The reference store as a program: killed writers, full disks, many at once, and the worked examples of its documents.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use passmuster::suites::store::reference::{New, StateUpdate, Store};
use serde_json::{Value, json};

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

/// A store's folder, and the program on it.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("session")
    }

    fn store(&self) -> Store {
        Store::new(&self.root())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PASSMUSTER);
        command.args(words).arg("--root").arg(self.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `passmuster store` and gives what it answered, or the code of its error.
    fn ask(&self, words: &[&str]) -> Result<Value, String> {
        let output = self.command(&[&["store"], words].concat()).output().unwrap();
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            false => {
                let said: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
                Err(said["error"]["code"].as_str().unwrap().to_owned())
            }
        }
    }

    fn hook(&self, hook: &str, input: &str) -> Value {
        let mut child = self.command(&["hook", hook]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        said(&child.wait_with_output().unwrap())
    }

    /// The program under a limit of nought bytes for every file that it writes: a disk that is full.
    fn on_a_full_disk(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 0; exec \"$@\"", "sh", PASSMUSTER]).args(words).arg("--root").arg(self.root());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn a_killed_writer_leaves_the_old_record_or_the_new_one() {
    let ground = Ground::new();
    let store = ground.store();
    let id = store.create(New { agent_name: "a".into(), purpose: "p".into(), ..New::default() }).unwrap();
    let began = Instant::now();
    assert_eq!(ground.ask(&["update", &id, "--metadata", r#"{"n":0}"#]), Ok(json!({})));
    // Killed at instants spread evenly over what a call takes, and a little more: golden-ratio steps miss no part of it.
    let (takes, pad) = (began.elapsed().as_nanos() as f64 * 1.2, "x".repeat(20_000));
    let mut known = 0;
    let mut written = 0;
    for round in 1..=500u64 {
        let metadata = json!({ "n": round, "pad": pad }).to_string();
        let mut writer = ground.command(&["store", "update", &id, "--phase", "planning", "--metadata", &metadata]).spawn().unwrap();
        let after = takes * ((round as f64 * 0.618_033_988_749_895) % 1.0);
        std::thread::sleep(Duration::from_nanos(after as u64));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let record = store.get(&id).unwrap();
        let found = record.metadata["n"].as_u64().unwrap();
        assert!(found == known || found == round, "{found} after {known}, written {round}");
        written += usize::from(found == round);
        known = found;
        assert_eq!(record.history.len(), written);
    }
    assert!(written > 0 && written < 500, "every kill came too early, or every one too late: {written}");
    store.update(&id, StateUpdate { phase: Some("executing".into()), ..StateUpdate::default() }).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_the_old_record_stands() {
    let ground = Ground::new();
    let id = ground.store().create(New { agent_name: "a".into(), purpose: "p".into(), ..New::default() }).unwrap();
    let before = ground.store().get(&id).unwrap();
    for words in [
        vec!["store", "update", &id, "--phase", "planning"],
        vec!["store", "finalize", &id, "completed"],
        vec!["store", "create", "a", "p"],
    ] {
        let refused = ground.on_a_full_disk(&words, "");
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert!(
            refused.status.code() == Some(1) && complaint.contains("\"code\":\"internal\"") && complaint.contains("File too large"),
            "{complaint}"
        );
        assert_eq!(ground.store().get(&id).unwrap(), before);
    }
    let stopped = said(&ground.on_a_full_disk(&["hook", "subagent-stop"], &json!({ "agent_id": id }).to_string()));
    assert_eq!((&stopped["finalized"], &stopped["reason"]), (&json!(false), &json!("internal")));
    assert_eq!(ground.store().get(&id).unwrap(), before);
    assert_eq!(ground.ask(&["list"]).unwrap()["sessions"].as_array().unwrap().len(), 1);
}

/// A store's server: asked on its standard input, it answers on its standard output.
struct Server(Child);

impl Server {
    fn start(ground: &Ground) -> Self {
        Self(ground.command(&["store", "serve", "rpc"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Asks everything at once; the answers, in the order in which they came.
    fn ask(mut self, requests: &[Value]) -> Vec<Value> {
        let mut input = self.0.stdin.take().unwrap();
        let answers = BufReader::new(self.0.stdout.take().unwrap());
        let text: String = requests.iter().map(|request| format!("{request}\n")).collect();
        let asking = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
        let answers = answers.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        asking.join().unwrap();
        self.0.wait().unwrap();
        answers
    }
}

fn request(id: usize, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn four_processes_update_one_session_200_times_each_and_nothing_is_lost_or_torn() {
    let ground = Ground::new();
    let store = ground.store();
    let id = store.create(New { agent_name: "a".into(), purpose: "p".into(), ..New::default() }).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut known = 0;
            while !done.load(Ordering::Relaxed) {
                let record = store.get(&id).unwrap();
                assert!(record.history.len() >= known, "an older record came after a newer one");
                known = record.history.len();
                assert!(store.should_resume(&id).is_ok() && store.list(false, None).unwrap().skipped.is_empty());
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|process| {
                let (ground, id) = (&ground, &id);
                scope.spawn(move || {
                    let update = |n: usize| {
                        let metadata = json!({ format!("p{process}"): n });
                        request(n, "update_state", json!({ "session_id": id, "phase": "investigating", "metadata": metadata }))
                    };
                    Server::start(ground).ask(&(1..=200).map(update).collect::<Vec<_>>())
                })
            })
            .collect();
        for writer in writers {
            let answers = writer.join().unwrap();
            assert!(answers.len() == 200 && answers.iter().all(|answer| answer["result"] == json!({})), "{answers:?}");
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    let record = store.get(&id).unwrap();
    assert_eq!(record.history.len(), 800);
    let times: Vec<&str> = record.history.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by_key(|time| time.parse::<jiff::Timestamp>().unwrap()));
}

#[test]
fn sessions_that_are_created_at_once_and_clean_ups_at_once_do_not_disturb_one_another() {
    let ground = Ground::new();
    let create = |n| request(n, "create_session", json!({ "agent_name": "a", "purpose": "p" }));
    let answers = std::thread::scope(|scope| {
        let servers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Server::start(&ground).ask(&(0..100).map(create).collect::<Vec<_>>()))).collect();
        servers.into_iter().flat_map(|server| server.join().unwrap()).collect::<Vec<_>>()
    });
    let ids: std::collections::BTreeSet<&str> = answers.iter().map(|answer| answer["result"]["session_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 400);
    // Nothing is older than nought hours and a moment.
    let removed: u64 = std::thread::scope(|scope| {
        let cleaners: Vec<_> =
            (0..4).map(|_| scope.spawn(|| ground.ask(&["cleanup", "0"]).unwrap()["removed"].as_u64().unwrap())).collect();
        cleaners.into_iter().map(|cleaner| cleaner.join().unwrap()).sum()
    });
    assert_eq!((removed, ground.store().list(false, None).unwrap().sessions.len()), (400, 0));
}

#[test]
fn files_are_for_their_owner_alone_and_for_no_repository() {
    let ground = Ground::new();
    ground.ask(&["create", "a", "p", "--session-id", "s"]).unwrap();
    let root = ground.root();
    assert_eq!((mode(&root), mode(&root.join("s"))), (0o700, 0o700));
    assert_eq!((mode(&root.join("s/state.json")), mode(&root.join("audit.jsonl"))), (0o600, 0o600));
    ground.ask(&["update", "s", "--phase", "approval"]).unwrap();
    assert_eq!(mode(&root.join("s/state.json")), 0o600);
    assert!(std::fs::read_to_string(root.join(".gitignore")).unwrap().lines().any(|line| line == "*"));
}

#[test]
fn an_approval_pause_is_survived() {
    let ground = Ground::new();
    let metadata = r#"{"task_id":"T001","workspace":"prod","api_key":"sk-1"}"#;
    let words = ["create", "--agent", "terraform-architect", "--purpose", "approval_workflow", "--metadata", metadata];
    let created = ground.ask(&words).unwrap();
    let id = created["session_id"].as_str().unwrap();
    ground.ask(&["update", id, "--phase", "planning", "--metadata", r#"{"plan_file":"plan.json"}"#]).unwrap();
    ground.ask(&["update", id, "--phase", "approval"]).unwrap();
    assert_eq!(ground.ask(&["should-resume", id]), Ok(json!({ "resume": true, "reason": "session_resumable" })));
    let input = json!({ "agent_name": "terraform-architect", "agent_id": id });
    let answer = ground.hook("pre-delegate", &input.to_string());
    let metadata = json!({ "task_id": "T001", "workspace": "prod", "api_key": "[redacted]", "plan_file": "plan.json" });
    assert_eq!((&answer["should_resume"], &answer["reason"], &answer["agent_id"]), (&json!(true), &json!("session_resumable"), &json!(id)));
    assert_eq!((&answer["resume_metadata"]["session_metadata"], &answer["original_context"]), (&metadata, &input));
    ground.ask(&["update", id, "--phase", "executing"]).unwrap();
    assert_eq!(ground.ask(&["should-resume", id]).unwrap()["reason"], "not_ready");
    let input = json!({ "agent_id": id, "exit_code": 0, "summary": "Terraform applied successfully" });
    assert_eq!(ground.hook("subagent-stop", &input.to_string()), json!({ "finalized": true, "outcome": "completed" }));
    let session = &ground.ask(&["get", id]).unwrap()["session"];
    assert_eq!((&session["phase"], &session["summary"]), (&json!("completed"), &json!("Terraform applied successfully")));
    assert_eq!(ground.ask(&["finalize", id, "failed"]), Err("session_ended".to_owned()));
    let stats = ground.ask(&["stats", "--json"]).unwrap();
    assert_eq!((&stats["by_agent"], &stats["by_phase"]), (&json!({ "terraform-architect": 1 }), &json!({ "completed": 1 })));
    let figure = |name: &str| stats["figures"].as_array().unwrap().iter().find(|figure| figure["name"] == name).unwrap().clone();
    assert_eq!((&figure("resume rate")["value"], &figure("resume success rate")["value"]), (&json!(100.0), &json!(100.0)));
}

#[test]
fn a_hook_exits_well_on_anything_and_has_a_sample() {
    let ground = Ground::new();
    for input in ["", "{", "null", "\u{0}", r#"{"agent_id":"../x"}"#] {
        assert_eq!(ground.hook("pre-delegate", input)["should_resume"], false);
        assert_eq!(ground.hook("subagent-stop", input)["finalized"], false);
    }
    assert!(!ground.root().exists(), "asking makes no store");
    assert_eq!(
        said(&ground.command(&["hook", "pre-delegate", "--test"]).output().unwrap())["resume_metadata"]["previous_phase"],
        "approval"
    );
    assert_eq!(said(&ground.command(&["hook", "subagent-stop", "--test"]).output().unwrap())["outcome"], "completed");
}

/// What `passmuster verify` reports of the suite on a manifest's store, or on the built-in one.
fn reported(manifest: Option<&str>) -> Value {
    // A run keeps the machine busy by itself; several at once would only wait for one another.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(PASSMUSTER);
    command.args(["verify", "--suite", "resumption", "--no-control", "--report"]).arg(format!("json={}", report.display()));
    command.args(manifest.map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests").join(name)));
    let output = command.current_dir(&folder).output().unwrap();
    serde_json::from_slice(&std::fs::read(report).unwrap_or_else(|_| panic!("{output:?}"))).unwrap()
}

/// What stands in a list of a report, by name: its verdict, and why.
fn verdicts(report: &Value, list: &str, name: &str) -> BTreeMap<String, (String, String)> {
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    report[list].as_array().unwrap().iter().map(|item| (text(item, name), (text(item, "verdict"), text(item, "reason")))).collect()
}

#[rstest::rstest]
fn the_store_has_the_verdicts_behind_every_front_that_it_has_built_in(
    #[values("store-cli.toml", "store-rpc.toml", "store-mcp.toml")] manifest: &str,
) {
    const NO_CLOCK_TO_TURN: &str = "resumption/decision/thirty-minutes-are-exactly";
    const NO_PROCESS_TO_KILL: &str = "resumption/durability/a-writer-that-is-killed-leaves-the-record-of-before-or-of-after";
    let passed = || ("passed".to_owned(), String::new());
    let skipped = |why: &str| ("skipped".to_owned(), why.to_owned());
    let mut expected = verdicts(&reported(None), "scenarios", "key");
    let killed = skipped("nobody who works on a call can be killed: no process does so for the harness alone");
    assert_eq!(expected.insert(NO_PROCESS_TO_KILL.into(), passed()), Some(killed));
    assert_eq!(expected.values().find(|verdict| **verdict != passed()), None);
    expected.insert(NO_CLOCK_TO_TURN.into(), skipped("needs virtual time, which a system of real processes does not have"));
    let found = verdicts(&reported(Some(manifest)), "scenarios", "key");
    let differing: Vec<_> = expected.iter().filter(|(key, verdict)| found.get(*key) != Some(verdict)).collect();
    assert!(differing.is_empty() && found.len() == expected.len(), "expected {differing:#?}");
}

#[test]
fn a_store_that_prints_prose_is_understood_and_found_out() {
    let report = reported(Some("agent-session.toml"));
    let requirements = verdicts(&report, "requirements", "id");
    let of = |verdict: &str| requirements.iter().filter(|(_, (found, _))| found == verdict).map(|(id, _)| &**id).collect::<Vec<_>>();
    // Whether a reader meets a writer and finds half a record, and two clean-ups the same session, is a matter of luck.
    let failed: Vec<&str> = of("failed").into_iter().filter(|id| !["RS-CLEAN-2", "RS-DUR-2"].contains(id)).collect();
    let wrong = "RS-CLEAN-4 RS-CLEAN-5 RS-CREATE-3 RS-CREATE-4 RS-DUR-1 RS-DUR-3 RS-DUR-4 RS-DUR-5 RS-LIST-3 RS-PHASE-4 RS-PHASE-5 \
                 RS-RESUME-6 RS-RESUME-8 RS-SEC-1";
    assert_eq!(failed.join(" "), wrong);
    assert_eq!(of("skipped"), ["RS-HOOK-1", "RS-HOOK-2", "RS-HOOK-3", "RS-HOOK-4"]);
    // Its exit status is an answer: 0 and 1 decide, 2 is an error.
    for id in ["RS-RESUME-1", "RS-RESUME-2", "RS-RESUME-3", "RS-RESUME-4", "RS-RESUME-5", "RS-PHASE-1", "RS-FINAL-2", "RS-LIST-1"] {
        assert_eq!(requirements[id].0, "passed", "{id}");
    }
    let unknown = |verdict: &(String, String)| ["blocked", "could_not_test"].contains(&&*verdict.0);
    assert_eq!(verdicts(&report, "scenarios", "key").into_iter().find(|(_, verdict)| unknown(verdict)), None);
}

#[test]
fn a_store_has_no_fault_of_a_manager() {
    let output = Command::new(PASSMUSTER).args(["store", "--fault", "never-ends", "list"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && complaint.contains("no fault of a store; `passmuster faults list` shows them all"),
        "{complaint}"
    );
}
