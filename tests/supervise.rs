//! The reference supervisor on a real engine: its command line, its fronts, its end and its coming back, and bad engines.

#[path = "support/podman.rs"]
mod podman;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use podman::Podman;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A repository on the branch `work`, with a registry in it.
struct Repository {
    folder: TempDir,
    engine: PathBuf,
    image: &'static str,
    settings: &'static [&'static str],
}

impl Repository {
    fn new(engine: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let begun = Command::new("git").arg("-C").arg(folder.path()).args(["init", "-q", "-b", "work"]).status().unwrap();
        assert!(begun.success());
        Self { folder, engine, image: "agents", settings: &[] }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.args(["supervise", "--image", self.image, "--policy", "interval_s=0.5,first_s=0.2"]);
        command.args(self.settings).arg("--engine").arg(&self.engine).arg("--root").arg(self.path()).current_dir(self.path());
        command
    }

    /// What a command answers, or refuses with.
    fn ask(&self, args: &[&str]) -> Result<Value, Value> {
        let output = self.command().args(args).output().unwrap();
        let read = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("{args:?}: {output:?}"));
        if output.status.success() { Ok(read(&output.stdout)) } else { Err(read(&output.stderr)["error"].clone()) }
    }

    fn start(&self, id: &str, more: &[&str]) -> String {
        let message = format!("begin {id}");
        let args = [&["start", "codex", ".", "dev", "work", "--session-id", id, "--message", &message], more].concat();
        self.ask(&args).unwrap()["container_id"].as_str().unwrap().to_owned()
    }

    fn record(&self, id: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(format!("outputs/agents/dev/{id}/state.json"))).unwrap()).unwrap()
    }

    fn text(&self, id: &str) -> String {
        self.ask(&["get-session-data", id]).unwrap()["text"].as_str().unwrap().to_owned()
    }

    /// Waits until something is announced that is so; gives all that was.
    fn hear_until(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut follow = self.command().args(["events", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
        let mut heard = Vec::new();
        for line in lines {
            let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
            // What was announced before it listened is asked for.
            if said["event"] == "ready" {
                let before = self.ask(&["wait-events", "--timeout-s", "0"]).unwrap();
                heard.extend(before["events"].as_array().unwrap().clone());
            } else {
                heard.push(said);
            }
            if heard.iter().any(&is_it) {
                break;
            }
        }
        follow.kill().unwrap();
        follow.wait().unwrap();
        heard
    }

    fn kill_supervisor(&self) {
        let lock = self.path().join("outputs/agents/.supervisor.lock");
        let killed = Command::new("kill").args(["-9", fs::read_to_string(&lock).unwrap().trim()]).status().unwrap();
        // It is gone when its lock is.
        let gone = Command::new("flock").arg(&lock).arg("true").status().unwrap();
        assert!(killed.success() && gone.success());
    }
}

/// Only a broken test waits this long.
const PATIENCE: Duration = Duration::from_secs(120);

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(began.elapsed() < PATIENCE, "no {what} within {} s", PATIENCE.as_secs()),
        }
    }
}

/// Waits until the agent of a session has written so often that a turn is done.
fn turns(repository: &Repository, id: &str, count: usize) -> String {
    until("a turn that is done", || Some(repository.text(id)).filter(|text| text.matches("Done.").count() >= count))
}

#[test]
fn three_sessions_survive_their_supervisor_and_nothing_is_left_of_them() {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    let repository = Repository::new(podman.socket());
    let pid = |id: &str| podman.say(&["inspect", "--format", "{{.State.Pid}}", id]);
    // Whoever else uses the engine is let alone.
    let other = podman.say(&["run", "-d", "-i", "--label", "passmuster.session=one", "localhost/agents", "sh"]);

    let ids = std::thread::scope(|scope| {
        ["one", "two", "three"].map(|id| scope.spawn(|| repository.start(id, &[]))).map(|started| started.join().unwrap())
    });
    assert_eq!(BTreeSet::from(ids.clone()).len(), 3);
    assert_eq!(repository.record("one")["container_id"], ids[0].as_str());
    assert!(turns(&repository, "one", 1).contains("begin one"));

    assert_eq!(repository.ask(&["pause", "two"]), Ok(json!({ "state": "paused" })));
    assert_eq!(repository.ask(&["send-message", "two", "unheard"]).unwrap_err()["code"], "session_paused");
    assert_eq!(podman.say(&["inspect", "--format", "{{.State.Status}}", &ids[1]]), "running");
    repository.ask(&["stop", "three", "--grace-s", "0"]).unwrap();
    assert_eq!(repository.record("three")["state"], "stopped");

    let before = [pid(&ids[0]), pid(&ids[1])];
    repository.ask(&["send-message", "one", "while nobody looks"]).unwrap();
    repository.kill_supervisor();
    let found = repository.ask(&["recover"]).unwrap();
    let states: Vec<_> = found["sessions"].as_array().unwrap().iter().map(|session| (&session["session_id"], &session["state"])).collect();
    assert_eq!(json!(states), json!([["one", "running"], ["three", "stopped"], ["two", "paused"]]));
    assert_eq!([pid(&ids[0]), pid(&ids[1])], before);
    let text = turns(&repository, "one", 2);
    assert_eq!(text.matches("while nobody looks").count(), 1, "{text}");

    assert_eq!(repository.ask(&["resume", "two"]), Ok(json!({ "state": "running" })));
    repository.ask(&["send-message", "two", "heard"]).unwrap();
    assert!(!turns(&repository, "two", 2).contains("unheard"));
    let healthy = repository.ask(&["health"]).unwrap();
    let healthy: Vec<_> = healthy["checks"].as_array().unwrap().iter().map(|check| &check["healthy"]).collect();
    assert_eq!(json!(healthy), json!([true, false, true]));

    // An end that nobody asked for, with and without a restart.
    repository.ask(&["set-auto-restart", "one", "true"]).unwrap();
    podman.say(&["kill", &ids[0], &ids[1]]);
    let to = |id: &'static str, state: &'static str| move |said: &Value| said["session_id"] == id && said["to"] == state;
    repository.hear_until(to("two", "error"));
    let heard = repository.hear_until(|said| said["session_id"] == "one" && said["from"] == "starting" && said["to"] == "running");
    assert!(heard.iter().any(|said| said["event"] == "restart_scheduled" && said["delay_s"] == 0.2), "{heard:?}");
    let again = repository.record("one")["container_id"].clone();
    assert_ne!(again, ids[0].as_str());
    assert!(repository.text("one").starts_with(&text[..20]));

    let own = format!("label=passmuster.registry={}", repository.path().canonicalize().unwrap().display());
    for id in ["one", "two"] {
        repository.ask(&["stop", id]).unwrap();
    }
    assert_eq!(podman.say(&["ps", "-aq", "--filter", &own]), "");
    repository.ask(&["shutdown"]).unwrap();
    assert_eq!(podman.say(&["ps", "-q", "--no-trunc"]), other);
    podman.say(&["rm", "-f", "-t", "0", &other]);
    // They outlive their containers by a second.
    until("end of the containers' monitors", || podman.monitors().is_empty().then_some(()));
    assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(place.path().to_str().unwrap()));
}

/// The process of a session's agent: the one below its container's first.
fn agent(podman: &Podman, container: &str) -> String {
    let relay = podman.say(&["inspect", "--format", "{{.State.Pid}}", container]);
    fs::read_to_string(format!("/proc/{relay}/task/{relay}/children")).unwrap().trim().to_owned()
}

/// Whether a process is stopped in the middle.
fn is_stopped(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")
}

fn signal(pid: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

#[test]
fn a_hung_agent_and_another_branch_are_noticed_and_made_good_again() {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    let mut repository = Repository::new(podman.socket());
    repository.settings = &["--policy", "timeout_s=0.3,failures=2"];
    let hung = agent(&podman, &repository.start("s", &[]));
    signal(&hung, "-STOP");
    let heard = repository.hear_until(|said| said["event"] == "escalated");
    let failed = heard.iter().find(|said| said["event"] == "health_failed").unwrap();
    assert_eq!((&failed["failures"], &repository.record("s")["state"]), (&json!(2), &json!("running")));
    signal(&hung, "-CONT");
    let well = || Some(repository.record("s")).filter(|record| record["health"] == "ok");
    until("session that is well again", well);

    let git = |args: &[&str]| assert!(Command::new("git").args(args).current_dir(repository.path()).status().unwrap().success());
    git(&["symbolic-ref", "HEAD", "refs/heads/elsewhere"]);
    assert_eq!(repository.ask(&["send-message", "s", "unheard"]).unwrap_err()["code"], "branch_mismatch");
    until("session off its branch", || Some(repository.record("s")).filter(|record| record["health"] == "failed"));
    git(&["symbolic-ref", "HEAD", "refs/heads/work"]);
    until("session on its branch again", well);
    assert_eq!(repository.ask(&["send-message", "s", "heard"]), Ok(json!({})));
    assert!(!turns(&repository, "s", 2).contains("unheard"));
    assert_eq!(repository.ask(&["start", "codex", ".", "dev", "other"]).unwrap_err()["code"], "branch_mismatch");
    repository.ask(&["stop", "s"]).unwrap();
    repository.ask(&["shutdown"]).unwrap();
    assert_eq!(podman.say(&["ps", "-aq"]), "");
}

#[rstest]
#[case::freeze(&["--pause", "freeze"])]
#[case::signal(&["--pause", "TSTP:CONT"])]
fn a_pause_stops_what_it_is_told_to_and_lets_it_go_on(#[case] settings: &'static [&'static str]) {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    let mut repository = Repository::new(podman.socket());
    repository.settings = settings;
    let id = repository.start("s", &[]);
    turns(&repository, "s", 1);
    let pid = agent(&podman, &id);
    let is_frozen = || podman.say(&["inspect", "--format", "{{.State.Status}}", &id]) == "paused";
    repository.ask(&["pause", "s"]).unwrap();
    until("stop of what runs", || (is_frozen() || is_stopped(&pid)).then_some(()));
    repository.ask(&["resume", "s"]).unwrap();
    assert_eq!(repository.ask(&["send-message", "s", "on"]), Ok(json!({})));
    turns(&repository, "s", 2);
    assert_eq!(agent(&podman, &id), pid);
    // What is paused can be stopped.
    repository.ask(&["pause", "s"]).unwrap();
    repository.ask(&["stop", "s", "--grace-s", "0.2"]).unwrap();
    repository.ask(&["shutdown"]).unwrap();
    assert_eq!(podman.say(&["ps", "-aq"]), "");
}

fn refused(repository: &Repository, agent: &str, more: &[&str]) -> Value {
    repository.ask(&[&["start", agent, ".", "dev", "work"], more].concat()).unwrap_err()
}

#[test]
fn an_agent_that_does_not_come_up_leaves_its_words_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    let mut repository = Repository::new(podman.socket());
    let error = refused(&repository, "claude", &[]);
    assert_eq!(error["code"], "agent_failed", "{error}");
    assert!(error["message"].as_str().unwrap().contains("the agent \"claude\" cannot be started: "), "{error}");
    assert_eq!(podman.say(&["ps", "-aq"]), "");
    let roles: Vec<_> = fs::read_dir(repository.path().join("outputs/agents")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!roles.iter().any(|name| name == "dev"), "{roles:?}");
    assert_eq!(refused(&repository, "codex", &["--session-id", "../x"])["code"], "invalid_argument");
    assert_eq!(refused(&repository, "cobol", &[])["code"], "unknown_agent");
    // Other settings are for another supervisor.
    repository.image = "nothing";
    let error = refused(&repository, "codex", &[]);
    assert!(error["message"].as_str().unwrap().contains("with other settings: --image agents"), "{error}");
    repository.image = "agents";
    repository.ask(&["shutdown"]).unwrap();
    repository.image = "nothing";
    let error = refused(&repository, "codex", &[]);
    assert_eq!(error["code"], "engine_unavailable");
    assert!(error["message"].as_str().unwrap().contains("it has no image \"nothing\""), "{error}");
    repository.ask(&["shutdown"]).unwrap();
}

#[test]
fn the_supervisor_is_served_and_there_is_one() {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    let repository = Repository::new(podman.socket());
    let mut command = repository.command();
    command.args(["serve", "rpc"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut served = command.spawn().unwrap();
    let mut to = served.stdin.take().unwrap();
    let mut from = BufReader::new(served.stdout.take().unwrap());
    let mut call = move |method: &str, params: Value| {
        writeln!(to, "{}", json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params })).unwrap();
        loop {
            let mut line = String::new();
            assert!(from.read_line(&mut line).unwrap() > 0, "no answer to {method}");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == method {
                return message["result"].clone();
            }
        }
    };
    let started =
        call("start_session", json!({ "agent": "codex", "cwd": repository.path(), "role": "dev", "branch": "work", "session_id": "s" }));
    assert_eq!(call("inspect_session", json!({ "session_id": "s" }))["session"]["container_id"], started["container_id"]);
    let second = repository.ask(&["list"]).unwrap_err();
    let (message, pid) = (second["message"].as_str().unwrap(), served.id());
    assert!(message.contains("another supervisor is on the registry") && message.contains(&format!("(pid {pid})")), "{message}");
    call("stop_session", json!({ "session_id": "s" }));
    assert_eq!(call("list_sessions", json!({}))["sessions"][0]["state"], "stopped");
    drop(call);
    assert!(served.wait().unwrap().success());
    assert_eq!(podman.say(&["ps", "-aq"]), "");
}

/// What listens where an engine should.
fn instead(socket: &Path, answer: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 1024];
            // Whoever is gone asks nothing, and hears nothing.
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

const OLD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\nConnection: close\r\n\r\n{\"ApiVersion\":\"1.24\"}";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"message\":\"full.\"}";

#[rstest]
#[case::absent(None, "cannot be reached: there is no ")]
#[case::closing(Some(""), "gave no answer that an engine gives")]
#[case::garbage(Some("220 mail.example.org ESMTP\r\n"), "gave no answer that an engine gives")]
#[case::old(Some(OLD), "speaks version 1.24 of the Docker API, wanted 1.40 or newer")]
#[case::broken(Some(BROKEN), "full. (500)")]
fn an_engine_that_is_none_is_told(#[case] answer: Option<&'static str>, #[case] wanted: &str) {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("engine.sock");
    if let Some(answer) = answer {
        instead(&socket, answer);
    }
    let repository = Repository::new(socket);
    let error = repository.ask(&["start", "codex", ".", "dev", "work"]).unwrap_err();
    assert_eq!(error["code"], "engine_unavailable", "{error}");
    assert!(error["message"].as_str().unwrap().contains(wanted), "{error}");
    assert_eq!(repository.ask(&["list"]).unwrap()["sessions"], json!([]));
    repository.ask(&["shutdown"]).unwrap();
}
