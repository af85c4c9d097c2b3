//! When a supervisor looks, when it gives up, and how it pauses.

use std::time::Duration;

/// The policy that a supervisor states. The default is the one that the suite is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SupervisionPolicy {
    /// From one look at all sessions to the next.
    pub interval: Duration,
    /// For one check's answer.
    pub timeout: Duration,
    /// So many failed checks, one after the other, make a session unhealthy.
    pub failures: u64,
    /// Before the first restart.
    pub first: Duration,
    /// Before any restart, at most.
    pub max: Duration,
    /// So many restarts in the window, and no more.
    pub restarts: usize,
    /// The window that restarts are counted in.
    pub window: Duration,
    /// Who runs that long is stable: its restarts are forgotten.
    pub stable: Duration,
}

impl Default for SupervisionPolicy {
    /// A check every 10 s, unhealthy after 3; restarts after 1, 2, 4 … 60 s, 5 in 10 minutes; stable after 10 minutes.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            failures: 3,
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            restarts: 5,
            window: Duration::from_secs(600),
            stable: Duration::from_secs(600),
        }
    }
}

impl SupervisionPolicy {
    /// How long before the restart of that number since the session was last stable, from 1.
    pub(crate) fn delay(&self, attempt: u64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(30);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }
}

/// What a pause does besides typing nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PauseMode {
    /// Nothing: the agent goes on.
    #[default]
    Detach,
    /// Freezes the container.
    Freeze,
    /// Sends the agent a signal, and another one to go on.
    Signal {
        /// At the pause.
        pause: &'static str,
        /// At the end of it.
        resume: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let policy = SupervisionPolicy::default();
        let delays: Vec<u64> = (1..=9).map(|attempt| policy.delay(attempt).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(policy.delay(u64::MAX).as_secs(), 60);
    }
}
