//! What a worker asks of the manager, each within its limit.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::contract::{Args, ContractError, ErrorCode, Status};

use super::WorkerWalk;

/// The least and the most that one call is given; between them, a quarter of the worker's deadline.
const CALL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

impl WorkerWalk {
    /// One call, within its limit.
    pub(crate) async fn call(&self, operation: &str, args: Value) -> Result<Args, ContractError> {
        let limit = (self.task.deadline() / 4).clamp(CALL.0, CALL.1);
        let Value::Object(args) = args else { unreachable!("arguments are written as objects") };
        match timeout(limit, self.orchestra.client.call(operation, args)).await {
            Ok(answer) => answer,
            Err(_) => Err(ContractError::new(ErrorCode::Timeout, format!("{operation}: no answer within {} s", limit.as_secs_f64()))),
        }
    }

    pub(crate) async fn list(&self) -> Result<Vec<Value>, ContractError> {
        let mut answer = self.call("list_sessions", json!({})).await?;
        Ok(answer.get_mut("sessions").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
    }

    fn entry<'a>(&self, listed: &'a [Value]) -> Option<&'a Value> {
        let session = self.session.as_ref()?;
        listed.iter().find(|item| item["session_id"] == session.as_str())
    }

    /// Whether the list has the session with a status that is alive, or with none.
    pub(crate) fn lives_in(&self, listed: &[Value]) -> bool {
        self.entry(listed).is_some_and(|item| item["status"].as_str().and_then(Status::from_name).is_none_or(Status::is_alive))
    }

    pub(crate) async fn is_listed(&self) -> bool {
        self.list().await.is_ok_and(|listed| self.entry(&listed).is_some())
    }

    /// The status that the list gives the session, where it has it and says one.
    pub(crate) async fn status(&self) -> Option<Status> {
        let listed = self.list().await.ok()?;
        Status::from_name(self.entry(&listed)?["status"].as_str()?)
    }
}
