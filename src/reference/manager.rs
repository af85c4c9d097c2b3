//! The reference manager's engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, broadcast};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::contract::{
    AgentKind, Announcement, Args, ContractError, DEFAULT_MESSAGE_CHARS, DEFAULT_TIMEOUT_S, ErrorCode, OperationSpec, OperationTable,
    SESSION_OPERATIONS, SessionId, TurnStatus,
};

use super::events::Events;
use super::fault::{Fault, FaultSet};
use super::host::{End, Host, HostError, Launch, Signal};
use super::service::Service;
use super::session::SessionRecord;
use super::store::Store;
use super::transcript;

/// How long `wait_events` waits when it is not told, and at most, in seconds.
const WAIT_S: (f64, f64) = (30.0, 3600.0);

/// What no message may hold: an argument ends at the one, and a paste could be ended by the other.
const UNTYPABLE: [char; 2] = ['\0', '\u{1b}'];

/// How the manager is to behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// The clock.
    pub clock: Clock,
    /// The session timeout where a start names none, in seconds.
    pub default_timeout_s: f64,
    /// The longest message that it takes, in characters.
    pub message_chars: usize,
    /// The defects that it is to have.
    pub faults: FaultSet,
    /// Where it says what is wrong with its state.
    pub complaints: Complaints,
}

impl Config {
    /// A conforming manager.
    pub fn conforming(clock: Clock) -> Self {
        Self {
            clock,
            default_timeout_s: DEFAULT_TIMEOUT_S,
            message_chars: DEFAULT_MESSAGE_CHARS,
            faults: FaultSet::default(),
            complaints: Complaints::default(),
        }
    }
}

/// Where the manager says what is wrong with its state: it has no caller to tell.
#[derive(Debug, Clone, Default)]
pub enum Complaints {
    /// On standard error.
    #[default]
    Stderr,
    /// In memory.
    Kept(Arc<Mutex<String>>),
}

impl Complaints {
    /// Says it.
    pub fn say(&self, what: &str) {
        match self {
            Complaints::Stderr => eprintln!("passmuster: {what}"),
            Complaints::Kept(kept) => {
                let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                kept.push_str(what);
                kept.push('\n');
            }
        }
    }
}

/// One session, alive in the engine.
pub(super) struct Live {
    pub(super) record: Mutex<SessionRecord>,
    /// Held by whatever changes the session: messages, hooks and the end come one at a time.
    pub(super) gate: AsyncMutex<()>,
}

impl Live {
    pub(super) fn record(&self) -> MutexGuard<'_, SessionRecord> {
        self.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The reference manager.
pub struct Manager {
    pub(super) host: Arc<dyn Host>,
    pub(super) store: Arc<dyn Store>,
    pub(super) config: Config,
    pub(super) events: Events,
    pub(super) sessions: Mutex<BTreeMap<SessionId, Arc<Live>>>,
    /// One lock a request id, so that a request repeated while it is being answered waits for that answer.
    requests: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
    next: Mutex<u64>,
    stopped: CancellationToken,
}

impl Manager {
    /// Opens a manager on a store: adopts the agents that still live, knows those that died meanwhile.
    pub async fn open(host: Arc<dyn Host>, store: Arc<dyn Store>, config: Config) -> Arc<Self> {
        let next = store.load("next").and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()).unwrap_or(1);
        let manager = Arc::new(Self {
            events: Events::open(store.clone()),
            host,
            store,
            config,
            sessions: Mutex::default(),
            requests: Mutex::default(),
            next: Mutex::new(next),
            stopped: CancellationToken::new(),
        });
        manager.adopt().await;
        let signals = manager.host.signals();
        let task = manager.clone().hear(signals);
        let stopped = manager.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(task).await });
        manager
    }

    /// Stops working at once, as a process that is killed does. Agents go on.
    pub fn crash(&self) {
        self.stopped.cancel();
    }

    /// Waits until the manager has stopped working.
    pub async fn crashed(&self) {
        self.stopped.cancelled().await;
    }

    async fn adopt(self: &Arc<Self>) {
        if self.config.faults.has(Fault::ForgetsOnRestart) {
            return;
        }
        for name in self.store.names("sessions") {
            let Some(bytes) = self.store.load(&name) else { continue };
            let mut record: SessionRecord = match serde_json::from_slice(&bytes) {
                Ok(record) => record,
                Err(error) => {
                    // It costs this session, and no other; the file stays for whoever wants to mend it.
                    self.config.complaints.say(&format!("{name} is unreadable and left out: {error}"));
                    self.end_unlisted(&name).await;
                    continue;
                }
            };
            let found = match record.handle.take() {
                Some(handle) => Some(handle),
                None => self.host.recover(&record.id).await,
            };
            let Some(handle) = found else {
                // It was being started when the manager ended, and nothing of it runs.
                self.store.remove(&name);
                continue;
            };
            record.dead |= !self.host.alive(&handle).await;
            self.host.adopt(&handle).await;
            record.handle = Some(handle);
            let live = self.keep(record);
            if let Err(error) = self.save(&live) {
                self.config.complaints.say(&error.to_string());
            }
            self.watch_timeout(&live);
        }
    }

    /// Ends the agent of a session that can't be listed: nothing runs unlisted.
    async fn end_unlisted(&self, file: &str) {
        let Some(id) = Path::new(file).file_stem().and_then(|stem| stem.to_str()) else { return };
        if let Some(handle) = self.host.recover(&id.into()).await
            && let Err(error) = self.host.end(&handle, End::Tree).await
        {
            self.config.complaints.say(&format!("the agent of {id} could not be ended: {error}"));
        }
    }

    // ---- starting ------------------------------------------------------------------------------------------------

    async fn start(self: &Arc<Self>, args: &Args) -> Result<Args, ContractError> {
        let asked = self.asked(args).await?;
        let request =
            asked.request_id.clone().map(|id| self.requests.lock().unwrap_or_else(|p| p.into_inner()).entry(id).or_default().clone());
        let _turn = match &request {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        if let Some(known) = asked.request_id.as_ref().and_then(|id| self.by_request(id)) {
            let record = known.record();
            return Ok(started(&record.id, record.timeout_s));
        }
        let id = self.new_id()?;
        let now = self.config.clock.now();
        let live = self.keep(SessionRecord {
            id: id.clone(),
            agent: asked.agent,
            cwd: asked.cwd.clone(),
            title: asked.title,
            request_id: asked.request_id,
            message: asked.message.clone(),
            handle: None,
            native: None,
            messages: u64::from(asked.message.is_some()),
            turns: 0,
            turn_ids: Vec::new(),
            timeout_s: asked.timeout_s,
            last_activity: now,
            dead: false,
            end_announced: false,
        });
        let _changing = live.gate.lock().await;
        self.save(&live)?;
        let message = asked.message.map(|message| self.as_delivered(message));
        let launch = Launch { session: id.clone(), agent: asked.agent, cwd: asked.cwd, message, env: BTreeMap::new() };
        match self.host.launch(launch).await {
            Ok(handle) => {
                live.record().handle = Some(handle);
                self.save(&live)?;
                self.watch_timeout(&live);
                if self.config.faults.has(Fault::AnnouncesEarly) {
                    self.announce_turn(&id, 1, TurnStatus::Completed);
                }
                Ok(started(&id, asked.timeout_s))
            }
            Err(error) => {
                self.forget(&id);
                Err(ContractError::new(ErrorCode::AgentFailed, error.to_string()))
            }
        }
    }

    async fn asked(&self, args: &Args) -> Result<Asked, ContractError> {
        let word = text(args, "agent").unwrap_or_default();
        let agent: AgentKind = word.parse().map_err(|why: String| ContractError::new(ErrorCode::UnknownAgent, why))?;
        let cwd = PathBuf::from(text(args, "cwd").unwrap_or_default());
        if !cwd.is_absolute() {
            return Err(invalid(format!("`cwd` is `{}`, wanted an absolute path", cwd.display())));
        }
        if !self.host.is_folder(&cwd).await {
            return Err(invalid(format!("`cwd` is `{}`, which is no directory", cwd.display())));
        }
        let message = text(args, "message").filter(|message| !message.is_empty());
        if let Some(message) = &message {
            self.fits(message)?;
        }
        let timeout_s = args.get("timeout_s").and_then(Value::as_f64).unwrap_or(self.config.default_timeout_s);
        if !timeout_s.is_finite() || timeout_s <= 0.0 {
            return Err(invalid(format!("`timeout_s` is {timeout_s}, wanted a number of seconds above 0")));
        }
        Ok(Asked { agent, cwd, message, title: text(args, "title"), request_id: text(args, "request_id"), timeout_s })
    }

    fn fits(&self, message: &str) -> Result<(), ContractError> {
        let (count, limit) = (message.chars().count(), self.config.message_chars);
        if count > limit {
            return Err(invalid(format!("`message` has {count} characters, at most {limit} are taken")));
        }
        if let Some(key) = message.chars().find(|c| UNTYPABLE.contains(c)) {
            return Err(invalid(format!("`message` holds the character U+{:04X}, which cannot be typed at a terminal", u32::from(key))));
        }
        Ok(())
    }

    /// An id that was never given before; the counter is on disk before anyone sees it.
    fn new_id(&self) -> Result<SessionId, ContractError> {
        let mut next = self.next.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.config.faults.has(Fault::ReusesIds) {
            let free = (1..).find(|number| !self.sessions().contains_key(&SessionId(format!("s{number}"))));
            return Ok(SessionId(format!("s{}", free.unwrap_or_default())));
        }
        let id = SessionId(format!("s{next}"));
        *next += 1;
        self.store.save("next", next.to_string().as_bytes()).map_err(broken)?;
        Ok(id)
    }

    /// A message as it reaches the agent.
    fn as_delivered(&self, message: String) -> String {
        if self.config.faults.has(Fault::ManglesMessages) { message.replace('\n', " ") } else { message }
    }

    fn by_request(&self, request: &str) -> Option<Arc<Live>> {
        self.sessions().values().find(|live| live.record().request_id.as_deref() == Some(request)).cloned()
    }

    // ---- observing -----------------------------------------------------------------------------------------------

    async fn list(&self) -> Args {
        let mut sessions = Vec::new();
        for live in self.all() {
            let alive = self.alive(&live).await;
            let record = live.record();
            sessions.push(json!({
                "session_id": record.id,
                "agent": record.agent,
                "status": record.status(alive).name(),
                "title": record.title,
                "request_id": record.request_id,
                "cwd": record.cwd,
            }));
        }
        Args::from_iter([("sessions".to_owned(), sessions.into())])
    }

    async fn get(&self, args: &Args) -> Result<Args, ContractError> {
        let live = self.session(args)?;
        let text = self.transcript(&live).await;
        if text.is_empty() {
            if !self.alive(&live).await {
                return Err(ContractError::new(ErrorCode::SessionEnded, "the agent died before it could be read"));
            }
            if self.config.faults.has(Fault::CallsPendingEnded) {
                return Err(ContractError::new(ErrorCode::SessionEnded, "no session file"));
            }
            return Ok(Args::from_iter([("text".to_owned(), "".into()), ("pending".to_owned(), true.into())]));
        }
        let (text, truncated) = self.cut(&text, args.get("tail_chars").and_then(Value::as_i64));
        Ok(Args::from_iter([("text".to_owned(), text.into()), ("truncated".to_owned(), truncated.into())]))
    }

    fn cut(&self, text: &str, tail_chars: Option<i64>) -> (String, bool) {
        if self.config.faults.has(Fault::TearsTexts) {
            let cut = String::from_utf8_lossy(&text.as_bytes()[..text.len().min(48_000)]).into_owned();
            let was_cut = cut.len() < text.len();
            return (cut, was_cut);
        }
        transcript::tail(text, tail_chars)
    }

    /// A session's transcript; empty while its agent has written none. Nothing is changed, written or remembered.
    pub(super) async fn transcript(&self, live: &Live) -> String {
        let (agent, native) = {
            let record = live.record();
            (record.agent, record.native.clone())
        };
        let path = match native {
            Some(path) if !self.config.faults.has(Fault::SwapsCodexSessions) => Some(path),
            _ => self.find_native(live).await,
        };
        let Some(path) = path else { return String::new() };
        let bytes = self.host.read_file(&path).await.unwrap_or_default();
        transcript::text(&transcript::read(agent, &bytes))
    }

    /// The native file of a session whose hooks have not named it yet: one of its directory that no other session has,
    /// and that begins with the session's own message.
    async fn find_native(&self, live: &Live) -> Option<PathBuf> {
        let (id, agent, cwd, message) = {
            let record = live.record();
            (record.id.clone(), record.agent, record.cwd.clone(), record.message.clone())
        };
        let taken: Vec<PathBuf> =
            self.all().iter().filter(|other| other.record().id != id).filter_map(|other| other.record().native.clone()).collect();
        for path in self.host.files_below(&self.host.home().join(native_root(agent))).await.into_iter().rev() {
            let Some(bytes) = self.host.read_file(&path).await.filter(|bytes| !bytes.is_empty()) else { continue };
            if !in_folder(agent, &path, &bytes, &cwd) {
                continue;
            }
            if self.config.faults.has(Fault::SwapsCodexSessions) {
                return Some(path);
            }
            let first = transcript::read(agent, &bytes).into_iter().find(|said| said.role == "user").map(|said| said.text);
            let same = |message: &String| first.as_deref().is_some_and(|first| first.trim_end() == message.trim_end());
            if !taken.contains(&path) && message.as_ref().is_some_and(same) {
                return Some(path);
            }
        }
        None
    }

    async fn screen(&self, args: &Args) -> Result<Args, ContractError> {
        let live = self.session(args)?;
        let handle = live.record().handle.clone();
        let Some(handle) = handle else { return Err(not_found(&live.record().id)) };
        let text = self.host.screen(&handle).await.unwrap_or_default();
        Ok(Args::from_iter([("text".to_owned(), text.into())]))
    }

    // ---- changing ------------------------------------------------------------------------------------------------

    async fn send(&self, args: &Args) -> Result<Args, ContractError> {
        let message = text(args, "message").unwrap_or_default();
        if message.is_empty() {
            return Err(invalid("`message` is empty".into()));
        }
        self.fits(&message)?;
        let live = self.session(args)?;
        let _changing = live.gate.lock().await;
        let live = self.session(args)?;
        if !self.alive(&live).await {
            return Err(ContractError::new(ErrorCode::SessionEnded, "the session's agent is dead"));
        }
        let handle = live.record().handle.clone();
        let handle = handle.ok_or_else(|| not_found(&live.record().id))?;
        {
            let mut record = live.record();
            record.messages += 1;
            if record.message.is_none() {
                record.message = Some(message.clone());
            }
        }
        self.touch(&live);
        let delivered = self.host.deliver(&handle, &self.as_delivered(message)).await;
        if let Err(error) = delivered {
            live.record().messages -= 1;
            self.save(&live)?;
            return Err(match error {
                HostError::Gone => ContractError::new(ErrorCode::SessionEnded, "the session's agent is dead"),
                other => ContractError::new(ErrorCode::Internal, other.to_string()),
            });
        }
        self.save(&live)?;
        if self.config.faults.has(Fault::AnnouncesEarly) {
            let (id, turn) = {
                let record = live.record();
                (record.id.clone(), record.messages)
            };
            self.announce_turn(&id, turn, TurnStatus::Completed);
        }
        Ok(Args::new())
    }

    async fn end(&self, args: &Args) -> Result<Args, ContractError> {
        let live = match self.session(args) {
            Ok(live) => live,
            Err(error) => self.by_prefix(args).ok_or(error)?,
        };
        self.end_live(&live, "ended").await?;
        Ok(Args::new())
    }

    /// The session that a careless match takes for the one asked for.
    fn by_prefix(&self, args: &Args) -> Option<Arc<Live>> {
        let asked = text(args, "session_id").filter(|_| self.config.faults.has(Fault::EndsByPrefix))?;
        self.all().into_iter().find(|live| live.record().id.as_str().starts_with(&asked))
    }

    /// Ends a session: its agent and everything under it, then the record.
    pub(super) async fn end_live(&self, live: &Arc<Live>, reason: &str) -> Result<(), ContractError> {
        let _changing = live.gate.lock().await;
        let (id, handle) = {
            let record = live.record();
            (record.id.clone(), record.handle.clone())
        };
        if !self.sessions().get(&id).is_some_and(|known| Arc::ptr_eq(known, live)) {
            return Err(not_found(&id));
        }
        if let Some(handle) = handle {
            let how = if self.config.faults.has(Fault::LeaksSetsid) { End::Group } else { End::Tree };
            self.host.end(&handle, how).await.map_err(|error| ContractError::new(ErrorCode::Internal, error.to_string()))?;
        }
        self.forget(&id);
        self.announce_end(live, reason);
        Ok(())
    }

    // ---- hearing -------------------------------------------------------------------------------------------------

    async fn hear(self: Arc<Self>, mut signals: tokio::sync::mpsc::UnboundedReceiver<Signal>) {
        while let Some(signal) = signals.recv().await {
            let manager = self.clone();
            let stopped = self.stopped.clone();
            // Sessions do not wait for each other; a session's own signals queue at its gate, in the order they came.
            tokio::spawn(async move {
                stopped
                    .run_until_cancelled(async {
                        let _receipt = match signal {
                            Signal::Hook { session, moment, payload, receipt } => {
                                manager.hook(&session, moment, &payload).await;
                                receipt
                            }
                            Signal::Exited { session, receipt, .. } => {
                                manager.exited(&session).await;
                                receipt
                            }
                        };
                    })
                    .await
            });
        }
    }

    // ---- keeping -------------------------------------------------------------------------------------------------

    pub(super) fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Live>>> {
        self.sessions.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.sessions().values().cloned().collect()
    }

    fn session(&self, args: &Args) -> Result<Arc<Live>, ContractError> {
        let id = SessionId(text(args, "session_id").unwrap_or_default());
        self.sessions().get(&id).cloned().ok_or_else(|| not_found(&id))
    }

    fn keep(&self, record: SessionRecord) -> Arc<Live> {
        let id = record.id.clone();
        let live = Arc::new(Live { record: Mutex::new(record), gate: AsyncMutex::new(()) });
        self.sessions().insert(id, live.clone());
        live
    }

    fn forget(&self, id: &SessionId) {
        self.sessions().remove(id);
        self.store.remove(&SessionRecord::file(id));
    }

    pub(super) fn save(&self, live: &Live) -> Result<(), ContractError> {
        let record = live.record().clone();
        let bytes = serde_json::to_vec(&record).expect("records are plain data");
        self.store.save(&SessionRecord::file(&record.id), &bytes).map_err(broken)
    }

    /// Whether a session's agent lives, now.
    pub(super) async fn alive(&self, live: &Live) -> bool {
        let (handle, dead) = {
            let record = live.record();
            (record.handle.clone(), record.dead)
        };
        match handle {
            None => true,
            Some(handle) => !dead && self.host.alive(&handle).await,
        }
    }

    /// Notes activity: it postpones the timeout.
    pub(super) fn touch(&self, live: &Live) {
        live.record().last_activity = self.config.clock.now();
    }

    fn watch_timeout(self: &Arc<Self>, live: &Arc<Live>) {
        let (manager, live, stopped) = (self.clone(), Arc::downgrade(live), self.stopped.clone());
        tokio::spawn(async move {
            stopped
                .run_until_cancelled(async {
                    while let Some(live) = live.upgrade() {
                        let (left, busy) = manager.time_left(&live.record());
                        if left.is_zero() && !busy {
                            if let Err(error) = manager.end_live(&live, "timeout").await {
                                manager.config.complaints.say(&format!("a session that timed out could not be ended: {error}"));
                            }
                            return;
                        }
                        drop(live);
                        // A turn in flight has no deadline: look again when the timeout would be over from its end on.
                        tokio::time::sleep(left.max(Duration::from_millis(50))).await;
                    }
                })
                .await
        });
    }

    /// How much of a session's timeout is left, and whether a turn is in flight.
    fn time_left(&self, record: &SessionRecord) -> (Duration, bool) {
        let timeout = Duration::try_from_secs_f64(record.timeout_s).unwrap_or(Duration::MAX);
        let idle: Duration = since(record.last_activity, self.config.clock.now());
        let busy = record.messages > record.turns && !record.dead;
        (timeout.saturating_sub(idle).min(Duration::from_secs(86_400)), busy)
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

/// What a start asks for, checked.
struct Asked {
    agent: AgentKind,
    cwd: PathBuf,
    message: Option<String>,
    title: Option<String>,
    request_id: Option<String>,
    timeout_s: f64,
}

fn started(id: &SessionId, timeout_s: f64) -> Args {
    Args::from_iter([("session_id".to_owned(), id.as_str().into()), ("timeout_s".to_owned(), timeout_s.into())])
}

fn text(args: &Args, name: &str) -> Option<String> {
    args.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn invalid(why: String) -> ContractError {
    ContractError::new(ErrorCode::InvalidArgument, why)
}

fn not_found(id: &SessionId) -> ContractError {
    ContractError::new(ErrorCode::SessionNotFound, format!("no session `{id}`"))
}

fn broken(error: std::io::Error) -> ContractError {
    ContractError::new(ErrorCode::Internal, format!("the state could not be written: {error}"))
}

/// Where an agent keeps its native files, below its home.
pub(super) fn native_root(agent: AgentKind) -> &'static str {
    match agent {
        AgentKind::Claude => ".claude/projects",
        AgentKind::Codex => ".codex/sessions",
        AgentKind::Gemini => ".gemini/tmp",
    }
}

/// Whether a native file is of a session in that directory: by what it says, or where it says nothing by its place.
fn in_folder(agent: AgentKind, path: &Path, bytes: &[u8], cwd: &Path) -> bool {
    match agent {
        AgentKind::Gemini => {
            let project = path.parent().and_then(Path::parent).and_then(Path::file_name);
            project.is_some() && project == cwd.file_name()
        }
        AgentKind::Claude | AgentKind::Codex => transcript::cwd(bytes).is_some_and(|said| Path::new(&said) == cwd),
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
        let args = spec.accept(&args)?;
        match spec.name {
            "start_session" => self.start(&args).await,
            "list_sessions" => Ok(self.list().await),
            "get_session_data" => self.get(&args).await,
            "send_message" => self.send(&args).await,
            "end_session" => self.end(&args).await,
            "capture_screen" => self.screen(&args).await,
            "wait_events" => {
                let cursor = match args.get("after") {
                    None => 0,
                    Some(after) => after
                        .as_str()
                        .and_then(|after| after.parse().ok())
                        .ok_or_else(|| invalid("`after` is no cursor that `wait_events` gave".into()))?,
                };
                let wait = args.get("timeout_s").and_then(Value::as_f64).unwrap_or(WAIT_S.0).clamp(0.0, WAIT_S.1);
                Ok(self.events.after(cursor, Duration::from_secs_f64(wait)).await)
            }
            other => Err(invalid(format!("the operation `{other}` is in the table, but not in the manager"))),
        }
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.events.subscribe()
    }

    async fn shutdown(&self) {
        let all = self.all();
        futures::future::join_all(all.iter().map(|live| self.end_live(live, "shutdown"))).await;
        self.stopped.cancel();
        self.host.close().await;
    }
}
