//! Ending sessions.

use std::sync::Arc;
use std::time::Duration;

use crate::contract::{Args, ContractError, ErrorCode, SessionId};

use super::host::HostError;
use super::manager::{Manager, not_found, text};
use super::observing::ended;
use super::session::Live;
use crate::suites::manager::behavior::{AtOnce, Ending, ExtraAct, Late, Occasion};

/// How often a turn that is to be over is looked at, by a faulty manager.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Manager {
    pub(crate) async fn end(self: &Arc<Self>, args: &Args) -> Result<Args, ContractError> {
        const OP: &str = "end_session";
        let live = match self.session(OP, args) {
            Ok(live) => live,
            Err(error) => return self.late(args, self.behavior.afterwards.ended, error).await,
        };
        let _only = match (self.behavior.ends_at_once, self.one_at_a_time.try_lock()) {
            (AtOnce::Any, _) => None,
            (AtOnce::EachOnceOrFail, _) if live.gate.try_lock().is_err() => {
                return Err(ContractError::new(ErrorCode::Internal, "no such process"));
            }
            (AtOnce::EachOnceOrFail, _) => None,
            (_, Ok(only)) => Some(only),
            (AtOnce::OneOrFail, Err(_)) => return Err(ContractError::new(ErrorCode::Internal, "another session is being ended")),
            (AtOnce::OneOrLie, Err(_)) => return Ok(Args::new()),
        };
        let when = (self.behavior.ending)(&live.record());
        match when {
            Ending::Now => self.end_live(&live, "ended").await?,
            Ending::Slow(delay) => {
                tokio::time::sleep(delay).await;
                self.end_live(&live, "ended").await?;
            }
            Ending::Refused(code) => return Err(ContractError::new(code, format!("session `{}` cannot be ended now", live.id()))),
            Ending::IfFolder => {
                let cwd = live.record().cwd.clone();
                if !self.host.is_folder(&cwd).await {
                    return Err(ContractError::new(ErrorCode::Internal, format!("{}: no such file or directory", cwd.display())));
                }
                self.end_live(&live, "ended").await?;
            }
            Ending::Later(_) | Ending::AfterItsTurn => self.end_later(&live, when),
        }
        self.end_along(&live).await;
        self.besides(Occasion::Ended, &live).await;
        Ok(Args::new())
    }

    /// Ends a session: its agent and everything under it; then the record goes.
    pub(crate) async fn end_live(&self, live: &Arc<Live>, reason: &str) -> Result<(), ContractError> {
        let _changing = live.gate.lock().await;
        self.end_held(live, reason).await
    }

    /// The same, at the session's gate.
    pub(crate) async fn end_held(&self, live: &Arc<Live>, reason: &str) -> Result<(), ContractError> {
        if !self.has(live) {
            return Err(not_found(live.id().as_str()));
        }
        self.end_agent(live).await.map_err(|error| ContractError::new(ErrorCode::Internal, error.to_string()))?;
        self.forget(live);
        self.announce_end(live, reason);
        Ok(())
    }

    pub(crate) async fn end_agent(&self, live: &Live) -> Result<(), HostError> {
        let (handle, how) = {
            let record = live.record();
            (record.handle.clone(), (self.behavior.how)(&record))
        };
        match handle.zip(how) {
            Some((handle, how)) => self.host.end(&handle, how).await,
            None => Ok(()),
        }
    }

    /// Says that a session is ended, and ends its agent when it is time for that.
    fn end_later(self: &Arc<Self>, live: &Arc<Live>, when: Ending) {
        self.forget(live);
        let (manager, live) = (self.clone(), live.clone());
        self.spawn(async move {
            match when {
                Ending::Later(delay) => tokio::time::sleep(delay).await,
                _ => {
                    while live.record().is_busy() {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                }
            }
            let _ = manager.end_agent(&live).await;
        });
    }

    /// Ends the sessions that are ended along with one; there are none, where the manager conforms.
    async fn end_along(&self, live: &Live) {
        let ended = live.record().clone();
        for other in self.all() {
            let along = (self.behavior.along)(&ended, &other.record());
            if along {
                let _ = self.end_live(&other, "ended").await;
            }
        }
    }

    /// Answers for a session that is no more, or never was.
    pub(crate) async fn late(self: &Arc<Self>, args: &Args, late: Late, error: ContractError) -> Result<Args, ContractError> {
        let gone = self.gone().get(&SessionId(text(args, "session_id").unwrap_or_default())).cloned();
        let Some(live) = gone else {
            return match self.behavior.nobody {
                Late::Success => Ok(Args::new()),
                _ => Err(error),
            };
        };
        match late {
            Late::NotFound => Err(error),
            Late::Ended => Err(ended("the session was ended")),
            Late::Breaks => Err(ContractError::new(ErrorCode::Internal, "no such process")),
            Late::Success => Ok(Args::new()),
            Late::Pending => Ok(Args::from_iter([("text".to_owned(), "".into()), ("pending".to_owned(), true.into())])),
            Late::Data => match self.text_of(&live).await {
                text if text.is_empty() => Err(ended("the session was ended")),
                text => self.data(&text, args),
            },
            Late::Readmits => {
                self.sessions().insert(live.id(), live.clone());
                Err(error)
            }
            Late::Revives => {
                self.sessions().insert(live.id(), live.clone());
                self.act(ExtraAct::Launch(1), &live).await;
                Ok(Args::new())
            }
            Late::Another => {
                if let Some(oldest) = self.all().first() {
                    self.end_live(oldest, "ended").await?;
                }
                Ok(Args::new())
            }
        }
    }
}
