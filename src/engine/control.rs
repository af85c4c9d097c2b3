//! Control checks: before a verdict on somebody's system, that this harness, on this machine, would see what it must.
//!
//! Each plays one scenario on a suite's reference with one fault, in a worker process and a sandbox as everybody's,
//! and demands the finding. One that is not there says that the machine hides something: then no verdict can be trusted.

use std::collections::BTreeMap;

use crate::profile::Profiles;
use crate::results::model::{Control, Verdict};
use crate::sut::sandbox;

use super::fault::Change;
use super::matrix::Over;
use super::plan::{PlannedScenario, Selection};
use super::pool::{self, Failures, Task};
use super::suite::{Suite, Suites};
use super::target::Target;
use super::{Options, prepare};

/// One thing that must be seen.
#[derive(Debug)]
pub struct ControlCheck {
    /// What it is, as reports show it.
    pub what: &'static str,
    /// The fault of the suite's reference that shows it.
    pub fault: &'static str,
    /// The requirement that must be found broken.
    pub requirement: &'static str,
    /// The key of the scenario that must find it.
    pub scenario: &'static str,
}

/// The faults are real whatever the limits are: short ones only find them sooner. Each is waited for twice.
const LIMITS: &str = "[limits]\ncall = 20\nstart = 20\nobserve = 0.15\nannounce = 0.15\nend = 0.15\nsettle = 0.05\n";

/// Plays every check of the suites that the scenarios are of.
pub(crate) fn check(suites: Suites, judging: &[PlannedScenario], profiles: &Profiles, options: &Options) -> Control {
    let judges = |suite: &&&'static dyn Suite| judging.iter().any(|planned| suite.names().contains(&planned.written.suite.as_str()));
    let checks: Checks = suites.iter().filter(judges).flat_map(|suite| suite.control().iter().map(|check| (*suite, check))).collect();
    match tasks(suites, &checks, options) {
        Ok((_folder, tasks)) => {
            let mut played = pool::run(tasks, Failures::Wanted, profiles, options, &mut |_| {}).runs;
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

/// Checks, each with its suite.
type Checks = Vec<(&'static dyn Suite, &'static ControlCheck)>;

fn tasks(suites: Suites, checks: &Checks, options: &Options) -> std::io::Result<(tempfile::TempDir, Vec<Task>)> {
    let folder = sandbox::folder("control")?;
    let mut tasks = Vec::new();
    for (suite, check) in checks {
        let system = suite.served(suites, Over::Rpc, Change::Fault(check.fault), LIMITS, folder.path());
        let selection = Selection { scenarios: vec![check.scenario.to_owned()], ..Selection::default() };
        let own = Options { selection, interrupted: options.interrupted.clone(), ..Options::default() };
        let (job, bounds) = (system.job(), system.bounds());
        let planned = prepare(&Target::Real(system), &own).expect("the embedded features are tested").pop();
        tasks.push(Task { planned: planned.expect("the checks are tested"), system: job, bounds });
    }
    Ok((folder, tasks))
}

/// Checks, of every suite's control checks, that they are of a fault and a scenario that there are.
#[cfg(test)]
pub(crate) fn assert_each_is_there(suites: Suites) {
    let checks: Checks = suites.iter().flat_map(|suite| suite.control().iter().map(|check| (*suite, check))).collect();
    let (_folder, tasks) = tasks(suites, &checks, &Options::default()).unwrap();
    for ((suite, check), task) in checks.iter().zip(tasks) {
        let faults = suite.faults();
        let fault = faults.iter().find(|fault| fault.name == check.fault).unwrap();
        assert!(fault.breaks.contains(&check.requirement) || check.requirement == "CX-2");
        assert_eq!(task.planned.key, check.scenario);
    }
}
