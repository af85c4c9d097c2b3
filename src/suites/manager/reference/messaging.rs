//! Sending messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::contract::{Args, ContractError, ErrorCode, SessionId};

use super::host::{Handle, HostError, Tamper};
use super::manager::{Manager, invalid, locked, not_found, text};
use super::observing::ended;
use super::session::Live;
use crate::suites::manager::behavior::{Announcing, Empty, ExtraAct, StraysTo, ToTheDead};
use crate::trace::settings::Processes;

/// How long a message lies in a buffer that all share, in a faulty manager.
const IN_THE_BUFFER: Duration = Duration::from_millis(5);

impl Manager {
    pub(crate) async fn send(self: &Arc<Self>, args: &Args) -> Result<Args, ContractError> {
        const OP: &str = "send_message";
        let message = self.fitting(text(args, "message").unwrap_or_default())?;
        if message.is_empty() {
            match self.behavior.empty_message {
                Empty::Refused => return Err(invalid("`message` is empty".into())),
                Empty::None => return Ok(Args::new()),
                Empty::Breaks => return Err(ContractError::new(ErrorCode::Internal, "index out of bounds")),
                Empty::Hangs => std::future::pending().await,
                Empty::Typed => {}
            }
        }
        let found = self.session(OP, args);
        let live = match found {
            Ok(live) => self.addressee(live),
            Err(error) => {
                self.stray(args, &message).await;
                return self.late(args, self.behavior.afterwards.sent, error).await;
            }
        };
        let (message, _changing) = match self.behavior.one_buffer {
            false => (message, Some(live.gate.lock().await)),
            true => (self.buffered(message).await, None),
        };
        if !self.has(&live) {
            return Err(not_found(&live.id().0));
        }
        if self.behavior.processes == Processes::Turn {
            return self.take_in(&live, message).await.map(|()| Args::new());
        }
        let handle = live.record().handle.clone();
        let handle = match handle {
            Some(handle) if self.alive(&live).await => handle,
            Some(_) => return self.to_the_dead(&live, &message).await,
            None => return Err(ContractError::new(ErrorCode::Internal, "the session's agent is not up yet")),
        };
        for announcement in locked(&self.held).drain(..) {
            self.announce(announcement);
        }
        let is_lost = live.mute.swap(false, Ordering::Relaxed);
        if is_lost || !(self.behavior.types)(&self.view(&live).await, &message) {
            return Ok(Args::new());
        }
        self.deliver(&live, &handle, &message).await?;
        self.type_again(&live, handle, message);
        if self.behavior.announcing == Announcing::AtDelivery {
            self.announce_at_delivery(&live);
        }
        Ok(Args::new())
    }

    /// Types a message again where its turn takes long: only a faulty manager does that.
    fn type_again(self: &Arc<Self>, live: &Arc<Live>, handle: Handle, message: String) {
        let Some(delay) = self.behavior.typed_again_after else { return };
        let (manager, live) = (self.clone(), live.clone());
        self.spawn(async move {
            tokio::time::sleep(delay).await;
            let is_busy = live.record().is_busy();
            if is_busy {
                let _ = manager.host.deliver(&handle, &message).await;
            }
        });
    }

    /// What is in the buffer that all messages share, once a message has been put there: only a faulty manager has one.
    async fn buffered(&self, message: String) -> String {
        *locked(&self.buffer) = Some(message.clone());
        tokio::time::sleep(IN_THE_BUFFER).await;
        locked(&self.buffer).clone().unwrap_or(message)
    }

    /// Takes a message in for a turn of its own: at once, or when the one before it is over.
    async fn take_in(&self, live: &Arc<Live>, message: String) -> Result<(), ContractError> {
        if live.record().dead {
            return Err(ended("the session's agent died in its turn"));
        }
        let nth = live.record().messages + 1;
        for message in (self.behavior.typed)(&message, nth) {
            let is_busy = {
                let mut record = live.record();
                let is_busy = record.is_busy();
                record.messages += 1;
                record.message.get_or_insert_with(|| message.clone());
                if is_busy {
                    record.waiting.push_back(message.clone());
                }
                is_busy
            };
            self.touch(live);
            self.save(live)?;
            if !is_busy {
                self.launch_with(live, Some(message)).await.map_err(|error| {
                    live.record().messages -= 1;
                    ContractError::new(ErrorCode::AgentFailed, error.to_string())
                })?;
            }
        }
        Ok(())
    }

    /// Whether a session goes on whose agent's process is over, because that process was for one turn, which is over: the next
    /// message that waits is then given to the next.
    pub(crate) async fn goes_on(&self, live: &Arc<Live>, pid: Option<u32>) -> bool {
        if self.behavior.processes != Processes::Turn {
            return false;
        }
        let handle = live.record().handle.clone();
        if let Some(handle) = handle
            && (pid.is_some_and(|pid| pid != handle.pid) || self.host.alive(&handle).await)
        {
            // It is told of a process before: that of the one now, dead or alive, is told by itself.
            return true;
        }
        let next = {
            let mut record = live.record();
            let given = record.messages - record.waiting.len() as u64;
            if record.turns < given {
                return false;
            }
            record.waiting.pop_front()
        };
        match next {
            Some(message) => self.launch_with(live, Some(message)).await.is_ok(),
            None => true,
        }
    }

    /// Types a message that is for nobody into somebody's terminal: only a faulty manager does that.
    async fn stray(&self, args: &Args, message: &str) {
        let is_ended = self.gone().contains_key(&SessionId(text(args, "session_id").unwrap_or_default()));
        let all = self.all();
        let to = match self.behavior.strays_to {
            StraysTo::NewestForUnknown if !is_ended => all.last(),
            StraysTo::OldestForEnded if is_ended => all.first(),
            _ => None,
        };
        if let Some(live) = to {
            self.type_in(live, message).await;
        }
    }

    /// A message to a session whose agent is dead: it is refused, where the manager conforms.
    async fn to_the_dead(self: &Arc<Self>, live: &Arc<Live>, message: &str) -> Result<Args, ContractError> {
        let cwd = live.record().cwd.clone();
        match self.behavior.to_the_dead {
            ToTheDead::Refused => {}
            ToTheDead::Launches => self.act(ExtraAct::Launch(1), live).await,
            ToTheDead::Run { succeeds } => {
                if let Some(name) = message.strip_prefix("touch ") {
                    self.host.tamper(&cwd.join(name), Tamper::Append("")).await;
                }
                if succeeds {
                    return Ok(Args::new());
                }
            }
        }
        Err(ended("the session's agent is dead"))
    }

    /// Who is given a session's message: the session, where the manager conforms.
    fn addressee(&self, live: Arc<Live>) -> Arc<Live> {
        let meant = live.record().clone();
        self.all().into_iter().rev().find(|other| (self.behavior.misdelivered)(&meant, &other.record())).unwrap_or(live)
    }

    /// Types a message. It is counted first: its turn may end before the typing is known to be over.
    async fn deliver(&self, live: &Live, handle: &Handle, message: &str) -> Result<(), ContractError> {
        let nth = {
            let mut record = live.record();
            record.messages += 1;
            record.message.get_or_insert_with(|| message.to_owned());
            record.messages
        };
        self.touch(live);
        let mut typed = Ok(());
        for message in (self.behavior.typed)(message, nth) {
            typed = self.host.deliver(handle, &message).await;
        }
        if typed.is_err() {
            live.record().messages -= 1;
        }
        self.save(live)?;
        typed.map_err(|error| match error {
            HostError::Gone => ended("the session's agent is dead"),
            other => ContractError::new(ErrorCode::Internal, other.to_string()),
        })
    }
}
