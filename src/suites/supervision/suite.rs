//! The suite of supervisors, as the engine knows it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{AgentKind, OperationTable, SUPERVISION_OPERATIONS, SessionId};
use crate::engine::fault::{self, Change, FaultInfo, VariationInfo};
use crate::engine::matrix::Over;
use crate::engine::plan::{Capabilities, PlannedScenario};
use crate::engine::scenario::{ScenarioRun, Strain, unplayed};
use crate::engine::suite::{Glossary, Suite, Suites};
use crate::engine::target::RealSystem;
use crate::engine::vocabulary::Vocabulary;
use crate::engine::worker::Backstage;
use crate::engine::world::{RecordPlace, State as _};
use crate::engine::{simulated, system};
use crate::profile::Profiles;
use crate::results::model::{System, Verdict};
use crate::spec::Party;
use crate::sut::{Announces, Driver, Offer};
use crate::trace::settings::Processes;

use super::behavior::SupervisorBehavior;
use super::in_memory::{InMemoryScene, InMemorySupervisor, InMemorySupervisorDriver};
use super::real::{RealScene, not_played};
use super::steps::SupervisionState;
use super::steps::sessions::NAMES;
use super::{faults, variations};

/// Why the reference behind a front is not judged.
const NOT_YET: &str = "the reference is served by no front yet that runs it on a container engine: nothing was tried";

/// The suite of supervisors of agents in containers.
#[derive(Debug)]
pub struct SupervisionSuite;

/// The behavior of the reference with some changes.
fn behavior(changes: &[Change]) -> SupervisorBehavior {
    fault::behavior(changes, faults::FAULTS.iter(), variations::VARIATIONS)
}

#[async_trait(?Send)]
impl Suite for SupervisionSuite {
    fn names(&self) -> &'static [&'static str] {
        &["supervision"]
    }

    fn party(&self) -> Party {
        Party::Supervisor
    }

    fn operations(&self) -> OperationTable {
        SUPERVISION_OPERATIONS
    }

    fn vocabulary(&self) -> &'static dyn Vocabulary {
        SupervisionState::steps()
    }

    fn glossary(&self) -> Vec<Glossary> {
        let names = NAMES.iter().map(|(name, value)| (*name, format!("{:?}", value()))).collect();
        vec![Glossary { title: "Ids and roles (`session {string} is asked for with the id {string}`)", words: names }]
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        faults::FAULTS.iter().map(|fault| &fault.info).collect()
    }

    fn variations(&self) -> Vec<&'static VariationInfo> {
        variations::VARIATIONS.iter().map(|variation| &variation.info).collect()
    }

    fn reference(&self) -> &'static str {
        "reference supervisor"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: true, by_stream: false }
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], profiles: &Profiles) -> ScenarioRun {
        simulated::rehearse_with::<SupervisionState>(self, planned, profiles, Processes::Session, async |world, _| {
            let supervisor = InMemorySupervisor::open(world, behavior(changes)).await.expect("a folder for the reference supervisor");
            let root = supervisor.root();
            let record: RecordPlace = Rc::new(move |id: &SessionId| InMemorySupervisor::record(&root, id));
            let driver = InMemorySupervisorDriver(supervisor.clone());
            (Box::new(driver) as Box<dyn Driver>, record, SupervisionState::on(Rc::new(InMemoryScene(supervisor))))
        })
    }

    async fn play(&self, planned: &PlannedScenario, system: &Value, backstage: &Backstage) -> Result<ScenarioRun, String> {
        if let Some(why) = not_played(&planned.written.steps) {
            let result = unplayed(planned, Verdict::Skipped, Some(why), Vec::new());
            return Ok(ScenarioRun { result, trace: Vec::new(), strain: Strain::default() });
        }
        system::play_on::<SupervisionState>(self, planned, system, backstage, |stage| Ok(SupervisionState::on(RealScene::open(stage)?)))
            .await
    }

    fn served(&self, suites: Suites, _: Over, _: Change, _: &str, _: &Path) -> Arc<dyn RealSystem> {
        Arc::new(OutOfSight { suites })
    }
}

/// The reference behind a front: its containers are not seen there.
struct OutOfSight {
    suites: Suites,
}

impl RealSystem for OutOfSight {
    fn suites(&self) -> Suites {
        self.suites
    }

    fn about(&self) -> System {
        System { name: "reference supervisor".into(), version: None, transport: "none".into(), file: None }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            suites: vec!["supervision".into()],
            agents: AgentKind::all().to_vec(),
            offer: Box::new(Offer::whole),
            announces: Announces { by_waiting: true, by_stream: false },
            can_restart: true,
            can_kill: false,
            has_record: true,
            containers: Err(NOT_YET),
            processes: Processes::Session,
            is_virtual: false,
        }
    }

    fn job(&self) -> Value {
        Value::Null
    }
}
