//! The reference supervisor on the engine in memory, in virtual time, as a driver.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::containers::engine::ContainerSpec;
use crate::containers::memory::{EngineTrouble, MemoryEngine, SharedMemoryEngine, TrueContainer};
use crate::contract::{AgentKind, Announcement, Args, OperationSpec, SessionId};
use crate::engine::world::Stop;
use crate::fakes::sim::SimWorld;
use crate::sut::{Announces, CallError, Driver, Offer, sandbox};
use crate::trace::{ContainerFact, Entry};

use super::behavior::SupervisorBehavior;
use super::reference::registry::RECORD;
use super::reference::{PauseMode, SupervisionPolicy, Supervisor, SupervisorConfig};
use super::scene::SupervisionScene;
use super::steps::sessions::{ROLE, make_repository};

/// How long a call may take: the contract's limit.
const CALL: Duration = Duration::from_secs(10);
/// How long an agent may take to come up, and to end.
const START: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(5);
/// What the supervisor's environment has, and no record may.
pub(crate) const SECRET: (&str, &str) = ("MODEL_API_KEY", "sk-passmuster-9f3c1e7a");

/// The reference supervisor, which can be killed and started again, with what it stands on.
pub(crate) struct InMemorySupervisor {
    /// The engine's own books, and its gate.
    pub(crate) engine: Arc<MemoryEngine>,
    config: RefCell<SupervisorConfig>,
    current: RefCell<Option<Arc<Supervisor>>>,
    /// How many workspaces were handed out.
    workspaces: Cell<usize>,
    folder: TempDir,
}

impl InMemorySupervisor {
    /// Opens a supervisor in a folder of its own.
    ///
    /// # Errors
    /// `Broken`, where no folder can be made.
    pub(crate) async fn open(world: SimWorld, behavior: SupervisorBehavior) -> Result<Rc<Self>, CallError> {
        let no_folder = |error| CallError::Broken { what: format!("no folder for a registry: {error}") };
        let folder = sandbox::folder_in_memory("supervision").map_err(no_folder)?;
        let config = SupervisorConfig {
            root: folder.path().join("repo"),
            policy: SupervisionPolicy::default(),
            pause: PauseMode::default(),
            image: "agents:latest".into(),
            environment: vec![(SECRET.0.into(), SECRET.1.into())],
            engine: "memory".into(),
            start: START,
            grace: GRACE,
            clock: world.clock(),
            behavior,
        };
        let engine = MemoryEngine::new(world);
        let config = RefCell::new(config);
        let own = Rc::new(Self { engine, config, current: RefCell::default(), workspaces: Cell::new(0), folder });
        own.start().await?;
        Ok(own)
    }

    /// Where a session's record is, whatever its role.
    pub(crate) fn record(root: &Path, id: &SessionId) -> PathBuf {
        let agents = root.join("outputs/agents");
        let roles = std::fs::read_dir(&agents).into_iter().flatten().filter_map(Result::ok);
        let mut places = roles.map(|role| role.path().join(id.as_str()).join(RECORD));
        places.find(|place| place.is_file()).unwrap_or_else(|| agents.join(ROLE).join(id.as_str()).join(RECORD))
    }

    /// The folder that the registry is below.
    pub(crate) fn root(&self) -> PathBuf {
        self.config.borrow().root.clone()
    }

    /// The supervisor that runs.
    pub(crate) fn running(&self) -> Option<Arc<Supervisor>> {
        self.current.borrow().clone()
    }

    /// Kills the supervisor. What it started lives on.
    pub(crate) async fn kill(&self) {
        let Some(old) = self.current.take() else { return };
        old.crash();
        let gone = Arc::downgrade(&old);
        drop(old);
        // Its tasks are dropped when the runtime comes to them; a process is gone at once.
        while gone.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Starts a supervisor on the registry.
    ///
    /// # Errors
    /// `Broken`, where it refuses.
    pub(crate) async fn start(&self) -> Result<(), CallError> {
        let supervisor = self.another().await.map_err(|what| CallError::Broken { what })?;
        self.current.replace(Some(supervisor));
        Ok(())
    }

    /// Opens one more supervisor on the registry.
    ///
    /// # Errors
    /// Why it refuses.
    pub(crate) async fn another(&self) -> Result<Arc<Supervisor>, String> {
        let (config, engine) = (self.config.borrow().clone(), SharedMemoryEngine(self.engine.clone()));
        Supervisor::open(config, Arc::new(engine.clone()), Arc::new(engine)).await
    }

    /// Kills the supervisor and starts one that is configured otherwise.
    ///
    /// # Errors
    /// As [`InMemorySupervisor::start`].
    pub(crate) async fn reconfigure(&self, change: impl FnOnce(&mut SupervisionPolicy, &mut PauseMode)) -> Result<(), CallError> {
        self.kill().await;
        {
            let mut config = self.config.borrow_mut();
            let SupervisorConfig { policy, pause, .. } = &mut *config;
            change(policy, pause);
        }
        self.start().await
    }

    /// Writes down what the record of each announced session holds when the announcement is told.
    fn note_records(&self, answer: &Args) {
        let log = self.engine.world().registry().log();
        for said in answer.get("events").and_then(|events| events.as_array()).into_iter().flatten() {
            let Some(id) = said["session_id"].as_str() else { continue };
            let session_id = SessionId::from(id);
            let bytes = std::fs::read(Self::record(&self.root(), &session_id));
            let record = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            log.push(Entry::Recorded { session_id, record, living: None });
        }
    }
}

/// The supervisor in memory, as steps see it.
pub(crate) struct InMemoryScene(pub(crate) Rc<InMemorySupervisor>);

#[async_trait(?Send)]
impl SupervisionScene for InMemoryScene {
    fn policy(&self) -> SupervisionPolicy {
        self.0.config.borrow().policy
    }

    fn folder(&self) -> PathBuf {
        self.0.folder.path().to_owned()
    }

    fn registry(&self) -> Option<PathBuf> {
        Some(self.0.root().join("outputs/agents"))
    }

    fn record(&self, _: &str, id: &str) -> Option<PathBuf> {
        Some(InMemorySupervisor::record(&self.0.root(), &SessionId::from(id)))
    }

    fn make_workspace(&self, branch: &str) -> std::io::Result<PathBuf> {
        let n = self.0.workspaces.get() + 1;
        self.0.workspaces.set(n);
        let workspace = self.0.folder.path().join(format!("work/{n}"));
        std::fs::create_dir_all(&workspace)?;
        make_repository(&workspace, branch)?;
        Ok(workspace)
    }

    fn truth(&self) -> Vec<TrueContainer> {
        self.0.engine.truth()
    }

    fn pings(&self, container: &str) -> Option<u64> {
        Some(self.0.engine.pings(container))
    }

    fn executions(&self, container: &str) -> u64 {
        let of = |entry: &Entry| matches!(entry, Entry::Container(ContainerFact::Executed { container: id, .. }) if id == container);
        let log = self.0.engine.world().registry().log().clone();
        log.read(|records| records.iter().filter(|record| of(&record.entry)).count() as u64)
    }

    fn calls(&self) -> u64 {
        self.0.engine.calls()
    }

    fn trouble(&self, call: Option<&'static str>, times: Option<u32>, trouble: EngineTrouble) -> Result<(), Stop> {
        self.0.engine.trouble(call, times, trouble);
        Ok(())
    }

    fn drop_events(&self) {
        self.0.engine.drop_events();
    }

    fn behave(&self) {
        self.0.engine.behave();
    }

    async fn take_away(&self, container: &str, removed: bool) -> Result<(), Stop> {
        self.0.engine.take_away(container, removed).await;
        Ok(())
    }

    async fn freeze(&self, container: &str) -> Result<(), Stop> {
        self.0.engine.freeze_aside(container);
        Ok(())
    }

    async fn execute(&self, container: &str) -> Result<(), Stop> {
        self.0.engine.execute_aside(container);
        Ok(())
    }

    async fn deny_death(&self, container: &str) -> Result<(), Stop> {
        self.0.engine.deny_death(container);
        self.0.engine.take_away(container, false).await;
        Ok(())
    }

    async fn bystander(&self, name: &str, labels: Vec<(String, String)>) -> Result<String, Stop> {
        let workspace = self.0.folder.path().join("elsewhere");
        let spec = ContainerSpec {
            name: name.to_owned(),
            image: "agents:latest".into(),
            labels,
            agent: AgentKind::CODEX,
            transcript: workspace.join("transcript-1.txt"),
            workspace,
            message: None,
        };
        Ok(self.0.engine.bystander(spec).await)
    }

    fn in_memory(&self) -> Option<Rc<InMemorySupervisor>> {
        Some(self.0.clone())
    }

    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// The supervisor in memory, as the harness asks it.
pub(crate) struct InMemorySupervisorDriver(pub(crate) Rc<InMemorySupervisor>);

#[async_trait(?Send)]
impl Driver for InMemorySupervisorDriver {
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError> {
        let gone = || Err(CallError::Broken { what: "the supervisor does not run".into() });
        let Some(supervisor) = self.0.running() else { return gone() };
        // A call that waits by itself has that long on top.
        let given = ["timeout_s", "grace_s"].iter().find_map(|name| args.get(*name)?.as_f64());
        let limit = CALL + given.and_then(|wait| Duration::try_from_secs_f64(wait).ok()).unwrap_or_default();
        let answer = tokio::select! {
            biased;
            () = supervisor.crashed() => return gone(),
            answer = supervisor.answer(operation.name, args) => answer.map_err(CallError::Contract),
            () = tokio::time::sleep(limit) => Err(CallError::TimedOut { limit_ms: limit.as_millis() as u64 }),
        }?;
        if operation.name == "wait_events" {
            self.0.note_records(&answer);
        }
        Ok(answer)
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        Offer::whole(operation)
    }

    fn announcements(&self) -> Announces {
        Announces { by_waiting: true, by_stream: false }
    }

    async fn subscribe(&self, _: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
        Err(CallError::Broken { what: "this supervisor is asked for its announcements".into() })
    }

    async fn restart(&self) -> Result<(), CallError> {
        self.0.kill().await;
        self.0.start().await
    }

    fn can_restart(&self) -> bool {
        true
    }

    async fn close(&self) -> Vec<String> {
        self.0.kill().await;
        Vec::new()
    }

    fn stderr_tail(&self) -> String {
        String::new()
    }
}
