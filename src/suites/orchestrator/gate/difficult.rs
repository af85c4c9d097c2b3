//! A manager that is difficult in a known way: the reference in memory, behind a service that gets in its way, and that
//! records what was asked, answered and told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::contract::{
    AgentKind, Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable, SESSION_OPERATIONS, SessionId,
};
use crate::fakes::registry::AgentRegistry;
use crate::frontends::service::{Killable, Reopen, Service};
use crate::profile::{Mode, Phase, Profiles};
use crate::suites::orchestrator::steps::FaultPlan;
use crate::trace::{Binding, Entry, Log};

/// How long `wait_events` waits when it is not told, and at most, in seconds.
const WAIT_S: (f64, f64) = (30.0, 3600.0);
/// How many calls are answered in one rehearsal. Ten workers that are each asked about ten times a second stay far below.
const CALLS: u64 = 50_000;
/// The sessions of others, where there are some.
const OTHERS: [&str; 2] = ["0-nightly-build", "0-reviewer"];
/// How many announcements a slow listener may be behind.
const BEHIND: usize = 1024;

/// The service.
pub(crate) struct Difficult {
    ground: Arc<dyn Reopen>,
    manager: watch::Sender<Arc<dyn Killable>>,
    how: FaultPlan,
    log: Log,
    registry: AgentRegistry,
    profiles: Profiles,
    next: AtomicU64,
    away: AtomicBool,
    failing_ends: AtomicU32,
    lost_starts: AtomicU32,
    /// Whose sessions they are: agent and folder.
    sessions: Mutex<BTreeMap<String, (AgentKind, String)>>,
    /// The sessions of others.
    others: Mutex<BTreeSet<&'static str>>,
    told: Mutex<GateNews>,
    more: watch::Sender<usize>,
    stream: broadcast::Sender<Announcement>,
    /// Whether more was asked than is answered.
    flooded: watch::Sender<bool>,
    /// Lets go of the calls that are not answered.
    let_go: CancellationToken,
    /// When a session was last asked for.
    started: watch::Sender<Option<Instant>>,
}

/// What was announced, and what of it somebody heard.
#[derive(Default)]
struct GateNews {
    announcements: Vec<Announcement>,
    heard: BTreeSet<usize>,
}

impl Difficult {
    pub(crate) async fn open(ground: Arc<dyn Reopen>, how: FaultPlan, profiles: Profiles, registry: AgentRegistry) -> Arc<Self> {
        let manager = ground.open().await;
        let difficult = Arc::new(Self {
            ground,
            manager: watch::Sender::new(manager),
            log: registry.log().clone(),
            registry,
            profiles,
            next: AtomicU64::new(1),
            away: AtomicBool::new(false),
            failing_ends: how.failing_ends.into(),
            lost_starts: how.lost_starts.into(),
            sessions: Mutex::default(),
            others: Mutex::new(if how.others { OTHERS.into() } else { BTreeSet::new() }),
            told: Mutex::default(),
            more: watch::Sender::new(0),
            stream: broadcast::Sender::new(BEHIND),
            flooded: watch::Sender::new(false),
            let_go: CancellationToken::new(),
            started: watch::Sender::new(None),
            how,
        });
        tokio::spawn(difficult.clone().relay());
        if let Some((after, away)) = difficult.how.away {
            tokio::spawn(difficult.clone().go_away(seconds(after) + BESIDE, seconds(away)));
        }
        difficult
    }

    /// Waits until more was asked than is answered.
    pub(crate) async fn flooded(&self) {
        let _ = self.flooded.subscribe().wait_for(|flooded| *flooded).await;
    }

    /// Lets go of the calls that are not answered: nobody asks any more.
    pub(crate) fn let_go(&self) {
        self.let_go.cancel();
    }

    /// When a session was last asked for, as it changes.
    pub(crate) fn started(&self) -> watch::Receiver<Option<Instant>> {
        self.started.subscribe()
    }

    async fn go_away(self: Arc<Self>, after: Duration, away: Duration) {
        // Counted from the first start: before that nobody would notice.
        let mut started = self.started();
        let _ = started.wait_for(Option::is_some).await;
        tokio::time::sleep(after).await;
        self.away.store(true, Ordering::SeqCst);
        self.log.push(Entry::Note { text: "the manager is killed".into() });
        self.manager.borrow().crash();
        tokio::time::sleep(away).await;
        let manager = self.ground.open().await;
        self.manager.send_replace(manager);
        self.away.store(false, Ordering::SeqCst);
        self.log.push(Entry::Note { text: "the manager is back".into() });
    }

    // ---- announcements -------------------------------------------------------------------------------------------

    /// Passes on what the manager announces, over its restarts.
    async fn relay(self: Arc<Self>) {
        let mut managers = self.manager.subscribe();
        let mut cursor = Value::Null;
        loop {
            let manager = managers.borrow_and_update().clone();
            let args = Args::from_iter([("after".to_owned(), cursor.clone()), ("timeout_s".to_owned(), WAIT_S.1.into())]);
            let answer = tokio::select! {
                answer = manager.clone().call("wait_events", args) => answer,
                () = manager.crashed() => {
                    if managers.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let Ok(mut answer) = answer else { return };
            cursor = answer.get("cursor").cloned().unwrap_or_default();
            let events: Vec<Announcement> = serde_json::from_value(answer.remove("events").unwrap_or_default()).unwrap_or_default();
            for announcement in events {
                tokio::spawn(self.clone().announce(announcement));
            }
        }
    }

    async fn announce(self: Arc<Self>, announcement: Announcement) {
        if self.how.lost && matches!(announcement, Announcement::TurnCompleted { .. }) {
            return;
        }
        tokio::time::sleep(seconds(self.how.late_s)).await;
        for _ in 0..self.how.times {
            self.tell(announcement.clone());
        }
    }

    fn tell(&self, announcement: Announcement) {
        let mut told = self.told();
        let nth = told.announcements.len();
        told.announcements.push(announcement.clone());
        if self.stream.receiver_count() > 0 {
            self.hear(&mut told, nth);
            let _ = self.stream.send(announcement);
        }
        self.more.send_replace(told.announcements.len());
    }

    /// Notes in the trace that an announcement reached somebody, the first time.
    fn hear(&self, told: &mut GateNews, nth: usize) {
        if told.heard.insert(nth) {
            self.log.push(Entry::Event(told.announcements[nth].clone()));
        }
    }

    async fn wait(&self, args: &Args) -> Result<Args, ContractError> {
        let wrong = || ContractError::new(ErrorCode::InvalidArgument, "`after` is no cursor that `wait_events` gave");
        let after: usize = match args.get("after") {
            None => 0,
            Some(Value::String(cursor)) => cursor.parse().map_err(|_| wrong())?,
            Some(cursor) => cursor.as_u64().and_then(|cursor| usize::try_from(cursor).ok()).ok_or_else(wrong)?,
        };
        let wait = args.get("timeout_s").and_then(Value::as_f64).unwrap_or(WAIT_S.0).clamp(0.0, WAIT_S.1);
        let mut more = self.more.subscribe();
        // Nothing in time is an answer too: an empty one.
        let _ = tokio::time::timeout(Duration::from_secs_f64(wait), more.wait_for(|count| *count > after)).await;
        let mut told = self.told();
        let count = told.announcements.len();
        (after..count).for_each(|nth| self.hear(&mut told, nth));
        let events: Vec<&Announcement> = told.announcements.iter().skip(after).collect();
        Ok(Args::from_iter([("events".to_owned(), json!(events)), ("cursor".to_owned(), count.to_string().into())]))
    }

    fn told(&self) -> MutexGuard<'_, GateNews> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    // ---- answering -----------------------------------------------------------------------------------------------

    /// What the manager answers, and what is put in its place.
    async fn answer(&self, operation: &str, args: &Args) -> Result<Args, ContractError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(broken("the manager is away"));
        }
        let session = args.get("session_id").and_then(Value::as_str).unwrap_or_default();
        if let Some(answer) = self.of_others(operation, session) {
            return Ok(answer);
        }
        match operation {
            "get_session_data" if self.how.gone_after_s.is_some_and(|after| self.age() >= seconds(after) + BESIDE) => {
                return Err(ContractError::new(ErrorCode::SessionNotFound, "no such session"));
            }
            "get_session_data" if self.how.pending_is_not_found && self.is_unobservable(session) => {
                return Err(ContractError::new(ErrorCode::SessionNotFound, "no session file"));
            }
            "end_session" if take(&self.failing_ends) => return Err(broken("the terminal is busy")),
            _ => {}
        }
        let manager = self.manager.borrow().clone();
        let mut answer = tokio::select! {
            answer = manager.clone().call(operation, args.clone()) => answer,
            () = manager.crashed() => Err(broken("the connection was closed")),
        }?;
        match operation {
            "start_session" => {
                self.bind(&answer, args);
                if take(&self.lost_starts) {
                    return Err(ContractError::new(ErrorCode::Timeout, "no answer in time"));
                }
            }
            "list_sessions" if self.how.others => {
                if let Some(sessions) = answer.get_mut("sessions").and_then(Value::as_array_mut) {
                    let entry = |id: &&str| json!({"session_id": id, "agent": "codex", "status": "running", "cwd": format!("/srv/{id}")});
                    sessions.splice(0..0, self.others().iter().map(entry));
                }
            }
            "list_sessions" if self.how.pending_is_unlisted => {
                if let Some(sessions) = answer.get_mut("sessions").and_then(Value::as_array_mut) {
                    sessions.retain(|item| !self.is_unobservable(item["session_id"].as_str().unwrap_or_default()));
                }
            }
            _ => {}
        }
        Ok(answer)
    }

    /// What is answered about a session of others.
    fn of_others(&self, operation: &str, session: &str) -> Option<Args> {
        let mut others = self.others();
        let id = *others.get(session)?;
        let text = |text: &str| Args::from_iter([("text".to_owned(), text.into()), ("truncated".to_owned(), false.into())]);
        Some(match operation {
            "get_session_data" | "capture_screen" => text("user: Build it.\n\nassistant: It is being built."),
            "end_session" => {
                others.remove(id);
                Args::new()
            }
            _ => Args::new(),
        })
    }

    fn others(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.others.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Notes whose session it is, the first time.
    fn bind(&self, answer: &Args, args: &Args) {
        let text = |args: &Args, name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (session, cwd) = (text(answer, "session_id"), text(args, "cwd"));
        let Ok(agent) = text(args, "agent").parse() else { return };
        let is_new = self.sessions().insert(session.clone(), (agent, cwd.clone())).is_none();
        let sessions_there = self.sessions().values().filter(|(_, other)| *other == cwd).count();
        let run = self.registry.runs().into_iter().filter(|run| run.cwd == cwd).nth(sessions_there.saturating_sub(1));
        if let Some(run) = run.filter(|_| is_new) {
            self.log.push(Entry::Bound { session_id: SessionId(session), agent_run: run.id, by: Binding::Cwd });
        }
    }

    /// How long ago the first session was asked for.
    fn age(&self) -> Duration {
        self.started.borrow().map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// Whether a session cannot be observed yet, by its profile.
    fn is_unobservable(&self, session: &str) -> bool {
        let known = self.sessions().get(session).cloned();
        let completed = |cwd: &str| self.registry.runs().iter().any(|run| run.cwd == cwd && run.completed > 0);
        let late = |agent| self.profiles.get(agent, Mode::Interactive).observable != Phase::Started;
        known.is_some_and(|(agent, cwd)| late(agent) && !completed(&cwd))
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, (AgentKind, String)>> {
        self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[async_trait]
impl Service for Difficult {
    fn operations(&self) -> OperationTable {
        SESSION_OPERATIONS
    }

    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
        let none = || ContractError::new(ErrorCode::InvalidArgument, format!("there is no operation `{operation}`"));
        let spec = OperationSpec::find(SESSION_OPERATIONS, operation).ok_or_else(none)?;
        if spec.name == "wait_events" {
            return self.wait(&spec.accept(&args)?).await;
        }
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        if id > CALLS {
            self.flooded.send_replace(true);
            self.let_go.cancelled().await;
            return Err(broken("more was asked than is answered"));
        }
        self.log.push(Entry::Request { id, op: spec.name.to_owned(), args: args.clone() });
        if spec.name == "start_session" {
            self.started.send_if_modified(|started| started.replace(Instant::now()).is_none_or(|_| true));
        }
        let answer = match spec.accept(&args) {
            Ok(args) => self.answer(spec.name, &args).await,
            Err(refusal) => Err(refusal),
        };
        let (ok, error) = match &answer {
            Ok(result) => (Some(result.clone()), None),
            Err(error) => (None, Some(error.clone())),
        };
        self.log.push(Entry::Reply { id, ok, error });
        answer
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.stream.subscribe()
    }

    async fn shutdown(&self) {
        let manager = self.manager.borrow().clone();
        manager.shutdown().await;
    }
}

/// Takes one of what is left.
fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// By how much what happens lies beside the full second: whoever looks every half second, second, two or five is never right there.
pub(crate) const BESIDE: Duration = Duration::from_millis(250);

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

fn broken(why: &str) -> ContractError {
    ContractError::new(ErrorCode::Internal, why)
}
