//! What the steps of a manager's suites know besides the run: its sessions, and their agents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tokio::time::timeout;

use crate::contract::{AgentKind, AgentRun, Args, DEFAULT_MESSAGE_CHARS, SessionId, TurnStatus};
use crate::engine::steps::Common;
use crate::engine::vocabulary::StepTable;
use crate::engine::world::{self, Ground, StandingFinding, State, StepResult, Stop};
use crate::fakes::control::Child;
use crate::fakes::registry::FakeRun;
use crate::profile::{Mode, Phase, Profile};
use crate::suites::manager::rules;
use crate::sut::recorder::Answered;
use crate::trace::settings::{Processes, Settings};
use crate::trace::{Binding, Entry, Fact, Record};

use super::turns::{SessionTurn, Whose};
use super::{act_agent, act_call, act_start, check_announced, check_answer, check_data, check_session, check_truth};

/// What the steps act on.
pub(crate) type ManagerWorld = world::World<ManagerState>;

/// What the steps of a scenario know of a manager.
#[derive(Debug)]
pub(crate) struct ManagerState {
    /// The sessions, in the order of their starts.
    pub(crate) all: Vec<ScenarioSession>,
    /// Those that were listed when the list was remembered.
    pub(crate) listed_before: BTreeSet<SessionId>,
    /// The sessions that were found listed and readable: from then on they must stay so.
    pub(crate) seen_observable: BTreeSet<String>,
    /// How many seconds one of the scenario's takes: timeouts must leave a slow manager the time to answer.
    pub(crate) stretch: u64,
    /// The length of the trace when quiet was asked for.
    pub(crate) quiet_from: usize,
    /// Every unusual character of the texts that were read whole, once one was: agents' own, and how the manager renders them.
    pub(crate) rendering: Option<BTreeSet<char>>,
    /// The sessions of which it was told that they were harmed.
    pub(crate) harmed: BTreeSet<String>,
    /// What the list said of a session when that was noted.
    pub(crate) noted: BTreeMap<String, String>,
    /// How the manager ended, where it was started again and did not come back.
    pub(crate) gone: Option<String>,
    next_folder: usize,
}

impl Default for ManagerState {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            listed_before: BTreeSet::new(),
            seen_observable: BTreeSet::new(),
            stretch: 1,
            quiet_from: 0,
            rendering: None,
            harmed: BTreeSet::new(),
            noted: BTreeMap::new(),
            gone: None,
            next_folder: 0,
        }
    }
}

/// A session, as the scenario knows it.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioSession {
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
    /// Its agent's runs, once bound: one, unless each turn has a process of its own.
    pub runs: Vec<AgentRun>,
    /// Whether its end was asked for and granted.
    pub ended: bool,
    /// The timeout it was started with.
    pub timeout_s: Option<u64>,
    /// What `start_session` answered.
    pub started: Option<Answered>,
}

impl State for ManagerState {
    fn steps() -> &'static StepTable<ManagerWorld> {
        static STEPS: LazyLock<StepTable<ManagerWorld>> = LazyLock::new(|| {
            StepTable::of([
                act_start::STEPS,
                act_agent::STEPS,
                act_call::STEPS,
                Common::<ManagerState>::STEPS,
                check_answer::STEPS,
                check_session::STEPS,
                check_truth::STEPS,
                check_data::STEPS,
                check_announced::STEPS,
            ])
        });
        &STEPS
    }

    fn session_id(&self, label: &str) -> Option<SessionId> {
        self.all.iter().find(|session| session.label == label)?.id.clone()
    }

    /// Whatever of an ended session is alive past the end limit; and what the manager lists, so that the standing invariants see it.
    async fn look_at_the_end(world: &mut ManagerWorld) {
        for label in world.labels() {
            world.bind_later_runs(&label);
        }
        let over: Vec<FakeRun> = world.registry.runs().into_iter().filter(|run| world.must_be_gone(run)).collect();
        let (processes, limit) = (world.processes.clone(), world.limits.end);
        world.within(limit, async |_| over.iter().any(|run| !processes.of_run(run).is_empty()).then(String::new)).await;
        for run in over {
            for process in world.processes.of_run(&run) {
                let reparented = run.children.iter().any(|(pid, _, how)| *pid == process.pid && *how == Child::Reparented);
                let fact = Fact::DescendantAlive { agent_run: run.id.clone(), pid: process.pid, command: process.command, reparented };
                world.log.push(Entry::Truth(fact));
            }
        }
        if world.driver.offer("list_sessions").offered {
            let limit = world.limits.observe;
            world.within(limit, async |world| world.lacks_a_failed_start().await.then(String::new)).await;
        }
    }

    fn standing(trace: &[Record], settings: &Settings) -> Vec<StandingFinding> {
        rules::judge(trace, settings)
    }
}

impl ManagerWorld {
    /// From here on, agents are expected to notice nothing.
    pub(crate) fn mark_quiet(&mut self) {
        self.state.quiet_from = self.log.len();
    }

    // ---- sessions ------------------------------------------------------------------------------------------------

    /// The session of that label.
    pub(crate) fn session(&self, label: &str) -> Result<&ScenarioSession, Stop> {
        self.state
            .all
            .iter()
            .find(|session| session.label == label)
            .ok_or_else(|| Stop::CouldNotTest(format!("the scenario has no session \"{label}\"")))
    }

    /// The session of that label, to change.
    pub(crate) fn session_mut(&mut self, label: &str) -> Result<&mut ScenarioSession, Stop> {
        self.state
            .all
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
        self.state.all.iter().filter(|session| session.id.is_some()).map(|session| session.label.clone()).collect()
    }

    /// The profile of a session's agent.
    pub(crate) fn profile(&self, label: &str) -> Result<&Profile, Stop> {
        let mode = if self.process_per == Processes::Turn { Mode::Headless } else { Mode::Interactive };
        Ok(self.profiles.get(self.session(label)?.agent, mode))
    }

    /// The marker of a session's next message.
    pub(crate) fn marker(&self, label: &str) -> String {
        let turn = self.state.all.iter().find(|s| s.label == label).map_or(0, |s| s.messages.len()) + 1;
        format!("ask-{label}-{turn}.")
    }

    /// The longest message that the manager should take, in characters: as it states, or as those do that state nothing.
    pub(crate) fn longest(&self) -> usize {
        self.message_chars.unwrap_or(DEFAULT_MESSAGE_CHARS)
    }

    /// The messages that were sent to a session later, whether they were taken or not.
    pub(crate) fn sent_to(&self, label: &str) -> Vec<String> {
        let Ok(id) = self.id(label) else { return Vec::new() };
        let sent = |record: &Record| match &record.entry {
            Entry::Request { op, args, .. } if op == "send_message" && args.get("session_id").is_some_and(|it| *it == *id.as_str()) => {
                args.get("message")?.as_str().map(str::to_owned)
            }
            _ => None,
        };
        self.log.read(|records| records.iter().filter_map(sent).collect())
    }

    /// A folder of its own for a session.
    pub(crate) fn new_folder(&mut self) -> Result<PathBuf, Stop> {
        self.state.next_folder += 1;
        match &self.ground {
            Ground::Virtual(world) => {
                let path = PathBuf::from(format!("/work/{}", self.state.next_folder));
                world.make_folder(&path);
                Ok(path)
            }
            Ground::Real(sandbox) => {
                sandbox.work_folder(self.state.next_folder).map_err(|error| Stop::CouldNotTest(format!("no folder for a session: {error}")))
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

    /// The first run of a session's agent, once it is known: by the folder, or where several sessions share it (or the process) by
    /// the marker of its messages. Waits for it within the start limit; `None` where none came, or where none is to come: an agent
    /// that was given no message runs only where it is run for the session's sake.
    pub(crate) async fn bind(&mut self, label: &str) -> Result<Option<AgentRun>, Stop> {
        self.bind_later_runs(label);
        let session = self.session(label)?.clone();
        if let Some(run) = session.runs.first() {
            return Ok(Some(run.clone()));
        }
        if !self.is_to_run(label)? {
            return Ok(None);
        }
        let whose = self.whose(&session);
        let look = |runs: &[FakeRun]| runs.iter().find(|run| whose.is_run(run)).map(|run| run.id.clone());
        let Ok(run) = timeout(self.limits.start, self.registry.until(look)).await else {
            self.driver.note_missed(self.limits.start);
            return Ok(None);
        };
        self.bound(label, run.clone(), whose.binding());
        Ok(Some(run))
    }

    /// Whether an agent is to run for the session: one that was asked nothing may do without.
    pub(crate) fn is_to_run(&self, label: &str) -> Result<bool, Stop> {
        Ok(self.process_per == Processes::Session || !self.session(label)?.messages.is_empty())
    }

    /// Binds what has come up since for the session's later turns, where each has a process of its own.
    pub(crate) fn bind_later_runs(&mut self, label: &str) {
        let Ok(session) = self.session(label).cloned() else { return };
        if self.process_per != Processes::Turn || session.runs.is_empty() {
            return;
        }
        let whose = self.whose(&session);
        for run in self.registry.runs().iter().filter(|run| !session.runs.contains(&run.id) && whose.is_run(run)) {
            self.bound(label, run.id.clone(), whose.binding());
        }
    }

    fn bound(&mut self, label: &str, run: AgentRun, by: Binding) {
        let Some(session) = self.state.all.iter_mut().find(|session| session.label == label) else { return };
        session.runs.push(run.clone());
        if let Some(id) = session.id.clone() {
            self.log.push(Entry::Bound { session_id: id, agent_run: run, by });
        }
    }

    fn whose(&self, session: &ScenarioSession) -> Whose {
        Whose {
            per: self.process_per,
            cwd: session.cwd.to_string_lossy().into_owned(),
            is_folder_shared: self.state.all.iter().filter(|other| other.cwd == session.cwd).count() > 1,
            marker: format!("ask-{}-", session.label),
            own: session.runs.clone(),
            taken: self.state.all.iter().filter(|other| other.label != session.label).flat_map(|other| other.runs.clone()).collect(),
        }
    }

    /// The session's turns so far, in the order in which its agent took its messages.
    pub(crate) fn turns(&self, label: &str) -> Result<Vec<SessionTurn>, Stop> {
        let whose = self.whose(self.session(label)?);
        Ok(whose.turns(&self.registry.runs()))
    }

    /// The number of the session's first turn that is not over.
    pub(crate) fn next_turn(&self, label: &str) -> Result<u64, Stop> {
        Ok(self.turns(label)?.iter().filter(|turn| turn.is_complete).count() as u64 + 1)
    }

    /// The run of a session's agent, which must be there: of several the one that came up last.
    pub(crate) async fn run_of(&mut self, label: &str) -> Result<FakeRun, Stop> {
        self.bind(label).await?.ok_or_else(|| {
            let answer = self.session(label).ok().and_then(|s| s.started.as_ref()).map(Answered::claim).unwrap_or_default();
            Stop::Blocked(format!("no agent was started in the folder of session \"{label}\" ({answer})"))
        })?;
        let last = self.session(label)?.runs.last().and_then(|run| self.registry.run(run));
        let run = last.ok_or_else(|| Stop::CouldNotTest(format!("the run of \"{label}\" was forgotten")))?;
        match run.unsupported.first() {
            Some(what) => Err(Stop::CouldNotTest(format!("the stand-in cannot do what the manager asked of it: {what}"))),
            None => Ok(run),
        }
    }

    /// The run of a session's agent, where it is the session's alone and runs all the time, or just now.
    pub(crate) async fn own_run(&mut self, label: &str) -> Result<FakeRun, Stop> {
        let why = match self.process_per {
            Processes::Session => None,
            Processes::Turn => {
                let turn = self.turns(label)?.pop();
                turn.is_none_or(|turn| turn.is_complete).then_some("no process of its agent runs between its turns")
            }
            Processes::Shared => Some("its agent's process serves other sessions, too"),
        };
        match why {
            Some(why) => Err(Stop::Skipped(format!("{why}; the manifest says `processes = \"{}\"`", self.process_per.name()))),
            None => self.run_of(label).await,
        }
    }

    /// Waits until the turn of that number is open.
    pub(crate) async fn turn_open(&mut self, label: &str, turn: u64) -> StepResult {
        self.run_of(label).await?;
        let whose = self.whose(self.session(label)?);
        let open = self.registry.until(|runs| (whose.turns(runs).len() as u64 >= turn).then_some(()));
        let is_open = timeout(self.limits.start, open).await.is_ok();
        self.bind_later_runs(label);
        if !is_open {
            self.driver.note_missed(self.limits.start);
        }
        match is_open {
            true => Ok(()),
            false => Err(Stop::Blocked(format!("the agent of session \"{label}\" was never given the message of turn {turn}"))),
        }
    }

    /// Lets the open turn of a session end, and waits until its agent says that it did. `reply` of `None` is a short one.
    pub(crate) async fn release(&mut self, label: &str, reply: Option<String>, status: TurnStatus) -> StepResult {
        let turn = self.next_turn(label)?;
        self.turn_open(label, turn).await?;
        let opened = self.turns(label)?.get(turn as usize - 1).cloned();
        if let Some(opened) = opened {
            // It says that it took the message before it says that it works on it: no turn ends that has not begun.
            let is_begun = |run: &FakeRun| run.id == opened.run && (run.started >= opened.number || run.over);
            let begun = self.registry.until(|runs| runs.iter().any(is_begun).then_some(()));
            timeout(self.limits.start, begun)
                .await
                .map_err(|_| Stop::CouldNotTest(format!("the stand-in of session \"{label}\" did not begin its turn {turn}")))?;
        }
        let reply = reply.unwrap_or_else(|| format!("answer-{label}-{turn}. All done."));
        let open = self.let_end(label, turn, reply, status)?;
        timeout(self.limits.start, self.registry.until(|runs| open.is_over(runs).then_some(())))
            .await
            .map_err(|_| self.no_stand_in(format!("the stand-in of session \"{label}\" did not finish its released turn")))
    }

    /// A stand-in that does not do within the start limit what it was told: the harness is at fault, or the machine.
    pub(crate) fn no_stand_in(&self, why: String) -> Stop {
        self.driver.note_missed(self.limits.start);
        Stop::CouldNotTest(why)
    }

    /// Opens the gate of a turn that is open.
    pub(crate) fn let_end(&mut self, label: &str, turn: u64, reply: String, status: TurnStatus) -> Result<SessionTurn, Stop> {
        let open = self.turns(label)?.get(turn as usize - 1).cloned();
        let open = open.ok_or_else(|| Stop::CouldNotTest(format!("turn {turn} of session \"{label}\" was forgotten")))?;
        self.session_mut(label)?.replies.push(reply.clone());
        self.registry.release(&open.run, open.number, &reply, status);
        Ok(open)
    }

    /// Brings a session to the phase from which its profile makes it observable.
    pub(crate) async fn reach_phase(&mut self, label: &str) -> StepResult {
        self.run_of(label).await?;
        match self.profile(label)?.observable {
            Phase::Started => Ok(()),
            Phase::PromptAccepted => self.turn_open(label, 1).await,
            Phase::FirstTurnCompleted if self.next_turn(label)? == 1 => self.release(label, None, TurnStatus::Completed).await,
            Phase::FirstTurnCompleted => Ok(()),
            Phase::Exited | Phase::Never => Err(Stop::Skipped("the profile never makes this agent's session observable".into())),
        }
    }

    /// What of a session is alive, for people: `codex (pid 4711)`, `sleep (pid 4712)`. In a folder of its own, whatever
    /// was started there is the session's. A process that serves all sessions is none's.
    pub(crate) fn alive(&self, label: &str) -> Result<Vec<String>, Stop> {
        let session = self.session(label)?;
        if self.process_per == Processes::Shared {
            return Ok(Vec::new());
        }
        let shared = self.state.all.iter().filter(|other| other.cwd == session.cwd).count() > 1;
        let own = |run: &FakeRun| session.runs.contains(&run.id) || (!shared && session.cwd.as_os_str() == run.cwd.as_str());
        let runs = self.registry.runs().into_iter().filter(own);
        let processes = runs.flat_map(|run| self.processes.of_run(&run));
        Ok(processes.map(|process| format!("{} (pid {})", process.command, process.pid)).collect())
    }

    /// Why a session that nobody ended may be called alive: what of it lives, or what it does without; the error says what of it
    /// is dead that should live.
    pub(crate) fn lives(&self, label: &str) -> Result<Result<String, &'static str>, Stop> {
        let session = self.session(label)?;
        Ok(match self.process_per {
            Processes::Session => match self.alive(label)?.as_slice() {
                [] => Err("does not live any more"),
                alive => Ok(format!("alive: {}", alive.join(", "))),
            },
            Processes::Turn => match self.turns(label)?.last() {
                None => Ok("it was asked nothing yet, and nobody ended it".to_owned()),
                Some(turn) if turn.is_complete => Ok("its turns are complete, and nobody ended it".to_owned()),
                Some(turn) if turn.is_dead => Err("died in its turn"),
                Some(_) => Ok(format!("in its turn; alive: {}", self.alive(label)?.join(", "))),
            },
            Processes::Shared => match session.runs.first().and_then(|run| self.registry.run(run)) {
                Some(run) if run.over => Err("does not live any more"),
                Some(run) => Ok(format!("alive: {} (pid {})", run.agent, run.pid)),
                None => Ok("it was asked nothing yet, and nobody ended it".to_owned()),
            },
        })
    }

    /// Lists; whether an agent lives whose start was answered with an error, and the list has nothing that could be its session.
    async fn lacks_a_failed_start(&mut self) -> bool {
        let answer = self.driver.call("list_sessions", Args::new()).await;
        let listed = answer.result.as_ref().ok().and_then(|result| result.get("sessions")?.as_array()).map_or(0, Vec::len);
        let is_failed = |session: &&ScenarioSession| session.started.as_ref().is_some_and(|started| started.result.is_err());
        let failed: Vec<String> = self.state.all.iter().filter(is_failed).map(|session| session.label.clone()).collect();
        let known = self.labels().len();
        listed <= known && failed.iter().any(|label| self.alive(label).is_ok_and(|alive| !alive.is_empty()))
    }

    /// Whether nothing of a run may be alive any more: its session was ended.
    fn must_be_gone(&self, run: &FakeRun) -> bool {
        self.process_per != Processes::Shared && self.state.all.iter().any(|session| session.ended && session.runs.contains(&run.id))
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
        self.state.listed_before = listed.iter().filter_map(|item| item.get("session_id")?.as_str()).map(SessionId::from).collect();
        Ok(())
    }

    /// Reads a session.
    pub(crate) async fn read(&mut self, label: &str, tail_chars: Option<i64>) -> Result<Answered, Stop> {
        let mut args = Args::new();
        args.insert("session_id".into(), self.id(label)?.0.into());
        if let Some(tail) = tail_chars {
            args.insert("tail_chars".into(), tail.into());
        }
        let answer = self.ask("get_session_data", args).await?;
        if let Some(text) = answer.result.as_ref().ok().filter(|result| !is_cut(result)).and_then(|result| result.get("text")?.as_str()) {
            self.state.rendering.get_or_insert_default().extend(text.chars().filter(|c| is_unusual(*c)));
        }
        Ok(answer)
    }
}

/// Whether a `get_session_data` result says that its text was cut.
pub(crate) fn is_cut(result: &Args) -> bool {
    result.get("truncated").is_some_and(|it| *it == true)
}

/// Whether a character may be what is left of one that was torn: what is not ASCII, and what stands for it.
pub(crate) fn is_unusual(c: char) -> bool {
    !c.is_ascii() || c == '?'
}
