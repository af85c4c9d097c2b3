//! JSON-RPC 2.0 on a Unix socket, a message a line; announcements come as notifications.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use crate::contract::{Announcement, Args, ContractError};

use super::{Client, broken, refused};

/// A manager behind a socket.
#[derive(Debug)]
pub(crate) struct Rpc {
    socket: PathBuf,
    push: mpsc::UnboundedSender<Announcement>,
    line: AsyncMutex<Option<Arc<RpcConnection>>>,
}

/// One connection.
#[derive(Debug)]
struct RpcConnection {
    next: AtomicU64,
    out: mpsc::UnboundedSender<String>,
    /// Open questions; `None` once the connection is closed.
    open: Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>,
}

impl Rpc {
    /// The manager behind that socket; what it announces by itself goes to `push`.
    pub(crate) fn new(socket: PathBuf, push: mpsc::UnboundedSender<Announcement>) -> Self {
        Self { socket, push, line: AsyncMutex::new(None) }
    }

    async fn line(&self) -> Result<Arc<RpcConnection>, ContractError> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| line.open().is_some()) {
            return Ok(line.clone());
        }
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| broken(format!("{}: {error}", self.socket.display())))?;
        let (read, write) = stream.into_split();
        let (out, queue) = mpsc::unbounded_channel();
        let made = Arc::new(RpcConnection { next: AtomicU64::new(1), out, open: Mutex::new(Some(HashMap::new())) });
        tokio::spawn(write_lines(queue, write));
        tokio::spawn(read_lines(read, made.clone(), self.push.clone()));
        *line = Some(made.clone());
        Ok(made)
    }
}

#[async_trait]
impl Client for Rpc {
    async fn call(&self, operation: &str, args: Args) -> Result<Args, ContractError> {
        let gone = || broken(format!("{operation}: the connection was closed"));
        let line = self.line().await?;
        let id = line.next.fetch_add(1, Ordering::Relaxed);
        let (told, answer) = oneshot::channel();
        line.open().as_mut().ok_or_else(gone)?.insert(id, told);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": operation, "params": args });
        line.out.send(format!("{request}\n")).map_err(|_| gone())?;
        let mut answer = answer.await.map_err(|_| gone())?;
        let result = answer.get_mut("result").map(Value::take).unwrap_or_default();
        match (&answer["error"], result) {
            (Value::Null, Value::Object(result)) => Ok(result),
            (Value::Null, other) => Err(broken(format!("{operation}: answered {other}, wanted an object"))),
            (error, _) => Err(refused(error["data"]["code"].as_str(), error["code"].as_i64(), error["message"].as_str())),
        }
    }
}

impl RpcConnection {
    fn open(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Value>>>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn write_lines(mut queue: mpsc::UnboundedReceiver<String>, mut write: OwnedWriteHalf) {
    while let Some(line) = queue.recv().await {
        if write.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_lines(read: OwnedReadHalf, line: Arc<RpcConnection>, push: mpsc::UnboundedSender<Announcement>) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        if let Some(id) = message["id"].as_u64() {
            let asked = line.open().as_mut().and_then(|open| open.remove(&id));
            // Whoever asked may have given up.
            let _ = asked.map(|asked| asked.send(message));
        } else if let (Some(method), Some(params)) = (message["method"].as_str(), message["params"].as_object()) {
            let mut said = params.clone();
            said.insert("event".into(), method.into());
            // A method that is no announcement is somebody else's.
            let _ = Announcement::heard(Value::Object(said)).map(|announcement| push.send(announcement));
        }
    }
    line.open().take();
}
