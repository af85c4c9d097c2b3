//! The registry: every run of a stand-in that a scenario has seen, as the stand-ins report themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, watch};

use crate::contract::{AgentKind, AgentRun, TurnStatus};
use crate::trace::{Entry, Fact, Log};

use super::control::{AgentReport, Child, ControlCommand, Script};

/// A stand-in's introduction: what [`AgentReport::Hello`] carries, and when its process began.
#[derive(Debug, Clone)]
pub struct Hello {
    /// Which agent it stands for.
    pub agent: AgentKind,
    /// Its process.
    pub pid: u32,
    /// When the process began, in the system's ticks: pids are used again.
    pub started_ticks: u64,
    /// Its working directory.
    pub cwd: String,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
}

/// One run of a stand-in, as it has reported itself so far.
#[derive(Debug, Clone)]
pub struct FakeRun {
    /// The run's id.
    pub id: AgentRun,
    /// Which agent it stands for.
    pub agent: AgentKind,
    /// Its process.
    pub pid: u32,
    /// When the process began.
    pub started_ticks: u64,
    /// Its working directory.
    pub cwd: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The prompts that it took: turn and text.
    pub prompts: Vec<(u64, String)>,
    /// The last turn that it began to work on.
    pub started: u64,
    /// The last turn that the harness released.
    pub released: u64,
    /// The last turn that it finished.
    pub completed: u64,
    /// The native files that it wrote, in the order of their first write.
    pub files: Vec<String>,
    /// The processes that it started: pid, start ticks, how.
    pub children: Vec<(u32, u64, Child)>,
    /// The number of the last command that it confirmed.
    pub done: u64,
    /// What it was asked to do and does not imitate.
    pub unsupported: Vec<String>,
    /// Whether it said that it exits.
    pub exiting: bool,
    /// Whether its channel is closed: it is over.
    pub over: bool,
}

#[derive(Debug, Default)]
struct RegistryState {
    runs: Vec<FakeRun>,
    channels: HashMap<AgentRun, mpsc::UnboundedSender<ControlCommand>>,
    sent: HashMap<AgentRun, u64>,
    scripts: HashMap<String, Script>,
}

/// The harness's view of all stand-ins of one scenario, and its way to direct them. Clones share one registry.
#[derive(Debug, Clone)]
pub struct AgentRegistry {
    log: Log,
    state: Arc<Mutex<RegistryState>>,
    changes: Arc<watch::Sender<u64>>,
}

impl AgentRegistry {
    /// An empty registry that records what it learns in `log`.
    pub fn new(log: Log) -> Self {
        Self { log, state: Arc::default(), changes: Arc::new(watch::Sender::new(0)) }
    }

    /// The trace that the registry records in.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Says how whatever is started in that directory from now on behaves.
    pub fn script_for(&self, cwd: &str, script: Script) {
        self.lock().scripts.insert(cwd.to_owned(), script);
    }

    /// How a stand-in in that directory behaves.
    pub fn script_of(&self, cwd: &str) -> Script {
        self.lock().scripts.get(cwd).cloned().unwrap_or_default()
    }

    /// Takes a stand-in in: gives its run a number and its script; `to` takes the commands for it.
    pub fn attach(&self, hello: Hello, to: mpsc::UnboundedSender<ControlCommand>) -> (AgentRun, Script) {
        let script = self.script_of(&hello.cwd);
        let mut state = self.lock();
        let id = AgentRun(format!("r{}", state.runs.len() + 1));
        state.channels.insert(id.clone(), to);
        state.runs.push(FakeRun {
            id: id.clone(),
            agent: hello.agent,
            pid: hello.pid,
            started_ticks: hello.started_ticks,
            cwd: hello.cwd.clone(),
            args: hello.args,
            prompts: Vec::new(),
            started: 0,
            released: 0,
            completed: 0,
            files: Vec::new(),
            children: Vec::new(),
            done: 0,
            unsupported: Vec::new(),
            exiting: false,
            over: false,
        });
        drop(state);
        self.fact(Fact::AgentStarted { agent_run: id.clone(), agent: hello.agent, pid: hello.pid, cwd: hello.cwd });
        (id, script)
    }

    /// Notes what a stand-in reports. `ticks` of a reported child are looked up by the caller, who knows the processes.
    pub fn report(&self, run: &AgentRun, report: AgentReport) {
        self.report_with(run, report, |_| 0);
    }

    /// The same, with the way to learn when a process began.
    pub fn report_with(&self, run: &AgentRun, report: AgentReport, ticks: impl Fn(u32) -> u64) {
        let agent_run = run.clone();
        let fact = match report.clone() {
            AgentReport::PromptAccepted { turn, text } => Some(Fact::PromptAccepted { agent_run, turn, text }),
            AgentReport::TurnStarted { turn } => Some(Fact::TurnStarted { agent_run, turn }),
            AgentReport::TurnCompleted { turn, status } => {
                let status = (status != TurnStatus::Completed).then_some(status);
                Some(Fact::TurnCompleted { agent_run, turn, status })
            }
            AgentReport::FileWritten { path, bytes } => Some(Fact::FileWritten { agent_run, path, bytes }),
            AgentReport::FileRemoved { path } => Some(Fact::FileRemoved { agent_run, path }),
            AgentReport::Signalled { signal } => Some(Fact::AgentSignalled { agent_run, signal }),
            AgentReport::Exiting { code } => Some(Fact::AgentExited { agent_run, code: Some(code) }),
            AgentReport::Hello { .. } | AgentReport::Child { .. } | AgentReport::Unsupported { .. } | AgentReport::Done { .. } => None,
        };
        // The fact is recorded before anyone who waits for the change can act on it.
        if let Some(fact) = fact {
            self.fact(fact);
        }
        self.change(run, |run| match report {
            AgentReport::PromptAccepted { turn, text } => run.prompts.push((turn, text)),
            AgentReport::TurnStarted { turn } => run.started = turn,
            AgentReport::TurnCompleted { turn, .. } => run.completed = turn,
            AgentReport::FileWritten { path, .. } if !run.files.contains(&path) => run.files.push(path),
            AgentReport::Child { pid, how } => run.children.push((pid, ticks(pid), how)),
            AgentReport::Unsupported { what } => run.unsupported.push(what),
            AgentReport::Done { done } => run.done = done,
            AgentReport::Exiting { .. } => run.exiting = true,
            _ => {}
        });
    }

    /// Notes that a stand-in's channel is closed.
    pub fn gone(&self, run: &AgentRun) {
        if self.run(run).is_some_and(|run| !run.exiting && !run.over) {
            self.fact(Fact::AgentGone { agent_run: run.clone() });
        }
        self.lock().channels.remove(run);
        self.change(run, |run| run.over = true);
    }

    /// Lets a turn end: records that, then opens the gate.
    pub fn release(&self, run: &AgentRun, turn: u64, reply: &str, status: TurnStatus) {
        self.fact(Fact::TurnReleased { agent_run: run.clone(), turn });
        self.change(run, |run| run.released = turn);
        self.send(run, ControlCommand::Release { turn, reply: reply.to_owned(), status });
    }

    /// Sends a command; returns its number, which [`AgentReport::Done`] confirms.
    pub fn send(&self, run: &AgentRun, command: ControlCommand) -> u64 {
        let mut state = self.lock();
        let number = state.sent.entry(run.clone()).or_default();
        *number += 1;
        let number = *number;
        if let Some(channel) = state.channels.get(run) {
            // A stand-in that is gone takes no commands; `over` says so.
            let _ = channel.send(command);
        }
        number
    }

    /// Waits until a stand-in has done and reported all that it was asked to, or is over: a turn's end is reported
    /// before the files that come of it are written. Wrap it in a time limit.
    pub async fn settled(&self, run: &AgentRun) {
        let number = self.send(run, ControlCommand::Settle);
        self.until(|runs| runs.iter().any(|r| r.id == *run && (r.done >= number || r.over)).then_some(())).await;
    }

    /// Every run so far.
    pub fn runs(&self) -> Vec<FakeRun> {
        self.lock().runs.clone()
    }

    /// The run of that id.
    pub fn run(&self, id: &AgentRun) -> Option<FakeRun> {
        self.lock().runs.iter().find(|run| run.id == *id).cloned()
    }

    /// Waits until `look` finds something in the runs; looks again at every change. Wrap it in a time limit.
    pub async fn until<T>(&self, mut look: impl FnMut(&[FakeRun]) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = look(&self.lock().runs) {
                return found;
            }
            changes.changed().await.expect("the cast holds the sender");
        }
    }

    fn fact(&self, fact: Fact) {
        self.log.push(Entry::Truth(fact));
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn change(&self, id: &AgentRun, change: impl FnOnce(&mut FakeRun)) {
        if let Some(run) = self.lock().runs.iter_mut().find(|run| run.id == *id) {
            change(run);
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn lock(&self) -> MutexGuard<'_, RegistryState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
