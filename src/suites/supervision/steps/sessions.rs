//! Supervised sessions, as a scenario knows them.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use crate::containers::memory::TrueContainer;
use crate::contract::{Announcement, Args, SessionId};
use crate::engine::steps::Common;
use crate::engine::vocabulary::StepTable;
use crate::engine::world::{self, StandingFinding, State, Stop};
use crate::fakes::registry::FakeRun;
use crate::sut::recorder::Answered;
use crate::trace::settings::Settings;
use crate::trace::{Entry, Record};

use super::{act_session, act_trouble, check_announced, check_session, check_truth};
use crate::suites::supervision::in_memory::InMemorySupervisor;
use crate::suites::supervision::reference::SupervisionPolicy;
use crate::suites::supervision::rules;
use crate::suites::supervision::scene::{IN_MEMORY_ALONE, SupervisionScene};

/// What the steps act on.
pub(crate) type SupervisionWorld = world::World<SupervisionState>;

/// The role of the scenarios' sessions, and their branch.
pub(crate) const ROLE: &str = "dev";
pub(crate) const BRANCH: &str = "work";
/// What their agents are started with.
pub(crate) const FIRST_MESSAGE: &str = "begin";

/// How often something that announces nothing is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What of a session was seen, to be compared later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenSession {
    /// Its container.
    pub container: String,
    /// Its agent's process.
    pub agent: u32,
    /// How many records the trace had.
    pub at: usize,
    /// How often its agent had been pinged.
    pub pings: u64,
}

/// A supervised session.
#[derive(Debug, Clone)]
pub(crate) struct SupervisedSession {
    /// Its name in the scenario.
    pub label: String,
    /// Its role.
    pub role: String,
    /// Its id, where it was given one.
    pub id: Option<String>,
    /// The agent's folder.
    pub workspace: PathBuf,
    /// How it was seen last.
    pub seen: Option<SeenSession>,
}

/// What a scenario knows of a supervisor.
#[derive(Default)]
pub(crate) struct SupervisionState {
    /// The supervisor, where the harness sees its containers.
    scene: Option<Rc<dyn SupervisionScene>>,
    /// The sessions that it knows by name.
    pub(crate) sessions: Vec<SupervisedSession>,
    /// A record's file, held open, and what was in it.
    pub(crate) held: Option<(std::fs::File, Vec<u8>)>,
    /// Somebody else's container: its id, and its agent's process.
    pub(crate) bystander: Option<(String, u32)>,
    /// What is wrong of what a step tried over and over.
    pub(crate) tried: Vec<String>,
    /// What answers came of what was asked at once.
    pub(crate) at_once: Vec<Answered>,
    /// How many calls the engine had got, and when.
    pub(crate) calls: Option<(u64, Duration)>,
    /// What a second supervisor said.
    pub(crate) second: Option<Result<(), String>>,
    /// The path of a record that cannot be read.
    pub(crate) unreadable: Option<String>,
}

impl std::fmt::Debug for SupervisionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SupervisionState").field("sessions", &self.sessions).field("bystander", &self.bystander).finish_non_exhaustive()
    }
}

impl SupervisionState {
    /// What is known of that supervisor at the beginning: itself.
    pub(crate) fn on(scene: Rc<dyn SupervisionScene>) -> Self {
        Self { scene: Some(scene), ..Self::default() }
    }
}

impl State for SupervisionState {
    fn steps() -> &'static StepTable<SupervisionWorld> {
        static STEPS: LazyLock<StepTable<SupervisionWorld>> = LazyLock::new(|| {
            StepTable::of([
                act_session::STEPS,
                act_trouble::STEPS,
                Common::<SupervisionState>::STEPS,
                check_session::STEPS,
                check_announced::STEPS,
                check_truth::STEPS,
            ])
        });
        &STEPS
    }

    fn session_id(&self, label: &str) -> Option<SessionId> {
        self.sessions.iter().find(|session| session.label == label)?.id.clone().map(SessionId)
    }

    async fn look_at_the_end(world: &mut SupervisionWorld) {
        world.look_at_records().await;
    }

    fn standing(trace: &[Record], _: &Settings) -> Vec<StandingFinding> {
        rules::judge(trace)
    }
}

/// A name in scenarios, and how what it stands for is made.
type BadName = (&'static str, fn() -> String);

/// Ids and roles that must not get out of the registry, by name.
pub(crate) const NAMES: &[BadName] = &[
    ("empty", String::new),
    ("parent", || "../outsider".into()),
    ("far parent", || "a/../../../../outsider".into()),
    ("slash", || "out/outsider".into()),
    ("dots", || "..".into()),
    ("flag", || "-rf".into()),
    ("line break", || "outsider\nx".into()),
    ("300 characters", || "outsider".repeat(38)),
];

/// Arguments by name; what is null is left out.
pub(crate) fn args<const N: usize>(given: [(&str, Value); N]) -> Args {
    given.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Makes of a folder a repository on a branch, as git would: nothing was committed yet.
pub(crate) fn make_repository(folder: &Path, branch: &str) -> std::io::Result<()> {
    for below in ["objects", "refs/heads"] {
        std::fs::create_dir_all(folder.join(".git").join(below))?;
    }
    std::fs::write(folder.join(".git/config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")?;
    set_head(folder, &format!("ref: refs/heads/{branch}"))
}

/// Writes a repository's HEAD, where it lies in a folder of its own or in that of a worktree.
pub(crate) fn set_head(folder: &Path, head: &str) -> std::io::Result<()> {
    std::fs::write(head_file(folder), format!("{head}\n"))
}

/// The file of a workspace's HEAD.
pub(crate) fn head_file(folder: &Path) -> PathBuf {
    match std::fs::read_to_string(folder.join(".git")) {
        Ok(text) => folder.join(text.trim().trim_start_matches("gitdir: ")).join("HEAD"),
        Err(_) => folder.join(".git/HEAD"),
    }
}

impl SupervisionWorld {
    /// What is seen of the supervisor besides its answers.
    pub(crate) fn scene(&self) -> Result<Rc<dyn SupervisionScene>, Stop> {
        self.state.scene.clone().ok_or_else(|| Stop::CouldNotTest("the containers of this system are not seen".into()))
    }

    /// The supervisor in memory, for what is done to no other; `why` ends the sentence that says so.
    pub(crate) fn in_memory(&self, why: &str) -> Result<Rc<InMemorySupervisor>, Stop> {
        self.scene()?.in_memory().ok_or_else(|| Stop::Skipped(format!("{IN_MEMORY_ALONE}{why}")))
    }

    /// How often a container's agent was pinged.
    pub(crate) fn pings(&self, container: &str) -> Result<u64, Stop> {
        let unseen = || Stop::Skipped(format!("{IN_MEMORY_ALONE}how a system pings its agents is its own affair, and is not seen"));
        self.scene()?.pings(container).ok_or_else(unseen)
    }

    /// Does nothing for so long.
    pub(crate) async fn idle(&self, time: Duration) -> Result<(), Stop> {
        match self.scene()?.patience() {
            Some(patience) if time > patience => Err(Stop::Skipped(format!("{IN_MEMORY_ALONE}it waits {} s for nothing", time.as_secs()))),
            _ => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Result<SupervisionPolicy, Stop> {
        Ok(self.scene()?.policy())
    }

    /// The health limit: so long after something happened to an agent it is noticed at the latest.
    pub(crate) fn health_limit(&self) -> Result<Duration, Stop> {
        let policy = self.policy()?;
        let checks = u32::try_from(policy.failures).unwrap_or(u32::MAX).saturating_add(1);
        Ok((policy.interval + policy.timeout) * checks + self.limits.observe)
    }

    /// The session of that label.
    pub(crate) fn one(&self, label: &str) -> Result<&SupervisedSession, Stop> {
        let found = self.state.sessions.iter().find(|session| session.label == label);
        found.ok_or_else(|| Stop::CouldNotTest(format!("no step names a session \"{label}\"")))
    }

    /// Its id.
    pub(crate) fn id(&self, label: &str) -> Result<String, Stop> {
        self.one(label)?.id.clone().ok_or_else(|| Stop::Blocked(format!("the supervisor gave no session \"{label}\" an id")))
    }

    /// Makes the workspace of a session, or finds it again.
    pub(crate) fn workspace(&mut self, label: &str) -> Result<PathBuf, Stop> {
        if let Ok(session) = self.one(label) {
            return Ok(session.workspace.clone());
        }
        let made = self.scene()?.make_workspace(BRANCH);
        let workspace = made.map_err(|error| Stop::CouldNotTest(format!("no workspace: {error}")))?;
        self.state.sessions.push(SupervisedSession {
            label: label.to_owned(),
            role: ROLE.to_owned(),
            id: None,
            workspace: workspace.clone(),
            seen: None,
        });
        Ok(workspace)
    }

    /// The runs of a session's agents, in the order of their starts.
    pub(crate) fn runs(&self, label: &str) -> Result<Vec<FakeRun>, Stop> {
        let workspace = self.one(label)?.workspace.display().to_string();
        Ok(self.registry.runs().into_iter().filter(|run| run.cwd == workspace).collect())
    }

    /// The run of a session's agent that lives.
    pub(crate) fn run(&self, label: &str) -> Result<FakeRun, Stop> {
        let live = self.runs(label)?.into_iter().rev().find(|run| self.processes.alive(run.pid, run.started_ticks));
        live.ok_or_else(|| Stop::Blocked(format!("no agent of \"{label}\" lives")))
    }

    /// The containers of a session, as the engine's own books have them.
    pub(crate) fn containers(&self, label: &str) -> Result<Vec<TrueContainer>, Stop> {
        let workspace = self.one(label)?.workspace.clone();
        Ok(self.scene()?.truth().into_iter().filter(|container| container.workspace == workspace).collect())
    }

    /// The session's one container.
    pub(crate) fn container(&self, label: &str) -> Result<TrueContainer, Stop> {
        let mut all = self.containers(label)?;
        all.pop().ok_or_else(|| Stop::Blocked(format!("there is no container of \"{label}\"")))
    }

    /// A session's record as it lies in the registry.
    pub(crate) fn record_file(&self, label: &str) -> Result<Option<Value>, Stop> {
        let bytes = std::fs::read(self.record_path(label)?).ok();
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Where a session's record lies.
    pub(crate) fn record_path(&self, label: &str) -> Result<PathBuf, Stop> {
        let place = self.scene()?.record(&self.one(label)?.role, &self.id(label)?);
        place.ok_or_else(|| Stop::Skipped("the manifest names no place of a session's record (`[supervision] record`)".into()))
    }

    /// Remembers how a session is.
    pub(crate) fn see(&mut self, label: &str) -> Result<(), Stop> {
        let (container, run, at) = (self.container(label)?.id, self.run(label)?.pid, self.log.len());
        let pings = self.scene()?.pings(&container).unwrap_or_default();
        let seen = Some(SeenSession { container, agent: run, at, pings });
        self.state.sessions.iter_mut().filter(|session| session.label == label).for_each(|session| session.seen.clone_from(&seen));
        Ok(())
    }

    /// How a session was seen last.
    pub(crate) fn seen(&self, label: &str) -> Result<SeenSession, Stop> {
        self.one(label)?.seen.clone().ok_or_else(|| Stop::Blocked(format!("\"{label}\" never ran")))
    }

    /// What was announced of a session, each with its time and its place in the trace.
    pub(crate) fn told(&self, label: &str) -> Result<Vec<(u64, usize, Announcement)>, Stop> {
        let offered = self.driver.driver().announcements();
        if !offered.by_waiting && !offered.by_stream {
            return Err(Stop::Skipped("the manifest maps no announcements: neither `wait_events` nor `[events]`".into()));
        }
        let id = self.id(label)?;
        Ok(self.log.read(|records| {
            let of = |(at, record): (usize, &Record)| match &record.entry {
                Entry::Event(said) if said.session_id().as_str() == id => Some((record.at_ms.unwrap_or_default(), at, said.clone())),
                _ => None,
            };
            records.iter().enumerate().filter_map(of).collect()
        }))
    }

    /// Looks again and again, at most so long, until nothing is wrong; gives what was wrong last.
    pub(crate) async fn in_time(
        &mut self,
        limit: Duration,
        mut look: impl AsyncFnMut(&mut Self) -> Result<Option<String>, Stop>,
    ) -> Result<Option<String>, Stop> {
        let deadline = tokio::time::Instant::now() + limit;
        // Real time is waited for by somebody.
        let look_again = if self.scene()?.patience().is_some() { LOOK_AGAIN / 10 } else { LOOK_AGAIN };
        loop {
            let last_chance = tokio::time::Instant::now() >= deadline;
            match look(self).await? {
                None => return Ok(None),
                Some(wrong) if last_chance => return Ok(Some(wrong)),
                Some(_) => tokio::time::sleep(look_again).await,
            }
        }
    }

    /// Asks beside the last answer, which stays.
    pub(crate) async fn ask_aside(&mut self, operation: &'static str, given: Args) -> Result<Answered, Stop> {
        let last = self.last.take();
        let answer = self.ask(operation, given).await;
        self.last = last;
        answer
    }

    /// What becomes of the sessions when their steps are over: each record, and whether its agent lives in its container.
    async fn look_at_records(&mut self) {
        let Ok(limit) = self.health_limit() else { return };
        let Ok(scene) = self.scene() else { return };
        if scene.in_memory().is_some_and(|supervisor| supervisor.running().is_none()) {
            return;
        }
        // An engine that is away hides what there is, and that is no fault of the supervisor.
        scene.behave();
        if scene.patience().is_none() {
            tokio::time::sleep(limit).await;
        } else {
            // As soon as records and truth agree there is nothing to wait for.
            let _ = self.in_time(limit, async |w| Ok(rules::disagreement(&w.now_recorded()))).await;
        }
        for entry in self.now_recorded() {
            self.log.push(entry);
        }
    }

    /// Each record now, and where an agent of its session lives.
    fn now_recorded(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for label in self.state.sessions.iter().map(|session| session.label.clone()).collect::<Vec<_>>() {
            let (Ok(id), Ok(record), Ok(containers)) = (self.id(&label), self.record_file(&label), self.containers(&label)) else {
                continue;
            };
            // What cannot be read says nothing, true or not.
            if record.is_none() && self.record_path(&label).is_ok_and(|path| path.exists()) {
                continue;
            }
            let living = containers.into_iter().filter(|container| container.agent.is_some()).map(|container| container.id).collect();
            entries.push(Entry::Recorded { session_id: id.as_str().into(), record, living: Some(living) });
        }
        entries
    }
}
