//! Agents on terminals of their own, each held by a shim process.

pub(crate) mod shim;

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::contract::SessionId;

use super::host::{AgentLaunch, End, Handle, Host, HostError, Plays, Signal};
use super::real::Real;

use shim::{Ask, ShimAnswer, ShimJob};

/// How long a shim may take to answer; each of its answers has a limit of its own below that.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest message that goes as an argument, in bytes; the system takes 128 KiB for one.
const LONGEST_ARGUMENT: usize = 100_000;

/// The longest id that its shim's socket is named after, in bytes: a socket's path ends soon. Others go by their hash.
const LONGEST_NAME: usize = 11;

/// The host of shims.
#[derive(Debug)]
pub(crate) struct ProcessHost {
    ground: Real,
}

impl ProcessHost {
    /// A host with its state in a folder.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        Ok(Self { ground: Real::open(state)? })
    }

    fn socket(&self, session: &SessionId) -> PathBuf {
        let mut name = session.to_string();
        if name.len() > LONGEST_NAME {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            name = format!("x{:010x}", hasher.finish() >> 24);
        }
        self.ground.at(&format!("k/{name}.sock"))
    }

    /// Starts a shim, which listens from the beginning; gives the first connection to it.
    fn shim(&self, socket: &Path) -> io::Result<std::os::unix::net::UnixStream> {
        // An id is given once: what is there belongs to nobody.
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)?;
        let first = std::os::unix::net::UnixStream::connect(socket)?;
        let log = File::options().create(true).append(true).open(self.ground.at("keepers.log"))?;
        let mut shim = tokio::process::Command::new(self.ground.passmuster())
            .args(["session", "keeper"])
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        // Somebody has to take leave of it when it ends.
        tokio::spawn(async move { shim.wait().await });
        Ok(first)
    }
}

/// Asks a shim.
async fn ask(mut stream: UnixStream, ask: &Ask) -> Result<ShimAnswer, HostError> {
    let gone = |_| HostError::Gone;
    stream.write_all(&shim::line(ask)).await.map_err(gone)?;
    match timeout(ANSWER, shim::hear(stream)).await {
        Err(_) => Err(HostError::Failed("the session's shim does not answer".into())),
        Ok(Err(_)) | Ok(Ok(ShimAnswer::Gone)) => Err(HostError::Gone),
        Ok(Ok(ShimAnswer::Failed(why))) => Err(HostError::Failed(why)),
        Ok(Ok(answer)) => Ok(answer),
    }
}

async fn ask_at(address: impl AsRef<Path>, question: &Ask) -> Result<ShimAnswer, HostError> {
    ask(UnixStream::connect(address).await.map_err(|_| HostError::Gone)?, question).await
}

#[async_trait]
impl Host for ProcessHost {
    async fn launch(&self, mut launch: AgentLaunch) -> Result<Handle, HostError> {
        let program = Real::program(launch.agent)?;
        let (mut args, env) = self.ground.with_hooks(&launch)?;
        args.extend(Real::with_message(&mut launch, LONGEST_ARGUMENT));
        let socket = self.socket(&launch.session);
        let for_a_turn = matches!(launch.plays, Plays::OneTurn { .. });
        let kept = ShimJob { program, args, cwd: launch.cwd, env, typed: launch.message, for_a_turn, socket: socket.clone() };
        let broken = |error: io::Error| HostError::Failed(format!("the session's shim cannot be started: {error}"));
        let first = self.shim(&socket).map_err(broken)?;
        first.set_nonblocking(true).map_err(broken)?;
        let first = UnixStream::from_std(first).map_err(broken)?;
        match ask(first, &Ask::Keep(Box::new(kept))).await {
            Ok(ShimAnswer::Agent { pid, started }) => {
                let handle = Handle { session: launch.session, pid, started, address: socket.display().to_string() };
                self.ground.watch(&handle);
                Ok(handle)
            }
            Err(HostError::Failed(why)) => Err(HostError::CannotStart(why)),
            _ => Err(HostError::Failed("the session's shim gave no answer".into())),
        }
    }

    async fn recover(&self, session: &SessionId) -> Option<Handle> {
        let socket = self.socket(session);
        match ask_at(&socket, &Ask::Which).await {
            Ok(ShimAnswer::Agent { pid, started }) => {
                Some(Handle { session: session.clone(), pid, started, address: socket.display().to_string() })
            }
            _ => None,
        }
    }

    async fn adopt(&self, handle: &Handle) {
        self.ground.watch(handle);
    }

    async fn deliver(&self, handle: &Handle, message: &str) -> Result<(), HostError> {
        ask_at(&handle.address, &Ask::Type(message.to_owned())).await.map(drop)
    }

    async fn alive(&self, handle: &Handle) -> bool {
        Real::alive(handle)
    }

    async fn end(&self, handle: &Handle, how: End) -> Result<(), HostError> {
        let done = match ask_at(&handle.address, &Ask::End(how)).await {
            // Its shim went, of itself or killed: what it knew as its own still carries the session's mark.
            Err(HostError::Gone) => Ok(()),
            other => other.map(drop),
        };
        if how == End::Tree {
            self.ground.end_marked(&handle.session).await?;
            let _ = std::fs::remove_file(&handle.address);
            self.ground.forget(&handle.session);
        }
        done
    }

    async fn screen(&self, handle: &Handle) -> Result<String, HostError> {
        match ask_at(&handle.address, &Ask::Screen).await? {
            ShimAnswer::Text(text) => Ok(text),
            _ => Err(HostError::Gone),
        }
    }

    async fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }

    async fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        Real::files_below(folder)
    }

    async fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn home(&self) -> PathBuf {
        Real::home()
    }

    fn signals(&self) -> mpsc::UnboundedReceiver<Signal> {
        self.ground.signals()
    }
}
