//! One face for the three ways of asking: a call goes out, an answer comes back as it was, within its limit.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::mcp::connection::ToolAnswer;
use super::process::{ProcessLaunch, ProcessOutput, run};
use super::rpc::link::Endpoint;
use super::rpc::peer::{Notified, PeerAnswer};
use super::wire::Oddities;
use super::{mcp, rpc};
use crate::sut::running::{GRACE, RunningProcess};
use crate::sut::{CallError, Tail};

/// How a system is reached.
#[derive(Debug, Clone)]
pub enum Route {
    /// By a process for each call.
    Cli {
        /// The environment of each.
        env: Vec<(String, String)>,
        /// The working directory of each.
        cwd: PathBuf,
    },
    /// By JSON-RPC.
    Rpc {
        /// Where.
        endpoint: Endpoint,
        /// Whether messages carry `"jsonrpc": "2.0"`.
        jsonrpc_field: bool,
        /// What is said first.
        handshake: Vec<WireGreeting>,
    },
    /// By MCP.
    Mcp {
        /// Where.
        endpoint: Endpoint,
    },
}

/// One step of a JSON-RPC handshake.
#[derive(Debug, Clone, PartialEq)]
pub enum WireGreeting {
    /// A request, whose answer must be a result.
    Request(String, Option<Value>),
    /// A notification.
    Notify(String, Option<Value>),
}

/// One call, in the system's own words.
#[derive(Debug, Clone, PartialEq)]
pub enum WireCall {
    /// A process.
    Cli {
        /// The program, by path, and its arguments.
        argv: Vec<String>,
        /// What it reads.
        stdin: Option<String>,
    },
    /// A request.
    Rpc {
        /// The method.
        method: String,
        /// The parameters.
        params: Option<Value>,
    },
    /// A tool's call.
    Mcp {
        /// The tool.
        tool: String,
        /// The arguments.
        arguments: Map<String, Value>,
    },
}

/// An answer, in the system's own words.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// What a process left.
    Cli(ProcessOutput),
    /// What a JSON-RPC server answered.
    Rpc(PeerAnswer),
    /// What a tool's call gave.
    Mcp(ToolAnswer),
}

/// Takes notifications for as long as the system is connected, over every reconnection: their method and `params`.
pub type Ears = Arc<dyn Fn(&str, &Value) + Send + Sync>;

/// A connected system.
pub struct Connected {
    route: Route,
    limit: Duration,
    ears: Ears,
    oddities: Oddities,
    tail: Tail,
    link: RefCell<Link>,
}

/// The connection in use. A call keeps the one that it began on.
#[derive(Clone)]
enum Link {
    Cli,
    Rpc(Rc<rpc::link::RpcLink>),
    Mcp(Rc<mcp::link::McpLink>),
}

impl Link {
    async fn close(self, limit: Duration) -> Option<String> {
        match self {
            Link::Cli => None,
            Link::Rpc(link) => link.close(limit).await,
            Link::Mcp(link) => link.close(limit).await,
        }
    }

    /// The process at the other end, where it was started for this connection.
    fn process(&self) -> Option<&RunningProcess> {
        match self {
            Link::Cli => None,
            Link::Rpc(link) => link.process(),
            Link::Mcp(link) => link.process(),
        }
    }
}

impl Connected {
    /// Connects and shakes hands, within `limit`. Standard error goes to `tail`.
    ///
    /// # Errors
    /// `Broken`, `Malformed` or `TimedOut`, saying what was tried.
    pub async fn connect(route: Route, limit: Duration, ears: Ears, oddities: Oddities, tail: Tail) -> Result<Self, CallError> {
        let link = RefCell::new(Link::Cli);
        let transport = Self { route, limit, ears, oddities, tail, link };
        transport.reconnect().await?;
        Ok(transport)
    }

    /// Kills the process at the other end (SIGKILL), where it was started for this connection, and makes a new connection.
    ///
    /// # Errors
    /// As [`Connected::connect`].
    pub async fn kill(&self) -> Result<(), CallError> {
        let link = self.link.borrow().clone();
        if let Some(process) = link.process() {
            process.kill_group().await;
        }
        self.reconnect().await
    }

    /// Drops the connection and makes a new one.
    ///
    /// # Errors
    /// As [`Connected::connect`].
    pub async fn reconnect(&self) -> Result<(), CallError> {
        self.link.replace(Link::Cli).close(GRACE).await;
        let link = match &self.route {
            Route::Cli { .. } => Link::Cli,
            Route::Rpc { endpoint, jsonrpc_field, handshake } => {
                let link = rpc::link::RpcLink::connect(endpoint, *jsonrpc_field, self.notified(), self.oddities.clone(), self.tail.clone())
                    .await?;
                self.within_handshake(endpoint, greet(&link, handshake)).await?;
                Link::Rpc(Rc::new(link))
            }
            Route::Mcp { endpoint } => {
                let connect = mcp::link::McpLink::connect(endpoint, || self.notified(), self.oddities.clone(), self.tail.clone());
                Link::Mcp(Rc::new(self.within_handshake(endpoint, connect).await?))
            }
        };
        self.link.replace(link);
        Ok(())
    }

    async fn within_handshake<T>(&self, endpoint: &Endpoint, shake: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        let before = self.oddities.count();
        let error = match timeout(self.limit, shake).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => error.to_string(),
            Err(_) => self.silence(before, self.limit).to_string(),
        };
        Err(CallError::Broken { what: format!("no handshake with {endpoint}: {error}") })
    }

    /// Asks. Every answer comes as it was; what comes back within the limit is never tried again.
    ///
    /// # Errors
    /// `TimedOut`, or `Malformed` where something odd came instead of the answer; `Broken` where the connection is gone.
    pub async fn exchange(&self, call: WireCall, limit: Duration) -> Result<Raw, CallError> {
        let deadline = Instant::now() + limit;
        let before = self.oddities.count();
        let link = self.link.borrow().clone();
        let asked = async {
            match (call, &link, &self.route) {
                (WireCall::Cli { argv, stdin }, Link::Cli, Route::Cli { env, cwd }) => {
                    let launch = ProcessLaunch { argv, env: env.clone(), cwd: cwd.clone(), stdin };
                    // Its own limit kills the process; the one outside would only abandon it.
                    Ok(Raw::Cli(run(&launch, limit, &self.tail).await?))
                }
                (WireCall::Rpc { method, params }, Link::Rpc(link), _) => link.request(&method, params).await.map(Raw::Rpc),
                (WireCall::Mcp { tool, arguments }, Link::Mcp(link), _) => link.call_tool(&tool, arguments).await.map(Raw::Mcp),
                _ => Err(CallError::Broken { what: "not connected".to_owned() }),
            }
        };
        if matches!(link, Link::Cli) {
            return asked.await;
        }
        timeout_at(deadline, asked).await.unwrap_or_else(|_| Err(self.silence(before, limit)))
    }

    /// No answer came. Where something odd did, that was the answer.
    fn silence(&self, before: u64, limit: Duration) -> CallError {
        let limit_ms = limit.as_millis() as u64;
        match self.oddities.since(before) {
            Some(odd) => CallError::Malformed { what: format!("no answer within {limit_ms} ms; instead came {odd}") },
            None => CallError::TimedOut { limit_ms },
        }
    }

    /// Whether notifications can come this way at all.
    pub fn hears(&self) -> bool {
        match &*self.link.borrow() {
            Link::Cli => false,
            Link::Rpc(link) => link.hears(),
            Link::Mcp(_) => true,
        }
    }

    /// Asks for notifications, where they have to be asked for.
    ///
    /// # Errors
    /// `Broken` where the connection is gone.
    pub async fn listen(&self) -> Result<(), CallError> {
        let link = self.link.borrow().clone();
        match link {
            Link::Mcp(link) => timeout(self.limit, link.listen()).await.unwrap_or(Ok(())),
            Link::Rpc(_) | Link::Cli => Ok(()),
        }
    }

    /// Closes the connection; a server that was started for it gets `limit` to end by itself. Returns what is worth
    /// reporting, what was odd on the wire included.
    pub async fn close(&self, limit: Duration) -> Vec<String> {
        let last = self.link.replace(Link::Cli).close(limit).await;
        last.into_iter().chain(self.oddities.sentences()).collect()
    }

    fn notified(&self) -> Notified {
        let ears = self.ears.clone();
        Box::new(move |method, params| ears(method, params))
    }
}

async fn greet(link: &rpc::link::RpcLink, handshake: &[WireGreeting]) -> Result<(), CallError> {
    for greeting in handshake {
        match greeting {
            WireGreeting::Notify(method, params) => link.notify(method, params.clone()).await?,
            WireGreeting::Request(method, params) => {
                if let PeerAnswer::Error { message, .. } = link.request(method, params.clone()).await? {
                    return Err(CallError::Broken { what: format!("`{method}` was refused: {message}") });
                }
            }
        }
    }
    Ok(())
}
