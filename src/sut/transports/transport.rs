//! One face for every way of asking: a call goes out, an answer comes back as it was, within its limit.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::mcp::connection::ToolAnswer;
use super::process::ProcessOutput;
use super::rest::HttpAnswer;
use super::rpc::link::Endpoint;
use super::rpc::peer::{Notified, PeerAnswer};
use super::wire::Oddities;
use crate::sut::running::{GRACE, RunningProcess};
use crate::sut::{CallError, Tail};

/// How a system is reached, again and again: what a row of `TRANSPORTS` makes of a manifest.
#[async_trait(?Send)]
pub trait Route {
    /// Makes a connection and shakes hands. `to` has the ears, what is odd, the tail of standard error, and the limit.
    ///
    /// # Errors
    /// `Broken`, `Malformed` or `TimedOut`, saying what was tried.
    async fn connect(&self, to: &Connected) -> Result<Rc<dyn Link>, CallError>;
}

/// A connection. A call keeps the one that it began on.
#[async_trait(?Send)]
pub trait Link {
    /// Asks. The caller sets the limit, unless it [limits itself](Link::limits_itself).
    ///
    /// # Errors
    /// `Broken` where the connection is or gets closed, `Malformed` where what came is no answer.
    async fn ask(&self, call: WireCall, limit: Duration) -> Result<Raw, CallError>;

    /// Whether an asking ends what it started when its limit is over, so that nobody may abandon it.
    fn limits_itself(&self) -> bool {
        false
    }

    /// Whether notifications can come this way at all.
    fn hears(&self) -> bool {
        false
    }

    /// Asks for notifications, where they have to be asked for.
    ///
    /// # Errors
    /// `Broken` where the connection is gone.
    async fn listen(&self) -> Result<(), CallError> {
        Ok(())
    }

    /// The process at the other end, where it was started for this connection.
    fn process(&self) -> Option<&RunningProcess> {
        None
    }

    /// Closes the connection; a process of its own gets `limit` to end by itself. Returns what is worth reporting.
    async fn close(&self, _limit: Duration) -> Option<String> {
        None
    }
}

/// One call, in the system's own words.
#[derive(Debug, Clone, PartialEq)]
pub enum WireCall {
    /// A process.
    Process {
        /// The program, by path, and its arguments.
        argv: Vec<String>,
        /// What it reads.
        stdin: Option<String>,
    },
    /// Something that a server has a name for: a method, a tool, a method of HTTP and a path.
    Named {
        /// The name.
        name: String,
        /// What is passed along: parameters, arguments, the parts of a request.
        params: Option<Value>,
    },
}

impl WireCall {
    /// What comes of a call that does not belong to a connection of that kind.
    pub(crate) fn misplaced(&self) -> CallError {
        let what = match self {
            WireCall::Process { .. } => "a server is asked by a name, not by a command",
            WireCall::Named { .. } => "a program is asked by a command, not by a name",
        };
        CallError::Broken { what: what.to_owned() }
    }
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
    /// What a request was answered with.
    Http(HttpAnswer),
}

/// Takes notifications for as long as the system is connected, over every reconnection: their method and `params`.
pub type Ears = Arc<dyn Fn(&str, &Value) + Send + Sync>;

/// A connected system.
pub struct Connected {
    route: Box<dyn Route>,
    limit: Duration,
    ears: Ears,
    oddities: Oddities,
    tail: Tail,
    /// `None` between two connections.
    link: RefCell<Option<Rc<dyn Link>>>,
}

impl Connected {
    /// Connects and shakes hands, within `limit`. Standard error goes to `tail`.
    ///
    /// # Errors
    /// `Broken`, `Malformed` or `TimedOut`, saying what was tried.
    pub async fn connect(route: Box<dyn Route>, limit: Duration, ears: Ears, oddities: Oddities, tail: Tail) -> Result<Self, CallError> {
        let transport = Self { route, limit, ears, oddities, tail, link: RefCell::default() };
        transport.reconnect().await?;
        Ok(transport)
    }

    /// Kills the process at the other end (SIGKILL), where it was started for this connection, and makes a new connection.
    ///
    /// # Errors
    /// As [`Connected::connect`].
    pub async fn kill(&self) -> Result<(), CallError> {
        let link = self.link.borrow().clone();
        if let Some(process) = link.as_ref().and_then(|link| link.process()) {
            process.kill_group().await;
        }
        self.reconnect().await
    }

    /// Drops the connection and makes a new one.
    ///
    /// # Errors
    /// As [`Connected::connect`].
    pub async fn reconnect(&self) -> Result<(), CallError> {
        let old = self.link.take();
        if let Some(link) = old {
            link.close(GRACE).await;
        }
        let link = self.route.connect(self).await?;
        self.link.replace(Some(link));
        Ok(())
    }

    /// Shakes hands within the limit.
    ///
    /// # Errors
    /// `Broken`, saying with whom, and what odd thing came instead where one did.
    pub(crate) async fn within_handshake<T>(
        &self,
        endpoint: &Endpoint,
        shake: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
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
        let Some(link) = self.link.borrow().clone() else { return Err(CallError::Broken { what: "not connected".to_owned() }) };
        let asked = link.ask(call, limit);
        if link.limits_itself() {
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
        self.link.borrow().as_ref().is_some_and(|link| link.hears())
    }

    /// Asks for notifications, where they have to be asked for.
    ///
    /// # Errors
    /// `Broken` where the connection is gone.
    pub async fn listen(&self) -> Result<(), CallError> {
        let link = self.link.borrow().clone();
        let Some(link) = link else { return Ok(()) };
        timeout(self.limit, link.listen()).await.unwrap_or(Ok(()))
    }

    /// Closes the connection; a server that was started for it gets `limit` to end by itself. Returns what is worth
    /// reporting, what was odd on the wire included.
    pub async fn close(&self, limit: Duration) -> Vec<String> {
        let link = self.link.take();
        let last = match link {
            Some(link) => link.close(limit).await,
            None => None,
        };
        last.into_iter().chain(self.oddities.sentences()).collect()
    }

    /// Hands notifications to the ears.
    pub(crate) fn notified(&self) -> Notified {
        let ears = self.ears.clone();
        Box::new(move |method, params| ears(method, params))
    }

    /// Takes note of what breaks the protocol.
    pub(crate) fn oddities(&self) -> Oddities {
        self.oddities.clone()
    }

    /// Where standard error goes.
    pub(crate) fn tail(&self) -> Tail {
        self.tail.clone()
    }
}
