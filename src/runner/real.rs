//! Scenarios on real processes: each in a worker process of its own, which takes everything it started with it when it
//! ends or when the harness does.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::agent::cast::Cast;
use crate::agent::processes::{ProcFs, become_subreaper};
use crate::agent::stage::Stage;
use crate::clock::Clock;
use crate::contract::suite;
use crate::driver::manifest::Manifest;
use crate::driver::recorder::Recorder;
use crate::driver::sandbox::{Sandbox, SandboxOptions};
use crate::profile::{Choice, Profiles};
use crate::spec::Registry;
use crate::steps::{Ground, World, WorldOptions};
use crate::trace::{Entry, Log};

use super::Options;
use super::features;
use super::plan::{Planned, Selection, plan};
use super::scenario::{Played, meta, play, unplayed};
use super::system::{capabilities, record, settings};
use crate::results::model::{Event, Verdict};

/// Scenarios at a time for each core: they mostly wait.
const JOBS_PER_CORE: usize = 6;

/// How long a worker may take to clean up after its scenario's time limit.
const GRACE: Duration = Duration::from_secs(15);

/// What a worker is told: enough to plan the same scenario again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The manifest.
    pub manifest: PathBuf,
    /// The profile set, as on the command line.
    pub profiles: String,
    /// Folders of further features.
    pub features: Vec<PathBuf>,
    /// The scenario's key.
    pub key: String,
    /// Whether the sandbox is kept.
    pub keep_sandbox: bool,
    /// The scenario's time limit, in seconds.
    pub time_limit_s: u64,
}

/// The hidden command that a worker process runs.
pub const WORKER: &str = "__scenario";

/// A scenario and the manifest of the system to play it on.
pub(super) struct Task {
    pub(super) planned: Planned,
    pub(super) manifest: PathBuf,
}

/// Plays scenarios in worker processes, in the order of the plan as far as it goes. Each comes with its place in `tasks`.
pub(super) fn run(tasks: Vec<Task>, options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<(usize, Played)> {
    let job = Job {
        manifest: PathBuf::new(),
        profiles: options.profiles.to_string(),
        features: options.features.clone(),
        key: String::new(),
        keep_sandbox: options.keep_sandbox,
        time_limit_s: options.time_limit.as_secs(),
    };
    become_subreaper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let played = runtime.block_on(pool(tasks, &job, options, emit));
    // A worker that was killed left its own children to this process.
    ProcFs::end_descendants_of(std::process::id(), &[]);
    played
}

/// At most so many workers at a time; on an interruption no more, and those that run are told to end.
async fn pool(tasks: Vec<Task>, job: &Job, options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<(usize, Played)> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let jobs = options.jobs.unwrap_or(JOBS_PER_CORE * cores);
    let mut interrupted = options.interrupted.clone();
    let (halt, halted) = watch::channel(false);
    let mut stop = *interrupted.borrow();
    let mut rest = tasks.into_iter().enumerate();
    let mut running = futures::stream::FuturesUnordered::new();
    let mut played = Vec::new();
    loop {
        while !stop && running.len() < jobs {
            let Some((at, Task { planned, manifest })) = rest.next() else { break };
            emit(Event::ScenarioStarted { key: planned.key.clone() });
            // A repetition is the same scenario, by the same key.
            let key = planned.key.split('@').next().unwrap_or_default().to_owned();
            let job = Job { key, manifest, ..job.clone() };
            let halted = halted.clone();
            running.push(async move { (at, work(planned, job, halted).await) });
        }
        if running.is_empty() {
            return played;
        }
        tokio::select! {
            Some(done) = running.next() => {
                let (at, done): (usize, Played) = done;
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

/// One scenario in one worker process.
async fn work(planned: Planned, job: Job, mut halted: watch::Receiver<bool>) -> Played {
    let broken = |why: String| Played { result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()), trace: Vec::new() };
    let limit = Duration::from_secs(job.time_limit_s) + GRACE;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return broken(format!("the harness cannot find its own program: {error}")),
    };
    let mut worker = match tokio::process::Command::new(program)
        .arg(WORKER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
    {
        Ok(worker) => worker,
        Err(error) => return broken(format!("no worker process could be started: {error}")),
    };
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
            // End of input tells the worker to end everything; it answers nothing.
            stdin.take();
            tokio::time::timeout(GRACE, &mut listen).await.ok()
        }
        () = tokio::time::sleep(limit) => None,
    };
    drop(stdin);
    if heard.is_none() || tokio::time::timeout(GRACE, worker.wait()).await.is_err() {
        // Whatever the worker had under it falls to this process, a subreaper too, and is ended at the end of the run.
        let _ = worker.kill().await;
    }
    let Some((answer, complaint)) = heard else {
        return broken(format!("the scenario did not end within {} s", limit.as_secs()));
    };
    match serde_json::from_slice::<Played>(&answer) {
        Ok(mut played) => {
            played.result.key = planned.key;
            played
        }
        Err(_) if *halted.borrow() => broken("interrupted".into()),
        Err(error) => broken(format!("the worker process failed ({error}): {}", String::from_utf8_lossy(&complaint).trim())),
    }
}

static SANDBOX: OnceLock<PathBuf> = OnceLock::new();

/// The worker's main: reads its job, plays it, answers, and leaves nothing behind.
pub fn worker() -> ExitCode {
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
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ProcFs::end_descendants_of(std::process::id(), &[]);
        if let Some(sandbox) = SANDBOX.get() {
            let _ = std::fs::remove_dir_all(sandbox);
        }
        std::process::exit(3);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let played = tokio::task::LocalSet::new().block_on(&runtime, one(&job));
    let written = serde_json::to_writer(std::io::stdout().lock(), &played).is_ok() && std::io::stdout().flush().is_ok();
    ExitCode::from(if written { 0 } else { 2 })
}

async fn one(job: &Job) -> Played {
    match prepared(job).await {
        Ok(played) => played,
        Err((planned, why)) => Played { result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()), trace: Vec::new() },
    }
}

/// Makes the sandbox, opens the system, plays the scenario, and ends whatever is left.
async fn prepared(job: &Job) -> Result<Played, (Planned, String)> {
    // The harness has read all of this before it started a worker: it cannot fail here for a reason of the user's.
    let manifest = Manifest::read(&job.manifest).expect("the harness read the manifest");
    let choice: Choice = job.profiles.parse().expect("the harness read the profiles");
    let profiles = Rc::new(Profiles::load(&choice).expect("the harness read the profiles"));
    let written = features::read(&job.features).expect("the harness read the features");
    let selection = Selection { scenarios: vec![job.key.clone()], suites: features::suites(&written), ..Selection::default() };
    let planned = plan(&written, Registry::embedded(), &capabilities(&manifest), &selection).pop().expect("the harness planned it");

    let failed = |why: String| (planned.clone(), why);
    let options = SandboxOptions {
        id: uuid::Uuid::new_v4().simple().to_string(),
        profiles: (*profiles).clone(),
        passmuster: std::env::current_exe().map_err(|error| failed(error.to_string()))?,
        keep: job.keep_sandbox,
    };
    let sandbox = Rc::new(Sandbox::create(&options).map_err(|error| failed(format!("no sandbox: {error}")))?);
    if !job.keep_sandbox {
        let _ = SANDBOX.set(sandbox.path().to_owned());
    }
    let log = Log::new(Clock::start());
    log.push(meta(&planned, &manifest.name, &profiles));
    let cast = Cast::new(log.clone());
    let stage =
        Stage::open(&sandbox.stage_socket(), cast.clone()).map_err(|error| failed(format!("no stage for the stand-ins: {error}")))?;
    let settings = settings(&manifest, &profiles);
    let driver =
        crate::driver::open(&manifest, sandbox.clone()).await.map_err(|error| failed(format!("the system cannot be opened: {error}")))?;
    let operations = suite(&planned.written.suite).map(|suite| suite.operations).unwrap_or_default();
    let driver = Rc::new(Recorder::new(driver, operations, log.clone()));
    driver.listen(planned.written.has_tag("stream"), false).await.map_err(|error| failed(format!("announcements: {error}")))?;
    let world = World::new(WorldOptions {
        log: log.clone(),
        cast,
        driver: driver.clone(),
        ground: Ground::Real(sandbox.clone()),
        processes: Rc::new(ProcFs),
        profiles,
        limits: settings.limits,
        agents: planned.agents.clone(),
        message_chars: manifest.message_chars(),
        default_timeout_s: manifest.default_timeout_s,
        record: record(&manifest, &sandbox),
        requirement: planned.written.requirements()[0].clone(),
    });
    let mut played = play(&planned, world, driver, &log, &settings, Duration::from_secs(job.time_limit_s)).await;
    drop(stage);
    let left = ProcFs::end_descendants_of(std::process::id(), &[]);
    for process in left {
        played.trace.push(log_entry(&log, Entry::Note { text: format!("litter: {process} was left running") }));
    }
    Ok(played)
}

fn log_entry(log: &Log, entry: Entry) -> crate::trace::Record {
    log.push(entry);
    log.records().pop().expect("it was just pushed")
}
