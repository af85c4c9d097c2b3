//! What a front end needs of a manager.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::contract::{Announcement, Args, ContractError, OperationTable};

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
