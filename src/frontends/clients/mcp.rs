//! MCP: a tool for each operation, over streamable HTTP or a server's standard streams.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::contract::{Args, ContractError};

use super::{Client, broken, refused};

/// Where an MCP server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// At a URL.
    Http(String),
    /// A program and its arguments, spoken to over its standard streams.
    Stdio(Vec<String>),
}

/// A manager behind MCP.
#[derive(Debug)]
pub(crate) struct McpClient {
    server: Server,
    session: Mutex<Option<Arc<McpSession>>>,
}

/// One connection; the server's process, where it has one, ends with it.
#[derive(Debug)]
struct McpSession {
    service: RunningService<RoleClient, ()>,
    process: Mutex<Option<Child>>,
}

/// How long a server may take to end by itself; it ends what it started on the way.
const GOODBYE: Duration = Duration::from_secs(10);

impl McpClient {
    /// The manager behind that server.
    pub(crate) fn new(server: Server) -> Self {
        Self { server, session: Mutex::new(None) }
    }

    async fn session(&self) -> Result<Arc<McpSession>, ContractError> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| !session.service.is_transport_closed()) {
            return Ok(session.clone());
        }
        let made = Arc::new(self.server.connect().await?);
        *session = Some(made.clone());
        Ok(made)
    }

    /// Makes the next call connect anew, unless another call saw to that already.
    async fn drop_session(&self, broken: &Arc<McpSession>) {
        let mut session = self.session.lock().await;
        if session.as_ref().is_some_and(|session| Arc::ptr_eq(session, broken)) {
            *session = None;
        }
    }
}

impl Server {
    async fn connect(&self) -> Result<McpSession, ContractError> {
        match self {
            Server::Http(url) => {
                // A manager on this machine is behind no proxy; idle connections stall on delayed ACKs.
                let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().map_err(broken)?;
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                let service = ().serve(StreamableHttpClientTransport::with_client(client, config)).await.map_err(broken)?;
                Ok(McpSession { service, process: Mutex::new(None) })
            }
            Server::Stdio(command) => {
                let [program, args @ ..] = command.as_slice() else { return Err(broken("the command of the MCP server is empty")) };
                let mut process = Command::new(program)
                    .args(args)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .kill_on_drop(true)
                    .spawn()
                    .map_err(|error| broken(format!("{program}: {error}")))?;
                let pipes = process.stdout.take().zip(process.stdin.take()).expect("both were asked for");
                let service = ().serve(pipes).await.map_err(broken)?;
                Ok(McpSession { service, process: Mutex::new(Some(process)) })
            }
        }
    }
}

#[async_trait]
impl Client for McpClient {
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError> {
        let session = self.session().await?;
        let params = CallToolRequestParams::new(operation.to_owned()).with_arguments(args);
        let answered = match session.service.call_tool(params).await {
            Ok(answered) => answered,
            Err(ServiceError::McpError(error)) => return Err(refused(None, Some(error.code.0.into()), Some(&error.message))),
            Err(error) => {
                self.drop_session(&session).await;
                return Err(broken(format!("{operation}: {error}")));
            }
        };
        let content = answered.structured_content.unwrap_or_default();
        match content {
            content if answered.is_error == Some(true) => {
                Err(refused(content["error"]["code"].as_str(), None, content["error"]["message"].as_str()))
            }
            Value::Object(result) => Ok(result),
            // A result without fields may be written as nothing.
            _ => Ok(Args::new()),
        }
    }

    async fn close(&self) {
        let Some(session) = self.session.lock().await.take() else { return };
        session.service.cancellation_token().cancel();
        if let Some(mut process) = session.process.lock().await.take() {
            // Its input ends with the connection; one that goes on is killed when it is dropped.
            let _ = tokio::time::timeout(GOODBYE, process.wait()).await;
        }
    }
}
