//! Scenarios on the suites' references: in memory, in virtual time, each on a runtime of its own.

use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::LocalSet;

use crate::contract::DEFAULT_MESSAGE_CHARS;
use crate::core::clock::{Clock, virtual_runtime};
use crate::fakes::registry::AgentRegistry;
use crate::fakes::sim::SimWorld;
use crate::profile::Profiles;
use crate::sut::Driver;
use crate::sut::recorder::Recorder;
use crate::trace::Log;
use crate::trace::settings::{Processes, Settings};

use super::plan::PlannedScenario;
use super::scenario::{ScenarioRun, Strain, meta, play, unplayed};
use super::suite::{self, Suite};
use super::target::Reference;
use super::world::{Ground, RecordPlace, State, World, WorldOptions};
use super::{Options, TIME_LIMIT};
use crate::results::model::{Event, ScenarioResult, Verdict};

/// How long a scenario may take in virtual time, in which days pass.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Plays scenarios one after the other.
pub(crate) fn run(
    planned: Vec<PlannedScenario>,
    reference: &Reference,
    profiles: &Profiles,
    options: &Options,
    emit: &mut dyn FnMut(Event),
) -> Vec<ScenarioRun> {
    let mut all = Vec::new();
    for planned in planned {
        if *options.interrupted.borrow() {
            break;
        }
        emit(Event::ScenarioStarted { key: planned.key.clone() });
        let played = watched(planned, reference, profiles, options.time_limit.unwrap_or(TIME_LIMIT));
        emit(Event::ScenarioFinished { result: Box::new(played.result.clone()) });
        let failed = played.result.verdict == Verdict::Failed;
        all.push(played);
        if failed && options.fail_fast {
            break;
        }
    }
    all
}

/// Plays a scenario on a thread of its own, which is given up when it takes too long in real time: what never waits never
/// reaches a limit in virtual time.
fn watched(planned: PlannedScenario, reference: &Reference, profiles: &Profiles, limit: Duration) -> ScenarioRun {
    let given_up = unplayed(
        &planned,
        Verdict::CouldNotTest,
        Some(format!("the scenario did not end within {} s of real time", limit.as_secs())),
        Vec::new(),
    );
    let (reference, profiles) = (reference.clone(), profiles.clone());
    within(limit, given_up, move || match suite::find(reference.suites, &planned.written.suite) {
        Some(suite) => suite.rehearse(&planned, &reference.changes, &profiles),
        None => unreachable!("the scenario's suite was looked up when its feature was read"),
    })
}

/// What is played on a thread of its own, or what is said where that takes too long.
fn within(limit: Duration, given_up: ScenarioResult, play: impl FnOnce() -> ScenarioRun + Send + 'static) -> ScenarioRun {
    let (tell, told) = mpsc::channel();
    // Nobody listens any more where it was given up.
    let tell = move || drop(tell.send(play()));
    // As much room as the main thread has.
    std::thread::Builder::new().stack_size(8 << 20).spawn(tell).expect("the system has threads");
    match told.recv_timeout(limit) {
        Ok(played) => played,
        Err(mpsc::RecvTimeoutError::Timeout) => ScenarioRun { result: given_up, trace: Vec::new(), strain: Strain::default() },
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let reason = Some("the harness failed in this scenario; its standard error says how".to_owned());
            ScenarioRun { result: ScenarioResult { reason, ..given_up }, trace: Vec::new(), strain: Strain::default() }
        }
    }
}

/// Plays a scenario of a suite, step by step, on what `open` makes in a simulated world: a driver, and where it keeps the record of
/// one session. `process_per` says how its agents' processes and its sessions go together.
pub(crate) fn rehearse<S: State>(
    suite: &dyn Suite,
    planned: &PlannedScenario,
    profiles: &Profiles,
    process_per: Processes,
    open: impl AsyncFnOnce(SimWorld, Clock) -> (Box<dyn Driver>, RecordPlace),
) -> ScenarioRun {
    rehearse_with::<S>(suite, planned, profiles, process_per, async |world, clock| {
        let (system, record) = open(world, clock).await;
        (system, record, S::default())
    })
}

/// The same, where the suite's steps know something from the beginning: what `open` made besides.
pub(crate) fn rehearse_with<S: State>(
    suite: &dyn Suite,
    planned: &PlannedScenario,
    profiles: &Profiles,
    process_per: Processes,
    open: impl AsyncFnOnce(SimWorld, Clock) -> (Box<dyn Driver>, RecordPlace, S),
) -> ScenarioRun {
    let one = async {
        let clock = Clock::start_virtual();
        let log = Log::new(clock);
        log.push(meta(planned, "reference", profiles));
        let registry = AgentRegistry::new(log.clone());
        let profiles = Rc::new(profiles.clone());
        let world = SimWorld::new(registry.clone(), (*profiles).clone(), clock);
        let (system, record, state) = open(world.clone(), clock).await;
        let driver = Rc::new(Recorder::new(system, suite.operations(), log.clone()));
        driver.listen(planned.written.has_tag("stream"), true).await.expect("the reference in memory opens its stream");
        let settings = Settings { processes: process_per, ..Settings::of(&profiles) };
        let mut world = World::<S>::new(WorldOptions {
            log: log.clone(),
            registry,
            driver: driver.clone(),
            processes: Rc::new(world.clone()),
            process_per,
            ground: Ground::Virtual(world),
            profiles,
            limits: settings.limits,
            agents: planned.agents.clone(),
            // The references state it.
            message_chars: Some(DEFAULT_MESSAGE_CHARS),
            default_timeout_s: None,
            record: Some(record),
            requirement: planned.written.requirements()[0].clone(),
        });
        world.state = state;
        play(planned, world, driver, &log, &settings, LONGEST).await
    };
    LocalSet::new().block_on(&virtual_runtime(), one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_in_real_time_is_given_up() {
        let result = |verdict| ScenarioResult {
            key: "a/b/c".into(),
            name: "c".into(),
            feature: "b.feature:1".into(),
            suite: "a".into(),
            agent: None,
            tags: Vec::new(),
            requirements: Vec::new(),
            verdict,
            expected: None,
            reason: None,
            duration_ms: 0,
            findings: Vec::new(),
        };
        let (hold, held) = mpsc::channel::<()>();
        let played = within(Duration::from_millis(1), result(Verdict::CouldNotTest), move || {
            let _ = held.recv();
            ScenarioRun { result: result(Verdict::Passed), trace: Vec::new(), strain: Strain::default() }
        });
        assert_eq!(played.result.verdict, Verdict::CouldNotTest);
        drop(hold);
    }
}
