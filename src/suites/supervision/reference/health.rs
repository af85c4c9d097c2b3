//! Looking after the sessions: what the engine says, whether agents answer, and which branch they are on.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::containers::engine::{ContainerInfo, ContainerStatus, EngineError, RelayError};
use crate::contract::supervised_state::SupervisedMove;
use crate::contract::{Announcement, SupervisedState};

use super::record::SessionHealth;
use super::supervisor::{OF_REGISTRY, OF_SESSION, Supervised, Supervisor, lock};

/// What one look at a session shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HealthLook {
    /// It is well.
    Well,
    /// Its agent or its container is over.
    Over(&'static str),
    /// Its agent does not answer.
    Silent,
    /// Its workspace is elsewhere.
    OffBranch(String),
    /// The engine does not say.
    Unknown,
}

impl Supervisor {
    /// Looks at every session again and again, less often while the engine fails.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut failed = 0_u32;
        loop {
            let longest = self.policy().max.max(self.policy().interval);
            let pause = self.policy().interval.saturating_mul(1 << failed.min(16)).min(longest);
            let pause = if self.behavior().hammers && failed > 0 { Duration::from_millis(100) } else { pause };
            tokio::time::sleep(pause).await;
            failed = if self.look_at_all().await { 0 } else { failed + 1 };
        }
    }

    /// Looks at a session at once where the engine tells that its container is over.
    pub(crate) async fn listen(self: Arc<Self>) {
        let mut events = self.engine.events();
        while let Some(event) = events.recv().await {
            let of = self.all().into_iter().find(|session| session.container().as_ref() == Some(&event.container));
            if let Some(session) = of {
                let supervisor = self.clone();
                self.spawn(async move { supervisor.look_at(&session, None).await });
            }
        }
    }

    /// Looks at every session. False where the engine does not say what there is.
    pub(crate) async fn look_at_all(self: &Arc<Self>) -> bool {
        let listed = tokio::time::timeout(self.policy().timeout, self.engine.list()).await.unwrap_or(Err(EngineError::Lost));
        let listed = match listed {
            Ok(listed) => listed,
            Err(_) if self.behavior().blames_containers => Vec::new(),
            Err(_) => return false,
        };
        if !self.behavior().blames_containers {
            self.sweep(&listed).await;
        }
        if self.behavior().one_at_a_time {
            for session in self.all() {
                self.look_at(&session, Some(&listed)).await;
            }
        } else {
            let sessions = self.all();
            let looks: Vec<_> = sessions.iter().map(|session| self.look_at(session, Some(&listed))).collect();
            join_all(looks).await;
        }
        true
    }

    /// Looks at one session, and does what follows.
    pub(crate) async fn look_at(self: &Arc<Self>, session: &Arc<Supervised>, listed: Option<&[ContainerInfo]>) {
        // Whoever is at work on it knows better.
        let Ok(turn) = session.turn.try_lock() else { return };
        let look = self.look(session, listed).await;
        self.follow(session, look).await;
        drop(turn);
    }

    async fn look(&self, session: &Supervised, listed: Option<&[ContainerInfo]>) -> HealthLook {
        let (behavior, record) = (self.behavior(), session.record());
        let watched = match record.state {
            SupervisedState::Running => true,
            SupervisedState::Paused => !behavior.ignores_the_paused,
            SupervisedState::Starting | SupervisedState::Error | SupervisedState::Stopped => false,
        };
        let Some(id) = record.container_id.filter(|_| watched) else { return HealthLook::Unknown };
        let found = listed.and_then(|listed| listed.iter().find(|info| info.id == id)).map(|info| info.status);
        let status = match found {
            Some(status) => status,
            None if behavior.blames_containers && listed.is_some() => return HealthLook::Over("its container is not listed"),
            // A list may be older than the container.
            None => match self.engine.inspect(&id).await {
                Ok(info) => info.status,
                Err(EngineError::NotFound) if behavior.misses_removal => return HealthLook::Unknown,
                Err(EngineError::NotFound) => return HealthLook::Over("its container is gone"),
                Err(_) => return HealthLook::Unknown,
            },
        };
        match status {
            ContainerStatus::Exited | ContainerStatus::Created if behavior.misses_exit => return HealthLook::Unknown,
            ContainerStatus::Exited | ContainerStatus::Created => return HealthLook::Over("its container has ended"),
            ContainerStatus::Running | ContainerStatus::Frozen => {}
        }
        let paused = record.state == SupervisedState::Paused;
        if !paused || behavior.pings_the_paused {
            match self.ask(session, &id).await {
                Ok(()) => {}
                Err(RelayError::Gone) if behavior.believes_engine => {}
                Err(RelayError::Gone) => return HealthLook::Over("its agent is gone, though the engine says that its container runs"),
                Err(RelayError::Silent) => return HealthLook::Silent,
            }
        }
        if self.behavior().never_looks_at_branch {
            return HealthLook::Well;
        }
        match self.off_branch(&record.workspace, &record.branch) {
            Some(why) => HealthLook::OffBranch(why),
            None => HealthLook::Well,
        }
    }

    /// Asks an agent whether it is there. One that does not answer and writes all the same is.
    async fn ask(&self, session: &Supervised, id: &str) -> Result<(), RelayError> {
        let behavior = self.behavior();
        if behavior.pings_by_process {
            let _ = self.engine.execute(id).await;
        }
        if behavior.pings_by_message {
            let _ = self.relay.send(id, "/status").await;
        }
        let answered = match behavior.one_at_a_time {
            // As long as it takes: a minute, here.
            true => tokio::time::timeout(Duration::from_secs(60), self.relay.ping(id)).await.unwrap_or(Err(RelayError::Silent)),
            false => self.answers(session).await,
        };
        let written = self.written(session);
        let before = std::mem::replace(&mut session.live().seen, written);
        match answered {
            Err(RelayError::Silent) if written > before && !behavior.ignores_progress => Ok(()),
            answered => answered,
        }
    }

    async fn follow(self: &Arc<Self>, session: &Arc<Supervised>, look: HealthLook) {
        match look {
            HealthLook::Unknown => {}
            HealthLook::Well => self.succeed(session).await,
            HealthLook::Over(why) => self.died(session, why).await,
            HealthLook::Silent => self.fail(session, "its agent does not answer").await,
            HealthLook::OffBranch(why) => self.drifted(session, &why).await,
        }
    }

    async fn succeed(self: &Arc<Self>, session: &Arc<Supervised>) {
        let (failures, health) = session.edit(|record| (record.failures, record.health));
        if (failures, health) == (0, SessionHealth::Ok) {
            return;
        }
        let behavior = self.behavior();
        if (behavior.never_well_again && health == SessionHealth::Failed)
            || (behavior.never_resets && health == SessionHealth::Ok)
            || (behavior.never_recovers_branch && session.live().drifted)
        {
            return;
        }
        session.edit(|record| {
            record.failures = 0;
            record.health = SessionHealth::Ok;
            record.reason = Some("well again".into());
        });
        session.live().escalated = false;
        self.write(session).await;
    }

    async fn fail(self: &Arc<Self>, session: &Arc<Supervised>, why: &str) {
        let limit = self.policy().failures.saturating_add_signed(self.behavior().failures_more);
        let failures = session.edit(|record| {
            record.failures += 1;
            record.failures
        });
        if failures < limit {
            return self.write(session).await;
        }
        if failures > limit {
            if self.behavior().escalates_each {
                self.escalate(session, why, failures).await;
            }
            // A restart that came to nothing is followed by another one.
            self.schedule(session).await;
            return self.write(session).await;
        }
        self.unwell(session, why, failures).await;
        self.schedule(session).await;
    }

    async fn drifted(self: &Arc<Self>, session: &Arc<Supervised>, why: &str) {
        if self.behavior().checks_out {
            let record = session.record();
            let _ = std::fs::write(record.workspace.join(".git/HEAD"), format!("ref: refs/heads/{}\n", record.branch));
            return;
        }
        session.live().drifted = true;
        let failures = session.edit(|record| {
            record.failures += 1;
            record.failures
        });
        if session.edit(|record| record.health) == SessionHealth::Ok {
            self.unwell(session, why, failures).await;
        } else {
            self.write(session).await;
        }
    }

    async fn unwell(self: &Arc<Self>, session: &Arc<Supervised>, why: &str, failures: u64) {
        let id = session.edit(|record| {
            record.health = SessionHealth::Failed;
            record.reason = Some(why.to_owned());
            record.session_id.clone()
        });
        self.record_and_say(session, Announcement::HealthFailed { session_id: id.as_str().into(), failures: Some(failures) }).await;
        self.escalate(session, why, failures).await;
    }

    /// A session's agent is over, and nobody had asked for it.
    pub(crate) async fn died(self: &Arc<Self>, session: &Arc<Supervised>, why: &str) {
        self.go(session, SupervisedMove::Ended, why).await;
        self.schedule(session).await;
        if self.behavior().schedules_twice {
            self.schedule(session).await;
        }
    }

    /// Removes what is this registry's and of no session: what a lost answer, or a supervisor that was killed, left behind.
    pub(crate) async fn sweep(self: &Arc<Self>, listed: &[ContainerInfo]) {
        let behavior = self.behavior();
        let own = self.registry.root().display().to_string();
        for info in listed {
            let of_registry =
                info.label(OF_REGISTRY) == Some(own.as_str()) || (behavior.removes_foreign && info.label(OF_SESSION).is_some());
            let Some(of) = info.label(OF_SESSION).filter(|_| of_registry) else { continue };
            let unreadable = lock(&self.skipped).iter().any(|skipped| skipped.id == of);
            if (behavior.sweeps_nothing || behavior.abandons_lost || behavior.doubles_lost || behavior.leaves_the_failed)
                || (unreadable && !behavior.removes_unknown)
            {
                continue;
            }
            let session = self.find(of).ok();
            // Whoever is at work on the session may have just made it.
            let turn = match &session {
                Some(session) => match session.turn.try_lock() {
                    Ok(turn) => Some(turn),
                    Err(_) => continue,
                },
                None => None,
            };
            let named = session.as_ref().is_some_and(|session| session.container().as_deref() == Some(info.id.as_str()));
            if !named {
                // One that the engine does not let go is there at the next look.
                let _ = self.end_container(&info.id, Duration::ZERO).await;
            }
            drop(turn);
        }
    }
}
