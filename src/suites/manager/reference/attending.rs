//! A task for each session: it hears the session's agent, in the order in which that tells, and ends the session when its
//! timeout is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::host::{End, Signal};
use super::manager::Manager;
use super::session::Live;
use crate::suites::manager::behavior::TimedOut;

/// The longest sleep: deadlines further away are looked at again then.
const LONGEST: Duration = Duration::from_secs(86_400);

impl Manager {
    /// Attends a session until it is over.
    pub(crate) fn attend(self: &Arc<Self>, live: &Arc<Live>, mut told: mpsc::UnboundedReceiver<Signal>) {
        let (manager, live) = (self.clone(), live.clone());
        self.spawn(async move {
            loop {
                let left = manager.time_left(&live);
                tokio::select! {
                    biased;
                    () = live.over.cancelled() => return,
                    Some(signal) = told.recv() => manager.heard(&live, signal).await,
                    () = live.moved.notified() => {}
                    () = tokio::time::sleep(left.unwrap_or(LONGEST).min(LONGEST)) => manager.look_at_the_clock(&live).await,
                }
            }
        });
    }

    /// Ends the session, if its timeout is over and nothing has happened that nobody told.
    async fn look_at_the_clock(self: &Arc<Self>, live: &Arc<Live>) {
        let _changing = live.gate.lock().await;
        if self.time_left(live) != Some(Duration::ZERO) || self.grew(live).await {
            return;
        }
        match self.behavior.timed_out {
            TimedOut::Ends => {
                if let Err(error) = self.end_held(live, "timeout").await {
                    self.complain(format_args!("a session that timed out could not be ended: {error}"));
                    // It is tried again when the timeout has passed once more.
                    self.touch(live);
                }
                return;
            }
            TimedOut::Marks => live.record().dead = true,
            TimedOut::EndsTheProcess => {
                let handle = live.record().handle.clone();
                if let Some(handle) = handle {
                    let _ = self.host.end(&handle, End::ProcessOnly).await;
                }
                self.forget(live);
                return self.announce_end(live, "timeout");
            }
            TimedOut::EndsWhenListed => live.overdue.store(true, Ordering::Relaxed),
            TimedOut::EndsTheAgent => drop(self.end_agent(live).await),
            TimedOut::Nothing => {}
        }
        live.record().timeout_s = f64::MAX;
    }

    /// Whether the native file has grown since the last activity, which is one.
    async fn grew(&self, live: &Live) -> bool {
        let bytes = self.native_bytes(live).await;
        let grew = std::mem::replace(&mut live.record().native_bytes, bytes) < bytes;
        if grew {
            self.touch(live);
            self.save_or_say(live);
        }
        grew
    }

    /// Notes activity: it postpones the timeout.
    pub(crate) fn touch(&self, live: &Live) {
        live.record().last_activity = self.config.clock.now();
        live.moved.notify_one();
    }

    /// How much of a session's timeout is left; `None`: it does not pass, while a turn is in flight.
    fn time_left(&self, live: &Arc<Live>) -> Option<Duration> {
        let record = live.record().clone();
        if !self.has(live) || (record.is_busy() && self.behavior.timeout_waits) {
            return None;
        }
        let timeout = Duration::try_from_secs_f64(record.timeout_s).unwrap_or(Duration::MAX);
        Some(timeout.saturating_sub(since((self.behavior.timeout_from)(&record), self.config.clock.now())))
    }
}

/// The time from one moment to another; none where the clock was set back.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}
