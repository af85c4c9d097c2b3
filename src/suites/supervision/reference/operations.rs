//! The operations of the contract, answered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::containers::engine::RelayError;
use crate::contract::{
    Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable, SUPERVISION_OPERATIONS, SupervisedState, TEXT_LIMIT,
};
use crate::frontends::service::Service;

use super::launching::NewSession;
use super::record::{SessionHealth, SupervisedRecord};
use super::supervisor::{Supervised, Supervisor, lock};

fn fail(code: ErrorCode, why: impl Into<String>) -> ContractError {
    ContractError::new(code, why)
}

impl Supervisor {
    /// Answers one operation of the contract's table.
    ///
    /// # Errors
    /// The contract's.
    pub(crate) async fn answer(self: &Arc<Self>, operation: &str, args: &Args) -> Result<Args, ContractError> {
        let unknown = || fail(ErrorCode::InvalidArgument, format!("there is no operation `{operation}`"));
        let args = OperationSpec::find(SUPERVISION_OPERATIONS, operation).ok_or_else(unknown)?.accept(args)?;
        let text = |name: &str| args.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).unwrap_or_default().to_owned();
        let flag = |name: &str| args.get(name).and_then(Value::as_bool).unwrap_or_default();
        let session = || self.find(text("session_id").unwrap_or_default());
        let result = match operation {
            "start_session" => {
                let new = NewSession {
                    agent: owned("agent"),
                    workspace: owned("cwd").into(),
                    role: owned("role"),
                    branch: owned("branch"),
                    message: text("message").map(str::to_owned),
                    auto_restart: flag("auto_restart"),
                    session_id: text("session_id").map(str::to_owned),
                };
                let session = self.start(new).await?.record();
                json!({ "session_id": session.session_id, "container_id": session.container_id })
            }
            "list_sessions" => {
                let sessions: Vec<Value> = self.all().iter().map(|session| entry(&session.record())).collect();
                let skipped: Vec<Value> =
                    lock(&self.skipped).iter().map(|skipped| json!({ "path": skipped.path, "reason": skipped.reason })).collect();
                json!({ "sessions": sessions, "skipped": skipped })
            }
            "inspect_session" => json!({ "session": session()?.record() }),
            "get_session_data" => self.read(&*session()?, args.get("tail_chars").and_then(Value::as_i64))?,
            "send_message" => {
                self.send(&session()?, text("message").unwrap_or_default()).await?;
                json!({})
            }
            "pause_session" => {
                let session = session()?;
                self.pause(&session).await?;
                json!({ "state": session.state() })
            }
            "resume_session" => {
                let session = session()?;
                self.resume(&session).await?;
                json!({ "state": session.state() })
            }
            "restart_session" => {
                let session = session()?;
                self.restart(&session).await?;
                json!({ "container_id": session.container() })
            }
            "stop_session" => {
                let grace = args.get("grace_s").and_then(Value::as_f64).map(|grace| {
                    Duration::try_from_secs_f64(grace)
                        .map_err(|_| fail(ErrorCode::InvalidArgument, format!("`grace_s` is {grace}, wanted a number of seconds")))
                });
                self.stop(&session()?, grace.transpose()?).await?;
                json!({})
            }
            "set_auto_restart" => {
                self.toggle(&session()?, flag("on")).await;
                json!({})
            }
            "check_health" => self.check(text("session_id")).await?,
            "wait_events" => {
                let wait = args.get("timeout_s").and_then(Value::as_f64).and_then(|wait| Duration::try_from_secs_f64(wait).ok());
                self.news.after(text("after"), wait.unwrap_or_default()).await
            }
            _ => return Err(unknown()),
        };
        match result {
            Value::Object(result) => Ok(result),
            _ => unreachable!("every result above is an object"),
        }
    }

    /// How many bytes the agent that runs now has written.
    pub(crate) fn written(&self, session: &Supervised) -> u64 {
        session.edit(|record| record.transcripts.last().map_or(0, |file| self.relay.written(file)))
    }

    /// What a session's agents wrote, as this supervisor reads it.
    pub(crate) fn text(&self, session: &Supervised) -> String {
        let record = session.record();
        let all: String = record.transcripts.iter().filter_map(|file| self.relay.transcript(file)).collect();
        let (behavior, live) = (self.behavior(), session.live());
        let all = all.get(live.since..).unwrap_or_default().to_owned();
        match live.gap.filter(|(from, to)| from < to && all.is_char_boundary(*from) && all.is_char_boundary(*to)) {
            Some((from, to)) if behavior.loses_output => format!("{}{}", &all[..from], &all[to..]),
            Some((from, to)) if behavior.doubles_output => format!("{}{}", &all[..to], &all[from..]),
            _ => all,
        }
    }

    fn read(&self, session: &Supervised, tail: Option<i64>) -> Result<Value, ContractError> {
        let limit = match tail {
            None => TEXT_LIMIT,
            Some(tail) => usize::try_from(tail)
                .ok()
                .filter(|tail| (1..=TEXT_LIMIT).contains(tail))
                .ok_or_else(|| fail(ErrorCode::InvalidArgument, format!("`tail_chars` is {tail}, wanted 1 to {TEXT_LIMIT}")))?,
        };
        let text = self.text(session);
        let count = text.chars().count();
        let kept: String = text.chars().skip(count.saturating_sub(limit)).collect();
        Ok(json!({ "text": kept, "truncated": count > limit, "pending": count == 0 }))
    }

    async fn send(self: &Arc<Self>, session: &Arc<Supervised>, message: &str) -> Result<(), ContractError> {
        if message.is_empty() {
            return Err(fail(ErrorCode::InvalidArgument, "`message` is empty"));
        }
        let _turn = self.turn(session).await;
        let behavior = self.behavior();
        self.on_branch(session)?;
        let record = session.record();
        match record.state {
            SupervisedState::Running => {}
            SupervisedState::Paused if behavior.types_while_paused => {}
            SupervisedState::Paused if behavior.forgets_messages => return Ok(()),
            SupervisedState::Paused if behavior.keeps_messages || behavior.keeps_twice => {
                session.live().kept.push(message.to_owned());
                return Ok(());
            }
            SupervisedState::Paused => return Err(fail(ErrorCode::SessionPaused, "the session is paused: resume it first")),
            state => return Err(fail(ErrorCode::SessionEnded, format!("the session is `{}`", state.name()))),
        }
        if behavior.never_recovers_branch && session.live().drifted {
            return Err(fail(ErrorCode::BranchMismatch, "the session was off its branch"));
        }
        if session.live().deaf {
            return Ok(());
        }
        self.relay.send(&record.container_id.unwrap_or_default(), message).await.map_err(|error| match error {
            RelayError::Gone => fail(ErrorCode::SessionEnded, "the session's agent is gone"),
            RelayError::Silent => fail(ErrorCode::Timeout, "the session's agent does not take what is typed"),
        })
    }

    async fn toggle(self: &Arc<Self>, session: &Arc<Supervised>, on: bool) {
        let _turn = self.turn(session).await;
        if self.behavior().ignores_toggle {
            return;
        }
        session.edit(|record| record.auto_restart = on);
        if !on {
            self.cancel(session);
        }
        self.write(session).await;
        if on && session.state() == SupervisedState::Error {
            self.schedule(session).await;
        }
    }

    async fn check(self: &Arc<Self>, id: Option<&str>) -> Result<Value, ContractError> {
        let sessions = match id {
            Some(id) => vec![self.find(id)?],
            None => self.all(),
        };
        if !self.look_at_all().await {
            return Err(fail(ErrorCode::EngineUnavailable, "the container engine does not say what there is"));
        }
        let check = |session: &Arc<Supervised>| {
            let record = session.record();
            let healthy = record.state.is_alive() && record.health == SessionHealth::Ok;
            json!({ "session_id": record.session_id, "healthy": healthy, "failures": record.failures, "reason": record.reason })
        };
        Ok(json!({ "checks": sessions.iter().map(check).collect::<Vec<_>>() }))
    }
}

fn entry(record: &SupervisedRecord) -> Value {
    json!({
        "session_id": record.session_id,
        "role": record.role,
        "state": record.state,
        "health": record.health,
        "container_id": record.container_id,
        "branch": record.branch,
        "started_at": record.started_at,
    })
}

#[async_trait]
impl Service for Supervisor {
    fn operations(&self) -> OperationTable {
        SUPERVISION_OPERATIONS
    }

    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
        self.answer(operation, &args).await
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.news.subscribe()
    }

    async fn shutdown(&self) {
        self.crash();
    }
}
