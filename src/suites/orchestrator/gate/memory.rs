//! The reference orchestrator on every scenario, in memory and in virtual time: a day passes at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::clock::{Clock, virtual_runtime};
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::ScenarioRun;
use crate::frontends::service::{Opening, Service};
use crate::profile::Profiles;
use crate::suites::orchestrator::reference::{Choices, orchestrate};
use crate::suites::orchestrator::steps::Plan;

use super::plan_of;
use super::rehearsal::{Ended, Rehearsal};

/// How long after the last deadline it is ended.
const GRACE: Duration = Duration::from_secs(60);

/// Plays one scenario with an orchestrator that makes these choices, on a manager that `opening` makes.
pub(crate) fn play(planned: &PlannedScenario, choices: &Choices, profiles: &Profiles, opening: Opening) -> ScenarioRun {
    let plan = plan_of(planned);
    virtual_runtime().block_on(one(planned, &plan, choices, profiles, opening))
}

async fn one(planned: &PlannedScenario, plan: &Plan, choices: &Choices, profiles: &Profiles, opening: Opening) -> ScenarioRun {
    let rehearsal = Rehearsal::set(planned, plan, Path::new("/work"), profiles, Clock::start_virtual(), opening).await;
    let client: Arc<dyn Service> = rehearsal.manager.clone();
    let (_push, pushed) = mpsc::unbounded_channel();
    let mut outcomes = Vec::new();
    let latest = plan.workers.iter().map(|work| work.deadline_s).max().unwrap_or_default();
    let limit = Duration::from_secs(latest.into()) * 3 + GRACE;
    let stop = CancellationToken::new();
    let work = orchestrate(Arc::new(client), pushed, profiles.clone(), choices.clone(), rehearsal.work.clone(), stop, |report| {
        outcomes.push(report.outcome.clone());
    });
    let (mut done, mut overdue, mut flooded) = (None, false, false);
    tokio::select! {
        all = work => done = Some(all),
        () = rehearsal.manager.flooded() => flooded = true,
        () = tokio::time::sleep(limit) => overdue = true,
    }
    outcomes.sort_by_key(|outcome| outcome.worker);
    let ended = Ended { code: done.map(|done| i32::from(!done)), overdue, flooded, outcomes, stderr: String::new() };
    rehearsal.judged(planned, plan, ended, profiles)
}
