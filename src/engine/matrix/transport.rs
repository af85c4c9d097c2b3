//! The kill matrix over a transport: the reference with a fault, served by real processes.
//!
//! Which scenarios show a manager's fault is known from memory; those alone are played, with short limits. An orchestrator's
//! goes through the whole gate, as anybody's orchestrator does, and nothing may fail there but what it breaks. What only
//! virtual time can show (a turn of 23 hours) is not expected of a clock that cannot be turned.

use std::fmt;
use std::str::FromStr;

use crate::profile::Profiles;
use crate::results::model::{Event, ScenarioResult};
use crate::sut::sandbox;

use super::{Killed, MatrixFindings};
use crate::engine::catalogue::{Defect, Permitted};
use crate::engine::fault::Change;
use crate::engine::plan::{Disposition, PlannedScenario};
use crate::engine::pool::{self, Failures, Task};
use crate::engine::suite::Suites;
use crate::engine::target::Target;
use crate::engine::{Options, prepare};

/// A way to reach the reference for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its command line, and the daemon behind it.
    Cli,
    /// JSON-RPC on a Unix socket.
    Rpc,
    /// MCP over HTTP.
    Mcp,
}

impl Over {
    /// Every way.
    pub const ALL: [Over; 3] = [Over::Cli, Over::Rpc, Over::Mcp];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Over::Cli => "cli",
            Over::Rpc => "rpc",
            Over::Mcp => "mcp",
        }
    }
}

impl FromStr for Over {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|over| over.name() == word).ok_or_else(|| "wanted cli, rpc or mcp".into())
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many of the scenarios that show a requirement broken are played at most: one is enough, a race may hide it.
const SHOWN_BY: usize = 3;

/// The limits, in seconds: a fault is to be found soon, and the reference is quick.
const LIMITS: &str = "[limits]\ncall = 4\nstart = 3\nobserve = 1\nannounce = 2\nend = 2\n";

/// Plays each fault over a transport: a manager's in the scenarios that show it in memory, which `killed` names, an
/// orchestrator's in all.
///
/// # Panics
/// If there is no room for a few manifests in the system's temporary folder.
pub fn kill_over(
    suites: Suites,
    over: Over,
    killed: Vec<Killed>,
    profiles: &Profiles,
    options: &Options,
    emit: &mut dyn FnMut(Event),
) -> Vec<Killed> {
    let folder = sandbox::folder("faults").expect("a temporary folder");
    let (mut tasks, mut of) = (Vec::new(), Vec::new());
    let mut all: Vec<Killed> = Vec::new();
    for (at, mut killed) in killed.into_iter().enumerate() {
        let Defect { suite, info } = killed.fault;
        let system = suite.served(suites, over, Change::Fault(info.name), LIMITS, folder.path());
        let (job, bounds) = (system.job(), system.bounds());
        let planned = prepare(&Target::Real(system), options).expect("the embedded features are tested");
        let wanted = wanted(&mut killed, &planned);
        let is_played = |planned: &PlannedScenario| match suite.is_exact_over_transports() {
            true => planned.disposition == Disposition::Run,
            false => wanted.contains(&planned.key),
        };
        for planned in planned.into_iter().filter(is_played) {
            tasks.push(Task { planned, system: job.clone(), bounds });
            of.push(at);
        }
        all.push(killed);
    }
    emit(Event::Planned { scenarios: tasks.len() });
    let mut results: Vec<Vec<ScenarioResult>> = vec![Vec::new(); all.len()];
    for (task, played) in pool::run(tasks, Failures::Wanted, profiles, options, emit).runs {
        results[of[task]].push(played.result);
    }
    for (killed, results) in all.iter_mut().zip(results) {
        killed.found = MatrixFindings::in_scenarios(&results);
        killed.over = Some(over);
    }
    all
}

/// The scenarios to play: for each requirement that the fault breaks some of those that show it and can run here. One that
/// none can show is noted with the reason.
fn wanted(killed: &mut Killed, planned: &[PlannedScenario]) -> Vec<String> {
    let mut wanted = Vec::new();
    for id in killed.fault.info.breaks {
        let showing =
            killed.found.failed.iter().find(|(failed, _)| failed.as_str() == *id).map(|(_, by)| by.as_slice()).unwrap_or_default();
        let of = |by: &super::Detector| planned.iter().find(|planned| planned.key == by.scenario);
        let mut able: Vec<&super::Detector> =
            showing.iter().filter(|by| of(by).is_some_and(|planned| planned.disposition == Disposition::Run)).collect();
        // What a scenario asks for itself is sure; what an invariant sees on the way depends on what else happens.
        able.sort_by_key(|by| by.rule.is_some());
        if able.is_empty() {
            let why = showing.iter().find_map(|by| match &of(by)?.disposition {
                Disposition::Skip(why) => Some(why.clone()),
                _ => None,
            });
            killed
                .beyond
                .insert(id.parse().expect("the catalogue is tested"), why.unwrap_or_else(|| "no scenario shows it in memory".into()));
        }
        wanted.extend(able.into_iter().take(SHOWN_BY).map(|by| by.scenario.clone()));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// Plays the suites whole on each variation over a transport.
///
/// # Panics
/// As [`kill_over`].
pub fn vary_over(
    suites: Suites,
    over: Over,
    variations: &[Permitted],
    profiles: &Profiles,
    options: &Options,
    emit: &mut dyn FnMut(Event),
) -> Vec<MatrixFindings> {
    let folder = sandbox::folder("faults").expect("a temporary folder");
    let (mut tasks, mut of) = (Vec::new(), Vec::new());
    for (at, Permitted { suite, info }) in variations.iter().enumerate() {
        let system = suite.served(suites, over, Change::Variation(info.name), "", folder.path());
        let (job, bounds) = (system.job(), system.bounds());
        let planned = prepare(&Target::Real(system), options).expect("the embedded features are tested");
        for planned in planned.into_iter().filter(|planned| planned.disposition == Disposition::Run) {
            for _ in 0..options.repeat {
                tasks.push(Task { planned: planned.clone(), system: job.clone(), bounds });
                of.push(at);
            }
        }
    }
    emit(Event::Planned { scenarios: tasks.len() });
    let mut results: Vec<Vec<ScenarioResult>> = vec![Vec::new(); variations.len()];
    for (task, played) in pool::run(tasks, Failures::Doubted, profiles, options, emit).runs {
        results[of[task]].push(played.result);
    }
    results.iter().map(|results| MatrixFindings::in_scenarios(results)).collect()
}

/// A few of the faults, the same ones for the same seed.
pub fn sample(faults: &[Defect], count: usize, seed: u64) -> Vec<Defect> {
    let weight = |fault: &Defect| crate::engine::plan::hash(&format!("{seed}/{}", fault.info.name));
    let mut faults = faults.to_vec();
    faults.sort_by_key(weight);
    faults.truncate(count);
    faults
}
