//! The orchestrator and its faults on difficult managers: the reference in memory, in virtual time, behind a client that
//! makes it difficult and records what is asked of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::contract::{AgentKind, Args, ContractError, ErrorCode, TurnStatus};
use crate::core::clock::{Clock, virtual_runtime};
use crate::fakes::control::ControlCommand;
use crate::fakes::registry::AgentRegistry;
use crate::fakes::sim::SimWorld;
use crate::frontends::service::Service;
use crate::profile::{Choice, Profiles};
use crate::suites::manager::reference::store::SimStore;
use crate::suites::manager::reference::virtual_host::VirtualHost;
use crate::suites::manager::reference::{Complaints, Manager, ManagerConfig};
use crate::trace::{Entry, Log, Outcome, Record, Worker, WorkerState};

use crate::frontends::clients::Client;
use crate::suites::orchestrator::reference::{Assignment, Choices, orchestrate};

/// What is difficult about a manager, or about the agents behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difficulty {
    Nothing,
    SlowTurn,
    LateAnnouncement,
    LostAnnouncement,
    DuplicatedAnnouncement,
    NotFoundInFirstTurn,
    UnlistedInFirstTurn,
    AgentDies,
    TurnFails,
    NeedsNoSuchCwd,
    EndFailsOnce,
    StartReplyLost,
    Restart,
    LongTranscript,
    NeverEnding,
    Vanishes,
    NoEnd,
}

use Difficulty::*;

static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::load(&Choice::Spec).unwrap());

/// A manager with a difficulty.
struct Difficult {
    manager: Mutex<Arc<Manager>>,
    difficulty: Difficulty,
    log: Log,
    registry: AgentRegistry,
    next: AtomicU64,
    happened: AtomicBool,
    agents: Mutex<BTreeMap<String, (AgentKind, String)>>,
}

impl Difficult {
    fn first_time(&self) -> bool {
        !self.happened.swap(true, Ordering::Relaxed)
    }

    /// Whether a session's first turn is open.
    fn is_unobservable(&self, session: &str) -> bool {
        let known = self.agents.lock().unwrap().get(session).cloned();
        let completed = |cwd: &str| self.registry.runs().iter().any(|run| run.cwd == cwd && run.completed > 0);
        known.is_some_and(|(agent, cwd)| agent == AgentKind::CODEX && !completed(&cwd))
    }

    async fn answer(&self, operation: &str, args: &Args) -> Result<Args, ContractError> {
        let session = args.get("session_id").and_then(Value::as_str).unwrap_or_default();
        match (self.difficulty, operation) {
            (NotFoundInFirstTurn | UnlistedInFirstTurn, "get_session_data") if self.is_unobservable(session) => {
                return Err(ContractError::new(ErrorCode::SessionNotFound, "no session file"));
            }
            (Vanishes, "get_session_data") if self.log.clock().elapsed() > Duration::from_secs(4) => {
                return Err(ContractError::new(ErrorCode::SessionNotFound, "no such session"));
            }
            (EndFailsOnce, "end_session") if self.first_time() => {
                return Err(ContractError::new(ErrorCode::Internal, "the terminal is busy"));
            }
            (NoEnd, "end_session") => return Err(ContractError::new(ErrorCode::Internal, "the terminal is busy")),
            _ => {}
        }
        let manager = self.manager.lock().unwrap().clone();
        let mut answer = tokio::select! {
            answer = Service::call(manager.clone(), operation, args.clone()) => answer,
            () = manager.crashed() => Err(ContractError::new(ErrorCode::Internal, "the connection was closed")),
        }?;
        match (self.difficulty, operation) {
            (_, "start_session") => {
                let agent = args["agent"].as_str().unwrap().parse().unwrap();
                let cwd = args["cwd"].as_str().unwrap().to_owned();
                self.agents.lock().unwrap().insert(answer["session_id"].as_str().unwrap().to_owned(), (agent, cwd));
            }
            (UnlistedInFirstTurn, "list_sessions") => {
                let sessions = answer["sessions"].as_array_mut().unwrap();
                sessions.retain(|item| !self.is_unobservable(item["session_id"].as_str().unwrap()));
            }
            (LostAnnouncement, "wait_events") => answer["events"].as_array_mut().unwrap().retain(|said| said["event"] != "turn_completed"),
            (DuplicatedAnnouncement, "wait_events") => {
                let said = answer["events"].as_array().unwrap();
                answer["events"] = said.iter().chain(said).cloned().collect();
            }
            (LateAnnouncement, "wait_events") => tokio::time::sleep(Duration::from_secs(3)).await,
            _ => {}
        }
        Ok(answer)
    }
}

#[async_trait]
impl Client for Difficult {
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let is_waiting = operation == "wait_events";
        if !is_waiting {
            self.log.push(Entry::Request { id, op: operation.to_owned(), args: args.clone() });
        }
        let answer = self.answer(operation, &args).await;
        let is_lost = self.difficulty == StartReplyLost && operation == "start_session" && self.first_time();
        match &answer {
            Ok(answer) if is_waiting => {
                for said in answer["events"].as_array().unwrap() {
                    self.log.push(Entry::Event(serde_json::from_value(said.clone()).unwrap()));
                }
            }
            _ if is_waiting => {}
            _ if is_lost => {
                self.log.push(Entry::Reply { id, ok: None, error: Some(ContractError::new(ErrorCode::Timeout, "lost")) });
                std::future::pending::<()>().await;
            }
            Ok(answer) => drop(self.log.push(Entry::Reply { id, ok: Some(answer.clone()), error: None })),
            Err(error) => drop(self.log.push(Entry::Reply { id, ok: None, error: Some(error.clone()) })),
        }
        answer
    }
}

/// What came of a rehearsal.
struct Rehearsed {
    records: Vec<Record>,
    outcomes: Vec<Outcome>,
    all_done: bool,
    /// Agents that run on although everything is over.
    orphans: usize,
    /// Whether it had to be ended from outside.
    overdue: bool,
    took: Duration,
}

impl Rehearsed {
    fn states(&self) -> Vec<WorkerState> {
        self.outcomes.iter().map(|outcome| outcome.state).collect()
    }

    /// When an operation was asked for on a session, in milliseconds.
    fn asked(&self, operation: &str) -> Vec<u64> {
        let asks = |record: &&Record| matches!(&record.entry, Entry::Request { op, .. } if op == operation);
        self.records.iter().filter(asks).filter_map(|record| record.at_ms).collect()
    }

    fn announced_at(&self) -> Option<u64> {
        self.records.iter().find(|record| matches!(record.entry, Entry::Event(_)))?.at_ms
    }
}

fn rehearse(choices: Choices, difficulty: Difficulty, agents: &[AgentKind], deadline_s: f64) -> Rehearsed {
    virtual_runtime().block_on(async {
        let clock = Clock::start_virtual();
        let log = Log::new(clock);
        let registry = AgentRegistry::new(log.clone());
        let profiles = PROFILES.clone();
        let world = SimWorld::new(registry.clone(), profiles.clone(), clock);
        let tasks: Vec<Assignment> = agents
            .iter()
            .enumerate()
            .map(|(number, agent)| {
                let cwd = format!("/work/{number}");
                if difficulty != NeedsNoSuchCwd {
                    world.make_folder(Path::new(&cwd));
                }
                log.push(Entry::Worker(Worker { worker: number, agent: *agent, cwd: cwd.clone(), deadline_s }));
                Assignment { agent: *agent, cwd, message: format!("do {number}"), deadline_s }
            })
            .collect();
        let host = Arc::new(VirtualHost::new(world.clone()));
        let store = Arc::new(SimStore::new(world.clone()));
        let config = ManagerConfig { complaints: Complaints::to(|_| ()), ..ManagerConfig::conforming(clock) };
        let manager = Manager::open(Arc::new(host.clone()), store.clone(), config.clone()).await;
        let client = Arc::new(Difficult {
            manager: Mutex::new(manager),
            difficulty,
            log: log.clone(),
            registry: registry.clone(),
            next: AtomicU64::new(1),
            happened: AtomicBool::new(false),
            agents: Mutex::default(),
        });
        if difficulty == Restart {
            let client = client.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(2500)).await;
                client.manager.lock().unwrap().crash();
                let manager = Manager::open(Arc::new(host), store, config).await;
                *client.manager.lock().unwrap() = manager;
            });
        }
        tokio::spawn(play(registry.clone(), difficulty));
        let mut outcomes = Vec::new();
        let limit = Duration::from_secs_f64(deadline_s * 3.0 + 60.0);
        let run = orchestrate(client, mpsc::unbounded_channel().1, profiles, choices, tasks, CancellationToken::new(), |report| {
            outcomes.push(report.outcome.clone())
        });
        let ended = tokio::time::timeout(limit, run).await;
        let took = clock.elapsed();
        outcomes.sort_by_key(|outcome| outcome.worker);
        for outcome in &outcomes {
            log.push(Entry::Outcome(outcome.clone()));
        }
        let all_done = ended == Ok(true);
        let overdue = ended.is_err();
        log.push(Entry::OrchestratorExited { code: (!overdue).then_some(i32::from(!all_done)), overdue });
        let orphans = registry.runs().iter().filter(|run| world.lives(run.pid)).count();
        Rehearsed { records: log.records(), outcomes, all_done, orphans, overdue, took }
    })
}

/// Ends every agent's first turn in its time.
async fn play(registry: AgentRegistry, difficulty: Difficulty) {
    let mut played = 0;
    loop {
        let run = registry.until(|runs| runs.get(played).filter(|run| !run.prompts.is_empty()).cloned()).await;
        played += 1;
        let after = Duration::from_millis(700) * played as u32;
        let registry = registry.clone();
        tokio::spawn(async move {
            let turn = match difficulty {
                NeverEnding | Vanishes => return,
                SlowTurn => Duration::from_secs(12),
                _ => Duration::from_secs(5),
            };
            // One after the other: who listens to anybody is found out.
            tokio::time::sleep(turn + after).await;
            let reply = if difficulty == LongTranscript { "long ".repeat(12_000) } else { "finished".into() };
            match difficulty {
                AgentDies => drop(registry.send(&run.id, ControlCommand::Die)),
                TurnFails => registry.release(&run.id, 1, "", TurnStatus::Failed),
                _ => registry.release(&run.id, 1, &reply, TurnStatus::Completed),
            }
        });
    }
}

const MIXED: [AgentKind; 10] = {
    [
        AgentKind::CODEX,
        AgentKind::CLAUDE,
        AgentKind::GEMINI,
        AgentKind::CODEX,
        AgentKind::CODEX,
        AgentKind::CLAUDE,
        AgentKind::GEMINI,
        AgentKind::CODEX,
        AgentKind::CLAUDE,
        AgentKind::CODEX,
    ]
};

#[rstest]
#[case::nothing(Nothing, WorkerState::Done)]
#[case::a_slow_turn(SlowTurn, WorkerState::Done)]
#[case::a_late_announcement(LateAnnouncement, WorkerState::Done)]
#[case::a_lost_announcement(LostAnnouncement, WorkerState::Done)]
#[case::a_duplicated_announcement(DuplicatedAnnouncement, WorkerState::Done)]
#[case::not_found_in_the_first_turn(NotFoundInFirstTurn, WorkerState::Done)]
#[case::unlisted_in_the_first_turn(UnlistedInFirstTurn, WorkerState::Done)]
#[case::an_agent_that_dies(AgentDies, WorkerState::Failed)]
#[case::a_turn_that_fails(TurnFails, WorkerState::Failed)]
#[case::a_start_that_is_refused(NeedsNoSuchCwd, WorkerState::Failed)]
#[case::an_end_that_fails_once(EndFailsOnce, WorkerState::Done)]
#[case::a_lost_reply_to_a_start(StartReplyLost, WorkerState::Done)]
#[case::a_restart(Restart, WorkerState::Done)]
#[case::a_long_transcript(LongTranscript, WorkerState::Done)]
#[case::a_turn_that_never_ends(NeverEnding, WorkerState::Failed)]
fn every_worker_comes_to_its_end_and_leaves_nothing(#[case] difficulty: Difficulty, #[case] state: WorkerState) {
    let rehearsed = rehearse(Choices::default(), difficulty, &MIXED, 20.0);
    assert_eq!(rehearsed.states(), [state; 10]);
    assert_eq!((rehearsed.orphans, rehearsed.overdue), (0, false));
    assert_eq!(rehearsed.all_done, state == WorkerState::Done);
    assert!(rehearsed.took < Duration::from_secs(30), "{:?}", rehearsed.took);
    assert!(rehearsed.outcomes.iter().all(|outcome| outcome.truncated == (difficulty == LongTranscript)));
}

#[test]
fn a_codex_session_is_first_read_when_its_turn_was_announced() {
    let rehearsed = rehearse(Choices::default(), SlowTurn, &[AgentKind::CODEX], 20.0);
    assert_eq!(rehearsed.asked("get_session_data").len(), 1);
    assert!(rehearsed.asked("get_session_data")[0] >= rehearsed.announced_at().unwrap());
}

#[test]
fn a_silent_codex_session_is_looked_at_once_after_its_deadline() {
    let rehearsed = rehearse(Choices::default(), NeverEnding, &[AgentKind::CODEX], 20.0);
    let looks = rehearsed.asked("get_session_data");
    assert!(looks.len() == 1 && looks[0] >= 20_000 && rehearsed.asked("end_session")[0] >= looks[0], "{looks:?}");
}

#[test]
fn a_codex_worker_of_two_days_is_escalated_after_one() {
    let rehearsed = rehearse(Choices::default(), NeverEnding, &[AgentKind::CODEX], 172_800.0);
    let ends = rehearsed.asked("end_session");
    assert!(ends.len() == 1 && (86_400_000..86_401_000).contains(&ends[0]), "{ends:?}");
    assert_eq!(rehearsed.states(), [WorkerState::Escalated]);
}

#[test]
fn polls_come_no_faster_than_every_second_and_back_off() {
    let rehearsed = rehearse(Choices::default(), SlowTurn, &[AgentKind::GEMINI], 20.0);
    let polls = rehearsed.asked("get_session_data");
    let gaps: Vec<u64> = polls.windows(2).map(|two| two[1] - two[0]).collect();
    // The last one reads what came of the turn.
    let waits = &gaps[..gaps.len() - 1];
    assert!(waits.len() >= 2 && waits[0] >= 1000 && waits.is_sorted(), "{polls:?}");
}

#[test]
fn an_observable_session_that_is_gone_is_polled_no_more_and_ended() {
    let rehearsed = rehearse(Choices::default(), Vanishes, &[AgentKind::CLAUDE], 20.0);
    assert_eq!(rehearsed.states(), [WorkerState::Failed]);
    assert!(rehearsed.asked("get_session_data").last() <= rehearsed.asked("end_session").first());
    assert_eq!(rehearsed.orphans, 0);
}

#[test]
fn a_session_that_cannot_be_ended_is_escalated_after_some_tries() {
    let rehearsed = rehearse(Choices::default(), NoEnd, &[AgentKind::CLAUDE], 20.0);
    assert_eq!((rehearsed.states(), rehearsed.asked("end_session").len()), (vec![WorkerState::Escalated], 4));
}
