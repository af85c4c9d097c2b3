//! Sending messages.

use std::sync::Arc;

use crate::contract::{Args, ContractError, ErrorCode};

use super::host::{Handle, HostError};
use super::manager::{Manager, invalid, locked, not_found, text};
use super::observing::ended;
use super::session::Live;
use crate::suites::manager::behavior::{Announcing, Empty};

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
            Err(error) => return self.late(args, self.behavior.afterwards.sent, error).await,
        };
        let _changing = live.gate.lock().await;
        if !self.has(&live) {
            return Err(not_found(&live.id().0));
        }
        let handle = live.record().handle.clone();
        let handle = match handle {
            Some(handle) if self.alive(&live).await => handle,
            Some(_) => return Err(ended("the session's agent is dead")),
            None => return Err(ContractError::new(ErrorCode::Internal, "the session's agent is not up yet")),
        };
        for announcement in locked(&self.held).drain(..) {
            self.announce(announcement);
        }
        if live.record().is_busy() && !self.behavior.types_while_busy {
            return Ok(Args::new());
        }
        self.deliver(&live, &handle, &message).await?;
        if self.behavior.announcing == Announcing::AtDelivery {
            self.announce_at_delivery(&live);
        }
        Ok(Args::new())
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
