//! JSON-RPC 2.0: one message a line over any stream, one message a request over HTTP POST.

use std::io;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::post;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::contract::{Announcement, Args, ErrorCode, OperationSpec};

use super::{Dispatcher, no_browsers};

/// The longest message that is taken, in bytes; a prompt of the longest length is well below.
const MESSAGE_LIMIT: usize = 8 << 20;

/// How long a server that cannot take a connection waits before it tries again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// JSON-RPC's own errors.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;

/// Serves one connection until its input ends and what was asked is answered. Answers are written as they come; an
/// announcement that was made before an answer is written before it.
pub(crate) async fn serve(dispatcher: &Dispatcher, read: impl AsyncRead + Unpin, write: impl AsyncWrite + Unpin) {
    let announced = dispatcher.announcements();
    let (replies, replied) = mpsc::unbounded_channel();
    tokio::join!(hear(dispatcher, BufReader::new(read), replies), speak(write, replied, announced));
}

/// Reads requests and has each answered on its own.
async fn hear(dispatcher: &Dispatcher, mut read: impl AsyncBufRead + Unpin, replies: mpsc::UnboundedSender<Value>) {
    let gone = dispatcher.connection();
    loop {
        let mut line = Vec::new();
        match (&mut read).take(MESSAGE_LIMIT as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(MESSAGE_LIMIT) if line.last() != Some(&b'\n') => {
                let _ = replies.send(failure(Value::Null, INVALID_REQUEST, &format!("a message of more than {MESSAGE_LIMIT} bytes"), None));
                break;
            }
            Ok(_) if line.trim_ascii().is_empty() => {}
            Ok(_) => {
                let (dispatcher, gone, replies) = (dispatcher.clone(), gone.clone(), replies.clone());
                tokio::spawn(async move {
                    if let Some(reply) = answer(&dispatcher, &line, &gone).await {
                        // A client that no longer listens is told nothing.
                        let _ = replies.send(reply);
                    }
                });
            }
        }
    }
    gone.cancel();
}

/// Writes replies and announcements until there can be no more replies.
async fn speak(
    mut write: impl AsyncWrite + Unpin,
    mut replies: mpsc::UnboundedReceiver<Value>,
    mut announced: broadcast::Receiver<Announcement>,
) {
    loop {
        let mut messages = Vec::new();
        tokio::select! {
            said = announced.recv() => match said {
                Ok(said) => messages.push(notification(&said)),
                Err(RecvError::Lagged(count)) => eprintln!("passmuster: a client missed {count} announcements: it reads too slowly"),
                // The service is gone, and with it whoever could still reply.
                Err(RecvError::Closed) => return,
            },
            reply = replies.recv() => {
                let Some(reply) = reply else { return };
                while let Ok(said) = announced.try_recv() {
                    messages.push(notification(&said));
                }
                messages.push(reply);
            }
        }
        for message in messages {
            if write.write_all(format!("{message}\n").as_bytes()).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    }
}

/// Serves a Unix socket for ever. The socket is renamed into place: where its path is, it can be connected to.
///
/// # Errors
/// Where the socket cannot be made, or somebody listens there.
pub(crate) async fn serve_socket(dispatcher: &Dispatcher, path: &Path, ready: impl FnOnce()) -> io::Result<()> {
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there already"));
    }
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    std::fs::rename(&new, path)?;
    ready();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, say: that passes, and is no reason to end sessions.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let dispatcher = dispatcher.clone();
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            serve(&dispatcher, read, write).await;
        });
    }
}

/// Serves HTTP POST at `/` for ever.
///
/// # Errors
/// Where the server fails.
pub(crate) async fn serve_http(dispatcher: &Dispatcher, listener: TcpListener) -> io::Result<()> {
    let routes = Router::new().route("/", post(posted)).with_state(dispatcher.clone());
    axum::serve(listener, routes.layer(DefaultBodyLimit::max(MESSAGE_LIMIT)).layer(from_fn(no_browsers))).await
}

async fn posted(State(dispatcher): State<Dispatcher>, body: Bytes) -> impl IntoResponse {
    // Dropped with the request: a client that hangs up waits no more.
    let gone = dispatcher.connection();
    let _hung_up = gone.clone().drop_guard();
    match answer(&dispatcher, &body, &gone).await {
        Some(reply) => (StatusCode::OK, [(CONTENT_TYPE, "application/json")], reply.to_string()).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn notification(announcement: &Announcement) -> Value {
    let mut params = json!(announcement);
    if let Value::Object(fields) = &mut params {
        fields.shift_remove("event");
    }
    json!({ "jsonrpc": "2.0", "method": announcement.name(), "params": params })
}

/// Answers a message: a request, a notification, or a batch of them, whose answers come together.
async fn answer(dispatcher: &Dispatcher, message: &[u8], gone: &CancellationToken) -> Option<Value> {
    match serde_json::from_slice(message) {
        Err(error) => Some(failure(Value::Null, PARSE_ERROR, &format!("not JSON: {error}"), None)),
        Ok(Value::Array(batch)) if batch.is_empty() => Some(failure(Value::Null, INVALID_REQUEST, "an empty batch", None)),
        Ok(Value::Array(batch)) => {
            let replies: Vec<Value> =
                join_all(batch.into_iter().map(|one| answer_one(dispatcher, one, gone))).await.into_iter().flatten().collect();
            (!replies.is_empty()).then_some(Value::Array(replies))
        }
        Ok(one) => answer_one(dispatcher, one, gone).await,
    }
}

async fn answer_one(dispatcher: &Dispatcher, message: Value, gone: &CancellationToken) -> Option<Value> {
    let (id, method, params) = match request(message) {
        Ok(request) => request,
        Err(why) => return Some(failure(Value::Null, INVALID_REQUEST, why, None)),
    };
    let reply = match (OperationSpec::find(dispatcher.operations(), &method), params) {
        (None, _) => Err((METHOD_NOT_FOUND, format!("there is no method `{method}`"), None)),
        (_, None) => {
            let code = ErrorCode::InvalidArgument.spec();
            Err((code.rpc_code, "`params` are to be an object: arguments go by name".to_owned(), Some(code.name)))
        }
        (Some(operation), Some(args)) => {
            let failed = |error: crate::contract::ContractError| (error.code.spec().rpc_code, error.message, Some(error.code.name()));
            dispatcher.call(operation, args, gone).await.map_err(failed)
        }
    };
    // Without an id it is a notification: it is carried out, and nobody hears how it went.
    let id = id?;
    Some(match reply {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message, name)) => failure(id, code, &message, name),
    })
}

/// A request's id, method and arguments by name; `None` for arguments that are none.
type Request = (Option<Value>, String, Option<Args>);

fn request(message: Value) -> Result<Request, &'static str> {
    let Value::Object(mut message) = message else { return Err("a request is an object") };
    let id = message.remove("id");
    if !matches!(id, None | Some(Value::Null | Value::String(_) | Value::Number(_))) {
        return Err("an `id` is a string or a number");
    }
    let Some(Value::String(method)) = message.remove("method") else { return Err("a request has a `method`") };
    let params = match message.remove("params") {
        None | Some(Value::Null) => Some(Args::new()),
        Some(Value::Object(args)) => Some(args),
        Some(_) => None,
    };
    Ok((id, method, params))
}

fn failure(id: Value, code: i64, message: &str, name: Option<&str>) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if let Some(name) = name {
        error["data"] = json!({ "code": name });
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::Small;
    use super::*;

    /// Everything that a connection answers to these lines, until it closes.
    async fn said(lines: &str) -> Vec<Value> {
        let (dispatcher, small) = Small::dispatcher();
        small.ended.add_permits(1);
        let mut out = Vec::new();
        serve(&dispatcher, lines.as_bytes(), &mut out).await;
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[rstest]
    #[case::not_json("{", PARSE_ERROR, Value::Null)]
    #[case::torn_utf8("{\"method\":\"\u{0}", PARSE_ERROR, Value::Null)]
    #[case::no_object("7", INVALID_REQUEST, Value::Null)]
    #[case::no_method(r#"{"id":1}"#, INVALID_REQUEST, Value::Null)]
    #[case::an_odd_id(r#"{"id":[1],"method":"list_sessions"}"#, INVALID_REQUEST, Value::Null)]
    #[case::an_empty_batch("[]", INVALID_REQUEST, Value::Null)]
    #[case::no_such_method(r#"{"id":"x","method":"y"}"#, METHOD_NOT_FOUND, json!("x"))]
    #[case::by_position(r#"{"id":1,"method":"list_sessions","params":[1]}"#, -32602, json!(1))]
    #[case::missing_argument(r#"{"id":1,"method":"end_session"}"#, -32602, json!(1))]
    #[case::no_such_session(r#"{"id":null,"method":"get_session_data","params":{"session_id":"x"}}"#, -32001, Value::Null)]
    #[tokio::test]
    async fn what_cannot_be_done_has_its_code(#[case] line: &str, #[case] code: i64, #[case] id: Value) {
        let said = said(&format!("{line}\n")).await;
        assert_eq!((said.len(), &said[0]["error"]["code"], &said[0]["id"]), (1, &json!(code), &id));
    }

    #[tokio::test]
    async fn an_error_of_the_contract_says_its_word() {
        let said = said("{\"id\":1,\"method\":\"get_session_data\",\"params\":{\"session_id\":\"x\"}}\n").await;
        assert_eq!(said[0]["error"]["data"], json!({"code":"session_not_found"}));
    }

    #[tokio::test]
    async fn announcements_come_before_the_answer_of_the_call_that_caused_them() {
        let said = said("\n{\"id\":1,\"method\":\"send_message\",\"params\":{\"session_id\":\"s1\",\"message\":\"m\"}}\n").await;
        assert_eq!(said[0], json!({"jsonrpc":"2.0","method":"turn_completed","params":{"session_id":"s1","turn":1}}));
        assert_eq!((said.len(), &said[3]), (4, &json!({"jsonrpc":"2.0","id":1,"result":{}})));
    }

    #[tokio::test]
    async fn waiting_holds_up_nobody_and_ends_with_the_input() {
        let (dispatcher, _) = Small::dispatcher();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let (read, write) = tokio::io::split(theirs);
            serve(&dispatcher, read, write).await;
        });
        let (read, mut write) = tokio::io::split(ours);
        let mut lines = BufReader::new(read).lines();
        let mut next = async || serde_json::from_str::<Value>(&lines.next_line().await.unwrap().unwrap()).unwrap();
        write.write_all(b"{\"id\":1,\"method\":\"wait_events\"}\n{\"id\":2,\"method\":\"list_sessions\"}\n").await.unwrap();
        assert_eq!(next().await["id"], 2);
        write.shutdown().await.unwrap();
        let last = next().await;
        assert_eq!((&last["id"], &last["error"]["data"]["code"]), (&json!(1), &json!("internal")));
    }

    #[tokio::test]
    async fn a_batch_is_answered_together_and_notifications_are_not() {
        let start = r#""method":"start_session","params":{"agent":"codex","cwd":"/"}"#;
        let said = said(&format!("[{{\"id\":1,{start}}},{{{start}}},3]\n[{{{start}}}]\n{{{start}}}\n")).await;
        assert_eq!(said.len(), 1);
        assert_eq!(
            (&said[0][0]["id"], &said[0][1]["error"]["code"], said[0].as_array().unwrap().len()),
            (&json!(1), &json!(INVALID_REQUEST), 2)
        );
    }

    #[tokio::test]
    async fn a_message_without_end_is_refused() {
        let said = said(&"x".repeat(MESSAGE_LIMIT + 1)).await;
        assert_eq!((said.len(), &said[0]["error"]["code"]), (1, &json!(INVALID_REQUEST)));
    }

    async fn post(address: std::net::SocketAddr, header: &str, body: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn http_answers_each_post_and_refuses_browsers() {
        let (dispatcher, _) = Small::dispatcher();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { serve_http(&dispatcher, listener).await });
        let answer = post(address, "", r#"{"id":1,"method":"list_sessions"}"#).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-type: application/json"), "{head}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({"jsonrpc":"2.0","id":1,"result":{"sessions":[]}}));
        assert!(post(address, "", r#"{"method":"list_sessions"}"#).await.starts_with("HTTP/1.1 204"));
        let refused = post(address, "Origin: https://example.org\r\n", r#"{"id":1,"method":"list_sessions"}"#).await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
}
