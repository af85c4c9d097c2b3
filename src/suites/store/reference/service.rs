//! The store behind the fronts: arguments become calls, answers become results.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::contract::{Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable, STORE_OPERATIONS};
use crate::frontends::service::Service;

use super::store::{New, StateUpdate, Store};

impl Store {
    /// Answers one operation of the contract's table.
    ///
    /// # Errors
    /// The contract's.
    pub fn answer(&self, operation: &str, args: &Args) -> Result<Args, ContractError> {
        let unknown = || ContractError::new(ErrorCode::InvalidArgument, format!("there is no operation `{operation}`"));
        let args = OperationSpec::find(STORE_OPERATIONS, operation).ok_or_else(unknown)?.accept(args)?;
        let text = |name: &str| args.get(name).and_then(Value::as_str);
        let object = |name: &str| args.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let id = text("session_id").unwrap_or_default();
        let input = args.get("input").unwrap_or(&Value::Null);
        let result = match operation {
            "create_session" => {
                let new = New {
                    agent_name: text("agent_name").unwrap_or_default().to_owned(),
                    purpose: text("purpose").unwrap_or_default().to_owned(),
                    metadata: object("metadata"),
                    session_id: text("session_id").map(str::to_owned),
                };
                json!({ "session_id": self.create(new)? })
            }
            "update_state" => {
                let change = StateUpdate {
                    phase: text("phase").map(str::to_owned),
                    metadata: object("metadata"),
                    error: text("error").map(str::to_owned),
                };
                self.update(id, change)?;
                json!({})
            }
            "should_resume" => {
                let decision = self.should_resume(id)?;
                json!({ "resume": decision.resume(), "reason": decision.reason })
            }
            "get_session" => json!({ "session": self.get(id)? }),
            "list_sessions" => {
                let active_only = args.get("active_only").and_then(Value::as_bool).unwrap_or_default();
                let listed = self.list(active_only, text("agent_name"))?;
                let sessions: Vec<Value> = listed
                    .sessions
                    .iter()
                    .map(|record| {
                        json!({
                            "session_id": record.agent_id,
                            "agent_name": record.agent_name,
                            "phase": record.phase,
                            "created_at": record.created_at,
                            "last_updated": record.last_updated,
                        })
                    })
                    .collect();
                json!({ "sessions": sessions, "skipped": listed.skipped })
            }
            "finalize_session" => {
                self.finalize(id, text("outcome").unwrap_or_default(), text("summary"))?;
                json!({})
            }
            "cleanup_sessions" => json!({ "removed": self.cleanup(args.get("hours").and_then(Value::as_f64).unwrap_or(f64::NAN))? }),
            "pre_delegate" => return Ok(self.pre_delegate(input)?),
            "subagent_stop" => return Ok(self.subagent_stop(input)?),
            _ => return Err(unknown()),
        };
        match result {
            Value::Object(result) => Ok(result),
            _ => unreachable!("every result above is an object"),
        }
    }
}

/// A store behind the fronts.
#[derive(Debug)]
pub struct ServedStore {
    store: Store,
    /// A store announces nothing; the channel is open all the same, for a closed one says that the service is gone.
    nothing: broadcast::Sender<Announcement>,
}

impl ServedStore {
    /// Puts a store behind the fronts.
    pub fn new(store: Store) -> Self {
        Self { store, nothing: broadcast::channel(1).0 }
    }
}

#[async_trait]
impl Service for ServedStore {
    fn operations(&self) -> OperationTable {
        STORE_OPERATIONS
    }

    /// On a thread of its own: a change waits for whoever else changes the session, and nobody is to wait with it.
    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
        let operation = operation.to_owned();
        let answer = tokio::task::spawn_blocking(move || self.store.answer(&operation, &args));
        answer.await.unwrap_or_else(|failed| Err(ContractError::new(ErrorCode::Internal, failed.to_string())))
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.nothing.subscribe()
    }

    async fn shutdown(&self) {}
}
