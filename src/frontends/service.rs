//! What a front end needs of a manager.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::contract::{Announcement, Args, ContractError, OperationTable};
use crate::core::clock::Clock;
use crate::fakes::sim::SimWorld;

/// A system that answers operations and announces; fronts put it behind CLI, JSON-RPC and MCP.
#[async_trait]
pub trait Service: Send + Sync {
    /// The operations it answers.
    fn operations(&self) -> OperationTable;

    /// Answers one operation.
    ///
    /// # Errors
    /// The contract's errors. Argument checking is the service's, so that every front refuses alike.
    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError>;

    /// Announcements from now on.
    fn announcements(&self) -> broadcast::Receiver<Announcement>;

    /// Ends everything that the service started.
    async fn shutdown(&self);
}

/// A service in memory that can be killed.
#[async_trait]
pub trait Killable: Service {
    /// Ends it at once, as a signal would: nothing of its sessions is ended.
    fn crash(&self);

    /// Waits until it does not run any more.
    async fn crashed(&self);
}

/// Opens a service again and again, each on what the one before has left.
#[async_trait]
pub trait Reopen: Send + Sync {
    /// The next one.
    async fn open(&self) -> Arc<dyn Killable>;
}

/// Makes a service for a simulated world.
pub(crate) type Opening = fn(SimWorld, Clock) -> Arc<dyn Reopen>;
