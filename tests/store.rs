//! The reference store as a program: killed writers, full disks, many at once, and the worked examples of its documents.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use passmuster::reference::resumption::{Change, New, Store};
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
    store.update(&id, Change { phase: Some("executing".into()), ..Change::default() }).unwrap();
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

/// Runs some scenarios of the suite on a manifest's store.
fn verified(manifest: &str, scenarios: &[&str]) -> (Option<i32>, String) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests").join(manifest);
    let mut command = Command::new(PASSMUSTER);
    command.arg("verify").arg(manifest);
    command.args(scenarios.iter().flat_map(|key| ["--scenario".to_owned(), format!("resumption/{key}")]));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[rstest::rstest]
fn the_store_conforms_behind_every_front(#[values("store-cli.toml", "store-rpc.toml", "store-mcp.toml")] manifest: &str) {
    let some = [
        "examples/an-approval-pause-is-survived",
        "examples/an-investigation-goes-on-over-three-turns",
        "durability/updates-at-once-are-all-kept",
        "decision/just-under-thirty-minutes-are-not-too-long",
        "decision/thirty-minutes-are",
        "cleanup/what-is-older-goes-what-is-younger-stays",
        "metadata/values-keep-their-types-two-nlines-and-a-quote",
        "creation/an-id-that-is-no-plain-name-is-refused-absolute",
    ];
    let (code, text) = verified(manifest, &some);
    assert!(code == Some(0) && text.contains("8 passed"), "{text}");
}

#[test]
fn a_store_that_prints_prose_is_understood_and_found_out() {
    let (code, text) = verified("agent-session.toml", &["decision/thirty-minutes-are", "metadata/findings-accumulate-over-turns"]);
    assert!(code == Some(0) && text.contains("2 passed"), "{text}");
    let (code, text) = verified("agent-session.toml", &["creation/a-session-that-is-there-is-refused-and-stays-as-it-is"]);
    assert!(code == Some(1) && text.contains("RS-CREATE-3"), "{text}");
}
