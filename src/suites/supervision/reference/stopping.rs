//! Pausing, resuming, stopping, restarting: one at a time for each session.

use std::sync::Arc;
use std::time::Duration;

use crate::containers::engine::EngineError;
use crate::contract::supervised_state::SupervisedMove;
use crate::contract::{ContractError, ErrorCode, SupervisedState};

use super::launching::{Harmless, engine_error};
use super::policy::PauseMode;
use super::supervisor::{Supervised, Supervisor};

fn not_from(state: SupervisedState, what: &str) -> ContractError {
    ContractError::new(ErrorCode::InvalidTransition, format!("a session that is `{}` cannot be {what}", state.name()))
}

impl Supervisor {
    /// Waits for a session's turn; whoever holds the answer changes it alone.
    pub(crate) async fn turn<'a>(&self, session: &'a Supervised) -> Option<tokio::sync::MutexGuard<'a, ()>> {
        if self.behavior().races { None } else { Some(session.turn.lock().await) }
    }

    /// `pause_session`.
    ///
    /// # Errors
    /// `invalid_transition`, `engine_unavailable`.
    pub(crate) async fn pause(self: &Arc<Self>, session: &Arc<Supervised>) -> Result<(), ContractError> {
        let _turn = self.turn(session).await;
        let behavior = self.behavior();
        match session.state() {
            SupervisedState::Running => {}
            SupervisedState::Paused if behavior.refuses_second_pause => return Err(not_from(SupervisedState::Paused, "paused")),
            SupervisedState::Paused => return Ok(()),
            _ if behavior.pauses_the_dead => {}
            other => return Err(not_from(other, "paused")),
        }
        let container = session.container().unwrap_or_default();
        let mode = if behavior.ignores_pause_mode { PauseMode::Detach } else { self.config.pause };
        let done = match mode {
            PauseMode::Detach if behavior.freezes => self.engine.freeze(&container).await,
            PauseMode::Detach if behavior.signals => self.engine.kill(&container, "TSTP").await,
            PauseMode::Detach => Ok(()),
            PauseMode::Freeze => self.again(Harmless::Freeze, &container).await,
            PauseMode::Signal { pause, .. } => self.again(Harmless::Kill(pause), &container).await,
        };
        done.map_err(|error| engine_error(&error))?;
        let detaches = mode == PauseMode::Detach;
        if behavior.hangs_up && detaches {
            self.relay.hang_up(&container).await;
        }
        if behavior.types_a_key && detaches {
            // Nobody waits for a key.
            let _ = self.relay.send(&container, "C-c").await;
        }
        let length = self.text(session).len();
        session.live().gap = Some((length, length));
        match behavior.pauses_the_dead {
            true => self.become_state(session, SupervisedState::Paused, "paused").await,
            false => self.go(session, SupervisedMove::Pause, "paused").await,
        }
        Ok(())
    }

    /// `resume_session`.
    ///
    /// # Errors
    /// `invalid_transition`, `branch_mismatch`, `engine_unavailable`.
    pub(crate) async fn resume(self: &Arc<Self>, session: &Arc<Supervised>) -> Result<(), ContractError> {
        let _turn = self.turn(session).await;
        let behavior = self.behavior();
        match session.state() {
            SupervisedState::Paused => {}
            SupervisedState::Running => return Ok(()),
            other => return Err(not_from(other, "resumed")),
        }
        self.on_branch(session)?;
        let container = session.container().unwrap_or_default();
        let froze = behavior.freezes && self.config.pause == PauseMode::Detach;
        let mode = if froze { PauseMode::Freeze } else { self.config.pause };
        let done = match mode {
            _ if behavior.never_thaws || behavior.ignores_pause_mode => Ok(()),
            PauseMode::Detach => Ok(()),
            PauseMode::Freeze => self.again(Harmless::Thaw, &container).await,
            PauseMode::Signal { resume, .. } => self.again(Harmless::Kill(resume), &container).await,
        };
        done.map_err(|error| engine_error(&error))?;
        let length = self.text(session).len();
        let kept = {
            let mut live = session.live();
            live.deaf = behavior.deaf_after_resume;
            live.gap = live.gap.map(|(from, _)| (from, length));
            std::mem::take(&mut live.kept)
        };
        self.go(session, SupervisedMove::Resume, "resumed").await;
        for message in kept {
            for _ in 0..=usize::from(behavior.keeps_twice) {
                // An agent that is gone by now takes nothing; its end is noticed.
                let _ = self.relay.send(&container, &message).await;
            }
        }
        Ok(())
    }

    /// `stop_session`.
    ///
    /// # Errors
    /// `engine_unavailable`: nothing was done.
    pub(crate) async fn stop(self: &Arc<Self>, session: &Arc<Supervised>, grace: Option<Duration>) -> Result<(), ContractError> {
        let _turn = self.turn(session).await;
        let behavior = self.behavior();
        let record = session.record();
        if behavior.refuses_second_stop && record.state == SupervisedState::Stopped {
            return Err(not_from(record.state, "stopped"));
        }
        if behavior.refuses_the_paused && record.state == SupervisedState::Paused {
            return Err(not_from(record.state, "stopped"));
        }
        if let Some(id) = &record.container_id {
            match self.engine.inspect(id).await {
                Ok(_) | Err(EngineError::NotFound | EngineError::Lost) => {}
                Err(error) => return Err(engine_error(&error)),
            }
        }
        self.cancel(session);
        session.edit(|record| record.stop_requested = true);
        self.write(session).await;
        self.end_all_of(session, grace.unwrap_or(self.config.grace)).await.map_err(|error| engine_error(&error))?;
        self.go(session, SupervisedMove::Stop, "stopped").await;
        if behavior.stops_anothers_record
            && let Some(other) = self.all().into_iter().find(|other| !Arc::ptr_eq(other, session))
        {
            let mut record = other.record();
            record.state = SupervisedState::Stopped;
            let _ = self.registry.write(&record).await;
        }
        Ok(())
    }

    /// Ends what runs for a session.
    async fn end_all_of(&self, session: &Supervised, grace: Duration) -> Result<(), EngineError> {
        let record = session.record();
        if let Some(id) = &record.container_id {
            self.end_container(id, grace).await?;
        }
        if self.behavior().stops_by_prefix {
            let prefix = format!("passmuster-{}", record.session_id);
            for other in self.engine.list().await?.into_iter().filter(|other| other.name.starts_with(&prefix)) {
                self.end_container(&other.id, Duration::ZERO).await?;
            }
        }
        Ok(())
    }

    /// `restart_session`.
    ///
    /// # Errors
    /// `branch_mismatch`, `agent_failed`, `engine_unavailable`.
    pub(crate) async fn restart(self: &Arc<Self>, session: &Arc<Supervised>) -> Result<(), ContractError> {
        let _turn = self.turn(session).await;
        self.on_branch(session)?;
        if self.behavior().refuses_the_paused && session.state() == SupervisedState::Paused {
            return Err(not_from(SupervisedState::Paused, "restarted"));
        }
        if let Some(id) = session.container() {
            match self.engine.inspect(&id).await {
                Ok(_) | Err(EngineError::NotFound | EngineError::Lost) => {}
                Err(error) => return Err(engine_error(&error)),
            }
        }
        self.cancel(session);
        session.edit(|record| {
            record.stop_requested = false;
            record.restarts.clear();
        });
        self.start_anew(session, SupervisedMove::Restart, "restart_session").await.map_err(ContractError::from)
    }

    /// Takes a scheduled restart back.
    pub(crate) fn cancel(&self, session: &Supervised) {
        if self.behavior().keeps_pending {
            return;
        }
        if let Some(pending) = session.live().pending.take() {
            pending.abort();
        }
        session.edit(|record| record.restarts.iter_mut().for_each(|note| note.over = true));
    }
}
