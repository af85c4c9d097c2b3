//! The control server: the Unix socket on which the harness hears and directs its stand-ins.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::trace::Entry;

use super::control::{AgentReport, ControlCommand};
use super::processes::ProcFs;
use super::registry::{AgentRegistry, Hello};

/// A control server that listens; it closes when it is dropped.
#[derive(Debug)]
pub struct ControlServer {
    task: JoinHandle<()>,
}

impl ControlServer {
    /// Opens a control server at a socket's path; who connects joins `registry`.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn open(path: &Path, registry: AgentRegistry) -> io::Result<Self> {
        Self::open_for(path, registry, None)
    }

    /// The same for those who work in one folder, whatever they call it: in a container it may have another name.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn open_for(path: &Path, registry: AgentRegistry, folder: Option<String>) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(hear(stream, registry.clone(), folder.clone()));
            }
        });
        Ok(Self { task })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Hears one stand-in until its channel closes.
async fn hear(stream: UnixStream, registry: AgentRegistry, folder: Option<String>) {
    // In a container a process has another id of its own; the kernel tells the one that it has here.
    let peer = stream.peer_cred().ok().and_then(|peer| u32::try_from(peer.pid()?).ok());
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let Ok(Some(first)) = lines.next_line().await else { return };
    let Ok(AgentReport::Hello { agent, pid, cwd, args }) = serde_json::from_str(&first) else {
        registry.log().push(Entry::Note { text: format!("a stand-in began with something else than hello: {first}") });
        return;
    };
    let (to, mut commands) = mpsc::unbounded_channel();
    let (pid, cwd) = (peer.unwrap_or(pid), folder.unwrap_or(cwd));
    let hello = Hello { agent, pid, started_ticks: ProcFs::ticks(pid), cwd, args };
    let (run, script) = registry.attach(hello, to);
    let speak = async move {
        let mut next = Some(ControlCommand::Script(script));
        while let Some(command) = next {
            let mut line = serde_json::to_vec(&command).expect("commands are plain data");
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                return;
            }
            next = commands.recv().await;
        }
    };
    let speaking = tokio::spawn(speak);
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(report) => registry.report_with(&run, report, ProcFs::ticks),
            Err(error) => drop(registry.log().push(Entry::Note { text: format!("{run} reported what is no report ({error}): {line}") })),
        }
    }
    speaking.abort();
    registry.gone(&run);
}
