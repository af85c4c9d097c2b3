//! A run that is interrupted, killed, or not alone: everything it started ends with it, and what ran is reported.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::Duration;

use passmuster::results::model::Verdict;
use rstest::rstest;
use rustix::process::Signal;
use support::{Place, ended, signal};

/// After the harness was killed, everything it started is gone within this time.
const AFTERMATH: Duration = Duration::from_secs(5);

/// For what is to be gone already.
const NOW: Duration = Duration::from_millis(500);

fn reference(transport: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/manifests/reference-{transport}.toml"))
}

/// A run over everything, in which agents run: those of its scenarios, or else those of the control checks before them.
fn in_the_middle(place: &Place, transport: &str, of: Phase) -> Child {
    let mut verify = place.verify(&reference(transport));
    verify.args(["--jobs", "6"]).args((of == Phase::Scenarios).then_some("--no-control"));
    let harness = verify.spawn().unwrap();
    place.agent();
    harness
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Control,
    Scenarios,
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[rstest]
fn an_interrupted_run_ends_everything_and_reports_what_ran(
    #[values("cli", "rpc", "mcp", "rpc-tmux")] transport: &str,
    #[values(Signal::INT, Signal::TERM)] how: Signal,
) {
    let place = Place::new();
    let mut harness = in_the_middle(&place, transport, Phase::Scenarios);
    signal(harness.id(), how);
    assert_eq!(ended(&mut harness).code(), Some(130));
    place.is_left_empty(NOW);
    let (report, junit) = (place.report(), place.junit());
    assert_eq!(junit.tests, report.scenarios.len());
    let interrupted = |reason: &Option<String>| reason.as_deref() == Some("interrupted");
    assert!(report.scenarios.iter().any(|one| one.verdict == Verdict::CouldNotTest && interrupted(&one.reason)));
    assert!(report.scenarios.iter().all(|one| one.verdict != Verdict::CouldNotTest || interrupted(&one.reason)));
    assert_eq!(report.summary.failed, 0);
    assert!(said(&harness.wait_with_output().unwrap()).contains("interrupted: the report shows what ran until then"));
}

#[test]
fn an_interrupted_control_check_ends_everything_and_is_reported() {
    let place = Place::new();
    let mut harness = in_the_middle(&place, "rpc", Phase::Control);
    signal(harness.id(), Signal::INT);
    assert_eq!(ended(&mut harness).code(), Some(130));
    place.is_left_empty(NOW);
    assert_eq!((place.report().summary.passed, place.junit().failures), (0, 0));
}

#[rstest]
fn a_second_signal_ends_at_once(#[values("cli", "rpc", "mcp")] transport: &str, #[values(Phase::Control, Phase::Scenarios)] phase: Phase) {
    let place = Place::new();
    let mut harness = in_the_middle(&place, transport, phase);
    // Two of one kind may be delivered as one.
    signal(harness.id(), Signal::INT);
    signal(harness.id(), Signal::TERM);
    assert_eq!(ended(&mut harness).code(), Some(130));
    place.is_left_empty(AFTERMATH);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "one of two that are sent together would not be delivered")]
fn a_signal_that_comes_twice_at_once_is_one_and_there_is_a_report() {
    let place = Place::new();
    let mut harness = in_the_middle(&place, "rpc", Phase::Scenarios);
    // As `timeout` does: to the process, then to its group.
    signal(harness.id(), Signal::TERM);
    std::thread::sleep(Duration::from_millis(20));
    signal(harness.id(), Signal::TERM);
    assert_eq!(ended(&mut harness).code(), Some(130));
    assert!(place.report().interrupted && said(&harness.wait_with_output().unwrap()).contains("INTERRUPTED: "));
}

#[rstest]
#[case("cli", Phase::Scenarios)]
#[case("rpc", Phase::Scenarios)]
#[case("mcp", Phase::Scenarios)]
#[case("cli-tmux", Phase::Scenarios)]
#[case("rpc", Phase::Control)]
fn what_a_killed_harness_started_is_gone(#[case] transport: &str, #[case] phase: Phase) {
    let place = Place::new();
    let mut harness = in_the_middle(&place, transport, phase);
    signal(harness.id(), Signal::KILL);
    ended(&mut harness);
    place.is_left_empty(AFTERMATH);
}

#[rstest]
fn a_killed_worker_costs_its_own_scenario(#[values("cli", "rpc", "mcp")] transport: &str) {
    let place = Place::new();
    let selection = ["--requirement", "LC-CREATE-2,LC-CREATE-9,LC-OBS-6", "--jobs", "2", "--no-control"];
    let mut harness = place.verify(&reference(transport)).args(selection).spawn().unwrap();
    place.agent();
    signal(place.running(|line| line.contains(passmuster::engine::WORKER)), Signal::KILL);
    assert_eq!(ended(&mut harness).code(), Some(2));
    place.is_left_empty(NOW);
    let report = place.report();
    let (lost, others): (Vec<_>, Vec<_>) = report.scenarios.iter().partition(|one| one.verdict == Verdict::CouldNotTest);
    assert_eq!(
        lost.iter().map(|one| one.reason.as_deref().unwrap()).collect::<Vec<_>>(),
        ["the scenario's worker process was killed by signal 9."]
    );
    assert!(others.len() >= 8 && others.iter().all(|one| one.verdict == Verdict::Passed), "{others:#?}");
}

#[test]
fn two_runs_at_once_do_not_disturb_one_another() {
    let place = Place::new();
    let both = ["rpc", "cli"].map(|transport| {
        let selection = ["--requirement", "LC-CREATE-7,LC-CLEAN-9,LC-RESTART-1,CX-3", "--format", "plain"];
        place.verify(&reference(transport)).args(selection).spawn().unwrap()
    });
    for mut harness in both {
        let status = ended(&mut harness);
        assert!(status.success(), "{}", said(&harness.wait_with_output().unwrap()));
    }
    place.is_left_empty(NOW);
}
