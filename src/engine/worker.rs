//! A scenario on real processes: in a worker process of its own, which takes everything it started with it when it ends or when
//! the harness does.

use std::io::{BufRead as _, Read as _, Write as _};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::getppid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::contract::AgentKind;
use crate::core::canary;
use crate::fakes::processes::{ProcFs, become_subreaper, start_no_more};
use crate::profile::Profiles;
use crate::sut::sandbox::{self, Sandbox, SandboxOptions};

use super::features;
use super::plan::{Disposition, PlannedScenario};
use super::scenario::{ScenarioRun, Strain, unplayed};
use super::suite::{self, Suites};
use crate::results::model::Verdict;

/// How long a worker that is told to end may take before it ends in the middle of whatever it does.
const LAST_WORD: Duration = Duration::from_secs(2);

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
pub(crate) const HALT: &[u8] = b"halt\n";

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
    canary::start();
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
    let mut run = played.unwrap_or_else(|why| ScenarioRun {
        result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()),
        trace: Vec::new(),
        strain: Strain::default(),
    });
    run.strain.late_ms = canary::late_ms();
    run
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
