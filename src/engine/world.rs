use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use cucumber::gherkin::StepType;
use tokio::time::timeout;

use crate::contract::{AgentKind, AgentRun, Args, SessionId, TurnStatus};
use crate::fakes::cast::{Cast, Run};
use crate::fakes::control::Child;
use crate::fakes::processes::Processes;
use crate::fakes::sim::SimWorld;
use crate::profile::{Mode, Phase, Profile, Profiles};
use crate::spec::RequirementId;
use crate::sut::recorder::{Answered, Recorder};
use crate::sut::sandbox::Sandbox;
use crate::trace::settings::Limits;
use crate::trace::{Binding, Entry, Fact, Log};

use crate::suites::store::steps::kept::Store;

/// How often something that announces nothing is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a scenario stops before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A Given or When could not be reached.
    Blocked(String),
    /// Something that the scenario needs is not offered.
    Skipped(String),
    /// The adapter or the harness broke.
    CouldNotTest(String),
}

/// What a step gives.
pub type StepResult = Result<(), Stop>;

/// Something found by a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The requirement that it contradicts.
    pub requirement: RequirementId,
    /// What is wrong.
    pub message: String,
    /// What the manager claimed.
    pub claimed: String,
    /// What was true.
    pub truth: String,
    /// The step that found it.
    pub step: String,
    /// The session it is about, where it is about one.
    pub session: Option<SessionId>,
    /// The index of the last record that shows it.
    pub last: usize,
}

/// Where a session's record is, by its id.
pub type RecordPlace = Rc<dyn Fn(&SessionId) -> PathBuf>;

/// Where the scenario's folders, files and processes are.
pub enum Ground {
    /// In memory.
    Virtual(SimWorld),
    /// On this machine.
    Real(Rc<Sandbox>),
}

/// A session, as the scenario knows it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its name in the scenario.
    pub label: String,
    /// Its agent.
    pub agent: AgentKind,
    /// Its folder.
    pub cwd: PathBuf,
    /// The messages that the manager took, in order.
    pub messages: Vec<String>,
    /// What its agent answered, turn by turn.
    pub replies: Vec<String>,
    /// Its id, once the manager gave one.
    pub id: Option<SessionId>,
    /// Its agent's run, once bound.
    pub run: Option<AgentRun>,
    /// Whether its end was asked for and granted.
    pub ended: bool,
    /// The timeout it was started with.
    pub timeout_s: Option<u64>,
    /// What `start_session` answered.
    pub started: Option<Answered>,
}

/// What a world is made of.
pub struct WorldOptions {
    /// The trace.
    pub log: Log,
    /// The stand-ins.
    pub cast: Cast,
    /// The system under test.
    pub driver: Rc<Recorder>,
    /// Folders and files.
    pub ground: Ground,
    /// What is alive.
    pub processes: Rc<dyn Processes>,
    /// The agents' profiles.
    pub profiles: Rc<Profiles>,
    /// The limits.
    pub limits: Limits,
    /// The agents that the system manages, the scenario's own first.
    pub agents: Vec<AgentKind>,
    /// The longest message that the system states it takes, in characters.
    pub message_chars: usize,
    /// The timeout that the system states outside of results, in seconds.
    pub default_timeout_s: Option<f64>,
    /// How to make a session's record unreadable, where the manifest names its place.
    pub record: Option<RecordPlace>,
    /// The scenario's first requirement: what its steps judge unless they name another.
    pub requirement: RequirementId,
}

/// The step that runs.
#[derive(Debug, Clone)]
struct Running {
    text: String,
    requirement: RequirementId,
    place: StepType,
}

/// What the steps of one scenario act on.
pub struct World {
    pub(crate) log: Log,
    pub(crate) cast: Cast,
    pub(crate) driver: Rc<Recorder>,
    pub(crate) ground: Ground,
    pub(crate) processes: Rc<dyn Processes>,
    pub(crate) profiles: Rc<Profiles>,
    pub(crate) limits: Limits,
    pub(crate) agents: Vec<AgentKind>,
    pub(crate) message_chars: usize,
    pub(crate) default_timeout_s: Option<f64>,
    pub(crate) record: Option<RecordPlace>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) last: Option<Answered>,
    pub(crate) earlier: Vec<Answered>,
    pub(crate) listed_before: BTreeSet<SessionId>,
    /// The sessions that were found listed and readable: from then on they must stay so.
    pub(crate) seen_observable: BTreeSet<String>,
    /// How many seconds one of the scenario's takes: timeouts must leave a slow manager the time to answer.
    pub(crate) stretch: u64,
    /// The length of the trace when quiet was asked for.
    pub(crate) quiet_from: usize,
    /// How the manager ended, where it was started again and did not come back.
    pub(crate) gone: Option<String>,
    /// What the scenario knows of a store.
    pub(crate) store: Store,
    requirement: RequirementId,
    step: Option<Running>,
    next_folder: usize,
    found: Vec<Found>,
    stop: Option<Stop>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(options: WorldOptions) -> Self {
        Self {
            log: options.log,
            cast: options.cast,
            driver: options.driver,
            ground: options.ground,
            processes: options.processes,
            profiles: options.profiles,
            limits: options.limits,
            agents: options.agents,
            message_chars: options.message_chars,
            default_timeout_s: options.default_timeout_s,
            record: options.record,
            sessions: Vec::new(),
            last: None,
            earlier: Vec::new(),
            listed_before: BTreeSet::new(),
            seen_observable: BTreeSet::new(),
            stretch: 1,
            quiet_from: 0,
            gone: None,
            store: Store::default(),
            requirement: options.requirement,
            step: None,
            next_folder: 0,
            found: Vec::new(),
            stop: None,
        }
    }

    /// Says which step comes next: its text, the requirement it names (if it names one), and its place.
    pub fn begin_step(&mut self, text: &str, names: Option<RequirementId>, place: StepType) {
        let requirement = names.unwrap_or_else(|| self.requirement.clone());
        self.step = Some(Running { text: text.to_owned(), requirement, place });
        self.log.push(Entry::Note { text: format!("step: {text}") });
    }

    pub(crate) fn ended_with(&mut self, result: StepResult) {
        self.stop = result.err();
    }

    /// Why the step that just ran stopped the scenario, if it did.
    pub fn stopped(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// What the steps found so far.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The sessions of the scenario.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    // ---- judging -------------------------------------------------------------------------------------------------

    /// Notes what is wrong; in a Given or When that only waits, blocks instead.
    pub(crate) fn wrong(&mut self, label: Option<&str>, message: String, claimed: String, truth: String) -> StepResult {
        let Running { text: step, requirement, place } = self.step.clone().expect("a step is running");
        if place != StepType::Then {
            return Err(Stop::Blocked(format!("{message} (claimed: {claimed}; true: {truth})")));
        }
        let session = label.and_then(|label| self.sessions.iter().find(|s| s.label == label)).and_then(|s| s.id.clone());
        self.found.push(Found { requirement, message, claimed, truth, step, session, last: self.log.len().saturating_sub(1) });
        Ok(())
    }

    /// Notes what is wrong, where `right` is false.
    pub(crate) fn expect(&mut self, right: bool, label: &str, message: &str, claimed: &str, truth: &str) -> StepResult {
        if right { Ok(()) } else { self.wrong(Some(label), message.to_owned(), claimed.to_owned(), truth.to_owned()) }
    }

    /// Whether the running step is a Given.
    pub(crate) fn is_given(&self) -> bool {
        self.step.as_ref().is_some_and(|step| step.place == StepType::Given)
    }

    /// From here on, agents are expected to notice nothing.
    pub(crate) fn mark_quiet(&mut self) {
        self.quiet_from = self.log.len();
    }

    // ---- sessions ------------------------------------------------------------------------------------------------

    /// The session of that label.
    pub(crate) fn session(&self, label: &str) -> Result<&Session, Stop> {
        self.sessions
            .iter()
            .find(|session| session.label == label)
            .ok_or_else(|| Stop::CouldNotTest(format!("the scenario has no session \"{label}\"")))
    }

    /// The session of that label, to change.
    pub(crate) fn session_mut(&mut self, label: &str) -> Result<&mut Session, Stop> {
        self.sessions
            .iter_mut()
            .find(|session| session.label == label)
            .ok_or_else(|| Stop::CouldNotTest(format!("the scenario has no session \"{label}\"")))
    }

    /// The id of a session, which must have one.
    pub(crate) fn id(&self, label: &str) -> Result<SessionId, Stop> {
        let session = self.session(label)?;
        session.id.clone().ok_or_else(|| {
            let answer = session.started.as_ref().map_or_else(|| "it was never started".to_owned(), Answered::claim);
            Stop::Blocked(format!("session \"{label}\" has no id: {answer}"))
        })
    }

    /// The labels of all sessions that got an id.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.sessions.iter().filter(|session| session.id.is_some()).map(|session| session.label.clone()).collect()
    }

    /// The profile of a session's agent.
    pub(crate) fn profile(&self, label: &str) -> Result<&Profile, Stop> {
        Ok(self.profiles.get(self.session(label)?.agent, Mode::Interactive))
    }

    /// The marker of a session's next message.
    pub(crate) fn marker(&self, label: &str) -> String {
        let turn = self.sessions.iter().find(|s| s.label == label).map_or(0, |s| s.messages.len()) + 1;
        format!("ask-{label}-{turn}.")
    }

    /// A folder of its own for a session.
    pub(crate) fn new_folder(&mut self) -> Result<PathBuf, Stop> {
        self.next_folder += 1;
        match &self.ground {
            Ground::Virtual(world) => {
                let path = PathBuf::from(format!("/work/{}", self.next_folder));
                world.make_folder(&path);
                Ok(path)
            }
            Ground::Real(sandbox) => {
                sandbox.work_folder(self.next_folder).map_err(|error| Stop::CouldNotTest(format!("no folder for a session: {error}")))
            }
        }
    }

    /// A native file's bytes.
    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        match &self.ground {
            Ground::Virtual(world) => world.read_file(Path::new(path)),
            Ground::Real(_) => std::fs::read(path).ok(),
        }
    }

    // ---- truth ---------------------------------------------------------------------------------------------------

    /// The run of a session's agent, once it is known: by the folder, or where several sessions share it by the marker
    /// of the first message. Waits for it within the start limit; `None` where none came.
    pub(crate) async fn bind(&mut self, label: &str) -> Result<Option<AgentRun>, Stop> {
        if let Some(run) = &self.session(label)?.run {
            return Ok(Some(run.clone()));
        }
        let session = self.session(label)?.clone();
        let shared = self.sessions.iter().filter(|other| other.cwd == session.cwd).count() > 1;
        let taken: Vec<_> = self.sessions.iter().filter_map(|other| other.run.clone()).collect();
        let marker = format!("ask-{label}-1.");
        let cwd = session.cwd.to_string_lossy().into_owned();
        let look = |runs: &[Run]| {
            runs.iter()
                .find(|run| {
                    run.cwd == cwd && !taken.contains(&run.id) && (!shared || run.prompts.iter().any(|(_, text)| text.contains(&marker)))
                })
                .map(|run| run.id.clone())
        };
        let Ok(run) = timeout(self.limits.start, self.cast.until(look)).await else {
            return Ok(None);
        };
        let by = if shared { Binding::Nonce } else { Binding::Cwd };
        if let Some(id) = session.id {
            self.log.push(Entry::Bound { session_id: id, agent_run: run.clone(), by });
        }
        self.session_mut(label)?.run = Some(run.clone());
        Ok(Some(run))
    }

    /// The run of a session's agent, which must be there.
    pub(crate) async fn run_of(&mut self, label: &str) -> Result<Run, Stop> {
        let run = self.bind(label).await?.ok_or_else(|| {
            let answer = self.session(label).ok().and_then(|s| s.started.as_ref()).map(Answered::claim).unwrap_or_default();
            Stop::Blocked(format!("no agent was started in the folder of session \"{label}\" ({answer})"))
        })?;
        let run = self.cast.run(&run).ok_or_else(|| Stop::CouldNotTest(format!("the run of \"{label}\" was forgotten")))?;
        match run.unsupported.first() {
            Some(what) => Err(Stop::CouldNotTest(format!("the stand-in cannot do what the manager asked of it: {what}"))),
            None => Ok(run),
        }
    }

    /// Waits until the turn of that number is open.
    pub(crate) async fn turn_open(&mut self, label: &str, turn: u64) -> StepResult {
        let run = self.run_of(label).await?.id;
        let open =
            self.cast.until(|runs| runs.iter().any(|r| r.id == run && r.prompts.iter().any(|(opens, _)| *opens >= turn)).then_some(()));
        if timeout(self.limits.start, open).await.is_ok() {
            return Ok(());
        }
        Err(Stop::Blocked(format!("the agent of session \"{label}\" was never given the message of turn {turn}")))
    }

    /// Lets the open turn of a session end, and waits until its agent says that it did. `reply` of `None` is a short one.
    pub(crate) async fn release(&mut self, label: &str, reply: Option<String>, status: TurnStatus) -> StepResult {
        let turn = self.run_of(label).await?.completed + 1;
        self.turn_open(label, turn).await?;
        let run = self.run_of(label).await?.id;
        let reply = reply.unwrap_or_else(|| format!("answer-{label}-{turn}. All done."));
        self.session_mut(label)?.replies.push(reply.clone());
        self.cast.release(&run, turn, &reply, status);
        let done = self.cast.until(|runs| runs.iter().any(|r| r.id == run && (r.completed >= turn || r.over)).then_some(()));
        timeout(self.limits.start, done)
            .await
            .map_err(|_| Stop::CouldNotTest(format!("the stand-in of session \"{label}\" did not finish its released turn")))
    }

    /// Brings a session to the phase from which its profile makes it observable.
    pub(crate) async fn reach_phase(&mut self, label: &str) -> StepResult {
        let run = self.run_of(label).await?;
        match self.profile(label)?.observable {
            Phase::Started => Ok(()),
            Phase::PromptAccepted => self.turn_open(label, 1).await,
            Phase::FirstTurnCompleted if run.completed == 0 => self.release(label, None, TurnStatus::Completed).await,
            Phase::FirstTurnCompleted => Ok(()),
            Phase::Exited | Phase::Never => Err(Stop::Skipped("the profile never makes this agent's session observable".into())),
        }
    }

    /// Looks again and again, at most `limit` long, until `look` finds nothing wrong; gives what was wrong last.
    pub(crate) async fn within(&mut self, limit: Duration, mut look: impl AsyncFnMut(&mut Self) -> Option<String>) -> Option<String> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let last_chance = tokio::time::Instant::now() >= deadline;
            match look(self).await {
                Some(wrong) if last_chance => return Some(wrong),
                Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
                None => return None,
            }
        }
    }

    /// What of a session is alive, for people: `codex (pid 4711)`, `sleep (pid 4712)`. In a folder of its own, whatever
    /// was started there is the session's.
    pub(crate) fn alive(&self, label: &str) -> Result<Vec<String>, Stop> {
        let session = self.session(label)?;
        let shared = self.sessions.iter().filter(|other| other.cwd == session.cwd).count() > 1;
        let own = |run: &Run| session.run.as_ref() == Some(&run.id) || (!shared && session.cwd.as_os_str() == run.cwd.as_str());
        let runs = self.cast.runs().into_iter().filter(own);
        let processes = runs.flat_map(|run| self.processes.of_run(&run));
        Ok(processes.map(|process| format!("{} (pid {})", process.command, process.pid)).collect())
    }

    /// Looks at what is true when the steps are over: whatever of an ended session, or of a start that was refused, is
    /// alive past the end limit; and what the manager lists, so that the standing invariants see it.
    pub async fn look_at_the_end(&mut self) {
        let over: Vec<Run> = self.cast.runs().into_iter().filter(|run| self.must_be_gone(run)).collect();
        let (processes, limit) = (self.processes.clone(), self.limits.end);
        self.within(limit, async |_| over.iter().any(|run| !processes.of_run(run).is_empty()).then(String::new)).await;
        for run in over {
            for process in self.processes.of_run(&run) {
                let reparented = run.children.iter().any(|(pid, _, how)| *pid == process.pid && *how == Child::Reparented);
                let fact = Fact::DescendantAlive { agent_run: run.id.clone(), pid: process.pid, command: process.command, reparented };
                self.log.push(Entry::Truth(fact));
            }
        }
        if self.driver.offer("list_sessions").offered {
            self.driver.call("list_sessions", Args::new()).await;
        }
    }

    /// Whether nothing of a run may be alive any more: its session was ended.
    fn must_be_gone(&self, run: &Run) -> bool {
        self.sessions.iter().any(|session| session.ended && session.run.as_ref() == Some(&run.id))
    }

    // ---- asking --------------------------------------------------------------------------------------------------

    /// Asks for an operation; the answer becomes the last one. A system that never answered anything could not be tested.
    pub(crate) async fn ask(&mut self, operation: &'static str, args: Args) -> Result<Answered, Stop> {
        let offer = self.driver.offer(operation);
        if !offer.offered {
            return Err(Stop::Skipped(format!("the manifest maps no `{operation}`")));
        }
        // What an operation cannot do without has its place, under whatever name (an agent's as `agent_command`, say).
        let fields = self.driver.operation(operation).args;
        let optional = |name: &&String| fields.iter().any(|field| field.name == **name && !field.required);
        if let Some(missing) = args.keys().filter(optional).find(|name| !offer.args.contains(&name.as_str())) {
            return Err(Stop::Skipped(format!("the manifest maps no place for `{missing}` of `{operation}`")));
        }
        let answered = self.driver.call(operation, args).await;
        if let Err(crate::sut::CallError::Broken { what }) = &answered.result
            && !self.log.read(|records| records.iter().any(|record| matches!(record.entry, Entry::Reply { ok: Some(_), .. })))
        {
            return Err(Stop::CouldNotTest(format!("{operation}: {what}")));
        }
        self.last = Some(answered.clone());
        Ok(answered)
    }

    /// An act's answer: in a Given it must be a success; in a When it is kept to be judged.
    pub(crate) fn granted(&self, answered: &Answered, given: bool) -> StepResult {
        match (&answered.result, given) {
            (Err(_), true) => Err(Stop::Blocked(answered.claim())),
            _ => Ok(()),
        }
    }

    /// The last answer.
    pub(crate) fn last(&self) -> Result<&Answered, Stop> {
        self.last.as_ref().ok_or_else(|| Stop::CouldNotTest("nothing was asked yet".into()))
    }

    /// The list, item by item; an error is an answer to be judged by the caller.
    pub(crate) async fn list(&mut self) -> Result<Result<Vec<Args>, String>, Stop> {
        let answered = self.ask("list_sessions", Args::new()).await?;
        Ok(match &answered.result {
            Ok(result) => Ok(result
                .get("sessions")
                .and_then(|sessions| sessions.as_array())
                .map(|items| items.iter().filter_map(|item| item.as_object().cloned()).collect())
                .unwrap_or_default()),
            Err(_) => Err(answered.claim()),
        })
    }

    /// Remembers which sessions are listed now.
    pub(crate) async fn remember_list(&mut self) -> StepResult {
        let listed = self.list().await?.map_err(Stop::Blocked)?;
        self.listed_before = listed.iter().filter_map(|item| item.get("session_id")?.as_str()).map(SessionId::from).collect();
        Ok(())
    }

    /// Reads a session.
    pub(crate) async fn read(&mut self, label: &str, tail_chars: Option<i64>) -> Result<Answered, Stop> {
        let mut args = Args::new();
        args.insert("session_id".into(), self.id(label)?.0.into());
        if let Some(tail) = tail_chars {
            args.insert("tail_chars".into(), tail.into());
        }
        self.ask("get_session_data", args).await
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("sessions", &self.sessions).field("found", &self.found).finish_non_exhaustive()
    }
}
