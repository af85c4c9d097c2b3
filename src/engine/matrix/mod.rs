//! The kill matrix: the suites on many references that differ. Every fault must be killed: each requirement that it
//! breaks fails, and nothing fails that it does not touch. In a permitted variation nothing is found.

pub(crate) mod transport;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::profile::Profiles;
use crate::results::kill_matrix::{FaultRow, KillMatrix, SCHEMA, Score};
use crate::results::model::{ScenarioResult, Verdict};
use crate::spec::{Party, Registry, Requirement, RequirementId};

use super::catalogue::{Defect, Permitted};
use super::fault::Change;
use super::suite::Suites;
use super::target::{Reference, Target};
use super::{Options, features, planned, run};

pub use transport::{Over, kill_over, sample, vary_over};

/// What found something: a scenario by a step of its own, or a standing invariant in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detector {
    /// The scenario's key.
    pub scenario: String,
    /// The invariant.
    pub rule: Option<String>,
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{} ({rule})", self.scenario),
            None => f.write_str(&self.scenario),
        }
    }
}

/// What the suites found in one reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixFindings {
    /// The requirements that failed or were warned of, each with what found it.
    pub failed: BTreeMap<RequirementId, Vec<Detector>>,
    /// The scenarios that could not be reached, with the reason.
    pub blocked: Vec<(String, String)>,
    /// The scenarios that could not be tested, with the reason: the harness is at fault.
    pub untested: Vec<(String, String)>,
}

impl MatrixFindings {
    fn in_scenarios(scenarios: &[ScenarioResult]) -> Self {
        let mut failed: BTreeMap<RequirementId, Vec<Detector>> = BTreeMap::new();
        for scenario in scenarios {
            for finding in &scenario.findings {
                let detector = Detector { scenario: scenario.key.clone(), rule: finding.origin.rule().map(str::to_owned) };
                let by = failed.entry(finding.requirement.clone()).or_default();
                if by.last() != Some(&detector) {
                    by.push(detector);
                }
            }
        }
        let stopped = |verdict: Verdict| {
            let stopped = scenarios.iter().filter(move |scenario| scenario.verdict == verdict);
            stopped.map(|scenario| (scenario.key.clone(), scenario.reason.clone().unwrap_or_default())).collect()
        };
        Self { failed, blocked: stopped(Verdict::Blocked), untested: stopped(Verdict::CouldNotTest) }
    }

    /// The same, where of these requirements only what their own scenarios found counts.
    fn by_own_scenarios(scenarios: &[ScenarioResult], requirements: &[&str]) -> Self {
        let own = |scenario: &ScenarioResult| {
            let mut scenario = scenario.clone();
            let tagged = scenario.requirements.clone();
            scenario.findings.retain(|found| tagged.contains(&found.requirement) || !requirements.contains(&found.requirement.as_str()));
            scenario
        };
        Self::in_scenarios(&scenarios.iter().map(own).collect::<Vec<_>>())
    }

    /// Of these requirements, those that did not fail.
    pub fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        wanted.iter().copied().filter(|id| !self.failed.keys().any(|failed| failed.as_str() == *id)).collect()
    }

    /// The requirements that failed besides these.
    pub fn besides(&self, known: &[&str]) -> Vec<&RequirementId> {
        self.failed.keys().filter(|id| !known.contains(&id.as_str())).collect()
    }
}

/// What came of one fault.
#[derive(Debug)]
pub struct Killed {
    /// The fault.
    pub fault: Defect,
    /// What was found.
    pub found: MatrixFindings,
    /// How the reference was reached; `None`: in memory.
    pub over: Option<Over>,
    /// What no scenario could show over that transport, with the reason.
    pub beyond: BTreeMap<RequirementId, String>,
}

impl Killed {
    fn row(&self) -> FaultRow {
        let (fault, failed) = (self.fault.info, &self.found.failed);
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().expect("the catalogue is tested")).collect::<Vec<RequirementId>>();
        let by = |id: &RequirementId| failed.get(id).map(|by| by.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let expected = ids(fault.breaks);
        let known = [fault.breaks, fault.side_effects].concat();
        FaultRow {
            name: fault.name.into(),
            title: fault.title.into(),
            origin: fault.source.into(),
            side_effects: ids(fault.side_effects),
            failed: failed.keys().cloned().collect(),
            detectors: expected.iter().map(|id| (id.clone(), by(id))).collect(),
            survived: expected.iter().filter(|id| !failed.contains_key(*id) && !self.beyond.contains_key(*id)).cloned().collect(),
            stray: self.found.besides(&known).into_iter().map(|id| (id.clone(), by(id))).collect(),
            beyond: self.beyond.clone(),
            untested: self.found.untested.iter().cloned().collect(),
            is_lenient: self.over.is_some() && !self.fault.suite.is_exact_over_transports(),
            expected,
        }
    }
}

/// What came of the faults, as data. They were all reached in the same way.
pub fn matrix(killed: &[Killed]) -> KillMatrix {
    let rows: Vec<FaultRow> = killed.iter().map(Killed::row).collect();
    let score = |requirement: &Requirement| {
        let of: Vec<&FaultRow> = rows.iter().filter(|row| row.expected.contains(&requirement.id)).collect();
        let killed = of.iter().filter(|row| row.failed.contains(&requirement.id)).count();
        Score { id: requirement.id.clone(), faults: of.len(), killed }
    };
    let guarded = Registry::embedded().iter().filter(|requirement| requirement.party != Party::Agent);
    KillMatrix {
        schema: SCHEMA.into(),
        spec_version: crate::spec::VERSION.into(),
        transport: killed.first().and_then(|killed| killed.over).map_or("memory", Over::name).into(),
        requirements: guarded.map(score).collect(),
        faults: rows,
    }
}

/// Runs the suites on each fault, in memory; the answers come in the order of the faults.
pub fn kill(suites: Suites, faults: &[Defect], profiles: &Profiles, options: &(dyn Fn() -> Options + Sync)) -> Vec<Killed> {
    let faulty = |fault: &Defect| (Reference::changed(suites, fault.suite, Change::Fault(fault.info.name)), options());
    as_killed(faults, whole(suites, faults, faulty, profiles))
}

/// Runs on each fault, in memory, the scenarios of the requirements that it breaks and no others, until each of those is found by
/// one of its own: whoever asks for that requirement alone sees no more. What else may fail is for [`kill`] to show.
pub fn kill_alone(suites: Suites, faults: &[Defect], profiles: &Profiles, options: &(dyn Fn() -> Options + Sync)) -> Vec<Killed> {
    let faulty = |fault: &Defect| {
        let mut options = options();
        options.selection.requirements = fault.info.breaks.iter().map(|id| id.parse().expect("the catalogue is tested")).collect();
        (Reference::changed(suites, fault.suite, Change::Fault(fault.info.name)), options)
    };
    let written = features::read(suites, &[]).expect("the embedded features are tested");
    let found = each(faults, |fault| {
        let (reference, options) = faulty(fault);
        let target = Target::Reference(reference);
        let (mut results, mut found) = (Vec::new(), MatrixFindings::default());
        for planned in planned(&target, &written, &options) {
            let missing = found.missing(fault.info.breaks);
            if planned.written.requirements().iter().any(|id| missing.contains(&id.as_str())) {
                results.extend(run(&target, vec![planned], profiles, &options, &mut |_| {}).report.scenarios);
                found = MatrixFindings::by_own_scenarios(&results, fault.info.breaks);
            }
        }
        found
    });
    as_killed(faults, found)
}

fn as_killed(faults: &[Defect], found: Vec<MatrixFindings>) -> Vec<Killed> {
    faults.iter().zip(found).map(|(fault, found)| Killed { fault: *fault, found, over: None, beyond: BTreeMap::new() }).collect()
}

/// Runs the suites on each variation, in memory; the answers come in the order of the variations.
pub fn vary(suites: Suites, variations: &[Permitted], profiles: &Profiles, options: &(dyn Fn() -> Options + Sync)) -> Vec<MatrixFindings> {
    let varied = |variation: &Permitted| (Reference::changed(suites, variation.suite, Change::Variation(variation.info.name)), options());
    whole(suites, variations, varied, profiles)
}

/// Runs the suites whole on a reference for each item, as its options say.
fn whole<T: Sync>(suites: Suites, items: &[T], on: impl Fn(&T) -> (Reference, Options) + Sync, profiles: &Profiles) -> Vec<MatrixFindings> {
    let written = features::read(suites, &[]).expect("the embedded features are tested");
    each(items, |item| {
        let (reference, options) = on(item);
        let target = Target::Reference(reference);
        let planned = planned(&target, &written, &options);
        MatrixFindings::in_scenarios(&run(&target, planned, profiles, &options, &mut |_| {}).report.scenarios)
    })
}

/// What comes of each item, in their order, on as many threads as there are cores.
fn each<T: Sync, R: Send>(items: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(at) else { return };
        let done = of(item);
        all.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(at, done);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_values().collect()
}
