//! Scenarios on real processes: each in a worker process of its own, which takes everything it started with it when it
//! ends or when the harness does.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, Read as _, Write as _};
use std::process::{ExitCode, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use rustix::process::getppid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::contract::AgentKind;
use crate::fakes::processes::{ProcFs, become_subreaper, start_no_more, starting};
use crate::profile::Profiles;
use crate::sut::running::ProcessExit;
use crate::sut::sandbox::{self, Sandbox, SandboxOptions};

use super::Options;
use super::features;
use super::plan::{Disposition, PlannedScenario};
use super::scenario::{ScenarioRun, unplayed};
use super::suite::{self, Suites};
use crate::results::model::{Event, Verdict, round_of};

/// Scenarios at a time for each core: they mostly wait.
const JOBS_PER_CORE: usize = 6;

/// How long a worker may take to clean up after its scenario's time limit.
const GRACE: Duration = Duration::from_secs(15);

/// How long a worker that is told to end may take before it ends in the middle of whatever it does.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The most that is kept of the traces of what did not pass, in bytes of JSON.
const TRACES_LIMIT: usize = 64 << 20;

/// How often the process table is looked at while something is on its way out: nothing tells of somebody else's child.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a worker is told: enough to plan the same scenario again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// What it is played on, as its suite reads it.
    pub system: Value,
    /// The agents that the system manages.
    pub agents: Vec<AgentKind>,
    /// The agents' profiles.
    pub(crate) profiles: Profiles,
    /// The feature, as it was planned: its file, its text, and which of its scenarios this is.
    pub feature: (String, Arc<str>, usize),
    /// The agent on the scenario's axis.
    pub(crate) agent: Option<AgentKind>,
    /// The scenario's key.
    pub key: String,
    /// Whether the sandbox is kept.
    pub keep_sandbox: bool,
    /// The scenario's time limit, in seconds.
    pub time_limit_s: u64,
}

/// What a suite finds ready in a worker process.
pub struct Backstage {
    /// The suites that there are.
    pub suites: Suites,
    /// The agents' profiles.
    pub profiles: Rc<Profiles>,
    /// The scenario's sandbox.
    pub sandbox: Rc<Sandbox>,
    /// The scenario's time limit.
    pub time_limit: Duration,
}

/// The hidden command that a worker process runs.
pub const WORKER: &str = "__scenario";

/// A scenario and the system to play it on.
pub(crate) struct Task {
    pub(crate) planned: PlannedScenario,
    pub(crate) system: Value,
}

/// Plays scenarios in worker processes, in the order of the plan as far as it goes. Each comes with its place in `tasks`.
pub(crate) fn run(tasks: Vec<Task>, profiles: &Profiles, options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<(usize, ScenarioRun)> {
    let job = Job {
        system: Value::Null,
        agents: Vec::new(),
        profiles: profiles.clone(),
        feature: Default::default(),
        agent: None,
        key: String::new(),
        keep_sandbox: options.keep_sandbox,
        time_limit_s: options.time_limit.as_secs(),
    };
    become_subreaper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let played = runtime.block_on(pool(tasks, &job, options, emit));
    // What a worker that was killed left behind.
    ProcFs::end_descendants_of(std::process::id(), &[]);
    sandbox::sweep();
    played
}

/// The workers that live.
type Crew = Rc<RefCell<BTreeSet<u32>>>;

/// At most so many workers at a time; on an interruption no more, and those that run are told to end.
async fn pool(tasks: Vec<Task>, job: &Job, options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<(usize, ScenarioRun)> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let jobs = options.jobs.unwrap_or(JOBS_PER_CORE * cores);
    let mut interrupted = options.interrupted.clone();
    let (halt, halted) = watch::channel(false);
    let mut stop = *interrupted.borrow();
    let mut rest = tasks.into_iter().enumerate();
    let mut running = futures::stream::FuturesUnordered::new();
    let (crew, mut kept) = (Crew::default(), 0);
    let mut played = Vec::new();
    loop {
        while !stop && running.len() < jobs {
            let Some((at, Task { planned, system })) = rest.next() else { break };
            emit(Event::ScenarioStarted { key: planned.key.clone() });
            // A repetition is the same scenario, by the same key.
            let key = round_of(&planned.key).0.to_owned();
            let written = &planned.written;
            let feature = (written.file.clone(), written.text.clone(), written.nth);
            let job = Job { key, system, agents: planned.agents.clone(), agent: planned.agent, feature, ..job.clone() };
            let (halted, crew) = (halted.clone(), crew.clone());
            running.push(async move { (at, work(planned, job, halted, crew).await) });
        }
        if running.is_empty() {
            return played;
        }
        tokio::select! {
            Some(done) = running.next() => {
                let (at, (mut done, size)): (usize, (ScenarioRun, usize)) = done;
                if matches!(done.result.verdict, Verdict::Passed | Verdict::Skipped) {
                    // Nobody looks at it.
                    done.trace = Vec::new();
                } else if kept + size > TRACES_LIMIT {
                    done.trace.truncate(1);
                } else {
                    kept += size;
                }
                emit(Event::ScenarioFinished { result: Box::new(done.result.clone()) });
                stop |= options.fail_fast && done.result.verdict == Verdict::Failed;
                played.push((at, done));
            }
            Ok(()) = interrupted.changed(), if !stop => {
                stop = true;
                halt.send_replace(true);
            }
        }
    }
}

/// One scenario in one worker process. Gives what came of it, and how long the worker's answer was.
async fn work(planned: PlannedScenario, job: Job, mut halted: watch::Receiver<bool>, crew: Crew) -> (ScenarioRun, usize) {
    let broken =
        |why: String| (ScenarioRun { result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()), trace: Vec::new() }, 0);
    let limit = Duration::from_secs(job.time_limit_s) + GRACE;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return broken(format!("the harness cannot find its own program: {error}")),
    };
    let mut command = tokio::process::Command::new(program);
    command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut worker = match starting().and_then(|_allowed| command.spawn()) {
        Ok(worker) => worker,
        Err(error) => return broken(format!("no worker process could be started: {error}")),
    };
    let pid = worker.id().expect("it was not waited for");
    crew.borrow_mut().insert(pid);
    let (mut stdin, mut stdout, mut stderr) = match (worker.stdin.take(), worker.stdout.take(), worker.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => (Some(stdin), stdout, stderr),
        _ => return broken("a worker process without pipes".into()),
    };
    let mut line = serde_json::to_vec(&job).expect("a job is plain data");
    line.push(b'\n');
    if let Some(stdin) = stdin.as_mut() {
        let _ = stdin.write_all(&line).await;
    }
    let mut listen = Box::pin(async move {
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        // What could not be read is missing, and said so below.
        let _ = tokio::join!(stdout.read_to_end(&mut answer), stderr.read_to_end(&mut complaint));
        (answer, complaint)
    });
    let heard = tokio::select! {
        heard = &mut listen => Some(heard),
        _ = halted.wait_for(|halted| *halted) => {
            // The worker ends everything and answers nothing.
            if let Some(mut stdin) = stdin.take() {
                let _ = stdin.write_all(HALT).await;
            }
            tokio::time::timeout(GRACE, &mut listen).await.ok()
        }
        () = tokio::time::sleep(limit) => None,
    };
    drop(stdin);
    let mut exit = None;
    if heard.is_some() {
        exit = tokio::time::timeout(GRACE, worker.wait()).await.ok().and_then(Result::ok).map(ProcessExit::from);
    }
    if exit.is_none() {
        let _ = worker.kill().await;
    }
    crew.borrow_mut().remove(&pid);
    if exit != Some(ProcessExit::Code(0)) {
        // Whatever the worker had under it fell to this process, a subreaper too.
        let others: Vec<u32> = crew.borrow().iter().copied().collect();
        ProcFs::end_descendants_of(std::process::id(), &others);
    }
    let Some((answer, complaint)) = heard else {
        return broken(format!("the scenario did not end within {} s", limit.as_secs()));
    };
    match (serde_json::from_slice::<ScenarioRun>(&answer), exit) {
        (Ok(mut played), _) => {
            played.result.key = planned.key;
            (played, answer.len())
        }
        (Err(_), _) if *halted.borrow() => broken("interrupted".into()),
        (Err(_), Some(exit)) if exit != ProcessExit::Code(0) => {
            let complaint = String::from_utf8_lossy(&complaint);
            broken(format!("the scenario's worker process {exit}. {}", complaint.trim()).trim_end().to_owned())
        }
        (Err(error), _) => broken(format!("the scenario's worker process answered garbage: {error}")),
    }
}

/// The worker's main: reads its job, plays it, answers, and leaves nothing behind.
#[allow(clippy::disallowed_methods, reason = "it ends at once: what is to be cleaned up was")]
pub fn worker(suites: Suites) -> ExitCode {
    become_subreaper();
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).is_err() {
        return ExitCode::from(2);
    }
    let job: Job = match serde_json::from_str(&line) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("passmuster {WORKER} is not for people: {error}");
            return ExitCode::from(2);
        }
    };
    // When the harness is gone, or tells us to, the pipe ends.
    let (halt, mut halted) = watch::channel(false);
    let (harness, orphaned) = (getppid(), Arc::new(AtomicBool::new(false)));
    let is_orphan = orphaned.clone();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut said);
        is_orphan.store(said != HALT, Ordering::Relaxed);
        halt.send_replace(true);
        std::thread::sleep(LAST_WORD);
        leave_nothing();
        std::process::exit(HALTED.into());
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let played = tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut playing = std::pin::pin!(one(suites, &job));
        tokio::select! {
            played = &mut playing => Some(played),
            _ = halted.wait_for(|halted| *halted) => {
                // First of all: the sandbox, which goes with the scenario, is not written to any more.
                ProcFs::end_descendants_of(std::process::id(), &[]);
                None
            }
        }
    });
    leave_nothing();
    let Some(played) = played else {
        if orphaned.load(Ordering::Relaxed) {
            // Its own folders are left to whoever sees it dead; it closed its pipes on the way.
            while getppid() == harness {
                std::thread::sleep(LOOK_AGAIN);
            }
            sandbox::sweep();
        }
        return ExitCode::from(HALTED);
    };
    let written = serde_json::to_writer(std::io::stdout().lock(), &played).is_ok() && std::io::stdout().flush().is_ok();
    ExitCode::from(if written { 0 } else { 2 })
}

/// What the harness says to a worker that is to end; the end of the pipe without it says that the harness is gone.
const HALT: &[u8] = b"halt\n";

/// The exit status of a worker that was told to end.
const HALTED: u8 = 3;

/// Ends whatever runs under this worker and removes its sandbox. Nothing is started any more: another thread may be about to.
fn leave_nothing() {
    start_no_more();
    ProcFs::end_descendants_of(std::process::id(), &[]);
    sandbox::sweep_own();
}

/// Makes the sandbox and has the scenario's suite play it.
async fn one(suites: Suites, job: &Job) -> ScenarioRun {
    // The harness has read all of this before it started a worker: it cannot fail here for a reason of the user's.
    let profiles = Rc::new(job.profiles.clone());
    let (file, text, nth) = &job.feature;
    let written = features::parse(suites, features::Steps::Known, file, text).expect("the harness read the feature").swap_remove(*nth);
    let (key, agent, agents) = (job.key.clone(), job.agent, job.agents.clone());
    let planned = PlannedScenario { key, written, agent, agents, disposition: Disposition::Run };
    let suite = suite::find(suites, &planned.written.suite).expect("the harness looked the suite up");
    let played = match sandbox(job, &profiles) {
        Ok(sandbox) => {
            let backstage = Backstage { suites, profiles, sandbox, time_limit: Duration::from_secs(job.time_limit_s) };
            suite.play(&planned, &job.system, &backstage).await
        }
        Err(error) => Err(format!("no sandbox: {error}")),
    };
    let untested = |why| ScenarioRun { result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()), trace: Vec::new() };
    played.unwrap_or_else(untested)
}

fn sandbox(job: &Job, profiles: &Profiles) -> Result<Rc<Sandbox>, String> {
    let options = SandboxOptions {
        id: uuid::Uuid::new_v4().simple().to_string(),
        profiles: profiles.clone(),
        passmuster: std::env::current_exe().map_err(|error| error.to_string())?,
        keep: job.keep_sandbox,
    };
    Sandbox::create(&options).map(Rc::new).map_err(|error| error.to_string())
}
