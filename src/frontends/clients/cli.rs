//! The canonical command line: a process for each call.

use std::process::Stdio;

use async_trait::async_trait;
use serde_json::Value;
use tokio::process::Command;

use crate::contract::{Args, ContractError, OperationSpec, SESSION_OPERATIONS};

use super::{Client, broken, refused};

/// A manager behind a program.
#[derive(Debug)]
pub(crate) struct CliClient {
    program: String,
}

impl CliClient {
    /// The manager behind that program.
    pub(crate) fn new(program: String) -> Self {
        Self { program }
    }
}

#[async_trait]
impl Client for CliClient {
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError> {
        let output = Command::new(&self.program)
            .args(words(operation, &args))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| broken(format!("{}: {error}", self.program)))?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return serde_json::from_str(stdout.trim())
                .map_err(|error| broken(format!("{operation}: not a JSON object ({error}): {stdout}")));
        }
        // The error is one JSON object on a line of its own; programs may say other things around it.
        let error = stderr.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok()?.get("error").cloned());
        Err(match error {
            Some(error) => refused(error["code"].as_str(), None, error["message"].as_str()),
            None => broken(format!("{operation}: {}: {}", output.status, stderr.trim())),
        })
    }
}

/// The words of a call: the operation's verb, its arguments as flags. What is absent or null is left out.
fn words(operation: &str, args: &Args) -> Vec<String> {
    let verb = OperationSpec::find(SESSION_OPERATIONS, operation).map_or_else(|| operation.replace('_', "-"), OperationSpec::verb);
    let flags = args.iter().filter(|(_, value)| !value.is_null()).flat_map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        [format!("--{}", name.replace('_', "-")), text]
    });
    std::iter::once(verb).chain(flags).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_a_verb_and_flags() {
        let args = json!({"agent":"codex","message":"--x","title":null,"timeout_s":1.5}).as_object().unwrap().clone();
        assert_eq!(words("start_session", &args), ["start-session", "--agent", "codex", "--message", "--x", "--timeout-s", "1.5"]);
    }
}
