//! An engine in memory, on the virtual clock: its containers run simulated agents. It keeps books of its own, which the harness
//! reads as the truth, and it can be told to be a bad engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::fakes::processes::LiveProcesses as _;
use crate::fakes::sim::{SimEnd, SimLaunch, SimSignal, SimWorld};
use crate::trace::{ContainerFact, Entry};

use super::engine::{ContainerSpec, ContainerStatus, EngineError, EngineEvent, RelayError};

mod calls;

pub(crate) use calls::SharedMemoryEngine;

/// How long the calls take: what Podman 4.3 was measured to take.
const CREATE: Duration = Duration::from_millis(7);
const START: Duration = Duration::from_millis(58);
const LOOK: Duration = Duration::from_millis(2);
const CHANGE: Duration = Duration::from_millis(6);
/// How long after a death the engine tells of it.
const TELL: Duration = Duration::from_millis(151);
/// How long a ping takes.
const PING: Duration = Duration::from_millis(2);

/// What gets in the way of an engine's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineTrouble {
    /// Nobody answers the door: nothing is done.
    Refuse,
    /// It takes that long, and does it then.
    Stall(Duration),
    /// It fails, and does nothing.
    Fail,
    /// It does it, and the answer is lost.
    LoseReply,
}

impl EngineTrouble {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            EngineTrouble::Refuse => "refused",
            EngineTrouble::Stall(_) => "stalled",
            EngineTrouble::Fail => "failed",
            EngineTrouble::LoseReply => "done, and the reply lost",
        }
    }
}

/// Trouble for some calls.
#[derive(Debug, Clone)]
struct EngineGate {
    /// The call; none: every one.
    call: Option<&'static str>,
    /// How many times more; none: until it is lifted.
    times: Option<u32>,
    trouble: EngineTrouble,
}

/// Who is killed in the middle of a call, and when.
struct Ambush {
    /// The calls to let pass.
    pass: u32,
    /// Whether the call is carried out first.
    done: bool,
    strike: Box<dyn FnOnce() + Send>,
}

struct MemoryContainer {
    spec: ContainerSpec,
    status: ContainerStatus,
    /// The agent's process, once it is up.
    pid: watch::Sender<Option<u32>>,
    /// What else the engine started in it.
    executed: Vec<u32>,
    /// Whether the engine goes on saying that it runs when it does not.
    denied: bool,
}

#[derive(Default)]
struct MemoryState {
    containers: BTreeMap<String, MemoryContainer>,
    made: u64,
    gates: Vec<EngineGate>,
    drops_events: bool,
    listeners: Vec<mpsc::UnboundedSender<EngineEvent>>,
    /// The agent whose terminal a transcript is of.
    transcripts: BTreeMap<PathBuf, u32>,
    /// The agents that answer no ping and work all the same.
    busy: BTreeSet<u32>,
    ambush: Option<Ambush>,
    calls: u64,
    pings: BTreeMap<String, u64>,
}

/// The engine, with the relays of its containers.
pub(crate) struct MemoryEngine {
    world: SimWorld,
    state: Mutex<MemoryState>,
}

/// What a container is, as the engine's own books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrueContainer {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ContainerStatus,
    /// The agent's folder.
    pub workspace: PathBuf,
    /// The agent's process, where it lives.
    pub agent: Option<u32>,
    /// What the engine started in it besides, and lives.
    pub executed: Vec<u32>,
}

impl MemoryEngine {
    /// An engine without containers.
    pub(crate) fn new(world: SimWorld) -> Arc<Self> {
        Arc::new(Self { world, state: Mutex::default() })
    }

    /// The world that its agents live in.
    pub(crate) fn world(&self) -> &SimWorld {
        &self.world
    }

    // ---- the truth -----------------------------------------------------------------------------------------------

    /// Every container.
    pub(crate) fn truth(&self) -> Vec<TrueContainer> {
        let state = self.lock();
        let of = |(id, container): (&String, &MemoryContainer)| TrueContainer {
            id: id.clone(),
            name: container.spec.name.clone(),
            status: container.status,
            workspace: container.spec.workspace.clone(),
            agent: container.pid.borrow().filter(|pid| self.world.lives(*pid)),
            executed: container.executed.iter().copied().filter(|pid| self.world.lives(*pid)).collect(),
        };
        state.containers.iter().map(of).collect()
    }

    /// How often a container's agent was pinged.
    pub(crate) fn pings(&self, id: &str) -> u64 {
        self.lock().pings.get(id).copied().unwrap_or_default()
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> u64 {
        self.lock().calls
    }

    // ---- the gate ------------------------------------------------------------------------------------------------

    /// Gets in the way of a call, or of all, so many times, or until [`MemoryEngine::behave`].
    pub(crate) fn trouble(&self, call: Option<&'static str>, times: Option<u32>, trouble: EngineTrouble) {
        self.lock().gates.push(EngineGate { call, times, trouble });
    }

    /// Tells nothing by itself any more.
    pub(crate) fn drop_events(&self) {
        self.lock().drops_events = true;
    }

    /// Is a good engine again.
    pub(crate) fn behave(&self) {
        let mut state = self.lock();
        state.gates.clear();
        state.drops_events = false;
    }

    /// Strikes in the call after so many, when it was carried out or before; the call never returns.
    pub(crate) fn ambush(&self, pass: u32, done: bool, strike: Box<dyn FnOnce() + Send>) {
        self.lock().ambush = Some(Ambush { pass, done, strike });
    }

    /// Whether nobody was struck: there were not so many calls.
    pub(crate) fn call_off(&self) -> bool {
        self.lock().ambush.take().is_some()
    }

    /// Lets an agent answer no ping from now on, though it works.
    pub(crate) fn keep_busy(&self, pid: u32) {
        self.lock().busy.insert(pid);
    }

    /// Makes the engine go on saying that a container runs, whatever becomes of it.
    pub(crate) fn deny_death(&self, id: &str) {
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.denied = true;
        }
    }

    /// A container that somebody else made and started; its agent is an idle one.
    pub(crate) async fn bystander(self: &Arc<Self>, spec: ContainerSpec) -> String {
        let id = self.make(&spec);
        self.run(&id, &spec).await;
        id
    }

    /// Ends a container as its operator would, past any gate: what runs in it is killed; the container stays, or goes, too.
    pub(crate) async fn take_away(&self, id: &str, removed: bool) {
        self.end_all(id).await;
        if removed {
            self.forget(id);
        }
    }

    /// Freezes a container as its operator would, past any gate.
    pub(crate) fn freeze_aside(&self, id: &str) {
        self.set_frozen(id, true);
    }

    /// Starts a process beside a container's agent, past any gate.
    pub(crate) fn execute_aside(&self, id: &str) {
        let Ok(agent) = self.agent(id) else { return };
        let pid = self.world.run_beside(agent);
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.executed.push(pid);
        }
        self.fact(ContainerFact::Executed { container: id.to_owned(), pid });
    }

    // ---- inside --------------------------------------------------------------------------------------------------

    fn fact(&self, fact: ContainerFact) {
        self.world.registry().log().push(Entry::Container(fact));
    }

    fn make(&self, spec: &ContainerSpec) -> String {
        let mut state = self.lock();
        state.made += 1;
        // As long as an engine's, and not in the order of their making.
        let id = format!("{:016x}{:048x}", state.made.wrapping_mul(0x9e37_79b9_7f4a_7c15), state.made);
        let container = MemoryContainer {
            spec: spec.clone(),
            status: ContainerStatus::Created,
            pid: watch::Sender::new(None),
            executed: Vec::new(),
            denied: false,
        };
        state.containers.insert(id.clone(), container);
        drop(state);
        self.fact(ContainerFact::Created { container: id.clone(), name: spec.name.clone() });
        id
    }

    /// Starts the first process, and the agent under it, which comes up a little later.
    async fn run(self: &Arc<Self>, id: &str, spec: &ContainerSpec) {
        self.set(id, ContainerStatus::Running);
        self.fact(ContainerFact::Started { container: id.to_owned() });
        let (tell, mut told) = mpsc::unbounded_channel();
        let (agent, cwd, message) = (spec.agent, spec.workspace.clone(), spec.message.clone());
        let launch = SimLaunch { agent, cwd, message, resumes: None, one_turn: false, tell };
        let (engine, id, transcript) = (self.clone(), id.to_owned(), spec.transcript.clone());
        tokio::spawn(async move {
            if let Ok(pid) = engine.world.launch(launch).await {
                let still = {
                    let mut state = engine.lock();
                    state.transcripts.insert(transcript, pid);
                    let still = state.containers.get(&id).is_some_and(|container| container.status != ContainerStatus::Exited);
                    if let Some(container) = state.containers.get(&id) {
                        container.pid.send_replace(Some(pid));
                    }
                    still
                };
                if !still {
                    engine.world.end(pid, SimEnd::Tree).await;
                }
                while let Some(signal) = told.recv().await {
                    if matches!(signal, SimSignal::Exited { .. }) {
                        break;
                    }
                }
            }
            engine.ended(&id).await;
        });
    }

    /// A container's first process is over, and with it all that runs there.
    async fn ended(&self, id: &str) {
        let executed = {
            let mut state = self.lock();
            let Some(container) = state.containers.get_mut(id).filter(|container| container.status != ContainerStatus::Exited) else {
                return;
            };
            if container.denied {
                return;
            }
            container.status = ContainerStatus::Exited;
            std::mem::take(&mut container.executed)
        };
        executed.into_iter().for_each(|pid| self.world.kill(pid));
        self.fact(ContainerFact::Ended { container: id.to_owned() });
        self.tell(id).await;
    }

    async fn tell(&self, id: &str) {
        tokio::time::sleep(TELL).await;
        let mut state = self.lock();
        if !state.drops_events {
            state.listeners.retain(|listener| listener.send(EngineEvent { container: id.to_owned() }).is_ok());
        }
    }

    async fn end_all(&self, id: &str) {
        let (pid, executed) = {
            let state = self.lock();
            let Some(container) = state.containers.get(id) else { return };
            (*container.pid.borrow(), container.executed.clone())
        };
        if let Some(pid) = pid {
            self.world.end(pid, SimEnd::Tree).await;
        }
        executed.into_iter().for_each(|pid| self.world.kill(pid));
        self.ended_quietly(id);
    }

    fn ended_quietly(&self, id: &str) {
        let ended = self.lock().containers.get_mut(id).is_some_and(|container| {
            let ended = container.status != ContainerStatus::Exited && !container.denied;
            if ended {
                container.status = ContainerStatus::Exited;
            }
            ended
        });
        if ended {
            self.fact(ContainerFact::Ended { container: id.to_owned() });
        }
    }

    fn forget(&self, id: &str) {
        if self.lock().containers.remove(id).is_some() {
            self.fact(ContainerFact::Removed { container: id.to_owned() });
        }
    }

    fn set(&self, id: &str, status: ContainerStatus) {
        if let Some(container) = self.lock().containers.get_mut(id) {
            container.status = status;
        }
    }

    fn set_frozen(&self, id: &str, frozen: bool) {
        let pid = self.lock().containers.get(id).and_then(|container| *container.pid.borrow());
        let container = id.to_owned();
        if frozen {
            pid.into_iter().for_each(|pid| self.world.stop(pid));
            self.set(id, ContainerStatus::Frozen);
            self.fact(ContainerFact::Frozen { container });
        } else {
            pid.into_iter().for_each(|pid| self.world.resume(pid));
            self.set(id, ContainerStatus::Running);
            self.fact(ContainerFact::Thawed { container });
        }
    }

    fn found(&self, id: &str) -> Result<(String, ContainerStatus, ContainerSpec), EngineError> {
        let state = self.lock();
        let found = state.containers.iter().find(|(own, container)| *own == id || container.spec.name == id);
        found.map(|(id, container)| (id.clone(), container.status, container.spec.clone())).ok_or(EngineError::NotFound)
    }

    /// Lets a call through, with whatever gets in its way; the answer is what `carry_out` says.
    async fn pass<T>(
        &self,
        call: &'static str,
        takes: Duration,
        carry_out: impl AsyncFnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        tokio::time::sleep(takes).await;
        let (trouble, struck) = {
            let mut state = self.lock();
            state.calls += 1;
            let struck = match &mut state.ambush {
                Some(ambush) if ambush.pass == 0 => state.ambush.take(),
                Some(ambush) => {
                    ambush.pass -= 1;
                    None
                }
                None => None,
            };
            let gate = state.gates.iter_mut().find(|gate| gate.call.is_none_or(|of| of == call) && gate.times != Some(0));
            let trouble = gate.map(|gate| {
                gate.times = gate.times.map(|times| times - 1);
                gate.trouble
            });
            (trouble, struck)
        };
        if let Some(ambush) = struck {
            if ambush.done {
                let _ = carry_out().await;
            }
            (ambush.strike)();
            return std::future::pending().await;
        }
        if let Some(trouble) = trouble {
            self.fact(ContainerFact::Refused { call: call.to_owned(), how: trouble.words().to_owned() });
        }
        match trouble {
            None => carry_out().await,
            Some(EngineTrouble::Refuse) => Err(EngineError::Unreachable("connection refused".into())),
            Some(EngineTrouble::Fail) => Err(EngineError::Failed("500: internal error".into())),
            Some(EngineTrouble::Stall(time)) => {
                tokio::time::sleep(time).await;
                carry_out().await
            }
            Some(EngineTrouble::LoseReply) => {
                carry_out().await?;
                Err(EngineError::Lost)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The agent's process in a running container.
    fn agent(&self, id: &str) -> Result<u32, RelayError> {
        let pid = self.lock().containers.get(id).and_then(|container| *container.pid.borrow());
        pid.filter(|pid| self.world.lives(*pid)).ok_or(RelayError::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::engine::{ContainerEngine as _, ContainerRelay as _};
    use crate::contract::AgentKind;
    use crate::core::clock::{Clock, virtual_runtime};
    use crate::fakes::registry::AgentRegistry;
    use crate::profile::{Choice, Profiles};
    use crate::trace::Log;

    fn spec(name: &str) -> ContainerSpec {
        ContainerSpec {
            name: name.into(),
            image: "image".into(),
            labels: Vec::new(),
            agent: AgentKind::CODEX,
            workspace: format!("/w/{name}").into(),
            message: None,
            transcript: format!("/t/{name}").into(),
        }
    }

    fn on_an_engine(act: impl AsyncFnOnce(SharedMemoryEngine)) {
        virtual_runtime().block_on(async {
            let clock = Clock::start_virtual();
            let registry = AgentRegistry::new(Log::new(clock));
            let world = SimWorld::new(registry, Profiles::load(&Choice::Spec).unwrap(), clock);
            act(SharedMemoryEngine(MemoryEngine::new(world))).await;
        });
    }

    #[test]
    fn a_container_lives_as_long_as_its_agent_and_its_end_is_told() {
        on_an_engine(async |engine| {
            let id = engine.create(&spec("a")).await.unwrap();
            let mut told = engine.events();
            engine.start(&id).await.unwrap();
            engine.ready(&id).await.unwrap();
            assert!(engine.inspect("a").await.unwrap().is_alive());
            let pid = engine.0.truth()[0].agent.unwrap();
            engine.0.world.kill(pid);
            assert_eq!(told.recv().await, Some(EngineEvent { container: id.clone() }));
            assert_eq!(engine.inspect(&id).await.unwrap().status, ContainerStatus::Exited);
        });
    }

    #[test]
    fn a_lost_reply_was_carried_out_and_a_refused_call_was_not() {
        on_an_engine(async |engine| {
            engine.0.trouble(Some("create"), Some(1), EngineTrouble::LoseReply);
            assert_eq!(engine.create(&spec("a")).await, Err(EngineError::Lost));
            assert!(engine.inspect("a").await.is_ok());
            assert_eq!(engine.create(&spec("a")).await, Err(EngineError::NameTaken));
            engine.0.trouble(None, None, EngineTrouble::Refuse);
            assert!(matches!(engine.create(&spec("b")).await, Err(EngineError::Unreachable(_))));
            engine.0.behave();
            assert_eq!(engine.inspect("b").await, Err(EngineError::NotFound));
        });
    }

    #[test]
    fn what_is_frozen_answers_nothing_and_is_not_stopped() {
        on_an_engine(async |engine| {
            let id = engine.create(&spec("a")).await.unwrap();
            engine.start(&id).await.unwrap();
            engine.ready(&id).await.unwrap();
            engine.freeze(&id).await.unwrap();
            assert!(tokio::time::timeout(Duration::from_secs(5), engine.ping(&id)).await.is_err());
            assert!(matches!(engine.remove(&id).await, Err(EngineError::Failed(_))));
            engine.thaw(&id).await.unwrap();
            assert_eq!(engine.ping(&id).await, Ok(()));
            engine.remove(&id).await.unwrap();
            assert_eq!(engine.ping(&id).await, Err(RelayError::Gone));
        });
    }

    #[test]
    fn a_death_that_is_denied_is_seen_by_the_relay_alone() {
        on_an_engine(async |engine| {
            let id = engine.create(&spec("a")).await.unwrap();
            engine.start(&id).await.unwrap();
            engine.ready(&id).await.unwrap();
            engine.0.deny_death(&id);
            engine.0.take_away(&id, false).await;
            assert!(engine.inspect(&id).await.unwrap().is_alive());
            assert_eq!(engine.ping(&id).await, Err(RelayError::Gone));
        });
    }
}
