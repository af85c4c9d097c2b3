//! One rehearsal: it is prepared as a plan says, an orchestrator works on it, and what it did is judged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::contract::{TurnStatus, WorkerState};
use crate::core::clock::Clock;
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::{ScenarioRun, Strain, meta, unplayed};
use crate::fakes::control::ControlCommand;
use crate::fakes::registry::{AgentRegistry, FakeRun};
use crate::fakes::sim::SimWorld;
use crate::frontends::service::Opening;
use crate::profile::Profiles;
use crate::results::model::{Finding, Origin, Verdict};
use crate::results::verdict_of;
use crate::spec::{Registry, RequirementId};
use crate::suites::orchestrator::reference::Assignment;
use crate::suites::orchestrator::rules::judge;
use crate::suites::orchestrator::steps::{Expected, Plan, PlannedTurn, Work};
use crate::trace::settings::Settings;
use crate::trace::{Entry, Fact, Log, Outcome, Record, Worker};

use super::difficult::{BESIDE, Difficult};

/// What a reply is made of.
const SENTENCE: &str = "all of it is done and tested. ";

/// The requirement that an orchestrator reports its work as it is.
const REPORTS: &str = "OR-12";

/// What is said of an orchestrator that floods the manager.
const FLOODED: &str = "the orchestrator made more calls than the gate answers, and was ended: what it would have done is not known";

/// A rehearsal.
pub(crate) struct Rehearsal {
    pub(crate) log: Log,
    pub(crate) manager: Arc<Difficult>,
    pub(crate) work: Vec<Assignment>,
}

/// How an orchestrator came out.
pub(crate) struct Ended {
    /// Its exit status; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Whether it had to be ended, long after the last deadline.
    pub(crate) overdue: bool,
    /// Whether it was ended in the middle, because it asked more than is answered: how it would have come out is not known.
    pub(crate) flooded: bool,
    /// What it told of its workers.
    pub(crate) outcomes: Vec<Outcome>,
    /// The end of what it wrote on standard error.
    pub(crate) stderr: String,
}

impl Rehearsal {
    /// Prepares one: the manager is up, the work is known, and agents will play their parts. Work is in folders of
    /// `below`, which are made in the simulated world alone.
    pub(crate) async fn set(
        planned: &PlannedScenario,
        plan: &Plan,
        below: &Path,
        profiles: &Profiles,
        clock: Clock,
        opening: Opening,
    ) -> Self {
        let log = Log::new(clock);
        log.push(meta(planned, "gate", profiles));
        let registry = AgentRegistry::new(log.clone());
        let world = SimWorld::new(registry.clone(), profiles.clone(), clock);
        let mut assigned = Vec::new();
        for (worker, work) in plan.workers.iter().enumerate() {
            let folder = below.join(worker.to_string());
            world.make_folder(&folder);
            let (cwd, deadline_s) = (folder.display().to_string(), f64::from(work.deadline_s));
            log.push(Entry::Worker(Worker { worker, agent: work.agent, cwd: cwd.clone(), deadline_s }));
            assigned.push(Assignment { agent: work.agent, cwd, message: format!("Do the work of worker {worker}."), deadline_s });
        }
        let manager = Difficult::open(opening(world, clock), plan.manager.clone(), profiles.clone(), registry.clone()).await;
        let parts = assigned.iter().map(|assigned| assigned.cwd.clone()).zip(plan.workers.clone()).collect();
        tokio::spawn(play(registry, parts));
        Self { log, manager, work: assigned }
    }

    /// The work, as `PASSMUSTER_WORKERS` says it.
    pub(crate) fn workers(&self) -> String {
        json!(self.work).to_string()
    }

    /// Judges what is on record.
    pub(crate) fn judged(&self, planned: &PlannedScenario, plan: &Plan, ended: Ended, profiles: &Profiles) -> ScenarioRun {
        for outcome in &ended.outcomes {
            self.log.push(Entry::Outcome(outcome.clone()));
        }
        if ended.flooded {
            self.log.push(Entry::Note { text: FLOODED.into() });
        } else {
            self.log.push(Entry::OrchestratorExited { code: ended.code, overdue: ended.overdue });
        }
        let trace = self.log.records();
        let mut result = unplayed(planned, Verdict::Passed, None, Vec::new());
        result.duration_ms = self.log.clock().elapsed_ms();
        let asked = |record: &Record| matches!(&record.entry, Entry::Request { op, .. } if op == "start_session");
        // Whoever says that all is done, or never ends, has said something that can be judged.
        if !trace.iter().any(asked) && !ended.overdue && ended.code != Some(0) {
            (result.verdict, result.reason) = (Verdict::Blocked, Some(format!("the orchestrator started no session{}", about(&ended))));
            return ScenarioRun { result, trace, strain: Strain::default() };
        }
        let judgement = judge(&trace, &Settings::of(profiles));
        let mut findings: Vec<Finding> = Vec::new();
        let is_broken = |findings: &[Finding]| verdict_of(findings, Registry::embedded()) == Verdict::Failed;
        for expected in &plan.expected {
            match expected {
                Expected::Rules => findings.extend(
                    judgement
                        .contradictions
                        .iter()
                        .map(|found| Finding::of(found.clone(), Origin::Step("every rule is kept".into()), &trace, &ended.stderr)),
                ),
                // Whoever gave the work up too early has broken the rule that says so, and may tell it.
                Expected::Done if is_broken(&findings) && turns_completed(&trace) < plan.workers.len() => {}
                Expected::Done => findings.extend(unlike(&ended, true, &trace)),
                Expected::NotDone => findings.extend(unlike(&ended, false, &trace)),
            }
        }
        // A requirement that the trace gave no occasion to judge was not exercised.
        let asks = |expected: &[Expected]| plan.expected.iter().any(|one| expected.contains(one));
        let by_rules = |id: &RequirementId| asks(&[Expected::Rules]) && judgement.tallies.contains_key(id);
        let by_reports = |id: &RequirementId| asks(&[Expected::Done, Expected::NotDone]) && id.as_str() == REPORTS;
        let judged = |id: &RequirementId| by_rules(id) || by_reports(id) || findings.iter().any(|it| it.requirement == *id);
        let (exercised, idle): (Vec<_>, Vec<_>) = result.requirements.iter().cloned().partition(judged);
        let why = |id: &RequirementId| {
            let unjudged = judgement.unjudged.iter().find(|(of, _)| of == id).map_or("there was no occasion", |(_, why)| why);
            let why = if asks(&[Expected::Rules]) { unjudged } else { "the scenario does not say `every rule is kept`" };
            format!("nothing of {id} was judged: {why}")
        };
        result.reason = (!idle.is_empty()).then(|| idle.iter().map(why).collect::<Vec<_>>().join("; "));
        result.verdict = match verdict_of(&findings, Registry::embedded()) {
            Verdict::Passed if exercised.is_empty() => Verdict::Skipped,
            verdict => verdict,
        };
        if result.verdict != Verdict::Skipped {
            result.requirements = exercised;
        }
        if ended.flooded && findings.is_empty() {
            (result.verdict, result.reason) = (Verdict::CouldNotTest, Some(FLOODED.into()));
        }
        result.findings = findings;
        ScenarioRun { result, trace, strain: Strain::default() }
    }
}

/// What contradicts that the work is reported done, or not done.
fn unlike(ended: &Ended, done: bool, trace: &[Record]) -> Option<Finding> {
    let said_done = ended.code == Some(0) && ended.outcomes.iter().all(|outcome| outcome.state == WorkerState::Done);
    let said_not = ended.code != Some(0) && (ended.outcomes.is_empty() || ended.outcomes.iter().any(|one| one.state != WorkerState::Done));
    if ended.flooded || if done { said_done } else { said_not } {
        return None;
    }
    let outcomes: Vec<String> = ended.outcomes.iter().map(|one| format!("{}: {}", one.worker, one.state.name())).collect();
    Some(Finding {
        requirement: REPORTS.parse().expect("an id"),
        message: if done { "the work was done and is not reported so" } else { "the work was not done and is reported as if it were" }
            .into(),
        claimed: format!(
            "exit status {}{}",
            status(ended),
            if outcomes.is_empty() { String::new() } else { format!(", outcomes {}", outcomes.join(", ")) }
        ),
        truth: format!("{} of the agents' turns were completed", turns_completed(trace)),
        origin: Origin::Step(if done { "all work is reported done" } else { "work is reported that is not done" }.into()),
        timeline: Vec::new(),
        stderr: ended.stderr.clone(),
        repro: String::new(),
    })
}

/// How many turns of the agents were completed.
fn turns_completed(trace: &[Record]) -> usize {
    trace.iter().filter(|record| matches!(&record.entry, Entry::Truth(Fact::TurnCompleted { status: None, .. }))).count()
}

fn status(ended: &Ended) -> String {
    match ended.code {
        Some(code) => code.to_string(),
        None if ended.overdue => "none: it was ended".into(),
        None => "none: a signal ended it".into(),
    }
}

fn about(ended: &Ended) -> String {
    let said = ended.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing on standard error");
    format!(" (exit status {}): {said}", status(ended))
}

/// Plays the agents: each first turn goes as it was planned, by the folder that it is in.
async fn play(registry: AgentRegistry, parts: Vec<(String, Work)>) {
    let mut played = 0;
    loop {
        let run = registry.until(|runs| runs.get(played).filter(|run| run.over || !run.prompts.is_empty()).cloned()).await;
        played += 1;
        if let Some((_, work)) = parts.iter().find(|(cwd, _)| *cwd == run.cwd) {
            tokio::spawn(turn(registry.clone(), run, work.clone()));
        }
    }
}

async fn turn(registry: AgentRegistry, run: FakeRun, work: Work) {
    let (after, status) = match work.turn {
        PlannedTurn::Completes(after) => (after, TurnStatus::Completed),
        PlannedTurn::Fails(after) => (after, TurnStatus::Failed),
        PlannedTurn::Dies(after) => {
            tokio::time::sleep(Duration::from_secs(after.into()) + BESIDE).await;
            registry.send(&run.id, ControlCommand::Die);
            return;
        }
        PlannedTurn::Never => return,
    };
    tokio::time::sleep(Duration::from_secs(after.into()) + BESIDE).await;
    let reply: String = SENTENCE.chars().cycle().take(work.reply_chars.max(SENTENCE.len())).collect();
    registry.release(&run.id, 1, &reply, status);
}
