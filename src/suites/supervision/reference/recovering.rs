//! Coming back: what the registry says, held against what there is.

use std::sync::Arc;
use std::time::Duration;

use crate::containers::engine::{ContainerInfo, ContainerStatus};
use crate::contract::SupervisedState;
use crate::contract::supervised_state::SupervisedMove;

use super::record::SessionHealth;
use super::supervisor::{OF_REGISTRY, OF_SESSION, Supervised, Supervisor, lock};

impl Supervisor {
    /// Reads the registry and finds again what survived. An engine that does not answer is asked again later; until then
    /// sessions are what their records say.
    ///
    /// # Errors
    /// Where the registry cannot be read.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<(), String> {
        let behavior = self.behavior();
        let (records, skipped) = self.registry.read_all().map_err(|error| format!("the registry cannot be read: {error}"))?;
        if let Some(bad) = skipped.first().filter(|_| behavior.fails_on_bad_record) {
            return Err(format!("{}: {}", bad.path, bad.reason));
        }
        if !behavior.hides_bad_records {
            *lock(&self.skipped) = skipped;
        }
        for mut record in records {
            if behavior.forgets_counters {
                record.failures = 0;
                record.restarts.clear();
            }
            if behavior.forgets_stops {
                record.stop_requested = false;
            }
            let session = Supervised::new(record);
            session.live().escalated = session.record().health == SessionHealth::Failed;
            self.admit(&session);
        }
        match self.engine.list().await {
            Ok(listed) => self.reconcile(&listed).await,
            Err(_) => {
                let supervisor = self.clone();
                self.spawn(async move {
                    loop {
                        tokio::time::sleep(supervisor.policy().interval).await;
                        if let Ok(listed) = supervisor.engine.list().await {
                            return supervisor.reconcile(&listed).await;
                        }
                    }
                });
            }
        }
        Ok(())
    }

    async fn reconcile(self: &Arc<Self>, listed: &[ContainerInfo]) {
        for session in self.all() {
            let _turn = session.turn.lock().await;
            self.reconcile_one(&session, listed).await;
        }
        self.name_unknown(listed);
        self.sweep(listed).await;
    }

    async fn reconcile_one(self: &Arc<Self>, session: &Arc<Supervised>, listed: &[ContainerInfo]) {
        let behavior = self.behavior();
        let found = self.container_of(session, listed);
        if let Some(info) = &found {
            session.edit(|record| record.container_id = Some(info.id.clone()));
        }
        let record = session.record();
        let alive = found.as_ref().is_some_and(ContainerInfo::is_alive);
        let id = found.map(|info| info.id).unwrap_or_default();
        if record.state == SupervisedState::Stopped || record.stop_requested {
            // It may have been killed in the middle of a stop.
            if !id.is_empty() {
                let _ = self.end_container(&id, self.config.grace).await;
            }
            self.go(session, SupervisedMove::Stop, "stopped").await;
            if behavior.forgets_stops {
                let _ = self.start_anew(session, SupervisedMove::Restart, "found again").await;
            }
            return;
        }
        if !record.state.is_alive() {
            return self.rearm(session).await;
        }
        if behavior.trusts_records && record.state != SupervisedState::Starting {
            return;
        }
        if alive && behavior.kills_survivors {
            let _ = self.end_container(&id, Duration::ZERO).await;
            return self.died(session, "it was started by another supervisor").await;
        }
        if alive && behavior.replaces_survivors {
            let _ = self.start_anew(session, SupervisedMove::Restart, "found again").await;
            return;
        }
        match (record.state, alive) {
            (SupervisedState::Starting, true) => {
                let up = tokio::time::timeout(self.config.start, self.relay.ready(&id)).await;
                match up {
                    Ok(Ok(())) => self.go(session, SupervisedMove::Up, "its agent takes input").await,
                    _ => {
                        let _ = self.end_container(&id, Duration::ZERO).await;
                        self.go(session, SupervisedMove::NotUp, "its agent did not come up").await;
                    }
                }
            }
            (SupervisedState::Starting, false) => {
                // A container that was never started is of no use.
                if !id.is_empty() {
                    let _ = self.end_container(&id, Duration::ZERO).await;
                    session.edit(|record| record.container_id = None);
                }
                self.go(session, SupervisedMove::NotUp, "its supervisor ended before its agent was up").await;
                self.schedule(session).await;
            }
            (_, true) => {
                let (length, written) = (self.text(session).len(), self.written(session));
                {
                    let mut live = session.live();
                    live.seen = written;
                    live.deaf = behavior.recovers_deaf;
                    if behavior.recovers_gap {
                        live.since = length;
                    }
                }
                if behavior.recovers_running && record.state == SupervisedState::Paused {
                    self.become_state(session, SupervisedState::Running, "found again").await;
                }
                self.rearm(session).await;
            }
            (_, false) => self.died(session, "it ended while no supervisor watched").await,
        }
    }

    /// The container of a session: by its full id; of one that was killed before it was written down, by the labels.
    fn container_of(&self, session: &Supervised, listed: &[ContainerInfo]) -> Option<ContainerInfo> {
        let record = session.record();
        let own = self.registry.root().display().to_string();
        let is_it = |info: &&ContainerInfo| match &record.container_id {
            _ if self.behavior().finds_by_name => {
                info.name == format!("passmuster-{}-{}", record.session_id, record.transcripts.len().max(1))
            }
            Some(id) => info.id == *id,
            None => {
                record.state == SupervisedState::Starting
                    && !self.behavior().sweeps_nothing
                    && info.label(OF_REGISTRY) == Some(own.as_str())
                    && info.label(OF_SESSION) == Some(record.session_id.as_str())
                    && info.status != ContainerStatus::Exited
            }
        };
        listed.iter().find(is_it).cloned()
    }

    /// A restart that was scheduled is due when it was to be; one that was not is scheduled.
    async fn rearm(self: &Arc<Self>, session: &Arc<Supervised>) {
        let record = session.record();
        if !self.is_restarted(session) {
            return;
        }
        let waiting = record.restarts.last().filter(|note| !note.over).cloned();
        match waiting {
            Some(_) if self.behavior().forgets_delays => self.arm(session, Duration::ZERO),
            Some(note) => {
                let due = note.at + Duration::try_from_secs_f64(note.delay_s).unwrap_or_default();
                self.arm(session, Duration::try_from(due.duration_since(self.config.clock.now())).unwrap_or_default());
            }
            None if record.state == SupervisedState::Error => self.schedule(session).await,
            None => {}
        }
    }

    /// Says of what cannot be read which container is its.
    fn name_unknown(&self, listed: &[ContainerInfo]) {
        let own = self.registry.root().display().to_string();
        for skipped in lock(&self.skipped).iter_mut() {
            let of = |info: &&ContainerInfo| info.label(OF_REGISTRY) == Some(own.as_str()) && info.label(OF_SESSION) == Some(&skipped.id);
            if let Some(info) = listed.iter().find(of) {
                skipped.reason.push_str(&format!("; its container {} is left alone", info.id));
            }
        }
    }
}
