//! Starting an agent in a container of its own, on an engine that may lose its answers.

use std::sync::Arc;
use std::time::Duration;

use crate::containers::engine::{ContainerInfo, ContainerSpec, ContainerStatus, EngineError};
use crate::contract::supervised_state::SupervisedMove;
use crate::contract::{AgentKind, Announcement, ContractError, ErrorCode, SupervisedState};

use super::record::{SessionHealth, SupervisedRecord};
use super::registry::check_name;
use super::supervisor::{OF_REGISTRY, OF_SESSION, Supervised, Supervisor};

/// What `start_session` is asked with.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub agent: String,
    pub workspace: std::path::PathBuf,
    pub role: String,
    pub branch: String,
    pub message: Option<String>,
    pub auto_restart: bool,
    pub session_id: Option<String>,
}

/// Why an agent was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LaunchError {
    /// The engine did not do it.
    Engine(EngineError),
    /// The agent did not come up.
    NotUp(String),
}

impl From<EngineError> for LaunchError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<LaunchError> for ContractError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Engine(error) => engine_error(&error),
            LaunchError::NotUp(why) => ContractError::new(ErrorCode::AgentFailed, why),
        }
    }
}

/// An engine's error in the contract's words.
pub(crate) fn engine_error(error: &EngineError) -> ContractError {
    let code = if *error == EngineError::Lost { ErrorCode::Timeout } else { ErrorCode::EngineUnavailable };
    ContractError::new(code, error.to_string())
}

/// What may be asked of an engine twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harmless {
    /// To freeze a container.
    Freeze,
    /// To let it go on.
    Thaw,
    /// To send it a signal.
    Kill(&'static str),
    /// To remove it.
    Remove,
}

/// How often a creation is tried: a lost answer, a name that is taken, and once more.
const TRIES: usize = 4;
/// How long the record of a new agent may lack its container, where it does.
pub(crate) const UNRECORDED: Duration = Duration::from_secs(1);
/// How much is told of what an agent wrote that exited at once, in characters.
const LAST_WORDS: usize = 400;
/// How often an ending container is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Supervisor {
    /// `start_session`.
    ///
    /// # Errors
    /// As the contract has them; then nothing is left.
    pub(crate) async fn start(self: &Arc<Self>, new: NewSession) -> Result<Arc<Supervised>, ContractError> {
        let invalid = |why: String| ContractError::new(ErrorCode::InvalidArgument, why);
        let agent: AgentKind = new.agent.parse().map_err(|why| ContractError::new(ErrorCode::UnknownAgent, why))?;
        if !self.behavior().any_name {
            check_name("role", &new.role).map_err(invalid)?;
            new.session_id.iter().try_for_each(|id| check_name("session_id", id)).map_err(invalid)?;
        }
        if !new.workspace.is_dir() {
            return Err(invalid(format!("`cwd` is {}, which is no folder", new.workspace.display())));
        }
        if let Some(why) = self.off_branch(&new.workspace, &new.branch).filter(|_| !self.behavior().any_branch) {
            return Err(ContractError::new(ErrorCode::BranchMismatch, why));
        }
        let session = self.admit_new(agent, &new)?;
        session.live().first_message.clone_from(&new.message);
        let _turn = session.turn.lock().await;
        let id = session.record().session_id;
        let starting = SupervisedState::Starting.name().to_owned();
        let said = Announcement::StateChanged { session_id: id.as_str().into(), from: None, to: starting, reason: None };
        self.record_and_say(&session, said).await;
        match self.launch(&session, new.message.as_deref()).await {
            Ok(()) => {
                self.record_the_container_later(&session);
                Ok(session.clone())
            }
            Err(why) => {
                if !self.behavior().records_the_failed {
                    let error = ContractError::from(why.clone());
                    self.go(&session, SupervisedMove::NotUp, &error.message).await;
                    // What could not be removed stays on record, for the next look to remove it.
                    if session.container().is_none() || self.behavior().abandons_lost {
                        self.dismiss(&session);
                    }
                }
                Err(why.into())
            }
        }
    }

    /// Where the first record lacks the container, a later one has it.
    fn record_the_container_later(self: &Arc<Self>, session: &Arc<Supervised>) {
        if self.behavior().records_no_container {
            let (supervisor, session) = (self.clone(), session.clone());
            self.spawn(async move {
                tokio::time::sleep(2 * UNRECORDED).await;
                supervisor.write(&session).await;
            });
        }
    }

    fn admit_new(&self, agent: AgentKind, new: &NewSession) -> Result<Arc<Supervised>, ContractError> {
        let record = |session_id: String| SupervisedRecord {
            session_id,
            role: new.role.clone(),
            agent,
            state: SupervisedState::Starting,
            reason: None,
            health: SessionHealth::Ok,
            container_id: None,
            engine: self.config.engine.clone(),
            image: self.config.image.clone(),
            workspace: new.workspace.clone(),
            branch: new.branch.clone(),
            started_at: Some(self.config.clock.now()),
            updated_at: None,
            transcripts: Vec::new(),
            auto_restart: new.auto_restart,
            failures: 0,
            restarts: Vec::new(),
            stop_requested: false,
            extra: serde_json::Map::new(),
        };
        if let Some(id) = &new.session_id {
            let session = Supervised::new(record(id.clone()));
            let taken = || ContractError::new(ErrorCode::AlreadyExists, format!("there is a session {id:?} already"));
            let is_bad = || super::supervisor::lock(&self.skipped).iter().any(|skipped| skipped.id == *id);
            return if !is_bad() && self.admit(&session) { Ok(session) } else { Err(taken()) };
        }
        for n in 1.. {
            let id = format!("{}-{:x}-{n}", new.role, self.config.clock.now().as_millisecond());
            let session = Supervised::new(record(id));
            if self.admit(&session) {
                return Ok(session);
            }
        }
        unreachable!("there are more numbers than sessions")
    }

    /// Starts a session's agent in a new container; a session that is `starting` runs then.
    ///
    /// # Errors
    /// Where it could not; the container is gone again, as far as the engine let it go.
    pub(crate) async fn launch(self: &Arc<Self>, session: &Arc<Supervised>, message: Option<&str>) -> Result<(), LaunchError> {
        let spec = self.spec(session, message);
        let id = match self.anothers_container(session).await {
            Some(id) => id,
            None => self.make_container(&spec).await?,
        };
        let now = self.config.clock.now();
        session.edit(|record| {
            record.container_id = Some(id.clone());
            record.transcripts.push(spec.transcript.clone());
            record.started_at = Some(now);
        });
        {
            let mut live = session.live();
            live.first_container.get_or_insert_with(|| id.clone());
            live.seen = 0;
            live.deaf = false;
        }
        self.write(session).await;
        let up = self.bring_up(session, &id).await;
        let abandoned = self.behavior().abandons_lost && up == Err(EngineError::Lost.into());
        if up.is_err() && !self.behavior().leaves_the_failed && !abandoned {
            self.drop_container(session, &id).await;
        }
        up
    }

    /// The container of a session that was there before: what is shared is shared with it.
    async fn anothers_container(&self, session: &Arc<Supervised>) -> Option<String> {
        let own = session.record().session_id;
        let before = |other: &Arc<Supervised>| other.record().session_id < own && other.state().is_alive();
        let other = self.all().into_iter().find(before).filter(|_| self.behavior().shares_containers)?;
        tokio::time::timeout(self.config.start, async {
            loop {
                match other.container() {
                    Some(id) => return id,
                    None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        })
        .await
        .ok()
    }

    async fn bring_up(self: &Arc<Self>, session: &Arc<Supervised>, id: &str) -> Result<(), LaunchError> {
        match self.engine.start(id).await {
            Ok(()) => {}
            // It may have been done: starting again does no harm, and is refused where the engine is gone.
            Err(EngineError::Lost) if self.behavior().abandons_lost => return Err(EngineError::Lost.into()),
            Err(EngineError::Lost) => self.engine.start(id).await?,
            Err(error) => return Err(error.into()),
        }
        if self.behavior().runs_early {
            self.go(session, SupervisedMove::Up, "its container was started").await;
        }
        match tokio::time::timeout(self.config.start, self.relay.ready(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(LaunchError::NotUp(self.last_words(session))),
            Err(_) => return Err(LaunchError::NotUp(format!("the agent took no input for {} s", self.config.start.as_secs()))),
        }
        let now = self.config.clock.now();
        session.edit(|record| {
            record.started_at = Some(now);
            record.failures = 0;
            record.health = SessionHealth::Ok;
        });
        {
            let written = self.written(session);
            let mut live = session.live();
            live.escalated = false;
            live.seen = written;
        }
        self.go(session, SupervisedMove::Up, "its agent takes input").await;
        Ok(())
    }

    /// Why an agent is over that was just started: what it wrote.
    fn last_words(&self, session: &Supervised) -> String {
        let wrote = session.edit(|record| record.transcripts.last().and_then(|file| self.relay.transcript(file)));
        match wrote.unwrap_or_default().trim() {
            "" => "the agent exited at once".to_owned(),
            words => {
                let skipped = words.chars().count().saturating_sub(LAST_WORDS);
                format!("the agent exited at once, and wrote: {}", words.chars().skip(skipped).collect::<String>())
            }
        }
    }

    fn spec(&self, session: &Supervised, message: Option<&str>) -> ContainerSpec {
        let record = session.record();
        let n = record.transcripts.len() + 1;
        let transcript = self.registry.folder(&record.role, &record.session_id).join(format!("run-{n}/transcript.txt"));
        ContainerSpec {
            name: format!("passmuster-{}-{n}", record.session_id),
            image: record.image,
            labels: vec![(OF_REGISTRY.into(), self.registry.root().display().to_string()), (OF_SESSION.into(), record.session_id)],
            agent: record.agent,
            workspace: record.workspace,
            message: message.map(str::to_owned),
            transcript,
        }
    }

    /// Makes the container of a specification, once, whatever the engine loses.
    async fn make_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let mut spec = spec.clone();
        let mut last = EngineError::Lost;
        let deadline = tokio::time::Instant::now() + self.config.start;
        for _ in 0..TRIES {
            // An engine that does not answer is not waited for again and again; what it makes yet is found by its labels.
            if tokio::time::Instant::now() > deadline {
                break;
            }
            last = match self.engine.create(&spec).await {
                Ok(id) => return Ok(id),
                Err(EngineError::Lost) if self.behavior().abandons_lost => return Err(EngineError::Lost),
                Err(EngineError::Lost) if self.behavior().doubles_lost => {
                    spec.name.push_str("-again");
                    EngineError::Lost
                }
                // It is asked again; where it was made after all, the name is taken.
                Err(EngineError::Lost) => EngineError::Lost,
                Err(EngineError::NameTaken) if self.behavior().fails_on_taken_name => {
                    return Err(EngineError::Failed(EngineError::NameTaken.to_string()));
                }
                Err(EngineError::NameTaken) => {
                    let taken = self.engine.inspect(&spec.name).await;
                    match taken {
                        Ok(info) if last == EngineError::Lost && self.is_ours(&info, &spec) && info.status == ContainerStatus::Created => {
                            return Ok(info.id);
                        }
                        Ok(info) if self.is_ours(&info, &spec) => self.end_container(&info.id, Duration::ZERO).await?,
                        Ok(_) => spec.name.push_str("-x"),
                        Err(EngineError::NotFound) => {}
                        Err(error) => return Err(error),
                    }
                    EngineError::NameTaken
                }
                Err(error) => return Err(error),
            };
        }
        Err(last)
    }

    /// Whether a container is this registry's, and the session's that a specification is of.
    fn is_ours(&self, info: &ContainerInfo, spec: &ContainerSpec) -> bool {
        [OF_REGISTRY, OF_SESSION].iter().all(|name| info.label(name) == spec.label(name))
    }

    /// Removes a container that came to nothing; what the engine does not let go stays on record.
    async fn drop_container(&self, session: &Supervised, id: &str) {
        if self.end_container(id, Duration::ZERO).await.is_ok() {
            session.edit(|record| record.container_id = None);
        }
    }

    /// Ends a container: its agent first, with that grace, then itself. One that is gone already is ended.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) async fn end_container(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let behavior = self.behavior();
        let info = match self.engine.inspect(id).await {
            Err(EngineError::NotFound) if !behavior.fails_on_the_gone => return Ok(()),
            Err(EngineError::NotFound) => return Err(EngineError::Failed(EngineError::NotFound.to_string())),
            info => info?,
        };
        if info.status == ContainerStatus::Frozen && !behavior.stuck_frozen {
            self.again(Harmless::Thaw, id).await?;
        }
        if info.is_alive() && !behavior.container_first {
            match self.engine.kill(id, "TERM").await {
                // It may be over by now.
                Ok(()) | Err(EngineError::Lost | EngineError::Failed(_) | EngineError::NotFound) => {}
                Err(error) => return Err(error),
            }
            let patience = if behavior.no_grace { Duration::ZERO } else { grace };
            self.over(id, patience).await;
        }
        if behavior.agent_only && info.is_alive() {
            return Ok(());
        }
        match self.again(Harmless::Remove, id).await {
            Err(EngineError::NotFound) => Ok(()),
            removed => removed,
        }
    }

    /// Waits until a container's first process is over, at most so long.
    async fn over(&self, id: &str, grace: Duration) {
        let ended = async {
            while self.engine.inspect(id).await.is_ok_and(|info| info.is_alive()) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // Its time is up: what comes next takes none.
        let _ = tokio::time::timeout(grace, ended).await;
    }

    /// Asks for what does no harm twice, again where the answer was lost.
    pub(crate) async fn again(&self, what: Harmless, id: &str) -> Result<(), EngineError> {
        match self.harmless(what, id).await {
            Err(EngineError::Lost) => match self.harmless(what, id).await {
                // The first time did it. What is refused to be removed is still there.
                Err(EngineError::NotFound) => Ok(()),
                Err(EngineError::Failed(_)) if what != Harmless::Remove => Ok(()),
                second => second,
            },
            first => first,
        }
    }

    async fn harmless(&self, what: Harmless, id: &str) -> Result<(), EngineError> {
        match what {
            Harmless::Freeze => self.engine.freeze(id).await,
            Harmless::Thaw => self.engine.thaw(id).await,
            Harmless::Kill(signal) => self.engine.kill(id, signal).await,
            Harmless::Remove => self.engine.remove(id).await,
        }
    }
}
