//! What `passmuster record` adds to each answer. Figures with their date are in `docs/measurements.md`.
//!
//! The same question is put to a server by turns directly and through a recorder, one at a time; the difference of the
//! quantiles is what the recorder adds. Plain, for quantiles are the point.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");
const ROUNDS: usize = 5_000;

struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        let mut child =
            command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        Self { child, input, output }
    }

    /// Asks once; how long the answer took.
    fn ask(&mut self, question: &str) -> Duration {
        let began = Instant::now();
        self.input.as_mut().expect("it is open").write_all(question.as_bytes()).expect("it listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        began.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both end when their input does.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Compares a server with another of its kind behind a recorder.
#[allow(clippy::print_stdout, reason = "it is what the program is asked for")]
fn compare(what: &str, [server, other]: [&[&str]; 2], trace: &Path) {
    let trace = trace.display().to_string();
    let recorded = [&[PASSMUSTER, "record", "--out", &trace, "--"], other].concat();
    let (mut direct, mut through) = (Server::start(server), Server::start(&recorded));
    let question = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list_sessions\",\"params\":{}}\n";
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 100 {
        let times = (direct.ask(question), through.ask(question));
        // The first hundred warm everything up.
        if round >= 100 {
            without.push(times.0);
            with.push(times.1);
        }
    }
    without.sort();
    with.sort();
    for (name, at) in [("p50", ROUNDS / 2), ("p99", ROUNDS * 99 / 100)] {
        let added = with[at].saturating_sub(without[at]);
        println!("{what}, {name}: {:.1?} directly, {:.1?} recorded, {added:.1?} added", without[at], with[at]);
    }
}

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let folder = tempfile::Builder::new().prefix("pm").tempdir().expect("a folder");
    compare("an echo (cat)", [&["cat"], &["cat"]], &folder.path().join("echo.jsonl"));
    let states = ["1", "2"].map(|name| folder.path().join(name).display().to_string());
    let serve = |state| [PASSMUSTER, "serve", "rpc", "--state", state];
    compare("list_sessions of the reference", [&serve(&states[0]), &serve(&states[1])], &folder.path().join("list.jsonl"));
}
