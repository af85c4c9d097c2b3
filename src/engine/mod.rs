//! The runner: read the features, plan, play, judge. It emits events and never prints.
pub mod catalogue;
pub mod control;
pub mod fault;
pub mod features;
pub mod matrix;
pub(crate) mod pace;
pub mod plan;
pub(crate) mod pool;
pub mod scenario;
pub(crate) mod simulated;
pub(crate) mod steps;
pub mod suite;
pub mod system;
pub mod target;
pub mod vocabulary;
pub mod worker;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::profile::{Choice, Profiles};
use crate::spec::{Registry, Requirement, RequirementId, SpecVersion};
use crate::trace::Record;

use crate::results::baseline::BaselinePlace;
use crate::results::model::{Event, Report, SCHEMA, ScenarioResult, Summary, Tool, Verdict, round_of};
use crate::results::{concerns, judge_by, names, requirement_results};
use features::{FeatureError, Scenario};
use plan::{Disposition, PlannedScenario, Selection, plan};
use scenario::{ScenarioRun, unplayed};

use pool::{Failures, Task};
pub use suite::{Suite, Suites};
pub use target::{Reference, Target};
pub use worker::{WORKER, worker as run_worker};

/// How long a scenario may take when nobody says otherwise.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Stands for the flag that names a scenario.
pub const SCENARIO: &str = "{scenario}";

/// How to verify it.
pub struct Options {
    /// What to choose.
    pub selection: Selection,
    /// Folders of further features.
    pub features: Vec<PathBuf>,
    /// The profile set.
    pub profiles: Choice,
    /// The version of the spec to judge by.
    pub spec_version: SpecVersion,
    /// Scenarios at a time; on real processes they mostly wait. `None`: as many as their starts and the machine's load leave room
    /// for, six a core at most.
    pub jobs: Option<usize>,
    /// How often each scenario runs.
    pub repeat: usize,
    /// Whether the harness first proves, on real processes, that it would see what it must.
    pub control: bool,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Keep the sandboxes.
    pub keep_sandbox: bool,
    /// The time limit of each scenario; `None`: what goes with the system's own limits.
    pub time_limit: Option<Duration>,
    /// Becomes true when the run is to end early.
    pub interrupted: watch::Receiver<bool>,
    /// The command line that repeats one scenario, with [`SCENARIO`] where the flag that names it goes.
    pub repro: String,
}

impl Default for Options {
    /// Everything, once, with the profiles of the spec.
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            features: Vec::new(),
            profiles: Choice::Spec,
            spec_version: SpecVersion::NEWEST,
            jobs: None,
            repeat: 1,
            control: false,
            fail_fast: false,
            keep_sandbox: false,
            time_limit: None,
            interrupted: watch::channel(false).1,
            repro: format!("passmuster verify {SCENARIO}"),
        }
    }
}

/// What came of a run.
pub struct RunOutcome {
    /// The report.
    pub report: Report,
    /// The trace of every scenario that ran, by its key.
    pub traces: BTreeMap<String, Vec<Record>>,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// What would run: the features, read and planned.
///
/// # Errors
/// Everything that is wrong with the features.
pub fn prepare(target: &Target, options: &Options) -> Result<Vec<PlannedScenario>, Vec<FeatureError>> {
    Ok(planned(target, &features::read(target.suites(), &options.features)?, options))
}

/// What would run of features that were read.
fn planned(target: &Target, written: &[Scenario], options: &Options) -> Vec<PlannedScenario> {
    let written: Vec<Scenario> = written.iter().filter(|scenario| is_in(scenario, options.spec_version)).cloned().collect();
    plan(&written, Registry::embedded(), &target.capabilities(), &options.selection)
}

/// Whether a version of the spec states any of the requirements that a scenario exercises. Ids of one's own always count.
fn is_in(scenario: &Scenario, version: SpecVersion) -> bool {
    let stated = |id: &RequirementId| Registry::embedded().get(id).is_none_or(|requirement| requirement.is_in(version));
    scenario.requirements().iter().any(stated)
}

/// Runs what was planned.
pub fn run(
    target: &Target,
    planned: Vec<PlannedScenario>,
    profiles: &Profiles,
    options: &Options,
    emit: &mut dyn FnMut(Event),
) -> RunOutcome {
    let (began, started_at) = (Instant::now(), jiff::Timestamp::now());
    let (to_run, mut results, unmapped) = divided(planned);
    let repeated: Vec<PlannedScenario> = (1..=options.repeat.max(1))
        .flat_map(|round| {
            to_run.iter().cloned().map(move |mut planned| {
                if round > 1 {
                    planned.key = format!("{}@{round}", planned.key);
                }
                planned
            })
        })
        .collect();
    let is_proven_first = matches!(target, Target::Real(_)) && options.control && !repeated.is_empty();
    let control = is_proven_first.then(|| control::check(target.suites(), &repeated, profiles, options));
    // Whoever has nothing that must be seen first has no proof to show.
    let control = control.filter(|control| !control.checks.is_empty());
    emit(Event::Planned { scenarios: repeated.len() });
    let mut notes = target.notes();
    let played = match target {
        Target::Reference(reference) => simulated::run(repeated, reference, profiles, options, emit),
        Target::Real(system) => {
            let job = system.job();
            let bounds = system.bounds();
            let tasks = repeated.into_iter().map(|planned| Task { planned, system: job.clone(), bounds }).collect();
            let played = pool::run(tasks, Failures::Doubted, profiles, options, emit);
            notes.extend(played.notes);
            played.runs.into_iter().map(|(_, played)| played).collect()
        }
    };
    let interrupted = *options.interrupted.borrow();
    let mut traces = BTreeMap::new();
    for ScenarioRun { mut result, trace, .. } in played {
        judge_by(&mut result, Registry::embedded(), options.spec_version);
        for finding in &mut result.findings {
            finding.repro = options.repro.replace(SCENARIO, &format!("--scenario '{}'", round_of(&result.key).0));
        }
        traces.insert(result.key.clone(), trace);
        results.push(result);
    }
    let order: BTreeMap<String, usize> = to_run.iter().enumerate().map(|(at, planned)| (planned.key.clone(), at)).collect();
    results.sort_by_key(|result| order.get(round_of(&result.key).0).copied().unwrap_or(usize::MAX));
    let mut requirements = requirement_results(in_scope(target, options, &results), &results, &unmapped);
    for result in &mut requirements {
        result.line = Registry::embedded().get(&result.id).and_then(|requirement| target.line(requirement));
    }
    let report = Report {
        schema: SCHEMA.into(),
        tool: Tool { name: "passmuster".into(), version: env!("CARGO_PKG_VERSION").into() },
        spec_version: options.spec_version.to_string(),
        system: target.about(),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        started_at: started_at.to_string(),
        duration_ms: began.elapsed().as_millis() as u64,
        // Nothing in a run is random.
        seed: 0,
        notes,
        interrupted,
        shard: options.selection.shard.map(|(k, n)| format!("{k}/{n}")),
        hint: None,
        control,
        baseline: None,
        summary: Summary::of(results.iter().map(|result| result.verdict)),
        requirements,
        scenarios: results,
    };
    RunOutcome { report, traces, interrupted }
}

/// Every scenario that the system could be asked to play, chosen or not: what a baseline may be about.
pub fn places(target: &Target, options: &Options) -> Vec<BaselinePlace> {
    let all = Options { features: options.features.clone(), ..Options::default() };
    let planned = prepare(target, &all).unwrap_or_default();
    planned.into_iter().map(|it| BaselinePlace { requirements: it.written.requirements(), key: it.key, agent: it.agent }).collect()
}

/// What runs, the results of what does not, and the requirements whose operations the system does not map.
fn divided(planned: Vec<PlannedScenario>) -> (Vec<PlannedScenario>, Vec<ScenarioResult>, BTreeMap<RequirementId, String>) {
    let (mut to_run, mut results, mut unmapped) = (Vec::new(), Vec::new(), BTreeMap::new());
    for planned in planned {
        match planned.disposition.clone() {
            Disposition::Run => to_run.push(planned),
            Disposition::Skip(why) => results.push(unplayed(&planned, Verdict::Skipped, Some(why), Vec::new())),
            Disposition::Lacks { requirement, what } => {
                results.push(unplayed(&planned, Verdict::Skipped, Some(what.clone()), Vec::new()));
                unmapped.insert(requirement, format!("the system claims the suite `{}`, but {what}", planned.written.suite));
            }
        }
    }
    (to_run, results, unmapped)
}

/// The requirements that a run is about: of the suites chosen, else claimed, those for the party that the suite judges; of those,
/// the ones asked for: by their ids, or by the scenarios chosen. And whatever else something was found of.
fn in_scope(target: &Target, options: &Options, results: &[ScenarioResult]) -> Vec<&'static Requirement> {
    let chosen = &options.selection;
    let suites = if chosen.suites.is_empty() { target.capabilities().suites } else { chosen.suites.clone() };
    let is_whole = !chosen.requirements.is_empty() || chosen.scenarios.is_empty() && chosen.tags.is_none();
    let is_asked_for = |requirement: &Requirement| {
        suite::find(target.suites(), &requirement.suite).is_some_and(|suite| suite.party() == requirement.party)
            && suites.contains(&requirement.suite)
            && (chosen.requirements.is_empty() || chosen.requirements.contains(&requirement.id))
            && (is_whole || results.iter().any(|scenario| concerns(scenario, &requirement.id)))
    };
    let is_found = |requirement: &Requirement| results.iter().any(|scenario| names(scenario, &requirement.id));
    Registry::embedded()
        .iter()
        .filter(|requirement| requirement.is_in(options.spec_version))
        .filter(|requirement| is_asked_for(requirement) || is_found(requirement))
        .collect()
}
