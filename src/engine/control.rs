//! Control checks: before a verdict on somebody's system, that this harness, on this machine, would see what it must.
//!
//! Each plays one scenario on the reference of the side that is judged with one fault, in a worker process and a sandbox
//! as everybody's, and demands the finding. One that is not there says that the machine hides something: then no verdict can be trusted.

use std::collections::BTreeMap;

use crate::contract::Side;
use crate::results::model::{Control, Verdict};
use crate::suites::manager::reference::Fault;
use crate::sut::manifest::Manifest;
use crate::sut::sandbox;

use super::matrix::{Over, faulty};
use super::plan::{Planned, Selection};
use super::{Options, Subject, features, prepare};
use crate::engine::worker;
use crate::engine::worker::{System, Task};

/// One thing that must be seen.
struct Check {
    what: &'static str,
    fault: &'static str,
    requirement: &'static str,
    scenario: &'static str,
}

/// What must be seen before somebody's manager is judged.
const OF_MANAGERS: &[Check] = &[
    Check {
        what: "an orphan",
        fault: "forgets-instead",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]",
    },
    Check {
        what: "a setsid child",
        fault: "leaks-setsid",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-an-agent-that-will-start-a-setsid-child[claude]",
    },
    Check {
        what: "a false \"ended\"",
        fault: "calls-pending-ended",
        requirement: "CX-2",
        scenario: "codex-observability/first-turn/every-account-calls-it-alive",
    },
    Check {
        what: "a missing announcement",
        fault: "busy-for-ever",
        requirement: "CX-3",
        scenario: "codex-observability/completion/a-completion-is-announced-on-the-stream",
    },
];

/// What must be seen before somebody's store is judged: time that was made to pass, and what the file system tells.
const OF_STORES: &[Check] = &[
    Check {
        what: "a stale session",
        fault: "resumes-for-ever",
        requirement: "RS-RESUME-4",
        scenario: "resumption/decision/thirty-minutes-and-a-second-are",
    },
    Check {
        what: "an overwritten record",
        fault: "overwrites",
        requirement: "RS-DUR-3",
        scenario: "resumption/durability/a-record-is-replaced-not-overwritten-where-it-lies",
    },
    Check {
        what: "a record open to others",
        fault: "everybody-may-read",
        requirement: "RS-DUR-4",
        scenario: "resumption/durability/a-record-is-its-owner-s-alone",
    },
    Check {
        what: "a link that was followed",
        fault: "follows-links",
        requirement: "RS-CLEAN-3",
        scenario: "resumption/cleanup/a-link-is-not-followed",
    },
];

fn checks_of(side: Side) -> &'static [Check] {
    match side {
        Side::Manager => OF_MANAGERS,
        Side::Store => OF_STORES,
        Side::Orchestrator => &[],
    }
}

/// The faults are real whatever the limits are: short ones only find them sooner. Each is waited for twice.
const LIMITS: &str = "[limits]\ncall = 20\nstart = 20\nobserve = 0.15\nannounce = 0.15\nend = 0.15\nsettle = 0.05\n";

/// Plays every check of the sides that the scenarios judge.
pub(crate) fn check(judging: &[Planned], options: &Options) -> Control {
    let judges = |side: &Side| judging.iter().any(|planned| features::side(&planned.written.suite) == *side);
    let sides = [Side::Manager, Side::Store].into_iter().filter(judges);
    let checks: Vec<(Side, &Check)> = sides.flat_map(|side| checks_of(side).iter().map(move |check| (side, check))).collect();
    match tasks(&checks, options) {
        Ok((_folder, tasks)) => {
            let mut played = worker::run(tasks, options, &mut |_| {});
            played.sort_by_key(|(at, _)| *at);
            let found: BTreeMap<usize, _> = played.into_iter().map(|(at, played)| (at, played.result)).collect();
            let (mut proven, mut told) = (true, BTreeMap::new());
            for (at, (_, check)) in checks.iter().enumerate() {
                let result = found.get(&at);
                let seen = result.is_some_and(|result| {
                    result.verdict != Verdict::CouldNotTest && result.findings.iter().any(|it| it.requirement.as_str() == check.requirement)
                });
                let why = || match result {
                    None => "not looked for".to_owned(),
                    Some(result) => match &result.reason {
                        Some(reason) => format!("NOT seen: {reason}"),
                        None => format!("NOT seen: {} found nothing", result.key),
                    },
                };
                proven &= seen;
                told.insert(check.what.to_owned(), if seen { "seen".to_owned() } else { why() });
            }
            Control { proven, checks: told }
        }
        Err(error) => Control { proven: false, checks: [("every check".to_owned(), format!("NOT made: {error}"))].into() },
    }
}

fn tasks(checks: &[(Side, &Check)], options: &Options) -> std::io::Result<(tempfile::TempDir, Vec<Task>)> {
    let folder = sandbox::folder("control")?;
    let mut tasks = Vec::new();
    for (side, check) in checks {
        let fault = Fault::of(*side, check.fault).expect("the checks are tested");
        let path = folder.path().join(format!("{}.toml", fault.name));
        std::fs::write(&path, faulty(Over::Rpc, &fault, LIMITS))?;
        let subject = Subject::Manifest(Box::new(Manifest::read(&path).expect("the manifests of the reference are tested")));
        let selection = Selection { scenarios: vec![check.scenario.to_owned()], ..Selection::default() };
        let own = Options { selection, interrupted: options.interrupted.clone(), ..Options::default() };
        let planned = prepare(&subject, &own).expect("the embedded features are tested").pop().expect("the checks are tested");
        tasks.push(Task { planned, system: System::Manager(path) });
    }
    Ok((folder, tasks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_of_a_fault_and_a_scenario_that_there_are() {
        let checks: Vec<_> =
            [Side::Manager, Side::Store].iter().flat_map(|side| checks_of(*side).iter().map(move |check| (*side, check))).collect();
        let (_folder, tasks) = tasks(&checks, &Options::default()).unwrap();
        for ((side, check), task) in checks.iter().zip(tasks) {
            let fault = Fault::of(*side, check.fault).unwrap();
            assert!(fault.breaks.contains(&check.requirement) || check.requirement == "CX-2");
            assert_eq!(task.planned.key, check.scenario);
        }
    }
}
