//! MCP: a tool for each operation, over stdio and streamable HTTP.
#![expect(deprecated, reason = "announcements go as logging messages on the protocol versions that have them; SEP-2577 ends those")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, JsonObject, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer, ServerInitializeError, ServiceExt as _};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::contract::{Announcement, Field, FieldKind, OperationSpec};

use super::{Dispatcher, no_browsers};

/// How long an HTTP client may be quiet before its session is forgotten; nobody says goodbye over HTTP.
const QUIET: Duration = Duration::from_secs(86_400);

/// Serves one client over a pair of pipes until its input ends.
///
/// # Errors
/// Where the client does not begin as MCP does.
pub(crate) async fn serve(
    dispatcher: &Dispatcher,
    mut read: impl AsyncRead + Unpin + Send + 'static,
    write: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), String> {
    let mcp = Mcp::new(dispatcher.clone());
    let (mut pump, input) = tokio::io::duplex(64 << 10);
    let gone = mcp.gone.clone();
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut read, &mut pump).await;
        // rmcp lets the calls in flight come to their end: one that only waits would hold it up.
        gone.cancel();
    });
    match mcp.serve((input, write)).await {
        Ok(running) => running.waiting().await.map(drop).map_err(|error| error.to_string()),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Serves streamable HTTP under `/mcp` for ever.
///
/// # Errors
/// Where the server fails.
pub(crate) async fn serve_http(dispatcher: &Dispatcher, listener: TcpListener) -> std::io::Result<()> {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(QUIET);
    let dispatcher = dispatcher.clone();
    let service = StreamableHttpService::new(
        move || Ok(Mcp::new(dispatcher.clone())),
        Arc::new(sessions),
        StreamableHttpServerConfig::default().enforce_origin_validation(),
    );
    axum::serve(listener, Router::new().nest_service("/mcp", service).layer(from_fn(no_browsers))).await
}

/// The service to one client.
struct Mcp {
    dispatcher: Dispatcher,
    gone: CancellationToken,
    /// Asks the relay, once there is one, to send what was announced so far.
    relay: OnceLock<mpsc::UnboundedSender<oneshot::Sender<()>>>,
    muted: Arc<AtomicBool>,
}

impl Mcp {
    fn new(dispatcher: Dispatcher) -> Self {
        Self { gone: dispatcher.connection(), dispatcher, relay: OnceLock::new(), muted: Arc::default() }
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_logging().build())
            .with_server_info(Implementation::new("passmuster-reference", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.dispatcher.operations().iter().map(tool).collect()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let Some(operation) = OperationSpec::find(self.dispatcher.operations(), &request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        };
        let gone = self.gone.child_token();
        let _given_up = gone.clone().drop_guard();
        let answer = tokio::select! {
            answer = self.dispatcher.call(operation, request.arguments.unwrap_or_default(), &gone) => answer,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        self.relay_all().await;
        Ok(match answer {
            Ok(result) => CallToolResult::structured(Value::Object(result)),
            Err(error) => CallToolResult::structured_error(json!({ "error": { "code": error.code.name(), "message": error.message } })),
        }
        .into())
    }

    async fn set_level(&self, request: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let hears = matches!(request.level, LoggingLevel::Debug | LoggingLevel::Info | LoggingLevel::Notice);
        self.muted.store(!hears, Ordering::Relaxed);
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let (ask, asked) = mpsc::unbounded_channel();
        if self.relay.set(ask).is_ok() {
            tokio::spawn(relay(context.peer, self.dispatcher.announcements(), asked, self.muted.clone()));
        }
    }
}

impl Mcp {
    /// Returns when everything that was announced so far is on its way: an answer comes after what it caused.
    async fn relay_all(&self) {
        let (done, relayed) = oneshot::channel();
        if self.relay.get().is_some_and(|relay| relay.send(done).is_ok()) {
            let _ = relayed.await;
        }
    }
}

/// Sends announcements as logging messages until the client or the service is gone.
async fn relay(
    peer: Peer<RoleServer>,
    mut announced: broadcast::Receiver<Announcement>,
    mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    muted: Arc<AtomicBool>,
) {
    loop {
        let (mut said, mut done) = (Vec::new(), None);
        tokio::select! {
            one = announced.recv() => match one {
                Ok(one) => said.push(one),
                Err(RecvError::Lagged(count)) => eprintln!("passmuster: a client missed {count} announcements: it reads too slowly"),
                Err(RecvError::Closed) => return,
            },
            ask = asked.recv() => {
                let Some(ask) = ask else { return };
                done = Some(ask);
                while let Ok(one) = announced.try_recv() {
                    said.push(one);
                }
            }
        }
        for announcement in said {
            if muted.load(Ordering::Relaxed) {
                continue;
            }
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Notice, json!(announcement)).with_logger("passmuster");
            if peer.notify_logging_message(message).await.is_err() {
                return;
            }
        }
        done.map(|done| done.send(()));
    }
}

fn tool(operation: &OperationSpec) -> Tool {
    Tool::new(operation.name, operation.about, object(operation.args))
}

/// The JSON schema of an object with these fields.
fn object(fields: &[Field]) -> JsonObject {
    let properties: JsonObject = fields.iter().map(|field| (field.name.to_owned(), kind(field.kind))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    JsonObject::from_iter([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), properties.into()),
        ("required".to_owned(), required.into()),
    ])
}

fn kind(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Text => json!({ "type": "string" }),
        FieldKind::Integer => json!({ "type": "integer" }),
        FieldKind::Number => json!({ "type": "number" }),
        FieldKind::Boolean => json!({ "type": "boolean" }),
        FieldKind::Object => json!({ "type": "object" }),
        FieldKind::Any => json!({}),
        FieldKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        FieldKind::Objects(fields) => json!({ "type": "array", "items": object(fields) }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rmcp::model::ClientConfig;
    use rmcp::service::{RoleClient, RunningService};
    use rmcp::transport::streamable_http_client::StreamableHttpClientTransport;

    use super::super::tests::Small;
    use super::*;

    /// A client that remembers, in order, what it was told.
    #[derive(Clone, Default)]
    struct Client {
        heard: Arc<Mutex<Vec<Value>>>,
        told: Arc<tokio::sync::Notify>,
    }

    impl rmcp::ClientHandler for Client {
        async fn on_logging_message(&self, message: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
            self.heard.lock().unwrap().push(message.data);
            self.told.notify_one();
        }

        fn get_info(&self) -> ClientConfig {
            let mut info = ClientConfig::default();
            info.protocol_version = rmcp::model::ProtocolVersion::V_2025_11_25;
            info
        }
    }

    async fn piped() -> (RunningService<RoleClient, Client>, tokio::task::JoinHandle<Result<(), String>>) {
        let (dispatcher, _) = Small::dispatcher();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(theirs);
        let server = tokio::spawn(async move { serve(&dispatcher, read, write).await });
        (Client::default().serve(ours).await.unwrap(), server)
    }

    async fn ask(client: &RunningService<RoleClient, Client>, tool: &'static str, arguments: Value) -> (bool, Value) {
        let arguments = arguments.as_object().unwrap().clone();
        let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap();
        (result.is_error == Some(true), result.structured_content.unwrap())
    }

    #[tokio::test]
    async fn every_operation_is_a_tool() {
        let (client, _server) = piped().await;
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        let wanted: Vec<_> = crate::contract::SESSION_OPERATIONS.iter().map(|operation| operation.name).collect();
        assert_eq!(names, wanted);
        let read = json!({"type":"object","properties":{"session_id":{"type":"string"},"tail_chars":{"type":"integer"}},"required":["session_id"]});
        assert_eq!(*tools[2].input_schema, *read.as_object().unwrap());
    }

    #[tokio::test]
    async fn results_are_structured_and_errors_say_their_code() {
        let (client, _server) = piped().await;
        assert_eq!(ask(&client, "start_session", json!({"agent":"codex","cwd":"/"})).await, (false, json!({"session_id":"s1"})));
        let (failed, said) = ask(&client, "get_session_data", json!({"session_id":"s9"})).await;
        assert_eq!((failed, &said["error"]["code"]), (true, &json!("session_not_found")));
        let (failed, said) = ask(&client, "end_session", json!({})).await;
        assert_eq!((failed, &said["error"]["code"]), (true, &json!("invalid_argument")));
        assert!(client.call_tool(CallToolRequestParams::new("no_such_tool")).await.is_err());
    }

    #[tokio::test]
    async fn announcements_are_logging_messages_that_come_before_the_answer() {
        let (client, _server) = piped().await;
        // One answered call shows that the server has seen `initialized`.
        ask(&client, "start_session", json!({"agent":"codex","cwd":"/"})).await;
        ask(&client, "send_message", json!({"session_id":"s1","message":"m"})).await;
        let first = client.service().heard.lock().unwrap().first().cloned();
        assert_eq!(first, Some(json!({"event":"turn_completed","session_id":"s1","turn":1})));
        client.set_level(SetLevelRequestParams::new(LoggingLevel::Warning)).await.unwrap();
        let count = client.service().heard.lock().unwrap().len();
        ask(&client, "send_message", json!({"session_id":"s1","message":"m"})).await;
        assert_eq!(client.service().heard.lock().unwrap().len(), count, "who asks for warnings alone hears no announcement");
    }

    #[tokio::test]
    async fn a_client_that_leaves_while_it_waits_holds_up_nobody() {
        let (client, server) = piped().await;
        let wait = tokio::spawn({
            let peer = client.peer().clone();
            async move { peer.call_tool(CallToolRequestParams::new("wait_events")).await }
        });
        ask(&client, "start_session", json!({"agent":"codex","cwd":"/"})).await;
        let began = std::time::Instant::now();
        client.cancel().await.unwrap();
        server.await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(4), "rmcp gives calls in flight 5 s");
        wait.abort();
    }

    #[tokio::test]
    async fn http_serves_sessions_and_refuses_browsers() {
        let (dispatcher, _) = Small::dispatcher();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { serve_http(&dispatcher, listener).await });
        let client = Client::default().serve(StreamableHttpClientTransport::from_uri(url.as_str())).await.unwrap();
        assert!(client.peer_info().unwrap().capabilities.logging.is_some());
        assert_eq!(ask(&client, "start_session", json!({"agent":"codex","cwd":"/"})).await, (false, json!({"session_id":"s1"})));
        ask(&client, "send_message", json!({"session_id":"s1","message":"m"})).await;
        tokio::time::timeout(Duration::from_secs(20), client.service().told.notified()).await.expect("an announcement over HTTP");
    }
}
