//! The virtual host: agents in the simulated world.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::agent::sim::{HookMoment, SimEnd, SimLaunch, SimSignal, SimWorld};

use super::host::{End, Handle, Host, HostError, Launch, Moment, Signal};
use super::spool::Receipt;

/// A host over a simulated world.
pub struct VirtualHost {
    world: SimWorld,
    signals: Mutex<mpsc::UnboundedSender<Signal>>,
}

impl VirtualHost {
    /// A host over that world.
    pub fn new(world: SimWorld) -> Self {
        Self { world, signals: Mutex::new(mpsc::unbounded_channel().0) }
    }

    fn tell(&self) -> std::sync::MutexGuard<'_, mpsc::UnboundedSender<Signal>> {
        self.signals.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Virtual agents outlive a manager that is killed; what they tell meanwhile waits in a spool, as with the real hosts.
/// The host is shared by the managers that follow each other, and its relay tasks carry the session's name.
#[async_trait]
impl Host for std::sync::Arc<VirtualHost> {
    async fn launch(&self, launch: Launch) -> Result<Handle, HostError> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let sim = SimLaunch { agent: launch.agent, cwd: launch.cwd, message: launch.message, tell };
        let pid = self.world.launch(sim).await.map_err(HostError::CannotStart)?;
        let (host, session) = (self.clone(), launch.session.clone());
        tokio::spawn(async move {
            while let Some(signal) = told.recv().await {
                let session = session.clone();
                let signal = match signal {
                    SimSignal::Exited { code } => Signal::Exited { session, code, receipt: Receipt::default() },
                    SimSignal::Hook { moment, payload } => {
                        let moment = match moment {
                            HookMoment::Start => Moment::Start,
                            HookMoment::TurnEnd => Moment::TurnEnd,
                            HookMoment::TurnFailed => Moment::TurnFailed,
                        };
                        Signal::Hook { session, moment, payload, receipt: Receipt::default() }
                    }
                };
                let _ = host.tell().send(signal);
            }
        });
        Ok(Handle { session: launch.session, pid, started: u64::from(pid), address: String::new() })
    }

    async fn deliver(&self, handle: &Handle, message: &str) -> Result<(), HostError> {
        self.world.type_text(handle.pid, message).await.map_err(|_| HostError::Gone)
    }

    async fn alive(&self, handle: &Handle) -> bool {
        self.world.lives(handle.pid)
    }

    async fn end(&self, handle: &Handle, how: End) -> Result<(), HostError> {
        let how = match how {
            End::Tree => SimEnd::Tree,
            End::Polite => SimEnd::Polite,
            End::ProcessOnly => SimEnd::ProcessOnly,
            End::Group => SimEnd::Group,
        };
        self.world.end(handle.pid, how).await;
        Ok(())
    }

    async fn screen(&self, handle: &Handle) -> Result<String, HostError> {
        self.world.screen(handle.pid).filter(|_| self.world.lives(handle.pid)).ok_or(HostError::Gone)
    }

    async fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        self.world.read_file(path)
    }

    async fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        self.world.files_below(folder)
    }

    async fn is_folder(&self, path: &Path) -> bool {
        self.world.is_folder(path)
    }

    fn home(&self) -> PathBuf {
        self.world.home()
    }

    fn signals(&self) -> mpsc::UnboundedReceiver<Signal> {
        let (to, from) = mpsc::unbounded_channel();
        *self.tell() = to;
        from
    }
}
