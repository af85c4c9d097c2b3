//! MCP: a tool for each operation, over stdio and streamable HTTP. Announcements are logging messages, which newer versions
//! of the protocol no longer have; `wait_events` works on all of them.

#![allow(deprecated, reason = "logging messages are what the contract names, for the versions that have them")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, JsonObject, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, ServiceExt as _};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::contract::{ContractError, ErrorCode, Field, Kind, OperationSpec};
use crate::reference::service::Service;

/// The service behind MCP.
#[derive(Clone)]
pub struct Mcp {
    service: Arc<dyn Service>,
}

impl Mcp {
    /// The MCP face of a service.
    pub fn new(service: Arc<dyn Service>) -> Self {
        Self { service }
    }

    /// Serves standard input and output until the input ends.
    ///
    /// # Errors
    /// Where the client does not begin as MCP does.
    pub async fn serve_stdio(self) -> Result<(), String> {
        let over = CancellationToken::new();
        let input = Watched { input: tokio::io::stdin(), over: over.clone() };
        let running = self.serve((input, tokio::io::stdout())).await.map_err(|error| error.to_string())?;
        tokio::select! {
            ended = running.waiting() => ended.map(drop).map_err(|error| error.to_string()),
            // A call that waits for events would hold the end up: nobody hears its answer.
            () = over.cancelled() => Ok(()),
        }
    }

    /// Serves streamable HTTP under `/mcp` for ever.
    ///
    /// # Errors
    /// Where the server fails.
    pub async fn serve_http(self, listener: TcpListener) -> Result<(), String> {
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(move || Ok(self.clone()), sessions, StreamableHttpServerConfig::default());
        let app = Router::new().nest_service("/mcp", service);
        axum::serve(listener, app).await.map_err(|error| error.to_string())
    }
}

/// An input that tells when it is over.
struct Watched<R> {
    input: R,
    over: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.input).poll_read(context, into);
        if matches!(&read, Poll::Ready(done) if done.is_err() || into.filled().len() == before) {
            self.over.cancel();
        }
        read
    }
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_logging().build())
            .with_server_info(Implementation::new("passmuster-reference", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.service.operations().iter().map(tool).collect()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, _: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        if OperationSpec::find(self.service.operations(), &request.name).is_none() {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        }
        let answer = self.service.clone().call(&request.name, request.arguments.unwrap_or_default()).await;
        Ok(match answer {
            Ok(result) => CallToolResult::structured(Value::Object(result)).into(),
            Err(error) => CallToolResult::structured_error(failure(&error)).into(),
        })
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut announced = self.service.announcements();
        tokio::spawn(async move {
            loop {
                match announced.recv().await {
                    Ok(announcement) => {
                        let data = serde_json::to_value(&announcement).expect("plain data");
                        let message = LoggingMessageNotificationParam::new(LoggingLevel::Notice, data);
                        if context.peer.notify_logging_message(message).await.is_err() {
                            return;
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
}

fn failure(error: &ContractError) -> Value {
    let code: ErrorCode = error.code;
    json!({ "error": { "code": code.name(), "message": error.message } })
}

fn tool(operation: &OperationSpec) -> Tool {
    let schema = |fields: &'static [Field]| match object(fields) {
        Value::Object(schema) => schema,
        _ => JsonObject::default(),
    };
    Tool::new(operation.name, operation.about, schema(operation.args))
}

fn object(fields: &[Field]) -> Value {
    let properties: JsonObject = fields.iter().map(|field| (field.name.to_owned(), kind(field.kind))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Any => json!({}),
        Kind::Objects(fields) => json!({ "type": "array", "items": object(fields) }),
    }
}
