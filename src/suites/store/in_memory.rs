//! The reference store in a folder, in virtual time, as a driver.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::contract::{Announcement, Args, OperationSpec};
use crate::core::clock::Clock;
use crate::frontends::service::Service;
use crate::suites::store::reference::{ServedStore, Store, StoreBehavior};
use crate::sut::{Announces, CallError, Driver, Offer, sandbox};

/// The reference store in a folder of its own, on the scenario's clock.
pub(crate) struct InMemoryStore {
    store: Arc<ServedStore>,
    root: PathBuf,
    _folder: TempDir,
}

impl InMemoryStore {
    /// Makes a store.
    ///
    /// # Errors
    /// `Broken`, where no folder can be made.
    pub(crate) fn open(clock: Clock, behavior: StoreBehavior) -> Result<Self, CallError> {
        let no_folder = |error| CallError::Broken { what: format!("no folder for a store: {error}") };
        let folder = sandbox::folder_in_memory("store").map_err(no_folder)?;
        let root = folder.path().join("session");
        let store = Store::new(&root).with_clock(clock).with_behavior(behavior);
        Ok(Self { store: Arc::new(ServedStore::new(store)), root, _folder: folder })
    }

    /// The folder of all records.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

#[async_trait(?Send)]
impl Driver for InMemoryStore {
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError> {
        self.store.clone().call(operation.name, args.clone()).await.map_err(CallError::Contract)
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        Offer::whole(operation)
    }

    fn announcements(&self) -> Announces {
        Announces { by_waiting: false, by_stream: false }
    }

    async fn subscribe(&self, _: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
        Err(CallError::Broken { what: "a store announces nothing".into() })
    }

    async fn restart(&self) -> Result<(), CallError> {
        Err(CallError::Broken { what: "a store in this process cannot be killed".into() })
    }

    fn can_restart(&self) -> bool {
        false
    }

    async fn close(&self) -> Vec<String> {
        Vec::new()
    }

    fn stderr_tail(&self) -> String {
        String::new()
    }
}
