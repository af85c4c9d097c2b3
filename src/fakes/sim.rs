//! The simulated world: files, folders, processes and agents in memory, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::contract::{AgentKind, TurnStatus};
use crate::core::clock::Clock;
use crate::profile::{Mode, Profiles};

use super::control::{AgentReport, Child, ControlCommand, Script};
use super::native::{self, FileChange, NativeMoment, NativeSession};
use super::processes::{LiveProcesses, Process};
use super::registry::{AgentRegistry, FakeRun, Hello};
use super::turns::Turns;

/// How long a simulated program takes to come up: enough for a caller's order to matter.
const START: Duration = Duration::from_millis(30);
/// How long it takes to finish a turn that was released, and to run a hook.
const FINISH: Duration = Duration::from_millis(5);

/// The signals that end an agent unless it ignores them, with their numbers.
const FATAL: [(&str, i32); 3] = [("HUP", 1), ("INT", 2), ("TERM", 15)];

/// What an agent tells whoever launched it.
#[derive(Debug, Clone)]
pub enum SimSignal {
    /// A hook ran.
    Hook {
        /// When.
        moment: HookMoment,
        /// What it was told.
        payload: Value,
    },
    /// The process ended.
    Exited {
        /// Its status; `None` for a signal.
        code: Option<i32>,
    },
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookMoment {
    /// At the session's start (Claude, Gemini).
    Start,
    /// At a turn's end.
    TurnEnd,
    /// At the end of a failed turn (Claude).
    TurnFailed,
}

/// What to launch.
#[derive(Debug)]
pub struct SimLaunch {
    /// Which agent.
    pub agent: AgentKind,
    /// Where.
    pub cwd: PathBuf,
    /// The prompt that it is started with.
    pub message: Option<String>,
    /// Whether it exits after one turn.
    pub one_turn: bool,
    /// Its own id of the session that it goes on with.
    pub resumes: Option<String>,
    /// Where its signals go.
    pub tell: mpsc::UnboundedSender<SimSignal>,
}

/// How a simulated agent is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimEnd {
    /// Everything.
    Tree,
    /// KILL to the agent and what is still under it.
    Descendants,
    /// HUP and TERM to the agent's own process: it may ignore them.
    Polite,
    /// KILL to the agent's own process.
    ProcessOnly,
    /// KILL to its process group.
    Group,
}

#[derive(Debug)]
struct SimProcess {
    command: String,
    /// The agent's process that it came from; its own pid for an agent.
    of: u32,
    how: Option<Child>,
    alive: bool,
    stopped: watch::Sender<bool>,
}

#[derive(Debug)]
struct SimAgent {
    input: mpsc::UnboundedSender<Input>,
    screen: String,
}

/// What reaches a simulated agent.
#[derive(Debug)]
enum Input {
    Typed(String),
    Signal(&'static str),
    Closed,
    Killed,
}

#[derive(Debug, Default)]
struct SimState {
    files: BTreeMap<PathBuf, Vec<u8>>,
    order: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    processes: BTreeMap<u32, SimProcess>,
    agents: BTreeMap<u32, SimAgent>,
    next_pid: u32,
    sessions: u128,
}

/// The world that simulated agents and the reference's virtual host share. Clones are the same world.
#[derive(Debug, Clone)]
pub struct SimWorld {
    registry: AgentRegistry,
    profiles: Profiles,
    clock: Clock,
    state: Arc<Mutex<SimState>>,
}

impl SimWorld {
    /// An empty world.
    pub fn new(registry: AgentRegistry, profiles: Profiles, clock: Clock) -> Self {
        let state = SimState { next_pid: 1000, ..SimState::default() };
        Self { registry, profiles, clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The harness's view of the agents in it.
    pub fn registry(&self) -> &AgentRegistry {
        &self.registry
    }

    /// The clock that it runs on.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The home folder that agents have.
    pub fn home(&self) -> PathBuf {
        PathBuf::from("/home")
    }

    /// Makes a folder.
    pub fn make_folder(&self, path: &Path) {
        self.lock().folders.insert(path.to_owned());
    }

    /// Removes a folder and what is in it.
    pub fn remove_folder(&self, path: &Path) {
        self.files_below(path).iter().for_each(|file| self.remove_file(file));
        self.lock().folders.retain(|folder| !folder.starts_with(path));
    }

    /// Whether there is a folder.
    pub fn is_folder(&self, path: &Path) -> bool {
        self.lock().folders.contains(path)
    }

    /// Writes a whole file.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.lock();
        if state.files.insert(path.to_owned(), bytes.to_vec()).is_none() {
            state.order.push(path.to_owned());
        }
    }

    /// A file's bytes.
    pub fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        self.lock().files.get(path).cloned()
    }

    /// Removes a file.
    pub fn remove_file(&self, path: &Path) {
        let mut state = self.lock();
        state.files.remove(path);
        state.order.retain(|other| other != path);
    }

    /// The files below a folder, oldest first.
    pub fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        self.lock().order.iter().filter(|path| path.starts_with(folder)).cloned().collect()
    }

    /// Starts an agent; gives its pid once it is up.
    ///
    /// # Errors
    /// Where its script says that the program is missing or exits at once; nothing is left.
    pub async fn launch(&self, launch: SimLaunch) -> Result<u32, String> {
        tokio::time::sleep(START).await;
        let cwd = launch.cwd.to_string_lossy().into_owned();
        let script = self.registry.script_of(&cwd);
        if script.missing {
            return Err(format!("{}: command not found", launch.agent));
        }
        let (input, inbox) = mpsc::unbounded_channel();
        let (to, commands) = mpsc::unbounded_channel();
        let (pid, stopped, session) = {
            let mut state = self.lock();
            let pid = state.next_pid;
            state.next_pid += 1;
            state.sessions += 1;
            let session = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + (state.sessions << 96) + state.sessions);
            let stopped = watch::Sender::new(false);
            let watched = stopped.subscribe();
            state.processes.insert(pid, SimProcess { command: launch.agent.name().into(), of: pid, how: None, alive: true, stopped });
            state.agents.insert(pid, SimAgent { input, screen: String::new() });
            (pid, watched, session)
        };
        let hello = Hello {
            agent: launch.agent,
            pid,
            started_ticks: u64::from(pid),
            cwd,
            args: launch.message.iter().flat_map(|message| ["--".to_owned(), message.clone()]).collect(),
        };
        let (run, _) = self.registry.attach(hello, to);
        if let Some(code) = script.exit_at_once {
            self.registry.report(&run, AgentReport::Exiting { code });
            self.gone(pid, &run);
            return Err(format!("{} exited at once with status {code}", launch.agent));
        }
        let mode = if launch.one_turn { Mode::Headless } else { Mode::Interactive };
        let profile = self.profiles.get(launch.agent, mode);
        let mut native = NativeSession::new(launch.agent, profile, &self.home(), &launch.cwd, self.clock.now(), session);
        if let Some((path, id, text)) = launch.resumes.as_deref().and_then(|id| self.earlier(launch.agent, id)) {
            native = native.resumed(path, id, &text);
        }
        let mut agent = SimPlayer {
            world: self.clone(),
            pid,
            run,
            agent: launch.agent,
            native,
            turns: Turns::default(),
            script,
            one_turn: launch.one_turn,
            tell: launch.tell,
            done: 0,
        };
        agent.begin();
        if let Some(message) = launch.message {
            agent.take(message);
        }
        tokio::spawn(agent.live(inbox, commands, stopped));
        Ok(pid)
    }

    /// The native file of an agent's session, by its own id: where it is, and what it says.
    fn earlier(&self, agent: AgentKind, id: &str) -> Option<(PathBuf, Uuid, String)> {
        self.files_below(&self.home().join(native::of(agent).root())).into_iter().find_map(|path| {
            let text = String::from_utf8(self.read_file(&path)?).ok()?;
            text.lines().next()?.contains(id).then_some(())?;
            Some((path, Uuid::parse_str(id).ok()?, text))
        })
    }

    /// Types a text into an agent's terminal and submits it.
    ///
    /// # Errors
    /// Where the agent is gone.
    pub async fn type_text(&self, pid: u32, text: &str) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let state = self.lock();
        let alive = state.processes.get(&pid).is_some_and(|process| process.alive);
        match state.agents.get(&pid).filter(|_| alive) {
            Some(agent) => agent.input.send(Input::Typed(text.to_owned())).map_err(|_| "the agent is gone".into()),
            None => Err("the agent is gone".into()),
        }
    }

    /// What an agent's terminal shows.
    pub fn screen(&self, pid: u32) -> Option<String> {
        self.lock().agents.get(&pid).map(|agent| agent.screen.clone())
    }

    /// How many bytes an agent has written so far.
    pub fn drawn(&self, pid: u32) -> u64 {
        self.lock().agents.get(&pid).map_or(0, |agent| agent.screen.len() as u64)
    }

    /// Ends an agent. What survives, survives.
    pub async fn end(&self, pid: u32, how: SimEnd) {
        if how == SimEnd::Polite {
            for signal in ["HUP", "TERM"] {
                self.send(pid, Input::Signal(signal));
            }
            tokio::time::sleep(FINISH).await;
            return;
        }
        let victims: Vec<u32> = {
            let state = self.lock();
            state
                .processes
                .iter()
                .filter(|(_, process)| process.of == pid && process.alive && reaches(how, process.how))
                .map(|(pid, _)| *pid)
                .collect()
        };
        for victim in victims {
            self.kill(victim);
        }
        tokio::time::sleep(FINISH).await;
    }

    /// Sends a signal to an agent's own process.
    pub fn signal(&self, pid: u32, signal: &'static str) {
        self.send(pid, Input::Signal(signal));
    }

    /// Tells an agent that its input has ended: it exits, as a program does that reads a closed pipe.
    pub fn hang_up(&self, pid: u32) {
        self.send(pid, Input::Closed);
    }

    /// Starts a process beside an agent, under it; it lives until the agent's tree is ended.
    pub fn run_beside(&self, pid: u32) -> u32 {
        self.spawn_child(pid, Child::Stubborn)
    }

    /// Whether an agent's process is stopped in the middle.
    pub fn is_stopped(&self, pid: u32) -> bool {
        self.lock().processes.get(&pid).is_some_and(|process| *process.stopped.borrow())
    }

    /// Lets an agent's terminal show something more, as an agent that works does.
    pub fn print(&self, pid: u32, text: &str) {
        if let Some(agent) = self.lock().agents.get_mut(&pid) {
            agent.screen.push_str(text);
        }
    }

    /// Whether an agent's process lives.
    pub fn lives(&self, pid: u32) -> bool {
        self.lock().processes.get(&pid).is_some_and(|process| process.alive)
    }

    fn send(&self, pid: u32, input: Input) {
        if let Some(agent) = self.lock().agents.get(&pid) {
            let _ = agent.input.send(input);
        }
    }

    fn spawn_child(&self, of: u32, how: Child) -> u32 {
        let mut state = self.lock();
        let pid = state.next_pid;
        state.next_pid += 1;
        let process = SimProcess { command: "sleep".into(), of, how: Some(how), alive: true, stopped: watch::Sender::new(false) };
        state.processes.insert(pid, process);
        pid
    }

    /// The agent's process is over: its run's channel is closed. A terminal's hangup takes its plain children along.
    fn gone(&self, pid: u32, run: &crate::contract::AgentRun) {
        let mut state = self.lock();
        for (own, process) in &mut state.processes {
            if *own == pid || (process.of == pid && process.how == Some(Child::Background)) {
                process.alive = false;
            }
        }
        drop(state);
        self.registry.gone(run);
    }

    fn lock(&self) -> MutexGuard<'_, SimState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether an end of that kind reaches a process started in that way (`None`: the agent itself).
fn reaches(end: SimEnd, how: Option<Child>) -> bool {
    match (end, how) {
        (SimEnd::Tree, _) | (_, None) => true,
        (SimEnd::Descendants, Some(how)) => how != Child::Reparented,
        (SimEnd::Group, Some(Child::Background | Child::Stubborn)) => true,
        (SimEnd::Group | SimEnd::ProcessOnly | SimEnd::Polite, Some(_)) => false,
    }
}

impl LiveProcesses for SimWorld {
    fn alive(&self, pid: u32, _: u64) -> bool {
        self.lives(pid)
    }

    fn of_run(&self, run: &FakeRun) -> Vec<Process> {
        let state = self.lock();
        let own = state.processes.iter().filter(|(_, process)| process.of == run.pid && process.alive);
        own.map(|(pid, process)| Process { pid: *pid, ticks: u64::from(*pid), command: process.command.clone(), is_agent: *pid == run.pid })
            .collect()
    }

    fn stop(&self, pid: u32) {
        if let Some(process) = self.lock().processes.get(&pid) {
            process.stopped.send_replace(true);
        }
    }

    fn resume(&self, pid: u32) {
        if let Some(process) = self.lock().processes.get(&pid) {
            process.stopped.send_replace(false);
        }
    }

    fn kill(&self, pid: u32) {
        let is_agent = {
            let mut state = self.lock();
            if let Some(process) = state.processes.get_mut(&pid) {
                process.alive = false;
                // KILL reaches the stopped as well.
                process.stopped.send_replace(false);
            }
            state.agents.contains_key(&pid)
        };
        if is_agent {
            self.send(pid, Input::Killed);
        }
    }
}

/// One simulated agent at work.
struct SimPlayer {
    world: SimWorld,
    pid: u32,
    run: crate::contract::AgentRun,
    agent: AgentKind,
    native: NativeSession,
    turns: Turns,
    script: Script,
    one_turn: bool,
    tell: mpsc::UnboundedSender<SimSignal>,
    done: u64,
}

/// Why an agent stops living.
enum RunEnd {
    Exits(i32),
    Killed,
}

impl SimPlayer {
    fn begin(&mut self) {
        self.write(NativeMoment::Started);
        for how in self.script.children.clone() {
            self.start_child(how);
        }
        self.draw(&format!("{} (simulated)\n", self.agent));
        self.draw(&"x".repeat(self.script.print_bytes as usize));
        if let Some(payload) = self.native.start_payload() {
            self.hook(HookMoment::Start, payload);
        }
    }

    async fn live(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Input>,
        mut commands: mpsc::UnboundedReceiver<ControlCommand>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let over = loop {
            let is_stopped = *stopped.borrow_and_update();
            let input = tokio::select! {
                biased;
                Some(input) = inbox.recv(), if !is_stopped => self.input(input),
                Some(command) = commands.recv(), if !is_stopped => self.command(command).await,
                changed = stopped.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => Some(RunEnd::Killed),
                },
            };
            if let Some(over) = input {
                break over;
            }
        };
        let code = match over {
            RunEnd::Exits(code) => {
                self.write(NativeMoment::Exited { clean: code == 0 });
                self.world.registry.report(&self.run, AgentReport::Exiting { code });
                Some(code)
            }
            RunEnd::Killed => None,
        };
        self.world.gone(self.pid, &self.run);
        let _ = self.tell.send(SimSignal::Exited { code });
    }

    fn input(&mut self, input: Input) -> Option<RunEnd> {
        match input {
            Input::Typed(text) => self.take(text),
            Input::Killed => return Some(RunEnd::Killed),
            Input::Closed => return Some(RunEnd::Exits(0)),
            Input::Signal(signal) => {
                self.world.registry.report(&self.run, AgentReport::Signalled { signal: signal.into() });
                let fatal = FATAL.iter().find(|(name, _)| *name == signal);
                if let Some((_, number)) = fatal.filter(|_| !self.script.ignore.iter().any(|ignored| ignored == signal)) {
                    return Some(RunEnd::Exits(128 + number));
                }
            }
        }
        None
    }

    async fn command(&mut self, command: ControlCommand) -> Option<RunEnd> {
        self.done += 1;
        match command {
            ControlCommand::Script(script) => self.script = script,
            ControlCommand::Release { turn, reply, status } => {
                let was_open = self.turns.open_number() == Some(turn);
                self.finish(turn, &reply, status).await;
                if was_open && self.one_turn {
                    return Some(RunEnd::Exits(i32::from(status != TurnStatus::Completed)));
                }
            }
            ControlCommand::Exit { code } => return Some(RunEnd::Exits(code)),
            ControlCommand::Die => {
                self.world.kill(self.pid);
                return Some(RunEnd::Killed);
            }
            ControlCommand::Settle => self.world.registry.report(&self.run, AgentReport::Done { done: self.done }),
        }
        None
    }

    fn start_child(&mut self, how: Child) {
        let pid = self.world.spawn_child(self.pid, how);
        self.world.registry.report_with(&self.run, AgentReport::Child { pid, how }, u64::from);
    }

    fn take(&mut self, prompt: String) {
        if let Some(turn) = self.turns.take(prompt) {
            self.open(turn.number, &turn.prompt);
        }
    }

    fn open(&mut self, turn: u64, prompt: &str) {
        self.world.registry.report(&self.run, AgentReport::PromptAccepted { turn, text: prompt.to_owned() });
        self.draw(&format!("> {prompt}\n"));
        self.write(NativeMoment::PromptAccepted { turn, text: prompt });
        self.world.registry.report(&self.run, AgentReport::TurnStarted { turn });
    }

    async fn finish(&mut self, number: u64, reply: &str, status: TurnStatus) {
        let Some(turn) = self.turns.close(number) else { return };
        tokio::time::sleep(FINISH).await;
        self.world.registry.report(&self.run, AgentReport::TurnCompleted { turn: number, status });
        self.write(NativeMoment::TurnCompleted { turn: number, reply, status });
        tokio::time::sleep(FINISH).await;
        let good = status == TurnStatus::Completed;
        let payload = self.native.turn_payload(number, &turn.prompt, good.then_some(reply));
        let moment = if good || !native::of(self.agent).tells_failed_turns() { HookMoment::TurnEnd } else { HookMoment::TurnFailed };
        self.hook(moment, payload);
        self.draw(&format!("{reply}\n"));
        if let Some(next) = self.turns.next() {
            self.open(next.number, &next.prompt);
        }
    }

    fn hook(&self, moment: HookMoment, payload: Value) {
        let _ = self.tell.send(SimSignal::Hook { moment, payload });
    }

    fn draw(&self, text: &str) {
        if self.script.silent {
            return;
        }
        if let Some(agent) = self.world.lock().agents.get_mut(&self.pid) {
            agent.screen.push_str(text);
        }
    }

    fn write(&mut self, moment: NativeMoment<'_>) {
        for change in self.native.at(moment, self.world.clock.now()) {
            match change {
                FileChange::Append { path, text } => {
                    let mut bytes = self.world.read_file(&path).unwrap_or_default();
                    bytes.extend_from_slice(text.as_bytes());
                    self.world.write_file(&path, &bytes);
                    let report = AgentReport::FileWritten { path: path.to_string_lossy().into_owned(), bytes: bytes.len() as u64 };
                    self.world.registry.report(&self.run, report);
                }
                FileChange::Remove { path } => {
                    self.world.remove_file(&path);
                    self.world.registry.report(&self.run, AgentReport::FileRemoved { path: path.to_string_lossy().into_owned() });
                }
            }
        }
    }
}
