//! The reference orchestrator: a model for implementers. It runs workers through the state machine `next-work`, over any
//! front, and obeys every rule of the suite `orchestrator`.
//!
//! [`crate::contract::worker_machine`] says what may follow what; a worker is one walk through it; [`Choices`] are what it does where it could do
//! otherwise, and where its [named faults](crate::suites::orchestrator::faults) do.

pub(crate) mod news;
pub(crate) mod worker;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use serde_json::Value;

use crate::contract::{AgentKind, Announcement, Args, SessionId};
use crate::profile::{Mode, Phase, Profiles};
use crate::trace::{Outcome, WorkerState};

use crate::frontends::clients::Client;
use news::News;
use worker::WorkerWalk;

pub(crate) use crate::suites::orchestrator::behavior::{Choices, ReportedExit, WhenOneFails};
use crate::suites::orchestrator::behavior::{EndsBesides, ToldOutcomes};

/// What one worker is to do, as `PASSMUSTER_WORKERS` says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// Its agent.
    pub agent: AgentKind,
    /// Its folder.
    pub cwd: String,
    /// What the agent is told.
    pub message: String,
    /// How long it may take, in seconds.
    pub deadline_s: f64,
}

impl Assignment {
    /// How long it may take; a day where nothing sensible is said.
    fn deadline(&self) -> Duration {
        Duration::try_from_secs_f64(self.deadline_s).unwrap_or(Duration::from_secs(86_400))
    }
}

/// How one worker came out, and what it has to tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WorkerReport {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its session, where one was started.
    #[serde(rename = "session_id", skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What went wrong; empty where nothing did.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What all workers share.
pub(crate) struct Orchestra {
    client: Arc<dyn Client>,
    choices: Choices,
    profiles: Profiles,
    news: Arc<News>,
    stop: CancellationToken,
}

impl Orchestra {
    /// Whether an agent's sessions can be observed as soon as they are started.
    fn observable_from_start(&self, agent: AgentKind) -> bool {
        self.profiles.get(agent, Mode::Interactive).observable == Phase::Started
    }

    /// Ends whatever is listed: only a faulty orchestrator does that.
    async fn end_everybodys(&self) {
        let Ok(mut listed) = self.client.call("list_sessions", Args::new()).await else { return };
        for item in listed.get_mut("sessions").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default() {
            let id = [("session_id".to_owned(), item["session_id"].clone())];
            let _ = self.client.call("end_session", Args::from_iter(id)).await;
        }
    }
}

/// Tells of each worker how the one before it came out: only a faulty orchestrator does that.
fn tell_of_neighbours(mut reports: Vec<WorkerReport>, mut tell: impl FnMut(&WorkerReport)) {
    reports.sort_by_key(|report| report.outcome.worker);
    let outcomes: Vec<Outcome> = reports.iter().map(|report| report.outcome.clone()).collect();
    for (report, outcome) in reports.iter_mut().zip(outcomes.iter().cycle().skip(outcomes.len().saturating_sub(1))) {
        report.outcome = Outcome { worker: report.outcome.worker, ..outcome.clone() };
        tell(report);
    }
}

/// Runs every worker, all at once, and tells each one's report as it comes. Returns whether all work is done, as the exit
/// status is to say it. `stop` calls the work off: what is open is looked at, ended and reported.
pub(crate) async fn orchestrate(
    client: Arc<dyn Client>,
    pushed: mpsc::UnboundedReceiver<Announcement>,
    profiles: Profiles,
    choices: Choices,
    tasks: Vec<Assignment>,
    stop: CancellationToken,
    mut tell: impl FnMut(&WorkerReport),
) -> bool {
    let news = Arc::new(News::default());
    let mut listener = JoinSet::new();
    listener.spawn(news.clone().listen(client.clone(), pushed));
    let orchestra = Arc::new(Orchestra { client, choices, profiles, news, stop });
    let mut workers: JoinSet<WorkerReport> =
        tasks.into_iter().enumerate().map(|(number, task)| WorkerWalk::new(orchestra.clone(), number, task).run()).collect();
    let (mut all_done, mut reports) = (true, Vec::new());
    while let Some(report) = workers.join_next().await {
        let report = report.expect("a worker ends in a report");
        let done = report.outcome.state == WorkerState::Done;
        all_done &= done;
        if orchestra.choices.outcomes == ToldOutcomes::Own {
            tell(&report);
        }
        reports.push(report);
        if !done && orchestra.choices.when_one_fails == WhenOneFails::Drop {
            break;
        }
    }
    drop(workers);
    listener.shutdown().await;
    if orchestra.choices.ends_besides == EndsBesides::Everybodys {
        orchestra.end_everybodys().await;
    }
    if orchestra.choices.outcomes == ToldOutcomes::Neighbours {
        tell_of_neighbours(reports, tell);
    }
    orchestra.client.close().await;
    match orchestra.choices.exit {
        ReportedExit::Honest => all_done,
        ReportedExit::Zero => true,
        ReportedExit::NonZero => false,
    }
}
