//! The suite of stores, as the engine knows it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{OperationTable, STORE_OPERATIONS, SessionId};
use crate::engine::control::ControlCheck;
use crate::engine::fault::{Change, FaultInfo};
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

use super::behavior::StoreBehavior;
use super::in_memory::InMemoryStore;
use super::steps::{IDS, StoreState};
use super::{control, faults, served};

/// The suite of stores of resumable sessions.
#[derive(Debug)]
pub struct StoreSuite;

/// The behavior of the reference with some changes; what is none of a store's is passed over.
fn behavior(changes: &[Change]) -> StoreBehavior {
    let mut behavior = StoreBehavior::default();
    for fault in changes.iter().filter_map(|change| faults::named(change.name()).ok()) {
        fault.apply(&mut behavior);
    }
    behavior
}

#[async_trait(?Send)]
impl Suite for StoreSuite {
    fn names(&self) -> &'static [&'static str] {
        &["resumption"]
    }

    fn party(&self) -> Party {
        Party::Manager
    }

    fn operations(&self) -> OperationTable {
        STORE_OPERATIONS
    }

    fn vocabulary(&self) -> &'static dyn Vocabulary {
        StoreState::steps()
    }

    fn glossary(&self) -> Vec<Glossary> {
        let ids = IDS.iter().map(|(name, id)| (*name, format!("{id:?}"))).collect();
        vec![Glossary { title: "Ids (`a stored session with the id {string}`)", words: ids }]
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        faults::FAULTS.iter().map(|fault| &fault.info).collect()
    }

    fn control(&self) -> &'static [ControlCheck] {
        control::CHECKS
    }

    fn reference(&self) -> &'static str {
        "reference"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: false, by_stream: false }
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], profiles: &Profiles) -> ScenarioRun {
        simulated::rehearse::<StoreState>(self, planned, profiles, Processes::Session, async |_, clock| {
            let store = InMemoryStore::open(clock, behavior(changes)).expect("a folder for the reference store");
            let root = store.root().to_owned();
            let record: RecordPlace = Rc::new(move |id: &SessionId| root.join(id.as_str()).join("state.json"));
            (Box::new(store) as Box<dyn Driver>, record)
        })
    }

    async fn play(&self, planned: &PlannedScenario, system: &Value, backstage: &Backstage) -> Result<ScenarioRun, String> {
        system::play::<StoreState>(self, planned, system, backstage).await
    }

    fn served(&self, suites: Suites, over: Over, change: Change, _: &str, folder: &Path) -> Arc<dyn RealSystem> {
        system::written(suites, folder, &format!("{}.{over}", change.name()), &served::manifest(over, change.name()))
    }
}
