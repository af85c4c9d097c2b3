//! A service that is somewhere else: whatever is asked here is asked there, over JSON-RPC on a Unix socket.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use crate::contract::{Announcement, Args, ContractError, OperationTable, SESSION_OPERATIONS};
use crate::frontends::clients::{Client as _, Rpc};
use crate::frontends::service::Service;

/// How many announcements a slow listener may be behind.
const BEHIND: usize = 1024;

/// The bridge.
#[derive(Debug)]
pub(crate) struct Bridge {
    there: Rpc,
    told: broadcast::Sender<Announcement>,
}

impl Bridge {
    /// A bridge to a socket. It connects when it is first asked something.
    pub(crate) fn to(socket: PathBuf) -> Arc<Self> {
        let (push, mut pushed) = mpsc::unbounded_channel();
        let told = broadcast::Sender::new(BEHIND);
        let tell = told.clone();
        tokio::spawn(async move {
            while let Some(announcement) = pushed.recv().await {
                // Nobody may be listening.
                let _ = tell.send(announcement);
            }
        });
        Arc::new(Self { there: Rpc::new(socket, push), told })
    }
}

#[async_trait]
impl Service for Bridge {
    fn operations(&self) -> OperationTable {
        SESSION_OPERATIONS
    }

    async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
        self.there.call(operation, args).await
    }

    fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.told.subscribe()
    }

    /// What is somewhere else goes on.
    async fn shutdown(&self) {}
}
