//! An MCP server reached over its standard streams, a Unix socket or streamable HTTP.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::net::UnixStream;

use super::connection::{Connection, Lifecycle, Refusal, ToolAnswer};
use crate::sut::running::{RunningProcess, drain};
use crate::sut::transports::rpc::link::Endpoint;
use crate::sut::transports::rpc::peer::Notified;
use crate::sut::transports::transport::{Connected, Link, Raw, Route, WireCall};
use crate::sut::transports::wire::Oddities;
use crate::sut::{CallError, Tail};

/// An initialized connection to an MCP server.
#[derive(Debug)]
pub(crate) struct McpLink {
    connection: Connection,
    process: Option<RunningProcess>,
}

impl McpLink {
    /// Connects and shakes hands: the older way first, which has log messages, then the newer. `notified` is asked for
    /// once a try. The caller sets the limit.
    ///
    /// # Errors
    /// `Broken` where the server cannot be reached or refuses both ways, `Malformed` where what came is no answer.
    pub(crate) async fn connect(
        endpoint: &Endpoint,
        notified: impl Fn() -> Notified,
        oddities: Oddities,
        tail: Tail,
    ) -> Result<Self, CallError> {
        match Self::shake_hands(endpoint, Lifecycle::Initialize, notified(), oddities.clone(), tail.clone()).await {
            Ok(link) => Ok(link),
            Err(Refusal::Failed(error)) => Err(error),
            Err(Refusal::NotThisWay(older)) => match Self::shake_hands(endpoint, Lifecycle::Discover, notified(), oddities, tail).await {
                Ok(link) => Ok(link),
                Err(Refusal::Failed(error)) => Err(error),
                Err(Refusal::NotThisWay(newer)) => {
                    Err(CallError::Broken { what: format!("the server refused `initialize` ({older}) and `server/discover` ({newer})") })
                }
            },
        }
    }

    async fn shake_hands(
        endpoint: &Endpoint,
        lifecycle: Lifecycle,
        notified: Notified,
        oddities: Oddities,
        tail: Tail,
    ) -> Result<Self, Refusal> {
        match endpoint {
            Endpoint::Stdio(launch) => {
                let (process, pipes) = RunningProcess::start(launch).map_err(Refusal::Failed)?;
                drain(pipes.stderr, tail);
                match Connection::over_pipes(pipes.stdout, pipes.stdin, lifecycle, notified, oddities).await {
                    Ok(connection) => Ok(Self { connection, process: Some(process) }),
                    Err(Refusal::Failed(CallError::Broken { what })) => {
                        Err(Refusal::Failed(CallError::Broken { what: format!("{what}; {}", process.obituary().await) }))
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Endpoint::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| {
                    Refusal::Failed(CallError::Broken { what: format!("cannot connect to the socket {}: {error}", path.display()) })
                })?;
                let (read, write) = stream.into_split();
                let connection = Connection::over_pipes(read, write, lifecycle, notified, oddities).await?;
                Ok(Self { connection, process: None })
            }
            Endpoint::Http(url) => Ok(Self { connection: Connection::over_http(url, lifecycle, notified).await?, process: None }),
        }
    }

    /// Calls a tool; the caller sets the limit.
    ///
    /// # Errors
    /// `Broken` where the connection is or gets closed, `Malformed` where what came is no answer.
    pub(crate) async fn call_tool(&self, tool: &str, arguments: Map<String, Value>) -> Result<ToolAnswer, CallError> {
        match (self.connection.call_tool(tool, arguments).await, &self.process) {
            (Err(CallError::Broken { what }), Some(process)) => {
                Err(CallError::Broken { what: format!("{what}; {}", process.obituary().await) })
            }
            (answer, _) => answer,
        }
    }
}

/// A system that is reached by MCP.
#[derive(Debug, Clone)]
pub struct McpRoute {
    /// Where.
    pub endpoint: Endpoint,
}

#[async_trait(?Send)]
impl Route for McpRoute {
    async fn connect(&self, to: &Connected) -> Result<Rc<dyn Link>, CallError> {
        let connect = McpLink::connect(&self.endpoint, || to.notified(), to.oddities(), to.tail());
        Ok(Rc::new(to.within_handshake(&self.endpoint, connect).await?))
    }
}

#[async_trait(?Send)]
impl Link for McpLink {
    async fn ask(&self, call: WireCall, _: Duration) -> Result<Raw, CallError> {
        match call {
            WireCall::Named { name, params: None } => self.call_tool(&name, Map::new()).await.map(Raw::Mcp),
            WireCall::Named { name, params: Some(Value::Object(arguments)) } => self.call_tool(&name, arguments).await.map(Raw::Mcp),
            WireCall::Named { params: Some(other), .. } => {
                Err(CallError::Broken { what: format!("a tool's arguments are an object, not `{other}`") })
            }
            WireCall::Process { .. } => Err(call.misplaced()),
        }
    }

    fn hears(&self) -> bool {
        true
    }

    /// Asks for log messages, which may carry announcements.
    async fn listen(&self) -> Result<(), CallError> {
        self.connection.listen().await
    }

    fn process(&self) -> Option<&RunningProcess> {
        self.process.as_ref()
    }

    async fn close(&self, limit: Duration) -> Option<String> {
        self.connection.close();
        self.process.as_ref()?.see_off(limit).await
    }
}
