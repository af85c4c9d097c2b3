//! The suites of session managers, as the engine knows them.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{OperationTable, SESSION_OPERATIONS};
use crate::engine::control::ControlCheck;
use crate::engine::fault::{self, Change, FaultInfo, VariationInfo};
use crate::engine::matrix::Over;
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::ScenarioRun;
use crate::engine::suite::{Glossary, Suite, Suites};
use crate::engine::target::RealSystem;
use crate::engine::vocabulary::Vocabulary;
use crate::engine::worker::Backstage;
use crate::engine::world::{RecordPlace, State as _};
use crate::engine::{simulated, system};
use crate::profile::Profiles;
use crate::spec::Party;
use crate::sut::{Announces, Driver};
use crate::trace::settings::Processes;

use super::behavior::ManagerBehavior;
use super::in_memory::InMemory;
use super::reference::ManagerConfig;
use super::steps::messages::MESSAGES;
use super::steps::{BEHAVIOURS, ManagerState};
use super::{control, faults, served, variations};

/// The suites of session managers.
#[derive(Debug)]
pub struct ManagerSuite;

/// The behavior of the reference with some changes.
pub(super) fn behavior(changes: &[Change]) -> ManagerBehavior {
    fault::behavior(changes, faults::faults(), variations::VARIATIONS)
}

#[async_trait(?Send)]
impl Suite for ManagerSuite {
    fn names(&self) -> &'static [&'static str] {
        &["lifecycle", "codex-observability"]
    }

    fn party(&self) -> Party {
        Party::Manager
    }

    fn operations(&self) -> OperationTable {
        SESSION_OPERATIONS
    }

    fn vocabulary(&self) -> &'static dyn Vocabulary {
        ManagerState::steps()
    }

    fn glossary(&self) -> Vec<Glossary> {
        let behaviours = BEHAVIOURS.iter().map(|(name, _)| (*name, String::new())).collect();
        let messages = MESSAGES.iter().map(|message| (message.name, message.about.to_owned())).collect();
        vec![
            Glossary { title: "Behaviours (`the agent of {string} will …`)", words: behaviours },
            Glossary { title: "Messages (`the message {string} is sent to …`)", words: messages },
        ]
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        faults::faults().map(|fault| &fault.info).collect()
    }

    fn variations(&self) -> Vec<&'static VariationInfo> {
        variations::VARIATIONS.iter().map(|variation| &variation.info).collect()
    }

    fn control(&self) -> &'static [ControlCheck] {
        control::CHECKS
    }

    fn reference(&self) -> &'static str {
        "reference"
    }

    fn announces(&self, changes: &[Change]) -> Announces {
        behavior(changes).announces()
    }

    fn processes(&self, changes: &[Change]) -> Processes {
        behavior(changes).processes
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], profiles: &Profiles) -> ScenarioRun {
        simulated::rehearse::<ManagerState>(self, planned, profiles, self.processes(changes), async |world, clock| {
            let config = ManagerConfig { behavior: behavior(changes), ..ManagerConfig::conforming(clock) };
            let record: RecordPlace = Rc::new(InMemory::record);
            (Box::new(InMemory::open(world, config).await) as Box<dyn Driver>, record)
        })
    }

    async fn play(&self, planned: &PlannedScenario, system: &Value, backstage: &Backstage) -> Result<ScenarioRun, String> {
        system::play::<ManagerState>(self, planned, system, backstage).await
    }

    fn served(&self, suites: Suites, over: Over, change: Change, limits: &str, folder: &Path) -> Arc<dyn RealSystem> {
        let announces = self.announces(&[change]);
        let mut lacks = match (announces.by_waiting, announces.by_stream) {
            (true, true) => Vec::new(),
            (false, _) => vec!["wait_events"],
            (true, false) => vec!["events"],
        };
        let processes = self.processes(&[change]);
        // An agent that is run for one turn has no screen to speak of.
        lacks.extend((processes == Processes::Turn).then_some("capture_screen"));
        let text = served::manifest(over, change, processes, &lacks, limits);
        system::written(suites, folder, &format!("{}.{over}", change.name()), &text)
    }
}
