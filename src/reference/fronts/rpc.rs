//! JSON-RPC 2.0, one message a line, over any stream; over HTTP POST a message a request.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::contract::{Announcement, ContractError, OperationSpec};
use crate::reference::service::Service;

/// Serves one connection until its input ends. Requests are answered as their answers come; an announcement that was made
/// before an answer is written before it.
pub async fn serve(service: Arc<dyn Service>, read: impl AsyncRead + Unpin, mut write: impl AsyncWrite + Unpin) {
    let mut lines = BufReader::new(read).split(b'\n');
    let mut announced = service.announcements();
    let (replies, mut replied) = mpsc::unbounded_channel::<Value>();
    let mut open = 0_usize;
    let mut reading = true;
    while reading || open > 0 {
        let message = tokio::select! {
            biased;
            said = announced.recv() => match said {
                Ok(announcement) => Some(notification(&announcement)),
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            },
            Some(reply) = replied.recv() => {
                open -= 1;
                Some(reply)
            }
            line = lines.next_segment(), if reading => {
                match line {
                    Ok(Some(line)) if line.iter().all(u8::is_ascii_whitespace) => {}
                    Ok(Some(line)) => {
                        open += 1;
                        let (service, replies) = (service.clone(), replies.clone());
                        tokio::spawn(async move {
                            // A notification has no reply; null stands for that.
                            let _ = replies.send(answer(service, &line).await.unwrap_or(Value::Null));
                        });
                    }
                    Ok(None) | Err(_) => reading = false,
                }
                None
            }
        };
        if let Some(message) = message.filter(|message| !message.is_null()) {
            let mut line = message.to_string().into_bytes();
            line.push(b'\n');
            if write.write_all(&line).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    }
}

/// Serves a Unix socket for ever. The socket is renamed into place: where its path is, it can be connected to.
///
/// # Errors
/// Where the socket cannot be made.
pub async fn serve_socket(service: Arc<dyn Service>, path: &Path) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    std::fs::rename(&new, path)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            serve(service, read, write).await;
        });
    }
}

/// Serves HTTP POST for ever.
///
/// # Errors
/// Where the server fails.
pub async fn serve_http(service: Arc<dyn Service>, listener: TcpListener) -> io::Result<()> {
    let app = Router::new().route("/", post(posted)).with_state(service);
    axum::serve(listener, app).await
}

async fn posted(State(service): State<Arc<dyn Service>>, body: axum::body::Bytes) -> impl IntoResponse {
    match answer(service, &body).await {
        Some(reply) => (StatusCode::OK, [("content-type", "application/json")], reply.to_string()),
        None => (StatusCode::NO_CONTENT, [("content-type", "application/json")], String::new()),
    }
}

fn notification(announcement: &Announcement) -> Value {
    let mut params = serde_json::to_value(announcement).expect("plain data");
    if let Value::Object(fields) = &mut params {
        fields.shift_remove("event");
    }
    json!({ "jsonrpc": "2.0", "method": announcement.name(), "params": params })
}

/// Answers one line: a request, a notification or a batch of them.
async fn answer(service: Arc<dyn Service>, line: &[u8]) -> Option<Value> {
    let message: Value = match serde_json::from_slice(line) {
        Ok(message) => message,
        Err(error) => return Some(failure(Value::Null, -32700, &format!("not JSON: {error}"), None)),
    };
    let Value::Array(batch) = message else { return answer_one(service, message).await };
    if batch.is_empty() {
        return Some(failure(Value::Null, -32600, "an empty batch", None));
    }
    let mut replies = Vec::new();
    for message in batch {
        replies.extend(answer_one(service.clone(), message).await);
    }
    (!replies.is_empty()).then_some(Value::Array(replies))
}

async fn answer_one(service: Arc<dyn Service>, message: Value) -> Option<Value> {
    let Value::Object(request) = message else {
        return Some(failure(Value::Null, -32600, "a request is an object", None));
    };
    let id = request.get("id").cloned();
    let reply = replied(service, &request).await;
    let id = id?;
    Some(match reply {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message, name)) => failure(id, code, &message, name),
    })
}

type Failure = (i64, String, Option<&'static str>);

async fn replied(service: Arc<dyn Service>, request: &Map<String, Value>) -> Result<Value, Failure> {
    let Some(method) = request.get("method").and_then(Value::as_str) else {
        return Err((-32600, "a request has a `method`".into(), None));
    };
    if OperationSpec::find(service.operations(), method).is_none() {
        return Err((-32601, format!("there is no method `{method}`"), None));
    }
    let args = match request.get("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(args)) => args.clone(),
        Some(_) => return Err((-32602, "`params` are arguments by name".into(), Some("invalid_argument"))),
    };
    let failed = |error: ContractError| (error.code.spec().rpc_code, error.message, Some(error.code.name()));
    service.call(method, args).await.map(Value::Object).map_err(failed)
}

fn failure(id: Value, code: i64, message: &str, name: Option<&str>) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if let Some(name) = name {
        error["data"] = json!({ "code": name });
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}
