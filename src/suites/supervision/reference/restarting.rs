//! Restarts: a new agent in a new container for the same session; and by itself, after an end that nobody asked for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Number;

use crate::containers::engine::RelayError;
use crate::contract::supervised_state::SupervisedMove;
use crate::contract::{Announcement, SupervisedState};

use super::launching::LaunchError;
use super::record::{RestartNote, SessionHealth};
use super::supervisor::{Supervised, Supervisor};

impl Supervisor {
    /// Ends what is left of a session's agent and starts a new one; a session that is neither `starting` nor `running` then is in
    /// `error`.
    ///
    /// # Errors
    /// Why there is no new agent.
    pub(crate) async fn start_anew(self: &Arc<Self>, session: &Arc<Supervised>, on: SupervisedMove, why: &str) -> Result<(), LaunchError> {
        let behavior = self.behavior();
        if behavior.skips_starting {
            self.become_state(session, SupervisedState::Running, why).await;
        } else {
            self.go(session, on, why).await;
        }
        let old = session.container();
        let message = session.live().first_message.clone().filter(|_| behavior.repeats_message);
        let result = async {
            if !behavior.starts_first
                && let Some(old) = &old
            {
                self.end_container(old, self.config.grace).await?;
            }
            if behavior.wipes_transcripts {
                session.edit(|record| record.transcripts.retain(|_| false));
            }
            self.launch(session, message.as_deref()).await?;
            if behavior.starts_first
                && let Some(old) = &old
            {
                self.end_container(old, self.config.grace).await?;
            }
            Ok(())
        };
        let result: Result<(), LaunchError> = result.await;
        if let Err(error) = &result
            && !behavior.stuck_starting
        {
            let error = crate::contract::ContractError::from(error.clone());
            self.go(session, SupervisedMove::NotUp, &error.message).await;
        }
        result
    }

    /// Whether a session is started again by itself.
    pub(crate) fn is_restarted(&self, session: &Supervised) -> bool {
        let record = session.record();
        (record.auto_restart || self.behavior().restarts_always) && !record.stop_requested
    }

    /// Schedules a restart by the policy, or calls a person where there were as many as the policy allows.
    pub(crate) async fn schedule(self: &Arc<Self>, session: &Arc<Supervised>) {
        if !self.is_restarted(session) {
            return;
        }
        if session.live().pending.as_ref().is_some_and(|pending| !pending.is_finished()) && !self.behavior().schedules_twice {
            return;
        }
        let (policy, behavior, now) = (*self.policy(), self.behavior(), self.config.clock.now());
        let ago = |then: jiff::Timestamp| Duration::try_from(now.duration_since(then)).unwrap_or_default();
        let planned = session.edit(|record| {
            let stable = record.started_at.is_some_and(|at| ago(at) >= policy.stable);
            if stable && !behavior.never_stable {
                record.restarts.clear();
            }
            let in_window = record.restarts.iter().filter(|note| ago(note.at) < policy.window).count();
            if in_window >= policy.restarts && !behavior.restarts_for_ever {
                return Err(in_window as u64);
            }
            let attempt = record.restarts.last().map_or(0, |note| note.attempt) + 1;
            let delay = (behavior.delay.0)(&policy, attempt);
            record.restarts.push(RestartNote { at: now, attempt, delay_s: delay.as_secs_f64(), over: false });
            Ok((attempt, delay))
        });
        match planned {
            Err(count) => self.escalate(session, "its restarts are used up", count).await,
            Ok((attempt, delay)) => {
                let id = session.record().session_id;
                let delay_s = Number::from_f64(delay.as_secs_f64()).unwrap_or_else(|| 0.into());
                self.record_and_say(session, Announcement::RestartScheduled { session_id: id.as_str().into(), attempt, delay_s }).await;
                self.arm(session, delay);
            }
        }
    }

    /// Lets a scheduled restart be due after that time.
    pub(crate) fn arm(self: &Arc<Self>, session: &Arc<Supervised>, delay: Duration) {
        let (supervisor, due) = (self.clone(), session.clone());
        let pending = self.spawn(async move {
            tokio::time::sleep(delay).await;
            supervisor.restart_when_due(&due).await;
        });
        session.live().pending = Some(pending);
    }

    /// A scheduled restart is due: everything is looked at anew.
    async fn restart_when_due(self: &Arc<Self>, session: &Arc<Supervised>) {
        let behavior = self.behavior();
        loop {
            {
                let _turn = self.turn(session).await;
                let record = session.record();
                let off = self.off_branch(&record.workspace, &record.branch).is_some() && !behavior.restarts_off_branch;
                // Nobody is restarted for an engine that is away.
                let there = self.engine.list().await.is_ok();
                if !off && there {
                    return self.restart_now(session).await;
                }
            }
            tokio::time::sleep(self.policy().interval).await;
        }
    }

    async fn restart_now(self: &Arc<Self>, session: &Arc<Supervised>) {
        let behavior = self.behavior();
        let (state, health) = session.edit(|record| (record.state, record.health));
        let hung = state == SupervisedState::Running && (health == SessionHealth::Failed || behavior.looks_once);
        let paused = state == SupervisedState::Paused && behavior.restarts_paused;
        let stopped = state == SupervisedState::Stopped && behavior.keeps_pending;
        let wanted = state == SupervisedState::Error || hung || paused || stopped;
        let wanted = wanted && (self.is_restarted(session) || behavior.keeps_pending || behavior.ignores_toggle);
        let well = hung && !behavior.looks_once && self.answers(session).await.is_ok();
        session.edit(|record| record.restarts.iter_mut().for_each(|note| note.over = true));
        if !wanted || well {
            return self.write(session).await;
        }
        session.live().pending = None;
        if stopped {
            session.edit(|record| record.stop_requested = false);
        }
        let on = if stopped { SupervisedMove::Restart } else { SupervisedMove::Due };
        let on = if paused { SupervisedMove::Restart } else { on };
        if self.start_anew(session, on, "restarted by the policy").await.is_err() {
            self.schedule(session).await;
        }
    }

    /// Whether a session's agent answers a ping in time.
    pub(crate) async fn answers(&self, session: &Supervised) -> Result<(), RelayError> {
        let container = session.container().unwrap_or_default();
        match tokio::time::timeout(self.policy().timeout, self.relay.ping(&container)).await {
            Ok(answered) => answered,
            Err(_) => Err(RelayError::Silent),
        }
    }

    /// Calls a person, once in an episode.
    pub(crate) async fn escalate(self: &Arc<Self>, session: &Arc<Supervised>, reason: &str, count: u64) {
        let behavior = self.behavior();
        let called = std::mem::replace(&mut session.live().escalated, true);
        if (called && !behavior.escalates_each) || behavior.never_escalates {
            return;
        }
        let id = session.record().session_id;
        let said = Announcement::Escalated { session_id: id.as_str().into(), reason: Some(reason.to_owned()), count: Some(count) };
        self.record_and_say(session, said).await;
    }
}
