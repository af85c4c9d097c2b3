//! An MCP connection: rmcp speaks the protocol; what goes through a pipe passes our own bounded reader first.
//!
//! Only for current-thread runtimes: rmcp hands each notification to a task of its own, and on several threads
//! replies overtook the notifications before them.
#![expect(deprecated, reason = "announcements come as logging messages on the protocol versions that have them; SEP-2577 ends those")]

use std::fmt;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientConfig, ClientRequest, CustomNotification, Implementation, LoggingLevel,
    LoggingMessageNotificationParam, ProtocolVersion, ServerResult, SetLevelRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, Peer, RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use rmcp::{ClientHandler, ErrorData};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::errors::{closed, refusal, service_error};
use crate::sut::CallError;
use crate::sut::transports::process::too_long;
use crate::sut::transports::rpc::peer::Notified;
use crate::sut::transports::wire::{Oddities, Oddity, WireLine, WireLines};

/// The longest event that is read over HTTP, in bytes: nobody counts its values before they are in memory. The longest
/// answer without events is rmcp's own, 16 MB.
const EVENT_LIMIT: usize = 2 << 20;

/// What `tools/call` gave.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolAnswer {
    /// A tool's result, as the protocol words it: `structuredContent`, `content`, `isError`.
    Result(Map<String, Value>),
    /// The protocol's own error: no such tool, arguments refused.
    Error {
        /// The JSON-RPC code.
        code: i64,
        /// Its text.
        message: String,
        /// What else it says.
        data: Option<Value>,
    },
}

/// An initialized connection.
#[derive(Debug)]
pub(crate) struct Connection {
    service: RunningService<RoleClient, McpEar>,
    /// Counts lines that were too long: each may be the answer to any open question.
    too_long: watch::Receiver<u64>,
}

/// How a connection is opened: the older handshake, or the newer discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// `initialize`, then `notifications/initialized`: protocol versions up to 2025-11-25.
    Initialize,
    /// `server/discover`: from 2026-07-28.
    Discover,
}

/// Why a connection was not opened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The server answered, and does not speak that lifecycle.
    NotThisWay(String),
    /// Anything else.
    Failed(CallError),
}

impl Connection {
    /// Opens a connection over a pair of pipes.
    ///
    /// # Errors
    /// See [`Refusal`]. The caller sets the limit.
    pub(crate) async fn over_pipes(
        read: impl AsyncRead + Unpin + Send + 'static,
        write: impl AsyncWrite + Unpin + Send + 'static,
        lifecycle: Lifecycle,
        notified: Notified,
        oddities: Oddities,
    ) -> Result<Self, Refusal> {
        let (count, too_long) = watch::channel(0);
        let (sieve, sieved) = tokio::io::duplex(64 << 10);
        tokio::spawn(sift(WireLines::new(read), sieve, oddities, count));
        let service = McpEar { notified }.serve_with_lifecycle((sieved, write), lifecycle.mode()).await.map_err(refusal)?;
        Ok(Self { service, too_long })
    }

    /// Opens a connection over streamable HTTP.
    ///
    /// # Errors
    /// See [`Refusal`]. The caller sets the limit.
    pub(crate) async fn over_http(url: &str, lifecycle: Lifecycle, notified: Notified) -> Result<Self, Refusal> {
        crate::sut::transports::http::parse(url).map_err(Refusal::Failed)?;
        // Nothing is repaired on the way: an expired session is the server's answer.
        let config = StreamableHttpClientTransportConfig::with_uri(url).reinit_on_expired_session(false).max_sse_event_size(EVENT_LIMIT);
        // As rmcp's own client (idle connections stall on delayed ACKs), but systems under test are never behind a proxy.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|error| Refusal::Failed(CallError::Broken { what: error.to_string() }))?;
        let transport = StreamableHttpClientTransport::with_client(client, config);
        let service = McpEar { notified }.serve_with_lifecycle(transport, lifecycle.mode()).await.map_err(refusal)?;
        Ok(Self { service, too_long: watch::channel(0).1 })
    }

    /// Asks for log messages where the server has them: announcements may come that way.
    ///
    /// # Errors
    /// `Broken` where the connection is closed. That a server refuses is its own affair.
    pub(crate) async fn listen(&self) -> Result<(), CallError> {
        if self.service.peer_info().is_none_or(|server| server.capabilities.logging.is_none()) {
            return Ok(());
        }
        match self.service.set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await {
            Err(ServiceError::TransportClosed) => Err(closed()),
            _ => Ok(()),
        }
    }

    /// The protocol version agreed on.
    #[cfg(test)]
    pub(crate) fn version(&self) -> String {
        self.service.peer_info().map_or_else(String::new, |server| server.protocol_version.to_string())
    }

    /// Calls a tool; the caller sets the limit. Giving up early is safe, and not told to the server.
    ///
    /// # Errors
    /// `Broken` where the connection is or gets closed, `Malformed` where what came is no answer.
    pub(crate) async fn call_tool(&self, tool: &str, arguments: Map<String, Value>) -> Result<ToolAnswer, CallError> {
        let mut lines = self.too_long.clone();
        lines.mark_unchanged();
        tokio::select! {
            answer = call(self.service.peer(), tool, arguments) => answer,
            // Over HTTP the sender is gone from the start: nothing ever changes.
            Ok(()) = lines.changed() => Err(too_long()),
        }
    }

    /// Says goodbye and closes the connection, in the background.
    pub(crate) fn close(&self) {
        self.service.cancellation_token().cancel();
    }
}

async fn call(peer: &Peer<RoleClient>, tool: &str, arguments: Map<String, Value>) -> Result<ToolAnswer, CallError> {
    let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    match peer.send_request(request).await {
        Ok(result) => read_result(result),
        Err(ServiceError::McpError(ErrorData { code, message, data, .. })) => {
            Ok(ToolAnswer::Error { code: code.0.into(), message: message.into_owned(), data })
        }
        Err(error) => Err(service_error(&error)),
    }
}

/// rmcp reads a result as the first of its types that fits; the words of a tool's result are the same in all.
fn read_result(result: ServerResult) -> Result<ToolAnswer, CallError> {
    match serde_json::to_value(&result) {
        Ok(Value::Object(result)) if ["content", "structuredContent"].iter().any(|key| result.contains_key(*key)) => {
            Ok(ToolAnswer::Result(result))
        }
        other => Err(CallError::Malformed {
            what: format!("a tool's result with neither `content` nor `structuredContent`: `{}`", other.unwrap_or_default()),
        }),
    }
}

/// Passes on what may be a message, line by line; counts and drops the rest.
async fn sift(mut lines: WireLines<impl AsyncRead + Unpin>, mut sieve: DuplexStream, oddities: Oddities, too_long: watch::Sender<u64>) {
    while let Ok(Some(line)) = lines.next().await {
        match line {
            WireLine::Whole(mut line) if is_object(&line) => {
                line.push(b'\n');
                if sieve.write_all(&line).await.is_err() {
                    return;
                }
            }
            WireLine::Whole(line) => oddities.note(Oddity::Garbage, &line),
            WireLine::TooLong => {
                oddities.note(Oddity::TooLong, "");
                too_long.send_modify(|count| *count += 1);
            }
        }
    }
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

impl Lifecycle {
    fn mode(self) -> ClientLifecycleMode {
        match self {
            Lifecycle::Initialize => ClientLifecycleMode::Initialize,
            Lifecycle::Discover => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        }
    }
}

/// The client's side of the protocol: it listens and offers nothing.
struct McpEar {
    notified: Notified,
}

impl fmt::Debug for McpEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}

impl ClientHandler for McpEar {
    async fn on_logging_message(&self, message: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        (self.notified)("notifications/message", &serde_json::to_value(message).unwrap_or_default());
    }

    async fn on_custom_notification(&self, notification: CustomNotification, _: NotificationContext<RoleClient>) {
        (self.notified)(&notification.method, &notification.params.unwrap_or_default());
    }

    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.protocol_version = ProtocolVersion::V_2025_11_25;
        info.client_info = Implementation::new("passmuster", env!("CARGO_PKG_VERSION"));
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, BufReader, ReadHalf, WriteHalf};
    use tokio::sync::mpsc;

    struct Server {
        read: BufReader<ReadHalf<DuplexStream>>,
        write: WriteHalf<DuplexStream>,
    }

    impl Server {
        async fn hear(&mut self) -> Value {
            let mut line = String::new();
            self.read.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).unwrap()
        }

        async fn say(&mut self, line: &str) {
            self.write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }

        async fn shake_hands(&mut self) {
            let hello = self.hear().await;
            assert_eq!((&hello["method"], &hello["params"]["protocolVersion"]), (&json!("initialize"), &json!("2025-11-25")));
            let result =
                json!({"protocolVersion":"2025-06-18","capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"s","version":"1"}});
            self.say(&json!({"jsonrpc":"2.0","id":hello["id"],"result":result}).to_string()).await;
            assert_eq!(self.hear().await["method"], "notifications/initialized");
        }

        async fn answer_call(&mut self, result: Value) {
            let call = self.hear().await;
            assert_eq!(call["method"], "tools/call");
            self.say(&json!({"jsonrpc":"2.0","id":call["id"],"result":result}).to_string()).await;
        }
    }

    async fn connect() -> (Connection, Server, Oddities, mpsc::UnboundedReceiver<(String, Value)>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(ours);
        let (tell, told) = mpsc::unbounded_channel();
        let notified: Notified = Box::new(move |method, params| drop(tell.send((method.to_owned(), params.clone()))));
        let oddities = Oddities::default();
        let (their_read, their_write) = tokio::io::split(theirs);
        let mut server = Server { read: BufReader::new(their_read), write: their_write };
        let (connection, ()) =
            tokio::join!(Connection::over_pipes(read, write, Lifecycle::Initialize, notified, oddities.clone()), server.shake_hands());
        (connection.unwrap(), server, oddities, told)
    }

    #[tokio::test]
    async fn a_tools_result_comes_as_the_server_worded_it() {
        let (connection, mut server, oddities, _told) = connect().await;
        assert_eq!(connection.version(), "2025-06-18");
        let result = json!({"content":[{"type":"text","text":"hi"}],"structuredContent":{"session_id":"s"},"isError":false});
        let (answer, ()) = tokio::join!(connection.call_tool("start_session", Map::new()), async {
            server.say("Listening on stdio").await;
            server.answer_call(result.clone()).await;
        });
        assert_eq!(answer.unwrap(), ToolAnswer::Result(result.as_object().unwrap().clone()));
        assert_eq!(oddities.sentences(), ["the system sent a line that is not a JSON object: `Listening on stdio`"]);
    }

    #[tokio::test]
    async fn a_result_that_is_no_tools_result_is_malformed() {
        let (connection, mut server, _oddities, _told) = connect().await;
        let (answer, ()) = tokio::join!(connection.call_tool("x", Map::new()), server.answer_call(json!({"session_id":"s"})));
        assert!(matches!(answer, Err(CallError::Malformed { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn log_messages_are_asked_for_and_come_in_order() {
        let (connection, mut server, _oddities, mut told) = connect().await;
        let (listening, ()) = tokio::join!(connection.listen(), async {
            let ask = server.hear().await;
            assert_eq!((&ask["method"], &ask["params"]["level"]), (&json!("logging/setLevel"), &json!("debug")));
            server.say(&json!({"jsonrpc":"2.0","id":ask["id"],"result":{}}).to_string()).await;
        });
        listening.unwrap();
        for turn in 1..=50 {
            server
                .say(&json!({"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"turn":turn}}}).to_string())
                .await;
        }
        for turn in 1..=50 {
            let (method, params) = told.recv().await.unwrap();
            assert_eq!((method.as_str(), &params["data"]["turn"]), ("notifications/message", &json!(turn)));
        }
    }

    #[tokio::test]
    async fn a_closed_connection_fails_what_is_open_and_what_comes_later() {
        let (connection, mut server, _oddities, _told) = connect().await;
        let (open, ()) = tokio::join!(connection.call_tool("x", Map::new()), async {
            server.hear().await;
            drop(server);
        });
        assert_eq!(open.unwrap_err(), closed());
        assert_eq!(connection.call_tool("x", Map::new()).await.unwrap_err(), closed());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_fails_the_open_call_and_no_later_one() {
        let (connection, mut server, _oddities, _told) = connect().await;
        let (open, ()) = tokio::join!(connection.call_tool("x", Map::new()), async {
            server.hear().await;
            let chunk = vec![b'x'; 1 << 20];
            for _ in 0..9 {
                server.write.write_all(&chunk).await.unwrap();
            }
        });
        assert_eq!(open.unwrap_err(), too_long());
        let result = json!({"structuredContent":1,"content":[]});
        let (later, ()) = tokio::join!(connection.call_tool("y", Map::new()), async {
            server.say("").await;
            assert_eq!(server.hear().await["method"], "tools/call");
            server.say(&json!({"jsonrpc":"2.0","id":2,"result":result}).to_string()).await;
        });
        assert_eq!(later.unwrap(), ToolAnswer::Result(result.as_object().unwrap().clone()));
    }
}
