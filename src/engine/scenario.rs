//! One scenario: its steps are played, what is true at its end is looked at, the trace is judged.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use cucumber::gherkin::StepType;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};

use crate::contract::AgentKind;
use crate::engine::world::{StandingFinding, State, StepFinding, Stop, World};
use crate::profile::Profiles;
use crate::results::verdict_of;
use crate::spec::Registry;
use crate::sut::recorder::Recorder;
use crate::trace::settings::{Limits, Settings};
use crate::trace::{Contradiction, Entry, Log, Record};

use super::plan::PlannedScenario;
use crate::results::model::{Finding, Origin, ScenarioResult, Verdict};

/// What came of a scenario, with its trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScenarioRun {
    /// The result.
    pub result: ScenarioResult,
    /// Everything that was recorded.
    pub trace: Vec<Record>,
    /// What it had to bear.
    #[serde(default)]
    pub strain: Strain,
}

/// What a run had to bear on the machine that it ran on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Strain {
    /// How it came to nothing for want of time, where it did.
    pub trouble: Option<Trouble>,
    /// The shortest limit that something missed, in milliseconds.
    pub missed_ms: Option<u64>,
    /// How late a timer of the harness was at most, in milliseconds.
    pub late_ms: u64,
    /// The processor time that the system took until it was open, in milliseconds.
    pub start_ms: u64,
    /// What was found and rests on no limit: it holds on the busiest machine.
    #[serde(default)]
    pub timeless: Vec<Finding>,
}

/// How a run comes to nothing for want of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The system could not be opened.
    NotOpened,
    /// The scenario met its time limit.
    TimeLimit,
}

/// What must pass besides a limit for it to be over.
const LONGER: Duration = Duration::from_millis(1);

/// Plays a scenario's steps in a world that is ready, looks at the truth, judges the trace.
pub(crate) async fn play<S: State>(
    planned: &PlannedScenario,
    mut world: World<S>,
    driver: Rc<Recorder>,
    log: &Log,
    settings: &Settings,
    time_limit: Duration,
) -> ScenarioRun {
    let stop = tokio::time::timeout(time_limit, steps(planned, &mut world)).await;
    let trouble = stop.is_err().then_some(Trouble::TimeLimit);
    let stop = match stop {
        Ok(stop) => stop,
        Err(_) => Some(Stop::CouldNotTest(format!("the scenario took longer than its time limit of {} s", time_limit.as_secs()))),
    };
    S::look_at_the_end(&mut world).await;
    // What was said last may be about to come true, and the harness is about to end everything: only time shows whether it lied.
    if !S::standing(&log.records(), settings).is_empty() {
        tokio::time::sleep(settings.limits.settle + LONGER).await;
    }
    let stderr = driver.driver().stderr_tail();
    driver.stop_listening().await;
    for remark in driver.driver().close().await {
        log.push(Entry::Note { text: remark });
    }
    let trace = log.records();
    if let Some(why) = driver.unmapped() {
        let result = unplayed(planned, Verdict::CouldNotTest, Some(why), Vec::new());
        return ScenarioRun {
            result: ScenarioResult { duration_ms: log.clock().elapsed_ms(), ..result },
            trace,
            strain: Strain::default(),
        };
    }
    let found = found(&world, &trace, settings);
    let told = |found: Vec<(Origin, Contradiction)>| -> Vec<Finding> {
        found.into_iter().map(|(origin, found)| Finding::of(found, origin, &trace, &stderr)).collect()
    };
    let timeless = if found.is_empty() { Vec::new() } else { told(timeless(&world, &trace, settings)) };
    let findings = told(found);
    let (verdict, reason) = verdict(&findings, stop);
    let result = ScenarioResult { duration_ms: log.clock().elapsed_ms(), ..unplayed(planned, verdict, reason, findings) };
    ScenarioRun { result, trace, strain: Strain { trouble, missed_ms: driver.missed_ms(), timeless, ..Strain::default() } }
}

/// The result of a scenario that never ran.
pub fn unplayed(planned: &PlannedScenario, verdict: Verdict, reason: Option<String>, findings: Vec<Finding>) -> ScenarioResult {
    ScenarioResult {
        key: planned.key.clone(),
        name: planned.written.name.clone(),
        feature: format!("{}:{}", planned.written.file, planned.written.line),
        suite: planned.written.suite.clone(),
        agent: planned.agent,
        tags: planned.written.tags.clone(),
        requirements: planned.written.requirements(),
        verdict,
        expected: None,
        reason,
        duration_ms: 0,
        findings,
    }
}

async fn steps<S: State>(planned: &PlannedScenario, world: &mut World<S>) -> Option<Stop> {
    for written in &planned.written.steps {
        world.begin_step(&format!("{} {}", written.step.keyword.trim(), written.step.value), written.names.clone(), written.step.ty);
        let Some((run, context)) = S::steps().find(&written.step) else {
            return Some(Stop::CouldNotTest(format!("the step `{}` is not in the vocabulary", written.step.value)));
        };
        if let Err(panic) = AssertUnwindSafe(run(world, context)).catch_unwind().await {
            let what = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            return Some(Stop::CouldNotTest(format!("the harness failed in `{}`: {what}", written.step.value)));
        }
        if let Some(stop) = world.stopped() {
            return Some(match stop {
                Stop::Blocked(why) => Stop::Blocked(format!("{}: {why}", written.step.value)),
                stop => stop,
            });
        }
    }
    debug_assert!(planned.written.steps.iter().any(|step| step.step.ty == StepType::Then), "a scenario without a Then judges nothing");
    None
}

/// What the steps found, and what the rules find of other requirements.
fn found<S: State>(world: &World<S>, trace: &[Record], settings: &Settings) -> Vec<(Origin, Contradiction)> {
    with_rules(world.found().iter().collect(), S::standing(trace, settings))
}

/// Of that, what rests on no limit: what steps found before anything had missed one, and what the rules find however long the
/// limits are.
fn timeless<S: State>(world: &World<S>, trace: &[Record], settings: &Settings) -> Vec<(Origin, Contradiction)> {
    let endless = Settings { limits: Limits::ENDLESS, ..settings.clone() };
    let mut by_rules = S::standing(trace, settings);
    let whatever: Vec<_> = S::standing(trace, &endless);
    by_rules.retain(|(rule, found)| {
        whatever.iter().any(|(by, other)| by == rule && other.requirement == found.requirement && other.session == found.session)
    });
    with_rules(world.found().iter().filter(|found| found.is_timeless).collect(), by_rules)
}

fn with_rules(by_steps: Vec<&StepFinding>, by_rules: Vec<StandingFinding>) -> Vec<(Origin, Contradiction)> {
    let by_steps = by_steps.into_iter().map(|found| (Origin::Step(found.step.clone()), found.what.clone()));
    let mut found: Vec<(Origin, Contradiction)> = by_steps.collect();
    for (rule, contradiction) in by_rules {
        if !found.iter().any(|(_, other)| other.requirement == contradiction.requirement) {
            found.push((Origin::Rule(rule.to_owned()), contradiction));
        }
    }
    found
}

/// Findings decide; without any, why the scenario stopped.
fn verdict(findings: &[Finding], stop: Option<Stop>) -> (Verdict, Option<String>) {
    let (stopped, reason) = match stop {
        None => (Verdict::Passed, None),
        Some(Stop::Blocked(why)) => (Verdict::Blocked, Some(why)),
        Some(Stop::Skipped(why)) => (Verdict::Skipped, Some(why)),
        Some(Stop::CouldNotTest(why)) => (Verdict::CouldNotTest, Some(why)),
    };
    match verdict_of(findings, Registry::embedded()) {
        Verdict::Passed => (stopped, reason),
        found => (found, reason),
    }
}

/// The first line of a scenario's trace.
pub fn meta(planned: &PlannedScenario, system: &str, profiles: &Profiles) -> Entry {
    Entry::Meta {
        system: system.to_owned(),
        spec: crate::spec::VERSION.to_owned(),
        scenario: planned.key.clone(),
        profiles: AgentKind::all().iter().copied().map(|agent| (agent, profiles.set_name(agent).to_owned())).collect(),
    }
}
