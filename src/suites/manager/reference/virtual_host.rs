//! The virtual host: agents in the simulated world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::contract::SessionId;
use crate::fakes::sim::{HookMoment, SimEnd, SimLaunch, SimSignal, SimWorld};

use super::host::{AgentLaunch, End, Handle, HookTime, Host, HostError, Plays, Signal, Tamper};
use super::spool::Receipt;

/// A host over a simulated world. Its agents outlive a manager that is killed; what they tell meanwhile waits for the
/// next one, as in the spool of a real host.
pub(crate) struct VirtualHost {
    world: SimWorld,
    state: Mutex<VirtualHostState>,
}

#[derive(Default)]
struct VirtualHostState {
    listener: Option<mpsc::UnboundedSender<Signal>>,
    spool: Vec<Signal>,
    agents: BTreeMap<SessionId, Handle>,
}

impl VirtualHost {
    /// A host over that world.
    pub(crate) fn new(world: SimWorld) -> Self {
        Self { world, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VirtualHostState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tell(&self, signal: Signal) {
        let mut state = self.lock();
        let left = match &state.listener {
            Some(listener) => listener.send(signal).err().map(|unheard| unheard.0),
            None => Some(signal),
        };
        state.spool.extend(left);
    }
}

fn told(session: SessionId, signal: SimSignal) -> Signal {
    match signal {
        SimSignal::Exited { .. } => Signal::Exited { session, pid: None, receipt: Receipt::default() },
        SimSignal::Hook { moment, payload } => {
            let moment = match moment {
                HookMoment::Start => HookTime::Start,
                HookMoment::TurnEnd => HookTime::TurnEnd,
                HookMoment::TurnFailed => HookTime::TurnFailed,
            };
            Signal::Hook { session, moment, payload, receipt: Receipt::default() }
        }
    }
}

#[async_trait]
impl Host for Arc<VirtualHost> {
    async fn launch(&self, launch: AgentLaunch) -> Result<Handle, HostError> {
        let (tell, mut signals) = mpsc::unbounded_channel();
        let (one_turn, resumes) = match launch.plays {
            Plays::On => (false, None),
            Plays::OneTurn { resumes } => (true, resumes),
        };
        let sim = SimLaunch { agent: launch.agent, cwd: launch.cwd, message: launch.message, one_turn, resumes, tell };
        let pid = self.world.launch(sim).await.map_err(HostError::CannotStart)?;
        let (host, session) = (self.clone(), launch.session.clone());
        tokio::spawn(async move {
            while let Some(signal) = signals.recv().await {
                host.tell(told(session.clone(), signal));
            }
        });
        let handle = Handle { session: launch.session.clone(), pid, started: u64::from(pid), address: String::new() };
        self.lock().agents.insert(launch.session, handle.clone());
        Ok(handle)
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
            End::Descendants => SimEnd::Descendants,
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
        let mut state = self.lock();
        for signal in state.spool.drain(..) {
            let _ = to.send(signal);
        }
        state.listener = Some(to);
        from
    }

    async fn recover(&self, session: &SessionId) -> Option<Handle> {
        let handle = self.lock().agents.get(session).cloned()?;
        self.world.lives(handle.pid).then_some(handle)
    }

    async fn tamper(&self, path: &Path, how: Tamper) {
        match how {
            Tamper::Remove => self.world.remove_file(path),
            Tamper::Append(text) => {
                let mut bytes = self.world.read_file(path).unwrap_or_default();
                bytes.extend_from_slice(text.as_bytes());
                self.world.write_file(path, &bytes);
            }
        }
    }
}
