//! The reference conforms; every way of asking gives the same verdicts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use passmuster::results::model::{Report, Verdict};

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_passmuster"))
}

/// Runs `verify` with these arguments; gives the report and the exit status.
fn verified(args: &[&str]) -> (Report, i32) {
    let output = binary().arg("verify").args(["--format", "json"]).args(args).output().unwrap();
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

fn manifest(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests").join(name).display().to_string()
}

fn verdicts(report: &Report) -> BTreeMap<String, Verdict> {
    report.scenarios.iter().map(|scenario| (scenario.key.clone(), scenario.verdict)).collect()
}

#[test]
fn a_report_that_cannot_be_written_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [file, below] = ["file", "file/r.json"].map(|name| folder.path().join(name));
    std::fs::write(&file, "").unwrap();
    let made = folder.path().join("not/there/yet/r.json");
    let target = |path: &Path| format!("json={}", path.display());
    let output = binary()
        .args(["verify", "--requirement", "LC-CREATE-1", "--format", "plain", "--report", &target(&below), "--report", &target(&made)])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("CONFORMANT"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("r.json: the report cannot be written"));
    assert!(serde_json::from_slice::<Report>(&std::fs::read(made).unwrap()).is_ok());
}

#[test]
fn the_built_in_reference_conforms() {
    let (report, status) = verified(&[]);
    assert_eq!(status, 0);
    assert!(report.summary.passed > 150 && report.summary.failed + report.summary.warned + report.summary.blocked == 0);
    assert!(report.requirements.iter().all(|requirement| requirement.verdict == Verdict::Passed));
}

/// On real processes: a scenario passes as it does in memory, or is skipped for a stated reason.
fn agrees_with_the_built_in(manifests: &[&str], selection: &[&str]) {
    let built_in = verdicts(&verified(selection).0);
    for name in manifests {
        let path = manifest(name);
        let (report, status) = verified(&[&[path.as_str()], selection].concat());
        let differ: Vec<String> = report
            .scenarios
            .iter()
            .filter(|scenario| scenario.verdict != built_in[&scenario.key] && scenario.verdict != Verdict::Skipped)
            .map(|scenario| format!("{}: {:?} {:?} {:#?}", scenario.key, scenario.verdict, scenario.reason, scenario.findings))
            .collect();
        assert!(differ.is_empty(), "{name}: {differ:#?}");
        assert!(report.scenarios.iter().all(|scenario| scenario.verdict != Verdict::Skipped || scenario.reason.is_some()));
        assert_eq!(status, 0, "{name}");
    }
}

#[test]
fn every_transport_and_runtime_gives_the_same_verdicts() {
    agrees_with_the_built_in(&["reference-cli.toml", "reference-rpc.toml", "reference-mcp.toml"], &[]);
    agrees_with_the_built_in(&["reference-rpc-stdio.toml", "reference-rpc-http.toml", "reference-mcp-http.toml"], &["--agent", "codex"]);
    agrees_with_the_built_in(&["reference-http.toml"], &["--agent", "codex"]);
    agrees_with_the_built_in(&["reference-cli-turn.toml", "reference-rpc-turn.toml", "reference-mcp-turn.toml"], &["--agent", "codex"]);
    agrees_with_the_built_in(&["reference-cli-tmux.toml", "reference-rpc-tmux.toml", "reference-mcp-tmux.toml"], &["--agent", "codex"]);
}

/// Each scenario's own set-up takes the files away: nobody may read them again.
#[test]
fn what_was_planned_is_what_is_played_whatever_becomes_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let [feature, profiles, system] = ["own.feature", "own.toml", "system.toml"].map(|name| folder.path().join(name));
    let scenario = |name: &str| {
        format!("  @LC-CREATE-1\n  Scenario: {name}\n    When session \"A\" is started\n    Then session \"A\" has an id of its own\n")
    };
    std::fs::write(&feature, format!("Feature: own\n{}{}", scenario("first"), scenario("second"))).unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/agents/codex.toml"), &profiles).unwrap();
    let reference = std::fs::read_to_string(manifest("reference-rpc.toml")).unwrap();
    let files = [&feature, &profiles, &system].map(|path| path.display().to_string());
    std::fs::write(&system, format!("{reference}\n[setup]\ncommand = [\"rm\", \"-f\", {:?}, {:?}, {:?}]\n", files[0], files[1], files[2]))
        .unwrap();
    let keys = ["lifecycle/own/first", "lifecycle/own/second"];
    let choice = ["--scenario", keys[0], "--scenario", keys[1], "--features", &files[0], "--profiles", &files[1]];
    let (report, status) = verified(&[[files[2].as_str(), "--no-control", "--jobs", "1"].as_slice(), choice.as_slice()].concat());
    let seen: Vec<_> =
        report.scenarios.iter().map(|scenario| (scenario.key.as_str(), scenario.verdict, scenario.reason.as_deref())).collect();
    assert_eq!(seen, keys.map(|key| (key, Verdict::Passed, None)));
    assert_eq!(status, 0);
    assert!(!feature.exists() && !system.exists());
}

#[test]
fn nothing_exercised_is_not_conformant() {
    let output = binary().args(["verify", "--tags", "@no-such-tag", "--format", "plain"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn shards_together_are_the_whole() {
    let all = verdicts(&verified(&[]).0);
    let mut sharded = verdicts(&verified(&["--shard", "1/2"]).0);
    sharded.extend(verdicts(&verified(&["--shard", "2/2"]).0));
    assert_eq!(sharded, all);
}

#[test]
fn a_manifest_that_names_a_missing_program_could_not_test() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passmuster.toml");
    std::fs::write(&path, "[system]\nname = \"m\"\nsuites = [\"lifecycle\"]\n[transport]\nkind = \"cli\"\ncommand = [\"nosuchprogram\"]\n")
        .unwrap();
    let output = binary().arg("verify").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nosuchprogram"));
}

/// The reference over JSON-RPC, whose server does this first.
fn behind(first: &str, more: &str) -> String {
    let reference = std::fs::read_to_string(manifest("reference-rpc.toml")).unwrap();
    let (before, after) = reference.split_once("command = [").unwrap();
    format!("{before}command = [\"sh\", \"-c\", \"{first}; exec \\\"$@\\\"\", \"sh\", {after}{more}")
}

fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passmuster.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path.display().to_string())
}

/// Three are enough, and one alone.
#[test]
fn a_system_that_cannot_be_opened_is_not_tried_again_for_every_scenario() {
    let (_folder, path) = written(&behind("echo no licence >&2; exit 9", ""));
    let (report, status) = verified(&[&path, "--no-control", "--agent", "codex"]);
    assert_eq!(status, 2);
    let (untested, untried) = (report.summary.could_not_test, report.summary.not_exercised);
    assert!(untested <= 12 && untried > 50 && report.summary.passed == 0, "{:?}", report.summary);
    let reason = |verdict| report.scenarios.iter().find(|it| it.verdict == verdict).and_then(|it| it.reason.as_deref()).unwrap();
    assert!(reason(Verdict::CouldNotTest).contains("the system cannot be opened: "), "{}", reason(Verdict::CouldNotTest));
    assert!(reason(Verdict::NotExercised).starts_with("not tried: the system could not be opened"));
}

/// While one runs no other can be opened; alone each is.
#[test]
fn what_cannot_be_opened_among_others_is_opened_alone() {
    let lock = tempfile::tempdir().unwrap();
    let hold = format!("exec 9>{}/held; flock -n 9 || exit 9", lock.path().display());
    let (_folder, path) = written(&behind(&hold, ""));
    // What is killed and started again meets the lock that its own agents hold.
    let chosen = ["--no-control", "--tags", "@LC-CREATE-3 and not @LC-RESTART-1b", "--agent", "codex", "--jobs", "4"];
    let (report, status) = verified(&[&[path.as_str()], chosen.as_slice()].concat());
    assert_eq!(status, 0, "{:?}", report.scenarios.iter().map(|it| it.reason.as_deref()).collect::<Vec<_>>());
    assert!(report.notes.iter().any(|note| note.contains("once more, alone")), "{:?}", report.notes);
}

#[test]
fn a_scenarios_time_limit_has_a_place_in_the_manifest_and_the_flag_goes_before_it() {
    let (_folder, path) = written(&behind("true", "\n[limits]\nscenario = 1\n"));
    let scenario = "lifecycle/timeouts/a-turn-in-flight-postpones-the-timeout";
    let reason = |flags: &[&str]| {
        let (report, _) = verified(&[&[path.as_str(), "--no-control", "--scenario", scenario], flags].concat());
        report.scenarios[0].reason.clone()
    };
    assert_eq!(reason(&[]).as_deref(), Some("the scenario took longer than its time limit of 1 s"));
    assert_eq!(reason(&["--time-limit", "100"]), None);
}
