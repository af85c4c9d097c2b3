//! The built-in systems, in virtual time: the reference manager in memory, the reference store in a folder.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::agent::sim::SimWorld;
use crate::clock::Clock;
use crate::contract::{Announcement, Args, OperationSpec, SessionId};
use crate::reference::resumption::{Served, Store};
use crate::reference::service::Service;
use crate::reference::store::SimStore;
use crate::reference::virtual_host::VirtualHost;
use crate::reference::{Complaints, Config, FaultSet, Manager};

use super::{Announces, CallError, Driver, Offer, Tail, sandbox};

/// How long a call may take: the contract's limit.
const CALL: Duration = Duration::from_secs(10);

/// How much of its complaints is kept, in bytes.
const STDERR: usize = 16 * 1024;

/// The reference manager in a simulated world.
pub struct InProcess {
    host: Arc<VirtualHost>,
    store: Arc<SimStore>,
    config: Config,
    manager: RefCell<Arc<Manager>>,
    said: Tail,
    listeners: RefCell<Vec<mpsc::UnboundedSender<Announcement>>>,
}

impl InProcess {
    /// Opens a manager in a world.
    pub async fn open(world: SimWorld, mut config: Config) -> Self {
        let said = Tail::new(STDERR);
        let into = said.clone();
        config.complaints = Complaints::to(move |complaint| into.push(format!("{complaint}\n").as_bytes()));
        let host = Arc::new(VirtualHost::new(world.clone()));
        let store = Arc::new(SimStore::new(world));
        let manager = Manager::open(Arc::new(host.clone()), store.clone(), config.clone()).await;
        Self { host, store, config, manager: RefCell::new(manager), said, listeners: RefCell::default() }
    }

    /// Where a session's record is.
    pub fn record(id: &SessionId) -> PathBuf {
        SimStore::path(&format!("sessions/{id}.json"))
    }

    fn manager(&self) -> Arc<Manager> {
        self.manager.borrow().clone()
    }

    fn relay(&self, into: mpsc::UnboundedSender<Announcement>) {
        let mut said = self.manager().announcements();
        tokio::spawn(async move {
            while let Ok(announcement) = said.recv().await {
                if into.send(announcement).is_err() {
                    return;
                }
            }
        });
    }
}

#[async_trait(?Send)]
impl Driver for InProcess {
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError> {
        let manager = self.manager();
        // A call that waits by itself has that long on top.
        let waits = args.get("timeout_s").and_then(|wait| wait.as_u64()).filter(|_| operation.name == "wait_events");
        let limit = CALL + Duration::from_secs(waits.unwrap_or_default());
        tokio::select! {
            biased;
            () = manager.crashed() => Err(CallError::Broken { what: "the manager does not run any more".into() }),
            answer = manager.clone().call(operation.name, args.clone()) => answer.map_err(CallError::Contract),
            () = tokio::time::sleep(limit) => Err(CallError::TimedOut { limit_ms: limit.as_millis() as u64 }),
        }
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        Offer { offered: true, args: operation.args.iter().map(|field| field.name).collect() }
    }

    fn announcements(&self) -> Announces {
        Announces { by_waiting: self.config.variations.by_waiting(), by_stream: self.config.variations.by_stream() }
    }

    async fn subscribe(&self, into: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
        self.listeners.borrow_mut().push(into.clone());
        self.relay(into);
        Ok(())
    }

    async fn restart(&self) -> Result<(), CallError> {
        self.manager().crash();
        let manager = Manager::open(Arc::new(self.host.clone()), self.store.clone(), self.config.clone()).await;
        if let Some(why) = manager.gives_up() {
            manager.crash();
            self.said.push(format!("{why}\n").as_bytes());
            self.manager.replace(manager);
            return Err(CallError::Broken { what: "the manager exited at its start".into() });
        }
        self.manager.replace(manager);
        for into in self.listeners.borrow().iter() {
            self.relay(into.clone());
        }
        Ok(())
    }

    fn can_restart(&self) -> bool {
        true
    }

    async fn close(&self) -> Vec<String> {
        self.manager().shutdown().await;
        Vec::new()
    }

    fn stderr_tail(&self) -> String {
        self.said.text()
    }
}

/// The reference store in a folder of its own, on the scenario's clock.
pub struct InProcessStore {
    store: Arc<Served>,
    root: PathBuf,
    _folder: TempDir,
}

impl InProcessStore {
    /// Makes a store.
    ///
    /// # Errors
    /// `Broken`, where no folder can be made.
    pub fn open(clock: Clock, faults: &FaultSet) -> Result<Self, CallError> {
        let no_folder = |error| CallError::Broken { what: format!("no folder for a store: {error}") };
        let folder = sandbox::folder_in_memory("store").map_err(no_folder)?;
        let root = folder.path().join("session");
        let store = Store::new(&root).with_clock(clock).with_seams(faults.store_seams());
        Ok(Self { store: Arc::new(Served::new(store)), root, _folder: folder })
    }

    /// The folder of all records.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[async_trait(?Send)]
impl Driver for InProcessStore {
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError> {
        self.store.clone().call(operation.name, args.clone()).await.map_err(CallError::Contract)
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        Offer { offered: true, args: operation.args.iter().map(|field| field.name).collect() }
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
