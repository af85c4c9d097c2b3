//! `passmuster gate`: the reference orchestrator passes over every front, in memory and for real; bad orchestrators get a
//! verdict, and leave nothing behind.

use std::path::Path;
use std::process::Command;

use passmuster::results::model::{Report, Verdict};

const EASY: &str = "orchestrator/managers/nothing-is-difficult";

/// Gates a command; gives the report and the exit status.
fn gated(args: &[&str], command: &[&str]) -> (Report, i32) {
    let mut gate = Command::new(env!("CARGO_BIN_EXE_passmuster"));
    gate.arg("gate").args(["--format", "json"]).args(args);
    if !command.is_empty() {
        gate.arg("--").args(command);
    }
    let output = gate.output().unwrap();
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

/// The requirements that failed.
fn failed(report: &Report) -> Vec<&str> {
    that_came_out(report, Verdict::Failed)
}

fn that_came_out(report: &Report, verdict: Verdict) -> Vec<&str> {
    report.requirements.iter().filter(|requirement| requirement.verdict == verdict).map(|requirement| requirement.id.as_str()).collect()
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/orchestrators").join(name).display().to_string()
}

#[test]
fn in_memory_the_reference_keeps_every_rule() {
    let (report, status) = gated(&[], &[]);
    assert_eq!(status, 0, "{:#?}", report.scenarios);
    assert!(report.requirements.iter().all(|requirement| requirement.verdict == Verdict::Passed), "{:#?}", report.requirements);
}

#[test]
fn over_every_front_the_reference_keeps_every_rule() {
    let passmuster = env!("CARGO_BIN_EXE_passmuster");
    std::thread::scope(|scope| {
        for via in ["cli", "rpc", "mcp"] {
            scope.spawn(move || {
                let (report, status) = gated(&["--jobs", "6"], &[passmuster, "orchestrate", "--via", via]);
                let wrong: Vec<_> =
                    report.scenarios.iter().filter(|it| !matches!(it.verdict, Verdict::Passed | Verdict::Skipped)).collect();
                assert!(status == 0 && wrong.is_empty(), "{via}: {wrong:#?}");
                let unknown: Vec<_> =
                    report.requirements.iter().filter(|it| it.verdict != Verdict::Passed).map(|it| it.id.as_str()).collect();
                assert_eq!(unknown, ["OR-10"], "a day does not pass here");
            });
        }
    });
}

#[test]
fn who_polls_without_measure_is_found_over_every_front_and_nothing_else() {
    let cases = [("polls-in-a-tight-loop", &["OR-11b"][..]), ("never-backs-off", &[])];
    std::thread::scope(|scope| {
        for (via, (fault, breaks)) in ["cli", "rpc", "mcp"].into_iter().flat_map(|via| cases.map(|case| (via, case))) {
            scope.spawn(move || {
                let command = [env!("CARGO_BIN_EXE_passmuster"), "orchestrate", "--via", via, "--fault", fault];
                let (report, _) = gated(&["--scenario", "orchestrator/agents/a-slow-first-turn-of-claude"], &command);
                assert_eq!((failed(&report), that_came_out(&report, Verdict::Warned)), (breaks.to_vec(), vec!["OR-11"]), "{via} {fault}");
            });
        }
    });
}

#[test]
fn over_the_stdio_bridge_too() {
    let bridge = "import json, os; os.environ.pop('PASSMUSTER_MCP_URL'); os.execv(os.environ['PM'], [os.environ['PM'], 'orchestrate', '--via', 'mcp'])";
    let pm = format!("import os; os.environ['PM'] = {:?}\n{bridge}", env!("CARGO_BIN_EXE_passmuster"));
    let (report, status) = gated(&["--scenario", EASY], &["python3", "-c", &pm]);
    assert_eq!(status, 0, "{:#?}", report.scenarios);
}

#[test]
fn a_small_orchestrator_in_python_passes_and_its_twin_fails() {
    let some = [
        EASY,
        "orchestrator/managers/a-session-is-not-found-during-its-first-turn",
        "orchestrator/managers/the-reply-to-a-start-of-codex-is-lost",
        "orchestrator/agents/a-turn-of-codex-never-ends",
        "orchestrator/agents/one-of-several-fails",
    ];
    let args: Vec<&str> = some.iter().flat_map(|key| ["--scenario", *key]).collect();
    let (report, status) = gated(&args, &["python3", &fixture("next_work.py")]);
    assert_eq!((status, report.summary.passed), (0, some.len()), "{:#?}", report.scenarios);
    let (report, status) = gated(&args, &["python3", &fixture("next_work_faulty.py")]);
    assert_eq!(status, 1);
    assert!(failed(&report).contains(&"OR-1"), "{:?}", failed(&report));
}

#[test]
fn one_that_starts_nothing_and_says_so_could_not_be_tested() {
    let (report, status) = gated(&["--scenario", EASY], &["sh", "-c", "echo no such tool >&2; exit 3"]);
    assert_eq!(status, 2);
    assert_eq!(report.scenarios[0].verdict, Verdict::Blocked);
    assert_eq!(report.scenarios[0].reason.as_deref(), Some("the orchestrator started no session (exit status 3): no such tool"));
}

#[test]
fn one_that_starts_nothing_and_says_that_all_is_done_fails() {
    let (report, status) = gated(&["--scenario", EASY], &["true"]);
    assert_eq!((status, failed(&report)), (1, vec!["OR-12"]));
}

#[test]
fn what_is_found_outside_of_the_selection_is_told_with_its_requirement() {
    let (report, status) = gated(&["--requirement", "OR-1", "--scenario", EASY], &["true"]);
    let told: Vec<_> = report.requirements.iter().map(|told| (told.id.as_str(), told.verdict)).collect();
    assert_eq!((status, told), (1, vec![("OR-1", Verdict::NotExercised), ("OR-12", Verdict::Failed)]));
    assert!(report.requirements[1].sentence.starts_with("An orchestrator MUST exit with zero"));
}

#[test]
fn one_that_leaves_its_sessions_and_itself_behind_fails_and_is_ended() {
    let leaves = "cwd=$(python3 -c 'import json,os; print(json.loads(os.environ[\"PASSMUSTER_WORKERS\"])[0][\"cwd\"])'); \
                  $PASSMUSTER_CLI start-session --agent codex --cwd $cwd --message hi >/dev/null; $PASSMUSTER_CLI no-such-verb; \
                  PM_GATE_LEFT=1 setsid sleep 600 & exit 0";
    let (report, status) = gated(&["--scenario", EASY], &["sh", "-c", leaves]);
    assert_eq!(status, 1);
    assert!(failed(&report).contains(&"OR-4") && failed(&report).contains(&"OR-12"), "{:?}", failed(&report));
    let left = std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("environ")).ok());
    assert_eq!(left.filter(|environ| environ.windows(12).any(|part| part == b"PM_GATE_LEFT")).count(), 0);
}

#[test]
fn one_that_hangs_is_ended_and_fails() {
    let (report, status) = gated(&["--scenario", "orchestrator/managers/the-announcement-is-lost"], &["sleep", "600"]);
    assert_eq!((status, failed(&report)), (1, vec!["OR-12"]));
}

#[test]
fn a_manifest_runs_it_once_for_each_worker() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("passmuster.toml");
    let work = r#"[{{"agent":"{{ agent }}","cwd":"{{ cwd }}","message":"{{ message }}","deadline_s":{{ deadline_s }}}}]"#;
    let work = work.replace("[{{\"agent\"", "[{\"agent\"").replace("}}}}]", "}}}]");
    let text = format!(
        "[system]\nname = \"one by one\"\n[orchestrator]\ncommand = [{:?}, \"orchestrate\", \"--via\", \"rpc\", \"--workers\", '{work}']\n\
         per = \"worker\"\nenv = {{ MY_SOCKET = \"{{{{ rpc_socket }}}}\" }}\n",
        env!("CARGO_BIN_EXE_passmuster")
    );
    std::fs::write(&manifest, text).unwrap();
    let (report, status) = gated(&[manifest.to_str().unwrap(), "--scenario", EASY], &[]);
    assert_eq!((status, report.system.name.as_str()), (0, "one by one"), "{:#?}", report.scenarios);
}
