//! What judging a recorded trace costs. Figures with their date are in `docs/measurements.md`.
//!
//! The trace is generated once: 200,000 sessions in 5,000,000 records, some 400 sessions open at a time, all three agents,
//! as orchestrators that obey the rules would make it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use divan::Bencher;
use divan::counter::ItemsCount;
use passmuster::suites::orchestrator::rules::Judge;
use passmuster::trace::settings::Settings;
use passmuster::trace::source::SourceLines;
use passmuster::trace::{Record, RecordView};

const RECORDS_OF_A_SESSION: usize = 25;

#[allow(clippy::print_stdout, reason = "it is what the program is asked for")]
fn main() {
    for records in [1_000_000, 5_000_000] {
        println!("{} records: peak memory of `trace check` {} MiB", records, peak_memory(&trace(records)) / 1024);
    }
    divan::main();
}

/// The same trace every time, written once.
fn trace(records: usize) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{records}.jsonl"));
    if !path.is_file() {
        let half = path.with_extension("half");
        write(BufWriter::new(File::create(&half).expect("a file")), records / RECORDS_OF_A_SESSION).expect("written");
        std::fs::rename(&half, &path).expect("renamed");
    }
    path
}

/// Sessions begin every 100 ms and last 40 s; what happens is written in the order of time.
fn write(mut out: impl Write, sessions: usize) -> std::io::Result<()> {
    let mut queue: BinaryHeap<Reverse<(u64, u64, String)>> = BinaryHeap::new();
    let (mut id, mut order) = (0_u64, 0_u64);
    for n in 0..sessions {
        let began = n as u64 * 100;
        while queue.peek().is_some_and(|Reverse((at, ..))| *at <= began) {
            if let Some(Reverse((_, _, line))) = queue.pop() {
                out.write_all(line.as_bytes())?;
            }
        }
        let session = format!("01890a5d-ac96-774b-{:04x}-{n:012x}", n % 65_536);
        let agent = ["claude", "codex", "gemini"][n % 3];
        let mut push = |at: u64, line: String| {
            order += 1;
            queue.push(Reverse((at, order, line)));
        };
        let mut call = |at: u64, op: &str, args: &str, answer: &str| {
            id += 1;
            push(at, format!("{{\"at_ms\":{at},\"kind\":\"request\",\"id\":{id},\"op\":\"{op}\",\"args\":{{{args}}}}}\n"));
            push(at + 3, format!("{{\"at_ms\":{},\"kind\":\"reply\",\"id\":{id},{answer}}}\n", at + 3));
        };
        let of = format!("\"session_id\":\"{session}\"");
        let start =
            format!("\"agent\":\"{agent}\",\"cwd\":\"/work/{n}\",\"message\":\"repair the build of part {n}\",\"request_id\":\"q{n}\"");
        call(began, "start_session", &start, &format!("\"ok\":{{{of},\"timeout_s\":259200.0}}"));
        let polls: &[u64] = &[2000, 4000, 7000, 11_000, 16_000, 22_000, 29_000, 36_000];
        let text = "● Read src/main.rs\\n● Ran cargo check\\n".repeat(6);
        for at in polls {
            match agent {
                "codex" => call(began + at, "capture_screen", &of, "\"ok\":{\"text\":\"working\"}"),
                _ => call(began + at, "get_session_data", &of, &format!("\"ok\":{{\"text\":\"{text}{at}\",\"truncated\":false}}")),
            }
        }
        call(began + 38_010, "get_session_data", &of, &format!("\"ok\":{{\"text\":\"{text}done\",\"truncated\":false}}"));
        call(began + 38_020, "end_session", &of, "\"ok\":{}");
        let others = format!("\"ok\":{{\"sessions\":[{{\"session_id\":\"other-{n}\",\"agent\":\"codex\",\"status\":\"running\"}}]}}");
        call(began + 38_040, "list_sessions", "", &others);
        let told = format!("{{\"at_ms\":{},\"kind\":\"event\",\"event\":\"turn_completed\",{of},\"turn\":1}}\n", began + 38_000);
        push(began + 38_000, told);
    }
    while let Some(Reverse((_, _, line))) = queue.pop() {
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

/// The most memory that `passmuster trace check` held, in KiB.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn peak_memory(path: &Path) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_passmuster"))
        .args(["trace", "check", "--format", "json"])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let held = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(held.unwrap_or_default());
        // The kernel keeps the peak: any interval will do while the process is there to be asked.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    peak
}

/// Reads every line of the trace.
fn each(path: &Path, mut see: impl FnMut(usize, &[u8])) {
    let mut lines = SourceLines::open(path).expect("the trace");
    while let Some(line) = lines.next_line().expect("a line") {
        see(line.number, line.bytes.expect("a short line"));
    }
}

/// Merely parsing it into the record type: what judging is compared with.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn parse_1_000_000_records(bencher: Bencher) {
    let path = trace(1_000_000);
    bencher.counter(ItemsCount::new(1_000_000_usize)).bench_local(|| {
        each(&path, |_, bytes| drop(divan::black_box(serde_json::from_slice::<Record>(bytes).expect("a record"))));
    });
}

/// Glancing at it.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn glance_at_1_000_000_records(bencher: Bencher) {
    let path = trace(1_000_000);
    bencher.counter(ItemsCount::new(1_000_000_usize)).bench_local(|| {
        each(&path, |_, bytes| drop(divan::black_box(RecordView::of_line(bytes).expect("a record"))));
    });
}

/// Glancing at it and judging it.
#[divan::bench(sample_count = 3, sample_size = 1, args = [1_000_000, 5_000_000])]
fn judge(bencher: Bencher, records: usize) {
    let path = trace(records);
    bencher.counter(ItemsCount::new(records)).bench_local(|| {
        let mut judge = Judge::new(&Settings::default());
        each(&path, |line, bytes| judge.see(line, &RecordView::of_line(bytes).expect("a record")));
        let judgement = judge.finish();
        assert!(judgement.contradictions.is_empty(), "{:?}", judgement.contradictions.first());
    });
}
