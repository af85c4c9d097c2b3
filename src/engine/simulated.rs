//! Scenarios on the built-in reference: in memory, in virtual time, each on a runtime of its own.

use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::LocalSet;

use crate::contract::{AgentKind, DEFAULT_MESSAGE_CHARS, SessionId, Side, manager_suites, suite};
use crate::core::clock::{Clock, virtual_runtime};
use crate::engine::world::{Ground, RecordPlace, World, WorldOptions};
use crate::fakes::cast::Cast;
use crate::fakes::sim::SimWorld;
use crate::profile::Profiles;
use crate::suites::manager::in_process::InProcess;
use crate::suites::manager::reference::{Config, FaultSet, VariationSet};
use crate::suites::store::in_process::InProcessStore;
use crate::sut::recorder::Recorder;
use crate::sut::{Announces, Driver, Offer};
use crate::trace::Log;
use crate::trace::settings::Settings;

use super::Options;
use super::plan::{Capabilities, Planned};
use super::scenario::{Played, meta, play, unplayed};
use crate::results::model::{Event, ScenarioResult, Verdict};

/// How long a scenario may take in virtual time, in which days pass.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The built-in reference, as it is to behave.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    /// The defects it is to have.
    pub faults: FaultSet,
    /// In what it is to differ from other managers that conform.
    pub variations: VariationSet,
}

impl Reference {
    /// Whether what is changed in it may show on a side. Variations are a manager's.
    fn concerns(&self, side: Side) -> bool {
        self.faults.concern(side) && (side == Side::Manager || self.variations.is_empty())
    }
}

/// What the built-in reference offers: everything.
pub(crate) fn capabilities(reference: &Reference) -> Capabilities {
    Capabilities {
        suites: manager_suites().filter(|suite| reference.concerns(suite.side)).map(|suite| suite.name.to_owned()).collect(),
        agents: AgentKind::ALL.to_vec(),
        offer: Box::new(|operation| Offer { offered: true, args: operation.args.iter().map(|field| field.name).collect() }),
        announces: Announces { by_waiting: reference.variations.by_waiting(), by_stream: reference.variations.by_stream() },
        can_restart: true,
        can_kill: false,
        has_record: true,
        processes: "session".into(),
        is_virtual: true,
    }
}

/// Plays scenarios one after the other.
pub(crate) fn run(
    planned: Vec<Planned>,
    reference: &Reference,
    profiles: &Profiles,
    options: &Options,
    emit: &mut dyn FnMut(Event),
) -> Vec<Played> {
    let mut all = Vec::new();
    for planned in planned {
        if *options.interrupted.borrow() {
            break;
        }
        emit(Event::ScenarioStarted { key: planned.key.clone() });
        let played = watched(planned, reference, profiles, options.time_limit);
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
fn watched(planned: Planned, reference: &Reference, profiles: &Profiles, limit: Duration) -> Played {
    let given_up = unplayed(
        &planned,
        Verdict::CouldNotTest,
        Some(format!("the scenario did not end within {} s of real time", limit.as_secs())),
        Vec::new(),
    );
    let (reference, profiles) = (reference.clone(), profiles.clone());
    within(limit, given_up, move || LocalSet::new().block_on(&virtual_runtime(), one(&planned, &reference, &profiles)))
}

/// What is played on a thread of its own, or what is said where that takes too long.
fn within(limit: Duration, given_up: ScenarioResult, play: impl FnOnce() -> Played + Send + 'static) -> Played {
    let (tell, told) = mpsc::channel();
    // Nobody listens any more where it was given up.
    let tell = move || drop(tell.send(play()));
    // As much room as the main thread has.
    std::thread::Builder::new().stack_size(8 << 20).spawn(tell).expect("the system has threads");
    match told.recv_timeout(limit) {
        Ok(played) => played,
        Err(mpsc::RecvTimeoutError::Timeout) => Played { result: given_up, trace: Vec::new() },
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let reason = Some("the harness failed in this scenario; its standard error says how".to_owned());
            Played { result: ScenarioResult { reason, ..given_up }, trace: Vec::new() }
        }
    }
}

async fn one(planned: &Planned, reference: &Reference, profiles: &Profiles) -> Played {
    let suite = suite(&planned.written.suite);
    let clock = Clock::start_virtual();
    let log = Log::new(clock);
    log.push(meta(planned, "reference", profiles));
    let cast = Cast::new(log.clone());
    let profiles = Rc::new(profiles.clone());
    let world = SimWorld::new(cast.clone(), (*profiles).clone(), clock);
    let (system, record): (Box<dyn Driver>, RecordPlace) = match suite.map(|suite| suite.side) {
        Some(Side::Store) => {
            let store = InProcessStore::open(clock, &reference.faults).expect("a folder for the reference store");
            let root = store.root().to_owned();
            (Box::new(store), Rc::new(move |id: &SessionId| root.join(id.as_str()).join("state.json")))
        }
        _ => {
            let config = Config { faults: reference.faults.clone(), variations: reference.variations.clone(), ..Config::conforming(clock) };
            (Box::new(InProcess::open(world.clone(), config).await), Rc::new(InProcess::record))
        }
    };
    let operations = suite.map(|suite| suite.operations).unwrap_or_default();
    let driver = Rc::new(Recorder::new(system, operations, log.clone()));
    driver.listen(planned.written.has_tag("stream"), true).await.expect("the reference in memory opens its stream");
    let settings = Settings::of(&profiles);
    let world = World::new(WorldOptions {
        log: log.clone(),
        cast,
        driver: driver.clone(),
        processes: Rc::new(world.clone()),
        ground: Ground::Virtual(world),
        profiles,
        limits: settings.limits,
        agents: planned.agents.clone(),
        message_chars: DEFAULT_MESSAGE_CHARS,
        default_timeout_s: None,
        record: Some(record),
        requirement: planned.written.requirements()[0].clone(),
    });
    play(planned, world, driver, &log, &settings, LONGEST).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Subject, prepare};

    #[test]
    fn a_scenario_that_takes_too_long_in_real_time_is_given_up() {
        let planned = prepare(&Subject::Reference(Reference::default()), &Options::default()).unwrap().remove(0);
        let given_up = unplayed(&planned, Verdict::CouldNotTest, Some("too long".into()), Vec::new());
        let (hold, held) = mpsc::channel::<()>();
        let played = within(Duration::from_millis(1), given_up.clone(), move || {
            let _ = held.recv();
            Played { result: unplayed(&planned, Verdict::Passed, None, Vec::new()), trace: Vec::new() }
        });
        assert_eq!(played.result, given_up);
        drop(hold);
    }
}
