//! Agents on terminals of their own, each held by a keeper process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal as Kill;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::agent::processes::{ProcFs, kill};

use super::host::{End, Handle, Host, HostError, Launch, Signal};
use super::keeper::{Ask, Begun, Kept};
use super::real::Real;

/// How long a keeper may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest message that goes as an argument, in bytes; the system takes 128 KiB for one.
const LONGEST_ARGUMENT: usize = 100_000;

/// The host of keepers.
#[derive(Debug)]
pub struct ProcessHost {
    ground: Real,
}

impl ProcessHost {
    /// A host with its state in a folder.
    ///
    /// # Errors
    /// The system's.
    pub fn open(state: &Path) -> std::io::Result<Self> {
        Ok(Self { ground: Real::open(state)? })
    }

    async fn ask(&self, handle: &Handle, ask: &Ask) -> Result<String, HostError> {
        let gone = |_| HostError::Gone;
        let stream = UnixStream::connect(&handle.address).await.map_err(gone)?;
        let (read, mut write) = stream.into_split();
        let mut line = serde_json::to_vec(ask).expect("plain data");
        line.push(b'\n');
        write.write_all(&line).await.map_err(gone)?;
        let mut reply = String::new();
        let mut reader = BufReader::new(read);
        match timeout(ANSWER, reader.read_line(&mut reply)).await {
            Err(_) => Err(HostError::Failed("the session's keeper does not answer".into())),
            Ok(_) => match serde_json::from_str::<Result<String, String>>(&reply) {
                Ok(Ok(text)) => Ok(text),
                Ok(Err(_)) | Err(_) => Err(HostError::Gone),
            },
        }
    }
}

#[async_trait]
impl Host for ProcessHost {
    async fn launch(&self, launch: Launch) -> Result<Handle, HostError> {
        let program = Real::program(launch.agent)?;
        let (mut args, env) = self.ground.with_hooks(&launch)?;
        let mut typed = None;
        match launch.message {
            Some(message) if message.len() > LONGEST_ARGUMENT => typed = Some(message),
            Some(message) => args.extend(["--".into(), message]),
            None => {}
        }
        let socket = self.ground.at(&format!("k/{}.sock", launch.session));
        let kept = Kept {
            session: launch.session.clone(),
            program,
            args,
            cwd: launch.cwd,
            env,
            typed,
            socket: socket.clone(),
            spool: self.ground.spool(),
        };
        let failed = |error: std::io::Error| HostError::Failed(format!("the session's keeper cannot be started: {error}"));
        let mut keeper = tokio::process::Command::new(self.ground.passmuster())
            .args(["session", "keeper"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(failed)?;
        let mut line = serde_json::to_vec(&kept).expect("plain data");
        line.push(b'\n');
        if let Some(mut stdin) = keeper.stdin.take() {
            stdin.write_all(&line).await.map_err(failed)?;
        }
        let mut begun = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            // What it keeps is answered within its own limits.
            let _ = timeout(ANSWER, BufReader::new(stdout).read_line(&mut begun)).await;
        }
        // Somebody has to take leave of it when it ends.
        tokio::spawn(async move { keeper.wait().await });
        match serde_json::from_str(&begun) {
            Ok(Begun::Up { pid, started }) => Ok(Handle { session: launch.session, pid, started, address: socket.display().to_string() }),
            Ok(Begun::Failed(why)) => Err(HostError::CannotStart(why)),
            Err(_) => Err(HostError::Failed("the session's keeper gave no answer".into())),
        }
    }

    async fn deliver(&self, handle: &Handle, message: &str) -> Result<(), HostError> {
        self.ask(handle, &Ask::Type(message.to_owned())).await.map(drop)
    }

    async fn alive(&self, handle: &Handle) -> bool {
        Real::alive(handle)
    }

    async fn end(&self, handle: &Handle, how: End) -> Result<(), HostError> {
        match self.ask(handle, &Ask::End(how)).await {
            Err(HostError::Gone) if how == End::Tree => {}
            Err(HostError::Gone) => return Ok(()),
            other => {
                other?;
            }
        }
        if how == End::Tree {
            // Without its keeper, or out of its tree, what carries the session's mark is still the session's.
            for pid in self.ground.marked(&handle.session) {
                kill(pid, Kill::KILL);
            }
            let gone = async {
                while !self.ground.marked(&handle.session).iter().all(|pid| ProcFs::entry(*pid).is_none()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(ANSWER, gone).await.map_err(|_| HostError::Failed("something of the session cannot be ended".into()))?;
        }
        Ok(())
    }

    async fn screen(&self, handle: &Handle) -> Result<String, HostError> {
        self.ask(handle, &Ask::Screen).await
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
