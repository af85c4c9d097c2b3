//! Starting sessions.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::contract::{AgentKind, Args, ContractError, ErrorCode, SessionId, TurnStatus};

use super::host::{AgentLaunch, End, HostError, Plays};
use super::manager::{Manager, invalid, locked, text};
use super::session::{Live, SessionRecord};
use crate::suites::manager::behavior::{Announcing, Launching, Numbers, Occasion, Remains};
use crate::trace::settings::Processes;

/// What no message may hold: an argument ends at the one, and a paste could be ended by the other.
const UNTYPABLE: [char; 2] = ['\0', '\u{1b}'];

/// How often something that tells nobody is looked at, by a faulty manager.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a start asks for, found right.
#[derive(Debug, Clone)]
pub(crate) struct StartRequest {
    pub(crate) agent: AgentKind,
    pub(crate) cwd: PathBuf,
    pub(crate) message: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) timeout_s: f64,
}

impl Manager {
    pub(crate) async fn start(self: &Arc<Self>, args: &Args) -> Result<Args, ContractError> {
        let mut asked = match self.asked(args).await {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(args, refusal).await,
        };
        (self.behavior.asked)(&mut asked);
        let _turn = match &asked.request_id {
            Some(request_id) if self.behavior.requests_wait => Some(self.requests.turn(request_id).await),
            _ => None,
        };
        if let Some(answer) = self.answered_before(&asked) {
            return Ok(answer);
        }
        if !self.behavior.requests_wait {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let number = self.number().await?;
        let id = SessionId((self.behavior.id)(number, &asked));
        let (live, told) = Live::new(self.record(id, asked));
        let live = Arc::new(live);
        // Nobody else gets at the session before it is whole.
        let changing = live.gate.lock().await;
        self.keep(live.clone(), told);
        if self.is_closing() {
            self.forget(&live);
            return Err(ContractError::new(ErrorCode::Internal, "the manager is being shut down"));
        }
        if let Err(error) = self.bring_up(&live).await {
            return self.came_to_nothing(&live, error).await;
        }
        let sessions = self.sessions().len();
        if (self.behavior.loses)(number, sessions) {
            self.forget(&live);
            return Err(ContractError::new(ErrorCode::Internal, "too many sessions"));
        }
        drop(changing);
        while self.behavior.launching == Launching::ForATurn && live.record().turns == 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let answer = (self.behavior.started)(&live.record());
        let request_id = live.record().request_id.clone();
        if let Some(request_id) = request_id {
            self.remember(&request_id, &answer);
        }
        self.besides(Occasion::Started, &live).await;
        Ok(answer)
    }

    /// Checks what a start asks for.
    async fn asked(&self, args: &Args) -> Result<StartRequest, ContractError> {
        let word = text(args, "agent").unwrap_or_default();
        let agent = word.parse().or_else(|why: String| (self.behavior.unknown_agent)(ContractError::new(ErrorCode::UnknownAgent, why)))?;
        let mut cwd = PathBuf::from(text(args, "cwd").unwrap_or_default());
        if !cwd.is_absolute() {
            return Err(invalid(format!("`cwd` is `{}`, wanted an absolute path", cwd.display())));
        }
        if !self.host.is_folder(&cwd).await {
            let refusal = invalid(format!("`cwd` is `{}`, which is no directory", cwd.display()));
            cwd = (self.behavior.no_folder)(refusal, &cwd)?;
        }
        let message = text(args, "message").filter(|message| !message.is_empty());
        let message = message.map(|message| self.fitting(message)).transpose()?;
        let timeout_s = args.get("timeout_s").and_then(Value::as_f64).unwrap_or(self.config.default_timeout_s);
        if !timeout_s.is_finite() || timeout_s <= 0.0 {
            return Err(invalid(format!("`timeout_s` is {timeout_s}, wanted a number of seconds above 0")));
        }
        Ok(StartRequest { agent, cwd, message, title: text(args, "title"), request_id: text(args, "request_id"), timeout_s })
    }

    /// A message, unless it is too long or cannot be typed.
    pub(crate) fn fitting(&self, message: String) -> Result<String, ContractError> {
        if let Some(key) = message.chars().find(|c| UNTYPABLE.contains(c)) {
            return Err(invalid(format!("`message` holds the character U+{:04X}, which cannot be typed at a terminal", u32::from(key))));
        }
        let count = if self.behavior.counts_bytes { message.len() } else { message.chars().count() };
        let limit = (self.behavior.taken)(self.config.message_chars);
        if count <= limit {
            return Ok(message);
        }
        let refusal = invalid(format!("`message` has {count} characters, at most {limit} are taken"));
        (self.behavior.too_long)(refusal, &message, limit)
    }

    /// The answer to the same start, asked before.
    fn answered_before(&self, asked: &StartRequest) -> Option<Args> {
        let live = self.all().into_iter().find(|live| (self.behavior.repeats)(asked, &live.record()));
        match live {
            Some(live) => Some((self.behavior.started)(&live.record())),
            None if self.behavior.requests_stay => self.requests.answer(asked.request_id.as_deref()?),
            None => None,
        }
    }

    /// Remembers the answer to a request.
    pub(crate) fn remember(&self, request_id: &str, answer: &Args) {
        if let Err(error) = self.requests.remember(request_id, answer) {
            self.complain(format_args!("a request could not be kept: {error}"));
        }
    }

    /// A number that was never given before; the counter is on disk before anyone sees it.
    async fn number(&self) -> Result<u64, ContractError> {
        if self.behavior.numbers == Numbers::Raced {
            let number = *locked(&self.next);
            tokio::time::sleep(Duration::from_millis(5)).await;
            *locked(&self.next) = number + 1;
            return Ok(number);
        }
        let mut next = locked(&self.next);
        let number = match self.behavior.numbers {
            Numbers::Freed => {
                let count = self.sessions().len() as u64;
                (1..).find(|free| !self.sessions().contains_key(&SessionId(format!("s{free}")))).unwrap_or(count)
            }
            Numbers::Clock => self.config.clock.now().as_second().rem_euclid(86_400).unsigned_abs(),
            Numbers::Kept | Numbers::Unkept | Numbers::Raced | Numbers::Recounted => *next,
        };
        *next += 1;
        if self.behavior.numbers == Numbers::Kept {
            self.store.save("next", next.to_string().as_bytes()).map_err(broken)?;
        }
        Ok(number)
    }

    pub(crate) fn record(&self, id: SessionId, asked: StartRequest) -> SessionRecord {
        let now = self.config.clock.now();
        SessionRecord {
            id,
            agent: asked.agent,
            cwd: asked.cwd,
            title: asked.title,
            request_id: asked.request_id,
            messages: u64::from(asked.message.is_some()),
            message: asked.message,
            handle: None,
            native: None,
            thread: None,
            resumes: None,
            waiting: VecDeque::new(),
            turns: 0,
            turn_ids: Vec::new(),
            timeout_s: asked.timeout_s,
            started: now,
            last_activity: now,
            native_bytes: 0,
            dead: false,
            end_announced: false,
            adopted: false,
        }
    }

    /// Launches a session's agent, when it is time for that.
    async fn bring_up(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), HostError> {
        self.save(live).map_err(|error| HostError::Failed(error.to_string()))?;
        match self.behavior.launching {
            Launching::Now | Launching::ForATurn => self.launch(live).await,
            Launching::SharedBuffer => self.launch_with_buffer(live).await,
            Launching::Never | Launching::WhenRead => Ok(()),
            Launching::Later(_) | Launching::InTurn => {
                let (manager, live) = (self.clone(), live.clone());
                self.spawn(async move {
                    manager.its_time(&live).await;
                    let changing = live.gate.lock().await;
                    // Its agent may be seen before it is known here: an end, or a message, waits.
                    let launched = manager.launch(&live).await;
                    drop(changing);
                    if launched.is_err() {
                        manager.exited(&live, None).await;
                    }
                });
                Ok(())
            }
        }
    }

    /// Waits until an agent that is not launched at once is.
    async fn its_time(&self, live: &Arc<Live>) {
        match self.behavior.launching {
            Launching::Later(delay) => tokio::time::sleep(delay).await,
            _ => {
                while self.all().first().is_some_and(|first| !Arc::ptr_eq(first, live)) {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Launches a session's agent now.
    pub(crate) async fn launch(self: &Arc<Self>, live: &Arc<Live>) -> Result<(), HostError> {
        let message = live.record().message.clone();
        if message.is_none() && self.behavior.processes == Processes::Turn {
            return Ok(());
        }
        let mut typed = message.map(|message| (self.behavior.typed)(&message, 1)).unwrap_or_default().into_iter();
        self.launch_with(live, typed.next()).await?;
        self.announce_at_delivery(live);
        let handle = live.record().handle.clone();
        for (message, handle) in typed.zip(handle.iter().cycle()) {
            self.host.deliver(handle, &message).await?;
        }
        Ok(())
    }

    pub(crate) async fn launch_with(&self, live: &Arc<Live>, message: Option<String>) -> Result<(), HostError> {
        let launch = {
            let record = live.record();
            let plays = match self.behavior.processes {
                Processes::Turn => Plays::OneTurn { resumes: record.resumes.clone() },
                _ => Plays::On,
            };
            AgentLaunch { session: record.id.clone(), agent: record.agent, cwd: record.cwd.clone(), message, plays, env: BTreeMap::new() }
        };
        let handle = self.host.launch(launch).await?;
        live.record().handle = Some(handle.clone());
        if let Err(error) = self.save(live) {
            // What nobody would find after a restart must not run.
            self.host.end(&handle, End::Tree).await?;
            return Err(HostError::Failed(error.to_string()));
        }
        Ok(())
    }

    async fn launch_with_buffer(&self, live: &Arc<Live>) -> Result<(), HostError> {
        let message = live.record().message.clone();
        *locked(&self.buffer) = message;
        self.launch_with(live, None).await?;
        let (message, handle) = (locked(&self.buffer).clone(), live.record().handle.clone());
        match message.zip(handle) {
            Some((message, handle)) => self.host.deliver(&handle, &message).await,
            None => Ok(()),
        }
    }

    /// Announces the turn that a message opens, where a manager does so when it delivers it.
    pub(crate) fn announce_at_delivery(&self, live: &Live) {
        let (id, turn) = {
            let record = live.record();
            (record.id.clone(), record.messages)
        };
        if self.behavior.announcing == Announcing::AtDelivery && turn > 0 {
            self.announce_turn(&id, turn, TurnStatus::Completed);
        }
    }

    /// Refuses a start.
    async fn refuse(self: &Arc<Self>, args: &Args, refusal: ContractError) -> Result<Args, ContractError> {
        if self.behavior.refused != Remains::Nothing {
            let asked = StartRequest {
                agent: text(args, "agent").and_then(|agent| agent.parse().ok()).unwrap_or(AgentKind::CLAUDE),
                cwd: text(args, "cwd").unwrap_or_default().into(),
                message: None,
                title: None,
                request_id: None,
                timeout_s: self.config.default_timeout_s,
            };
            let id = SessionId((self.behavior.id)(self.number().await?, &asked));
            let (live, told) = Live::new(self.record(id, asked));
            let live = Arc::new(live);
            if self.behavior.refused == Remains::Agent {
                let _ = self.launch(&live).await;
            } else {
                self.keep(live, told);
            }
        }
        Err(refusal)
    }

    /// A start whose agent could not be launched leaves nothing behind.
    async fn came_to_nothing(&self, live: &Arc<Live>, error: HostError) -> Result<Args, ContractError> {
        let failure = ContractError::new(ErrorCode::AgentFailed, error.to_string());
        match self.behavior.failed {
            Remains::Nothing | Remains::Agent => {
                self.forget(live);
                Err(failure)
            }
            Remains::Entry => Err(failure),
            Remains::EntryAndWait(wait) => {
                tokio::time::sleep(wait).await;
                Err(failure)
            }
            Remains::Session { alive } => {
                let mut record = live.record();
                record.dead = !alive;
                record.turns = if alive { 0 } else { record.messages };
                Ok((self.behavior.started)(&record))
            }
        }
    }
}

pub(crate) fn broken(error: std::io::Error) -> ContractError {
    ContractError::new(ErrorCode::Internal, format!("the state could not be written: {error}"))
}
