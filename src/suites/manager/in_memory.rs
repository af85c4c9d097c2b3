//! The reference manager in memory, in virtual time, as a driver.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::contract::{Announcement, Args, OperationSpec, SessionId};
use crate::core::clock::Clock;
use crate::fakes::sim::SimWorld;
use crate::frontends::service::{Killable, Reopen, Service as _};
use crate::suites::manager::reference::store::SimStore;
use crate::suites::manager::reference::virtual_host::VirtualHost;
use crate::suites::manager::reference::{Complaints, Manager, ManagerConfig};

use crate::sut::{Announces, CallError, Driver, Offer, Tail};

/// How long a call may take: the contract's limit.
const CALL: Duration = Duration::from_secs(10);

/// How much of its complaints is kept, in bytes.
const STDERR: usize = 16 * 1024;

/// The reference manager in a simulated world.
pub(crate) struct InMemory {
    host: Arc<VirtualHost>,
    store: Arc<SimStore>,
    config: ManagerConfig,
    manager: RefCell<Arc<Manager>>,
    said: Tail,
    listeners: RefCell<Vec<mpsc::UnboundedSender<Announcement>>>,
}

impl InMemory {
    /// Opens a manager in a world.
    pub(crate) async fn open(world: SimWorld, mut config: ManagerConfig) -> Self {
        let said = Tail::new(STDERR);
        let into = said.clone();
        config.complaints = Complaints::to(move |complaint| into.push(format!("{complaint}\n").as_bytes()));
        let host = Arc::new(VirtualHost::new(world.clone()));
        let store = Arc::new(SimStore::new(world));
        let manager = Manager::open(Arc::new(host.clone()), store.clone(), config.clone()).await;
        Self { host, store, config, manager: RefCell::new(manager), said, listeners: RefCell::default() }
    }

    /// Where a session's record is.
    pub(crate) fn record(id: &SessionId) -> PathBuf {
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

/// What managers in memory are opened on, one after the other.
struct ManagerGround {
    host: Arc<VirtualHost>,
    store: Arc<SimStore>,
    config: ManagerConfig,
}

/// A manager that conforms and complains to nobody, in a world: for those who need one to work with.
pub(crate) fn conforming(world: SimWorld, clock: Clock) -> Arc<dyn Reopen> {
    let config = ManagerConfig { complaints: Complaints::to(|_| ()), ..ManagerConfig::conforming(clock) };
    Arc::new(ManagerGround { host: Arc::new(VirtualHost::new(world.clone())), store: Arc::new(SimStore::new(world)), config })
}

#[async_trait]
impl Reopen for ManagerGround {
    async fn open(&self) -> Arc<dyn Killable> {
        Manager::open(Arc::new(self.host.clone()), self.store.clone(), self.config.clone()).await
    }
}

#[async_trait]
impl Killable for Manager {
    fn crash(&self) {
        Manager::crash(self);
    }

    async fn crashed(&self) {
        Manager::crashed(self).await;
    }
}

#[async_trait(?Send)]
impl Driver for InMemory {
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
        Offer::whole(operation)
    }

    fn announcements(&self) -> Announces {
        self.config.behavior.announces()
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
