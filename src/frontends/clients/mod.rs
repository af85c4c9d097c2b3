//! How an orchestrator asks a manager: one small trait, a client for each front.

pub(crate) mod cli;
pub(crate) mod mcp;
pub(crate) mod rpc;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::contract::{Announcement, Args, ContractError, ErrorCode};
use crate::frontends::service::Service;

pub(crate) use cli::CliClient;
pub(crate) use mcp::{McpClient, Server};
pub(crate) use rpc::Rpc;

/// A connection to a manager. Giving up a call early is safe: its future may be dropped at any time.
///
/// Implementors translate and nothing else: they never repeat a call. A connection that broke is made anew by the next
/// call.
#[async_trait]
pub(crate) trait Client: Send + Sync {
    /// Asks for one operation.
    ///
    /// # Errors
    /// The manager's; `internal`, which is not definite, where the connection broke.
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError>;

    /// Says goodbye. A server that the client started has time to end by itself.
    async fn close(&self) {}
}

/// A front that an orchestrator can go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// A process for each call.
    Cli,
    /// JSON-RPC on a Unix socket.
    Rpc,
    /// MCP.
    Mcp,
}

impl FromStr for Via {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "cli" => Ok(Via::Cli),
            "rpc" => Ok(Via::Rpc),
            "mcp" => Ok(Via::Mcp),
            other => Err(format!("`{other}` is no front: wanted cli, rpc or mcp")),
        }
    }
}

/// A client of the manager that the environment names, and what it announces by itself.
///
/// # Errors
/// Names the variable that is missing or wrong.
pub(crate) fn connect(
    via: Via,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Arc<dyn Client>, mpsc::UnboundedReceiver<Announcement>), String> {
    let (push, pushed) = mpsc::unbounded_channel();
    let needed = |name: &str| variable(name).ok_or_else(|| format!("the environment has no {name}"));
    let client: Arc<dyn Client> = match via {
        Via::Cli => Arc::new(CliClient::new(needed("PASSMUSTER_CLI")?)),
        Via::Rpc => Arc::new(Rpc::new(PathBuf::from(needed("PASSMUSTER_RPC_SOCKET")?), push)),
        Via::Mcp => Arc::new(McpClient::new(match variable("PASSMUSTER_MCP_URL") {
            Some(url) => Server::Http(url),
            None => {
                let command = variable("PASSMUSTER_MCP_COMMAND")
                    .ok_or("the environment has neither PASSMUSTER_MCP_URL nor PASSMUSTER_MCP_COMMAND")?;
                Server::Stdio(
                    serde_json::from_str(&command)
                        .map_err(|error| format!("PASSMUSTER_MCP_COMMAND: wanted a JSON array of a program and its arguments: {error}"))?,
                )
            }
        })),
    };
    Ok((client, pushed))
}

/// A manager in the same process.
#[async_trait]
impl Client for Arc<dyn Service> {
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError> {
        Service::call(self.clone(), operation, args).await
    }
}

/// Nobody knows what became of the call.
fn broken(what: impl std::fmt::Display) -> ContractError {
    ContractError::new(ErrorCode::Internal, what.to_string())
}

/// An error object of the contract: a code's word (or its JSON-RPC number) and a message.
fn refused(word: Option<&str>, number: Option<i64>, message: Option<&str>) -> ContractError {
    let code = word.and_then(ErrorCode::from_name).or_else(|| number.and_then(ErrorCode::from_rpc));
    ContractError::new(code.unwrap_or(ErrorCode::Internal), message.unwrap_or_default())
}
