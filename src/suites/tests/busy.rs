//! What is told of a system that was judged on a busy machine: what rests on a limit is not, what does not is.

use std::collections::BTreeSet;
use std::time::Duration;

use rstest::rstest;

use crate::engine::fault::Change;
use crate::engine::pace::PoolPace;
use crate::engine::plan::Selection;
use crate::engine::scenario::ScenarioRun;
use crate::engine::{Options, Reference, Target, prepare, simulated};
use crate::profile::{Choice, Profiles};
use crate::results::model::Verdict;
use crate::suites::{SUITES, manager};

/// How late the canary was, in milliseconds: more than a tenth of any limit.
const LATE_MS: u64 = 60_000;

/// The scenarios of a requirement that fail on the reference with a fault, as a machine that is that busy tells them: each missed a
/// limit, if not of what was found then of something else.
fn told(fault: &'static str, requirement: &str) -> Vec<ScenarioRun> {
    let reference = Reference::changed(SUITES, &manager::ManagerSuite, Change::Fault(fault));
    let selection = Selection { requirements: vec![requirement.parse().unwrap()], ..Selection::default() };
    let options = Options { selection, ..Options::default() };
    let planned = prepare(&Target::Reference(reference.clone()), &options).unwrap();
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let mut failed = simulated::run(planned, &reference, &profiles, &options, &mut |_| {});
    failed.retain(|run| run.result.findings.iter().any(|found| found.requirement.as_str() == requirement));
    for run in &mut failed {
        run.strain.late_ms = LATE_MS;
        run.strain.missed_ms.get_or_insert(1_000);
        PoolPace::new(None, Duration::from_secs(5)).explain(run, true);
    }
    assert!(!failed.is_empty(), "{fault} is found");
    failed
}

#[rstest]
#[case::one_id_for_two("reuses-ids", "LC-CREATE-1")]
#[case::a_first_message_twice("delivers-twice", "LC-CREATE-3")]
#[case::a_later_message_twice("sends-twice", "LC-SEND-1")]
#[case::too_early("announces-early", "CX-3")]
#[case::twice("announces-twice", "CX-3")]
#[case::an_orphan("leaks-setsid", "LC-CLEAN-1")]
#[case::an_orphan_of_another_parent("leaks-what-was-reparented", "LC-CLEAN-1b")]
#[case::the_living_called_ended("calls-the-starting-stopped", "CX-2")]
fn what_rests_on_no_limit_is_found_on_a_busy_machine(#[case] fault: &'static str, #[case] requirement: &str) {
    let told = told(fault, requirement);
    let kept: BTreeSet<&str> = told.iter().flat_map(|run| &run.result.findings).map(|found| found.requirement.as_str()).collect();
    assert!(kept.contains(requirement), "{fault}: {kept:?} of {} scenarios", told.len());
    assert!(told.iter().any(|run| matches!(run.result.verdict, Verdict::Failed | Verdict::Warned)));
}

#[rstest]
#[case::a_message_that_does_not_come("never-delivers", "LC-CREATE-3")]
#[case::an_agent_that_does_not_come_up("never-launches", "LC-CREATE-2")]
#[case::an_answer_that_comes_late("waits-for-the-first-turn", "LC-CREATE-9")]
fn what_rests_on_one_is_not(#[case] fault: &'static str, #[case] requirement: &str) {
    for run in told(fault, requirement) {
        let (result, late) = (run.result, format!("a timer of the harness was {LATE_MS} ms late"));
        assert!(!result.findings.iter().any(|found| found.requirement.as_str() == requirement), "{fault}: {:?}", result.findings);
        assert!(result.reason.is_some_and(|reason| reason.contains(&late)), "{}", result.key);
    }
}
