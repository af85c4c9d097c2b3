//! The built-in system: the reference manager in memory, in virtual time.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::agent::sim::SimWorld;
use crate::clock::Clock;
use crate::contract::{Announcement, Args, OperationSpec, SessionId};
use crate::reference::service::Service;
use crate::reference::store::SimStore;
use crate::reference::virtual_host::VirtualHost;
use crate::reference::{Complaints, Config, FaultSet, Manager};

use super::{Announces, CallError, Driver, Offer};

/// The reference manager in a simulated world.
pub struct InProcess {
    host: Arc<VirtualHost>,
    store: Arc<SimStore>,
    config: Config,
    manager: RefCell<Arc<Manager>>,
    listeners: RefCell<Vec<mpsc::UnboundedSender<Announcement>>>,
    said: Arc<Mutex<String>>,
}

impl InProcess {
    /// Opens a manager in a world.
    pub async fn open(world: SimWorld, clock: Clock, faults: FaultSet) -> Self {
        let host = Arc::new(VirtualHost::new(world.clone()));
        let store = Arc::new(SimStore::new(world));
        let said = Arc::new(Mutex::new(String::new()));
        let config = Config { faults, complaints: Complaints::Kept(said.clone()), ..Config::conforming(clock) };
        let manager = Manager::open(Arc::new(host.clone()), store.clone(), config.clone()).await;
        Self { host, store, config, manager: RefCell::new(manager), listeners: RefCell::default(), said }
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
        tokio::select! {
            answer = manager.clone().call(operation.name, args.clone()) => answer.map_err(CallError::Contract),
            () = manager.crashed() => Err(CallError::Broken { what: "the manager was killed".into() }),
        }
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        Offer { offered: true, args: operation.args.iter().map(|field| field.name).collect() }
    }

    fn announcements(&self) -> Announces {
        Announces { by_waiting: true, by_stream: true }
    }

    async fn subscribe(&self, into: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
        self.listeners.borrow_mut().push(into.clone());
        self.relay(into);
        Ok(())
    }

    async fn restart(&self) -> Result<(), CallError> {
        self.manager().crash();
        let manager = Manager::open(Arc::new(self.host.clone()), self.store.clone(), self.config.clone()).await;
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
        self.said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}
