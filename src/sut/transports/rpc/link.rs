//! A JSON-RPC server reached over its standard streams, a Unix socket or HTTP.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::peer::{Notified, Peer, PeerAnswer, answer, message};
use crate::sut::running::{RunningProcess, drain};
use crate::sut::transports::http;
use crate::sut::transports::process::ProcessLaunch;
use crate::sut::transports::transport::{Connected, Link, Raw, Route, WireCall};
use crate::sut::transports::wire::{Oddities, excerpt};
use crate::sut::{CallError, Tail};

/// Where a server is reached.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A process of its own, over its standard streams.
    Stdio(ProcessLaunch),
    /// A Unix socket.
    Socket(PathBuf),
    /// A URL that takes POSTs.
    Http(String),
}

/// A connection to a JSON-RPC server.
#[derive(Debug)]
pub struct RpcLink {
    line: RpcLine,
    process: Option<RunningProcess>,
}

#[derive(Debug)]
enum RpcLine {
    Stream(Peer),
    Http { url: String, next: AtomicU64, jsonrpc_field: bool },
}

impl RpcLink {
    /// Connects. Nothing is said yet.
    ///
    /// # Errors
    /// `Broken` where the process cannot be started or the socket refuses.
    pub async fn connect(
        endpoint: &Endpoint,
        jsonrpc_field: bool,
        notified: Notified,
        oddities: Oddities,
        tail: Tail,
    ) -> Result<Self, CallError> {
        Ok(match endpoint {
            Endpoint::Stdio(launch) => {
                let (process, pipes) = RunningProcess::start(launch)?;
                drain(pipes.stderr, tail);
                let peer = Peer::start(pipes.stdout, pipes.stdin, jsonrpc_field, notified, oddities);
                Self { line: RpcLine::Stream(peer), process: Some(process) }
            }
            Endpoint::Socket(path) => {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|error| CallError::Broken { what: format!("cannot connect to the socket {}: {error}", path.display()) })?;
                let (read, write) = stream.into_split();
                Self { line: RpcLine::Stream(Peer::start(read, write, jsonrpc_field, notified, oddities)), process: None }
            }
            Endpoint::Http(url) => {
                http::parse(url)?;
                Self { line: RpcLine::Http { url: url.clone(), next: AtomicU64::new(1), jsonrpc_field }, process: None }
            }
        })
    }

    /// Asks, and waits for the answer; the caller sets the limit.
    ///
    /// # Errors
    /// `Broken` where the connection is or gets closed, `Malformed` where what came is no answer.
    pub async fn request(&self, method: &str, params: Option<Value>) -> Result<PeerAnswer, CallError> {
        match &self.line {
            RpcLine::Stream(peer) => match (peer.request(method, params).await, &self.process) {
                (Err(CallError::Broken { what }), Some(process)) => {
                    Err(CallError::Broken { what: format!("{what}; {}", process.obituary().await) })
                }
                (answer, _) => answer,
            },
            RpcLine::Http { url, next, jsonrpc_field } => {
                let head = json!({ "id": next.fetch_add(1, Ordering::Relaxed), "method": method });
                let (status, body) = http::exchange(Method::POST, url, message(*jsonrpc_field, head, params)).await?;
                match serde_json::from_slice(&body) {
                    Ok(Value::Object(mut message)) => answer(&mut message),
                    _ => Err(CallError::Malformed { what: format!("HTTP status {status} and no JSON-RPC: `{}`", excerpt(&body)) }),
                }
            }
        }
    }

    /// Tells, without an answer.
    ///
    /// # Errors
    /// `Broken` where an HTTP server cannot be reached.
    pub async fn notify(&self, method: &str, params: Option<Value>) -> Result<(), CallError> {
        match &self.line {
            RpcLine::Stream(peer) => peer.notify(method, params),
            RpcLine::Http { url, jsonrpc_field, .. } => {
                http::exchange(Method::POST, url, message(*jsonrpc_field, json!({ "method": method }), params)).await?;
            }
        }
        Ok(())
    }
}

/// A system that is reached by JSON-RPC.
#[derive(Debug, Clone)]
pub struct RpcRoute {
    /// Where.
    pub endpoint: Endpoint,
    /// Whether messages carry `"jsonrpc": "2.0"`.
    pub jsonrpc_field: bool,
    /// What is said first.
    pub handshake: Vec<WireGreeting>,
}

/// One step of a JSON-RPC handshake.
#[derive(Debug, Clone, PartialEq)]
pub enum WireGreeting {
    /// A request, whose answer must be a result.
    Request(String, Option<Value>),
    /// A notification.
    Notify(String, Option<Value>),
}

#[async_trait(?Send)]
impl Route for RpcRoute {
    async fn connect(&self, to: &Connected) -> Result<Rc<dyn Link>, CallError> {
        let link = RpcLink::connect(&self.endpoint, self.jsonrpc_field, to.notified(), to.oddities(), to.tail()).await?;
        to.within_handshake(&self.endpoint, greet(&link, &self.handshake)).await?;
        Ok(Rc::new(link))
    }
}

#[async_trait(?Send)]
impl Link for RpcLink {
    async fn ask(&self, call: WireCall, _: Duration) -> Result<Raw, CallError> {
        let WireCall::Named { name, params } = call else { return Err(call.misplaced()) };
        self.request(&name, params).await.map(Raw::Rpc)
    }

    fn hears(&self) -> bool {
        matches!(self.line, RpcLine::Stream(_))
    }

    fn process(&self) -> Option<&RunningProcess> {
        self.process.as_ref()
    }

    async fn close(&self, limit: Duration) -> Option<String> {
        if let RpcLine::Stream(peer) = &self.line {
            peer.close();
        }
        self.process.as_ref()?.see_off(limit).await
    }
}

async fn greet(link: &RpcLink, handshake: &[WireGreeting]) -> Result<(), CallError> {
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Stdio(launch) => write!(f, "`{}`", launch.argv.join(" ")),
            Endpoint::Socket(path) => write!(f, "{}", path.display()),
            Endpoint::Http(url) => f.write_str(url),
        }
    }
}
