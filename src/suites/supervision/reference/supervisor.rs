//! The supervisor: its sessions, its tasks, and how a session's state changes.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::containers::engine::{ContainerEngine, ContainerRelay};
use crate::contract::supervised_state::{SupervisedMove, after};
use crate::contract::{Announcement, ContractError, ErrorCode, SupervisedState};
use crate::core::clock::Clock;

use super::launching::UNRECORDED;
use super::news::SupervisorNews;
use super::policy::{PauseMode, SupervisionPolicy};
use super::record::SupervisedRecord;
use super::registry::{AgentRegistryFolder, DAWDLES, SkippedRecord};
use super::workspace::{Head, head};
use crate::suites::supervision::behavior::SupervisorBehavior;

/// The label that says whose a container is: the registry's folder.
pub(crate) const OF_REGISTRY: &str = "passmuster.registry";
/// The label that says which session a container is of.
pub(crate) const OF_SESSION: &str = "passmuster.session";

/// What a supervisor is made of.
#[derive(Debug, Clone)]
pub(crate) struct SupervisorConfig {
    /// The folder that the registry is below.
    pub root: PathBuf,
    /// When it looks, and when it gives up.
    pub policy: SupervisionPolicy,
    /// What a pause does.
    pub pause: PauseMode,
    /// The image of its containers.
    pub image: String,
    /// The environment that it was started with.
    pub environment: Vec<(String, String)>,
    /// What records call its engine.
    pub engine: String,
    /// How long an agent may take to come up.
    pub start: Duration,
    /// How long an agent may take to end where nobody says otherwise.
    pub grace: Duration,
    /// The time.
    pub clock: Clock,
    /// What it does otherwise.
    pub behavior: SupervisorBehavior,
}

/// One session, as its supervisor holds it.
pub(crate) struct Supervised {
    record: Mutex<SupervisedRecord>,
    /// Held by whoever changes the session.
    pub turn: tokio::sync::Mutex<()>,
    pub live: Mutex<SupervisedLife>,
}

/// What of a session is not recorded.
#[derive(Debug, Default)]
pub(crate) struct SupervisedLife {
    /// The restart that is scheduled.
    pub pending: Option<AbortHandle>,
    /// Messages that came in a pause.
    pub kept: Vec<String>,
    /// How many bytes the transcript of its container had at the last look.
    pub seen: u64,
    /// Whether a person was called in this episode.
    pub escalated: bool,
    /// The first of its containers.
    pub first_container: Option<String>,
    /// What it was started with.
    pub first_message: Option<String>,
    /// Whether it was off its branch.
    pub drifted: bool,
    /// Whether nothing reaches its agent.
    pub deaf: bool,
    /// How long its transcript was when it was paused, and when it was resumed.
    pub gap: Option<(usize, usize)>,
    /// How long its transcript was when this supervisor found it.
    pub since: usize,
}

impl Supervised {
    pub(crate) fn new(record: SupervisedRecord) -> Arc<Self> {
        Arc::new(Self { record: Mutex::new(record), turn: tokio::sync::Mutex::default(), live: Mutex::default() })
    }

    /// A copy of the record.
    pub(crate) fn record(&self) -> SupervisedRecord {
        self.lock().clone()
    }

    /// The record's state.
    pub(crate) fn state(&self) -> SupervisedState {
        self.lock().state
    }

    /// Its container.
    pub(crate) fn container(&self) -> Option<String> {
        self.lock().container_id.clone()
    }

    /// Changes the record, which is written by [`Supervisor::write`].
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut SupervisedRecord) -> T) -> T {
        change(&mut self.lock())
    }

    /// What is not recorded.
    pub(crate) fn live(&self) -> MutexGuard<'_, SupervisedLife> {
        self.live.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lock(&self) -> MutexGuard<'_, SupervisedRecord> {
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A supervisor at work.
pub(crate) struct Supervisor {
    pub(crate) config: SupervisorConfig,
    pub(crate) engine: Arc<dyn ContainerEngine>,
    pub(crate) relay: Arc<dyn ContainerRelay>,
    pub(crate) registry: AgentRegistryFolder,
    pub(crate) news: SupervisorNews,
    sessions: Mutex<BTreeMap<String, Arc<Supervised>>>,
    pub(crate) skipped: Mutex<Vec<SkippedRecord>>,
    tasks: Mutex<Vec<AbortHandle>>,
    alive: watch::Sender<bool>,
}

impl Supervisor {
    /// Opens a supervisor on its registry, finds again what survived, and begins to watch.
    ///
    /// # Errors
    /// Where another supervisor is on the registry, or it cannot be read.
    pub(crate) async fn open(
        config: SupervisorConfig,
        engine: Arc<dyn ContainerEngine>,
        relay: Arc<dyn ContainerRelay>,
    ) -> Result<Arc<Self>, String> {
        let registry = AgentRegistryFolder::open(&config.root, config.behavior.writing, config.behavior.shares_registry)?;
        let news = SupervisorNews::new(format!("{:x}", config.clock.elapsed().as_nanos()));
        let supervisor = Arc::new(Self {
            config,
            engine,
            relay,
            registry,
            news,
            sessions: Mutex::default(),
            skipped: Mutex::default(),
            tasks: Mutex::default(),
            alive: watch::Sender::new(true),
        });
        supervisor.recover().await?;
        let (watching, listening) = (supervisor.clone(), supervisor.clone());
        supervisor.spawn(async move { watching.watch().await });
        supervisor.spawn(async move { listening.listen().await });
        Ok(supervisor)
    }

    /// What it does otherwise.
    pub(crate) fn behavior(&self) -> &SupervisorBehavior {
        &self.config.behavior
    }

    /// Its policy.
    pub(crate) fn policy(&self) -> &SupervisionPolicy {
        &self.config.policy
    }

    // ---- its life ------------------------------------------------------------------------------------------------

    /// Runs something beside, as long as the supervisor lives.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let handle = tokio::spawn(task).abort_handle();
        let mut tasks = lock(&self.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle.clone());
        handle
    }

    /// Ends it at once, as a signal would. What it started lives on.
    pub(crate) fn crash(&self) {
        self.alive.send_replace(false);
        lock(&self.tasks).drain(..).for_each(|task| task.abort());
        lock(&self.sessions).clear();
    }

    /// Waits until it does not run any more.
    pub(crate) async fn crashed(&self) {
        // The sender is this supervisor's own.
        let _ = self.alive.subscribe().wait_for(|alive| !alive).await;
    }

    // ---- its sessions --------------------------------------------------------------------------------------------

    /// The session of that id.
    ///
    /// # Errors
    /// `session_not_found`.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Supervised>, ContractError> {
        let unknown = || ContractError::new(ErrorCode::SessionNotFound, format!("there is no session {id:?}"));
        lock(&self.sessions).get(id).cloned().ok_or_else(unknown)
    }

    /// Every session, by id.
    pub(crate) fn all(&self) -> Vec<Arc<Supervised>> {
        lock(&self.sessions).values().cloned().collect()
    }

    /// Takes a session in, unless its id is taken.
    pub(crate) fn admit(&self, session: &Arc<Supervised>) -> bool {
        let id = session.record().session_id;
        let mut sessions = lock(&self.sessions);
        let is_new = !sessions.contains_key(&id);
        if is_new {
            sessions.insert(id, session.clone());
        }
        is_new
    }

    /// Forgets a session that never was.
    pub(crate) fn dismiss(&self, session: &Supervised) {
        let record = session.record();
        lock(&self.sessions).remove(&record.session_id);
        self.registry.remove(&record.role, &record.session_id);
    }

    // ---- changes -------------------------------------------------------------------------------------------------

    /// Writes a session's record as it is now.
    pub(crate) async fn write(&self, session: &Supervised) {
        let now = self.config.clock.now();
        let mut record = session.edit(|record| {
            record.updated_at = Some(now);
            record.clone()
        });
        let behavior = self.behavior();
        let is_new =
            record.started_at.is_some_and(|at| now.duration_since(at) < jiff::SignedDuration::try_from(UNRECORDED).unwrap_or_default());
        if behavior.records_no_container && is_new && record.transcripts.len() == 1 {
            record.container_id = None;
        }
        if behavior.keeps_old_container {
            record.container_id = session.live().first_container.clone().or(record.container_id);
        }
        if behavior.records_no_branch {
            record.branch.clear();
        }
        if behavior.records_environment {
            let environment: serde_json::Map<_, _> =
                self.config.environment.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            record.extra.insert("environment".into(), environment.into());
        }
        // A full disk must not end the supervision: the record is written again at the next change.
        let _ = self.registry.write(&record).await;
    }

    /// Moves a session along the table, for that reason: writes, then announces. A move that the table does not have changes
    /// nothing.
    pub(crate) async fn go(self: &Arc<Self>, session: &Arc<Supervised>, on: SupervisedMove, reason: &str) {
        if let Some(to) = after(session.state(), on) {
            self.become_state(session, to, reason).await;
        }
    }

    /// Puts a session into a state, for that reason: writes, then announces.
    pub(crate) async fn become_state(self: &Arc<Self>, session: &Arc<Supervised>, to: SupervisedState, reason: &str) {
        let (from, id) = session.edit(|record| {
            let from = std::mem::replace(&mut record.state, to);
            record.reason = Some(reason.to_owned());
            (from, record.session_id.clone())
        });
        let said = Announcement::StateChanged {
            session_id: id.as_str().into(),
            from: Some(from.name().to_owned()),
            to: to.name().to_owned(),
            reason: Some(reason.to_owned()),
        };
        self.record_and_say(session, said).await;
    }

    /// Writes what a session is now, then announces it.
    pub(crate) async fn record_and_say(self: &Arc<Self>, session: &Arc<Supervised>, said: Announcement) {
        let behavior = self.behavior();
        if behavior.announces_first {
            self.news.say(said);
            tokio::time::sleep(DAWDLES).await;
            self.write(session).await;
        } else if behavior.records_late {
            let (later, late) = (self.clone(), session.clone());
            self.spawn(async move {
                tokio::time::sleep(DAWDLES).await;
                later.write(&late).await;
            });
            self.news.say(said);
        } else {
            self.write(session).await;
            self.news.say(said);
        }
    }

    // ---- branches ------------------------------------------------------------------------------------------------

    /// What is wrong with the branch of a workspace, if anything is.
    pub(crate) fn off_branch(&self, workspace: &Path, branch: &str) -> Option<String> {
        match head(workspace) {
            Head::Branch(own) if own == branch => None,
            Head::Detached if self.behavior().misses_detached => None,
            other => Some(format!("the workspace is {}, the session on `{branch}`", other.words())),
        }
    }

    /// Refuses what must not be done off a session's branch.
    ///
    /// # Errors
    /// `branch_mismatch`.
    pub(crate) fn on_branch(&self, session: &Supervised) -> Result<(), ContractError> {
        let record = session.record();
        match self.off_branch(&record.workspace, &record.branch) {
            Some(why) if !self.behavior().types_off_branch => Err(ContractError::new(ErrorCode::BranchMismatch, why)),
            _ => Ok(()),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        lock(&self.tasks).drain(..).for_each(|task| task.abort());
    }
}
