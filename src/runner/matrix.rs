//! The kill matrix: the suites on many references that differ, in memory. Every fault must be killed: each requirement
//! that it breaks fails, and nothing fails that it does not touch. In a permitted variation nothing is found.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::profile::Profiles;
use crate::reference::{Fault, Variation};
use crate::results::model::{Report, Verdict};
use crate::spec::RequirementId;

use super::{Options, Reference, Subject, prepare, run};

/// What the suites found in one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The requirements that failed or were warned of, each with the scenarios in which they were.
    pub failed: BTreeMap<RequirementId, Vec<String>>,
    /// The scenarios that could not be reached, with the reason.
    pub blocked: Vec<(String, String)>,
    /// The scenarios that could not be tested, with the reason: the harness is at fault.
    pub untested: Vec<(String, String)>,
}

impl Found {
    fn of(report: &Report) -> Self {
        let mut failed: BTreeMap<RequirementId, Vec<String>> = BTreeMap::new();
        for scenario in &report.scenarios {
            for finding in &scenario.findings {
                let keys = failed.entry(finding.requirement.clone()).or_default();
                if keys.last() != Some(&scenario.key) {
                    keys.push(scenario.key.clone());
                }
            }
        }
        let stopped = |verdict: Verdict| {
            let stopped = report.scenarios.iter().filter(move |scenario| scenario.verdict == verdict);
            stopped.map(|scenario| (scenario.key.clone(), scenario.reason.clone().unwrap_or_default())).collect()
        };
        Self { failed, blocked: stopped(Verdict::Blocked), untested: stopped(Verdict::CouldNotTest) }
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
    pub fault: Fault,
    /// What was found.
    pub found: Found,
}

impl Killed {
    /// The requirements that the fault breaks and that did not fail: holes in the suites.
    pub fn missed(&self) -> Vec<&'static str> {
        self.found.missing(self.fault.breaks)
    }

    /// The requirements that failed though the fault does not touch them.
    pub fn stray(&self) -> Vec<&RequirementId> {
        self.found.besides(&[self.fault.breaks, self.fault.side_effects].concat())
    }

    /// Whether the fault is killed, exactly.
    pub fn is_exact(&self) -> bool {
        self.missed().is_empty() && self.stray().is_empty() && self.found.untested.is_empty()
    }
}

/// Runs the suites on each fault; the answers come in the order of the faults.
pub fn kill(faults: &[Fault], profiles: &Profiles, options: &(dyn Fn() -> Options + Sync)) -> Vec<Killed> {
    let reference = |fault: &Fault| Reference { faults: [*fault].into_iter().collect(), ..Reference::default() };
    let found = each(faults, reference, profiles, options);
    faults.iter().zip(found).map(|(fault, found)| Killed { fault: *fault, found }).collect()
}

/// Runs the suites on each variation; the answers come in the order of the variations.
pub fn vary(variations: &[Variation], profiles: &Profiles, options: &(dyn Fn() -> Options + Sync)) -> Vec<Found> {
    let reference = |variation: &Variation| Reference { variations: [*variation].into_iter().collect(), ..Reference::default() };
    each(variations, reference, profiles, options)
}

/// Runs the suites on a reference for each item, on as many threads as there are cores.
fn each<T: Sync>(
    items: &[T],
    reference: impl Fn(&T) -> Reference + Sync,
    profiles: &Profiles,
    options: &(dyn Fn() -> Options + Sync),
) -> Vec<Found> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(at) else { return };
        let (subject, options) = (Subject::Reference(reference(item)), options());
        let planned = prepare(&subject, &options).expect("the embedded features are tested");
        let found = Found::of(&run(&subject, planned, profiles, &options, &mut |_| {}).report);
        all.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(at, found);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_values().collect()
}
