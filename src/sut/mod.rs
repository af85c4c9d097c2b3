//! Drivers: how the harness asks a system under test for operations, whatever it speaks.
pub(crate) mod adapter;
pub(crate) mod announced;
pub(crate) mod events;
pub(crate) mod ground;
pub mod manifest;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod running;
pub mod sandbox;
pub(crate) mod seen;
pub mod serve;
pub(crate) mod tail;
pub mod transports;

pub use adapter::open;
pub use tail::Tail;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::contract::{Announcement, Args, ContractError, OperationSpec};

/// A connection to one system under test, for one scenario.
///
/// Implementors translate and nothing else: they must not retry, cache, reorder or repair what the system says,
/// and they must not judge it. Every call ends within the limit that it was given.
#[async_trait(?Send)]
pub trait Driver {
    /// Asks for one operation and waits for its answer.
    ///
    /// # Errors
    /// [`CallError::Contract`] is the system's answer; [`CallError::Broken`] says that the adapter or the transport
    /// failed, which is never a verdict on the system's rules by itself.
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError>;

    /// Asks for one operation; whoever works on it is killed (SIGKILL) unless it was answered within `after`, and is dead
    /// when this returns. The system is then ready for the next call.
    ///
    /// # Errors
    /// As [`Driver::call`]; [`CallError::TimedOut`] where it was killed.
    async fn call_killed(&self, operation: &'static OperationSpec, args: &Args, after: Duration) -> Result<Args, CallError> {
        let (_, _, _) = (operation, args, after);
        Err(CallError::Broken { what: "nobody who works on a call can be killed here".into() })
    }

    /// Whether the system offers an operation, and which of its arguments can be passed.
    fn offer(&self, operation: &'static OperationSpec) -> Offer;

    /// How the system announces.
    fn announcements(&self) -> Announces;

    /// Subscribes to announcements that come by themselves (notifications, streams, files). Returns when the
    /// subscription holds.
    ///
    /// # Errors
    /// [`CallError::Broken`] where the stream cannot be opened.
    async fn subscribe(&self, into: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError>;

    /// How many of the announcements that came by themselves could not be read and why, where there were any.
    fn unread(&self) -> Option<String> {
        None
    }

    /// Kills the long-running process (SIGKILL) and starts it again, ready.
    ///
    /// # Errors
    /// [`CallError::Broken`] where there is none or it does not come back.
    async fn restart(&self) -> Result<(), CallError>;

    /// Whether [`Driver::restart`] can be asked for.
    fn can_restart(&self) -> bool;

    /// Ends the system: closes connections, runs the teardown. Returns what is worth reporting (never a verdict).
    async fn close(&self) -> Vec<String>;

    /// The last lines that the system wrote to its standard error.
    fn stderr_tail(&self) -> String;
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The system answered with an error of the contract.
    #[error("{0}")]
    Contract(ContractError),
    /// The call did not end within its limit.
    #[error("no answer within {limit_ms} ms")]
    TimedOut {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// What the manifest waits for in the answers did not come in time.
    #[error("waited {waited_s} s for {what}")]
    NotSeen {
        /// How long, in seconds.
        waited_s: f64,
        /// What was waited for, and what was answered last.
        what: String,
    },
    /// The system answered something that is not an answer: garbage, half a line, a result without its fields.
    #[error("{what}")]
    Malformed {
        /// What came, and what was wanted.
        what: String,
    },
    /// The system answered, and the manifest's mapping cannot read it: the manifest is wrong, and nothing is said of the system.
    #[error("{what}")]
    Unmapped {
        /// What came, what was wanted, and what to write.
        what: String,
    },
    /// The adapter or the transport broke: program missing, connection refused, pipe closed.
    #[error("{what}")]
    Broken {
        /// What broke.
        what: String,
    },
}

/// Whether an operation is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whether the operation is mapped at all.
    pub offered: bool,
    /// The names of the arguments that have a place.
    pub args: Vec<&'static str>,
}

impl Offer {
    /// An operation with all of its arguments.
    pub fn whole(operation: &'static OperationSpec) -> Self {
        Self { offered: true, args: operation.args.iter().map(|field| field.name).collect() }
    }
}

/// How announcements are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announces {
    /// By `wait_events`.
    pub by_waiting: bool,
    /// As notifications, a stream or a file.
    pub by_stream: bool,
}
