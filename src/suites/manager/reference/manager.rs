//! The reference manager: what it is made of, and how its operations are answered.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::contract::{
    Announcement, Args, ContractError, DEFAULT_MESSAGE_CHARS, DEFAULT_TIMEOUT_S, ErrorCode, OperationSpec, OperationTable,
    SESSION_OPERATIONS, SessionId,
};
use crate::core::clock::Clock;

use super::events::Events;
use super::host::{Host, Signal};
use super::requests::Requests;
use super::session::{Live, SessionRecord};
use super::store::StateStore;
use crate::frontends::service::Service;
use crate::suites::manager::behavior::{AnnouncedBy, ManagerBehavior, Occasion, StraysTo};

/// How long `wait_events` waits when it is not told, and at most, in seconds.
const WAIT_S: (f64, f64) = (30.0, 3600.0);

/// Where a manager says what it can tell no caller.
#[derive(Clone)]
pub(crate) struct Complaints(Arc<dyn Fn(&str) + Send + Sync>);

impl Complaints {
    /// Complaints that go to a function, a line each, without a line break.
    pub(crate) fn to(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }
}

impl Default for Complaints {
    /// To standard error.
    fn default() -> Self {
        Self::to(|complaint| eprintln!("passmuster: {complaint}"))
    }
}

impl fmt::Debug for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Complaints")
    }
}

/// How the manager is to behave.
#[derive(Debug, Clone)]
pub(crate) struct ManagerConfig {
    /// The clock.
    pub clock: Clock,
    /// The session timeout where a start names none, in seconds.
    pub default_timeout_s: f64,
    /// The longest message that it takes, in characters.
    pub message_chars: usize,
    /// What it chooses where managers can choose, rightly or wrongly.
    pub behavior: ManagerBehavior,
    /// Where it complains.
    pub complaints: Complaints,
}

impl ManagerConfig {
    /// A conforming manager.
    pub(crate) fn conforming(clock: Clock) -> Self {
        Self {
            clock,
            default_timeout_s: DEFAULT_TIMEOUT_S,
            message_chars: DEFAULT_MESSAGE_CHARS,
            behavior: ManagerBehavior::default(),
            complaints: Complaints::default(),
        }
    }
}

/// The sessions of a manager by their ids.
pub(crate) type LiveSessions = BTreeMap<SessionId, Arc<Live>>;

/// The reference manager.
pub(crate) struct Manager {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) config: ManagerConfig,
    pub(crate) behavior: ManagerBehavior,
    pub(crate) events: Events,
    pub(crate) requests: Requests,
    sessions: Mutex<LiveSessions>,
    /// Sessions that were ended, where something is to be known of them.
    gone: Mutex<LiveSessions>,
    /// The number of the next session.
    pub(crate) next: Mutex<u64>,
    /// Announcements that wait for something; none do in a manager that conforms.
    pub(crate) held: Mutex<Vec<Announcement>>,
    /// The last list and when it was made, where lists are kept.
    pub(crate) listed: Mutex<Option<(Instant, Vec<Args>)>>,
    /// The message on its way to an agent, where all share one place for it.
    pub(crate) buffer: Mutex<Option<String>>,
    /// Whether something stands in the way of every list.
    pub(crate) broken: AtomicBool,
    /// How many agents were launched that nobody asked for.
    pub(crate) launched_besides: AtomicUsize,
    pub(crate) one_at_a_time: AsyncMutex<()>,
    closing: AtomicBool,
    pub(crate) stopped: CancellationToken,
}

impl Manager {
    /// Opens a manager on a store: adopts the agents that still live, and learns what happened meanwhile.
    pub(crate) async fn open(host: Arc<dyn Host>, store: Arc<dyn StateStore>, config: ManagerConfig) -> Arc<Self> {
        let behavior = config.behavior.clone();
        let manager = Arc::new(Self {
            events: Events::open(store.clone(), behavior.told != AnnouncedBy::ToListeners),
            requests: Requests::open(store.clone()),
            behavior,
            host,
            store,
            config,
            sessions: Mutex::default(),
            gone: Mutex::default(),
            next: Mutex::default(),
            held: Mutex::default(),
            listed: Mutex::default(),
            buffer: Mutex::default(),
            broken: AtomicBool::new(false),
            launched_besides: AtomicUsize::new(0),
            one_at_a_time: AsyncMutex::default(),
            closing: AtomicBool::new(false),
            stopped: CancellationToken::new(),
        });
        manager.restore().await;
        manager
    }

    /// Stops working at once, as a process that is killed does. Agents go on.
    pub(crate) fn crash(&self) {
        self.stopped.cancel();
    }

    /// Waits until the manager has stopped working.
    pub(crate) async fn crashed(&self) {
        self.stopped.cancelled().await;
    }

    /// Runs a task that ends when the manager stops working.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(task).await });
    }

    /// Hands each signal to the task that attends its session.
    pub(crate) fn hear(self: &Arc<Self>, mut signals: tokio::sync::mpsc::UnboundedReceiver<Signal>) {
        let manager = self.clone();
        self.spawn(async move {
            while let Some(signal) = signals.recv().await {
                let id = signal.session();
                let live = manager.sessions().get(id).or(manager.gone().get(id)).cloned();
                // Nobody hears the agent of a session that is no more.
                let _ = live.map(|live| live.tell.send(signal));
            }
        });
    }

    // ---- the sessions --------------------------------------------------------------------------------------------

    pub(crate) fn sessions(&self) -> MutexGuard<'_, LiveSessions> {
        locked(&self.sessions)
    }

    /// Sessions that were ended, as far as anything is to be known of them.
    pub(crate) fn gone(&self) -> MutexGuard<'_, LiveSessions> {
        locked(&self.gone)
    }

    /// Every session, in the order of their starts.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        let mut all: Vec<Arc<Live>> = self.sessions().values().cloned().collect();
        all.sort_by_cached_key(|live| {
            let record = live.record();
            (record.started, record.id.as_str().len(), record.id.clone())
        });
        all
    }

    /// The session that an operation means.
    pub(crate) fn session(&self, operation: &str, args: &Args) -> Result<Arc<Live>, ContractError> {
        let asked = text(args, "session_id").unwrap_or_default();
        let known: Vec<SessionId> = self.all().iter().map(|live| live.id()).collect();
        (self.behavior.meant)(operation, &asked, &known)
            .and_then(|id| self.sessions().get(&id).cloned())
            .filter(|live| (self.behavior.knows)(operation, &live.record()))
            .ok_or_else(|| not_found(&asked))
    }

    /// Whether a session is one of the manager's still.
    pub(crate) fn has(&self, live: &Arc<Live>) -> bool {
        self.sessions().get(&live.id()).is_some_and(|known| Arc::ptr_eq(known, live))
    }

    /// Takes a session in, and the task that attends it.
    pub(crate) fn keep(self: &Arc<Self>, live: Arc<Live>, told: tokio::sync::mpsc::UnboundedReceiver<Signal>) {
        self.sessions().insert(live.id(), live.clone());
        self.attend(&live, told);
    }

    /// Lets a session go: it is not listed any more, and its record is gone.
    pub(crate) fn forget(&self, live: &Arc<Live>) {
        let id = live.id();
        self.sessions().remove(&id);
        let afterwards = self.behavior.afterwards;
        if !afterwards.record {
            self.store.remove(&SessionRecord::file(&id));
        }
        let is_known_later = !self.behavior.besides.is_empty() || self.behavior.strays_to != StraysTo::Nobody;
        if afterwards == Default::default() && !is_known_later {
            live.over.cancel();
        } else {
            self.gone().insert(id, live.clone());
        }
    }

    pub(crate) fn save(&self, live: &Live) -> Result<(), ContractError> {
        let record = live.record().clone();
        let bytes = serde_json::to_vec(&record).expect("records are plain data");
        self.store
            .save(&SessionRecord::file(&record.id), &bytes)
            .map_err(|error| ContractError::new(ErrorCode::Internal, format!("the state could not be written: {error}")))
    }

    /// Saves where nobody waits for the answer.
    pub(crate) fn save_or_say(&self, live: &Live) {
        if let Err(error) = self.save(live) {
            self.complain(error);
        }
    }

    /// Says what nobody waits for.
    pub(crate) fn complain(&self, what: impl fmt::Display) {
        (self.config.complaints.0)(&what.to_string());
    }

    /// Announces: keeps it, then tells it.
    pub(crate) fn announce(&self, announcement: Announcement) {
        if let Err(error) = self.events.announce(announcement) {
            self.complain(format_args!("an announcement could not be kept: {error}"));
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    // ---- answering -----------------------------------------------------------------------------------------------

    async fn answer(self: &Arc<Self>, operation: &str, args: &Args) -> Result<Args, ContractError> {
        let answer = match operation {
            "start_session" => self.start(args).await,
            "list_sessions" => self.list().await,
            "get_session_data" => self.get(args).await,
            "send_message" => self.send(args).await,
            "end_session" => self.end(args).await,
            "capture_screen" => self.screen(args).await,
            // What it answers are announcements: they have a limit of their own.
            "wait_events" => return self.wait(args).await,
            other => Err(invalid(format!("there is no operation `{other}`"))),
        };
        tokio::time::sleep(self.behavior.pace).await;
        answer
    }

    /// Announcements after a cursor. Waits for the first: 30 s, or as long as `timeout_s` says (at most an hour).
    async fn wait(&self, args: &Args) -> Result<Args, ContractError> {
        let after = match args.get("after") {
            None => Some(0),
            Some(Value::String(cursor)) => cursor.parse().ok(),
            Some(cursor) => cursor.as_u64().and_then(|cursor| usize::try_from(cursor).ok()),
        };
        let after = after.ok_or_else(|| invalid("`after` is no cursor that `wait_events` gave".into()))?;
        let wait = args.get("timeout_s").and_then(Value::as_f64).unwrap_or(WAIT_S.0).clamp(0.0, WAIT_S.1);
        Ok(self.events.after(after, Duration::from_secs_f64(wait)).await)
    }
}

#[async_trait]
impl Service for Manager {
    fn operations(&self) -> OperationTable {
        SESSION_OPERATIONS
    }

    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
        let spec =
            OperationSpec::find(SESSION_OPERATIONS, operation).ok_or_else(|| invalid(format!("there is no operation `{operation}`")))?;
        let args = match spec.accept(&args) {
            Ok(args) => args,
            Err(refusal) => {
                if let Ok(live) = self.session(spec.name, &args) {
                    self.besides(Occasion::AskedWrongly, &live).await;
                }
                return Err(refusal);
            }
        };
        if spec.name == "wait_events" {
            return self.answer(spec.name, &args).await;
        }
        // What was begun is brought to its end, also when the caller goes away meanwhile.
        let (manager, stopped) = (self.clone(), self.stopped.clone());
        let answer = tokio::spawn(async move { stopped.run_until_cancelled(manager.answer(spec.name, &args)).await });
        let broken = |what: String| ContractError::new(ErrorCode::Internal, what);
        match answer.await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(broken("the manager was stopped".into())),
            Err(panic) => Err(broken(format!("the manager stumbled: {panic}"))),
        }
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.events.subscribe()
    }

    async fn shutdown(&self) {
        // From here on a start that is not in the list yet takes itself back; one that is, is waited for at its gate.
        self.closing.store(true, Ordering::SeqCst);
        let ended =
            futures::future::join_all(self.all().into_iter().map(|live| async move { self.end_live(&live, "shutdown").await })).await;
        for error in ended.into_iter().filter_map(Result::err).filter(|error| error.code != ErrorCode::SessionNotFound) {
            self.complain(format_args!("a session could not be ended: {error}"));
        }
        self.stopped.cancel();
        self.host.close().await;
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(crate) fn text(args: &Args, name: &str) -> Option<String> {
    args.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn invalid(why: String) -> ContractError {
    ContractError::new(ErrorCode::InvalidArgument, why)
}

pub(crate) fn not_found(id: &str) -> ContractError {
    ContractError::new(ErrorCode::SessionNotFound, format!("no session `{id}`"))
}
