//! The suite of stores, as the engine knows it.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{OperationTable, STORE_OPERATIONS, SessionId};
use crate::engine::control::Check;
use crate::engine::fault::{Change, FaultInfo};
use crate::engine::matrix::Over;
use crate::engine::plan::Planned;
use crate::engine::scenario::Played;
use crate::engine::suite::{Glossary, Suite, Suites};
use crate::engine::target::RealSystem;
use crate::engine::vocabulary::Vocabulary;
use crate::engine::worker::Backstage;
use crate::engine::world::{RecordPlace, State as _};
use crate::engine::{simulated, system};
use crate::profile::Profiles;
use crate::spec::Party;
use crate::sut::{Announces, Driver};

use super::behavior::Seams;
use super::in_memory::InMemoryStore;
use super::steps::{IDS, Store};
use super::{control, faults, served};

/// The suite of stores of resumable sessions.
#[derive(Debug)]
pub struct StoreSuite;

/// The behavior of the reference with some changes; what is none of a store's is passed over.
fn behavior(changes: &[Change]) -> Seams {
    let mut behavior = Seams::default();
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
        Store::steps()
    }

    fn glossary(&self) -> Vec<Glossary> {
        let ids = IDS.iter().map(|(name, id)| (*name, format!("{id:?}"))).collect();
        vec![Glossary { title: "Ids (`a stored session with the id {string}`)", words: ids }]
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        faults::FAULTS.iter().map(|fault| &fault.info).collect()
    }

    fn control(&self) -> &'static [Check] {
        control::CHECKS
    }

    fn reference(&self) -> &'static str {
        "reference"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: false, by_stream: false }
    }

    fn rehearse(&self, planned: &Planned, changes: &[Change], profiles: &Profiles) -> Played {
        simulated::rehearse::<Store>(self, planned, profiles, async |_, clock| {
            let store = InMemoryStore::open(clock, behavior(changes)).expect("a folder for the reference store");
            let root = store.root().to_owned();
            let record: RecordPlace = Rc::new(move |id: &SessionId| root.join(id.as_str()).join("state.json"));
            (Box::new(store) as Box<dyn Driver>, record)
        })
    }

    async fn play(&self, planned: &Planned, system: &Value, backstage: &Backstage) -> Result<Played, String> {
        system::play::<Store>(self, planned, system, backstage).await
    }

    fn served(&self, suites: Suites, over: Over, change: Change, _: &str, folder: &Path) -> Arc<dyn RealSystem> {
        system::written(suites, folder, &format!("{}.{over}", change.name()), &served::manifest(over, change.name()))
    }
}
