//! What the reference supervisor costs on a real Podman: a start, looking after sessions, coming back. `SESSIONS=N` (100) live ones.
//! Figures with their date are in `docs/measurements.md`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it prints figures, and measures what a minute costs")]

#[path = "../tests/support/podman.rs"]
mod podman;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use podman::Podman;

/// Records besides, of sessions that were stopped: with the live ones, a thousand.
const RECORDS: usize = 1000;
/// How long the supervisor is watched while it looks after its sessions.
const WATCHED: Duration = Duration::from_secs(60);
/// How often the command line is asked, to compare.
const ASKED: u32 = 20;

struct Bench {
    root: tempfile::TempDir,
    podman: Podman,
}

impl Bench {
    fn ask(&self, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.args(["supervise", "--image", "agents", "--policy", "start_s=60", "--engine"]).arg(self.podman.socket());
        let output =
            command.arg("--root").arg(self.root.path()).args(args).current_dir(self.root.path()).output().expect("the binary runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn lock(&self) -> std::path::PathBuf {
        self.root.path().join("outputs/agents/.supervisor.lock")
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.lock()).expect("a supervisor").trim().to_owned()
    }
}

/// The processor time of a process and of what it has waited for.
fn processor_time(pid: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let after = stat.rsplit_once(')').expect("a name").1;
    let ticks: u64 = after.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let count = std::env::var("SESSIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_usize);
    let place = tempfile::tempdir().expect("a folder");
    let bench = Bench { root: tempfile::tempdir().expect("a folder"), podman: Podman::start(place.path()) };
    let git = Command::new("git").args(["init", "-q", "-b", "work"]).current_dir(bench.root.path()).status();
    assert!(git.expect("git runs").success());

    let mut starts: Vec<Duration> = (0..count)
        .map(|n| {
            let began = Instant::now();
            bench.ask(&["start", "codex", ".", "live", "work", "--session-id", &format!("live-{n}")]);
            began.elapsed()
        })
        .collect();
    starts.sort();
    println!("a start, from the command to its answer: median {:?}, slowest {:?} (n = {count})", starts[count / 2], starts[count - 1]);

    let pid = bench.pid();
    let before = processor_time(&pid);
    std::thread::sleep(WATCHED);
    let took = processor_time(&pid) - before;
    let share = 100.0 * took.as_secs_f64() / WATCHED.as_secs_f64();
    println!("looking after {count} every 10 s: {share:.2} % of a core");

    let before = processor_time("self");
    for n in 0..ASKED {
        let name = format!("passmuster-live-{}-1", n as usize % count);
        bench.podman.say(&["inspect", &name]);
        bench.podman.say(&["exec", &name, "sh", "-c", "true"]);
    }
    let each = (processor_time("self") - before) / ASKED;
    let cli = 100.0 * each.as_secs_f64() * count as f64 / 10.0;
    println!("the same by `podman inspect` and `podman exec`, the command's time alone: {cli:.1} % ({each:?} a session)");

    let live = fs::read_to_string(bench.root.path().join("outputs/agents/live/live-0/state.json")).expect("a record");
    for n in count..RECORDS {
        let folder = bench.root.path().join(format!("outputs/agents/over/over-{n}"));
        fs::create_dir_all(&folder).expect("a folder");
        let id = format!("\"container_id\": \"{n:064x}\"");
        let record: Vec<String> = live
            .lines()
            .map(|line| match line.trim() {
                line if line.starts_with("\"container_id\"") => format!("{id},"),
                line => line.replace("live-0", &format!("over-{n}")).replace("\"live\"", "\"over\"").replace("\"running\"", "\"stopped\""),
            })
            .collect();
        fs::write(folder.join("state.json"), record.join("\n")).expect("a record");
    }
    let mut back = Vec::new();
    for _ in 0..5 {
        let killed = Command::new("kill").args(["-9", &bench.pid()]).status().expect("kill runs");
        let gone = Command::new("flock").arg(bench.lock()).arg("true").status().expect("flock runs");
        assert!(killed.success() && gone.success());
        let began = Instant::now();
        let listed = bench.ask(&["recover"]);
        back.push(began.elapsed());
        let listed: serde_json::Value = serde_json::from_slice(&listed).expect("JSON");
        let states = |state: &str| listed["sessions"].as_array().into_iter().flatten().filter(|session| session["state"] == state).count();
        assert_eq!((states("running"), states("stopped")), (count, RECORDS - count), "{listed}");
    }
    back.sort();
    println!("coming back to {RECORDS} records, {count} of them live, with its process: median {:?} (n = 5: {back:?})", back[2]);

    for n in 0..count {
        bench.ask(&["stop", &format!("live-{n}"), "--grace-s", "0"]);
    }
    bench.ask(&["shutdown"]);
    assert_eq!(bench.podman.say(&["ps", "-aq"]), "");
}
