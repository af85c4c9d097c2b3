//! Real and virtual time behind one face.
//!
//! Everything that waits or stamps asks a [`Clock`]. On an ordinary runtime it is real time; on a
//! current-thread runtime built by [`virtual_runtime`] time stands still while anything can run and jumps to
//! the next deadline when nothing can, so a day passes in microseconds.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Time since a chosen origin, and the wall time that goes with it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    wall: Timestamp,
}

impl Clock {
    /// Starts a clock now, at today's wall time. Must be called on a tokio runtime for virtual time to apply.
    pub fn start() -> Self {
        Self::start_at(Timestamp::now())
    }

    /// Starts a clock whose wall time begins at `wall`.
    pub fn start_at(wall: Timestamp) -> Self {
        Self { origin: Instant::now(), wall }
    }

    /// Starts a clock at the fixed wall time of virtual runs, so that what they write is reproducible.
    pub fn start_virtual() -> Self {
        Self::start_at(Timestamp::constant(1_767_225_600, 0))
    }

    /// Time since the clock was started.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Milliseconds since the clock was started.
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed().as_millis() as u64
    }

    /// The wall time: where the clock began plus what has elapsed.
    pub fn now(&self) -> Timestamp {
        self.wall + self.elapsed()
    }
}

/// Builds the paused current-thread runtime on which time is virtual.
///
/// Nothing with a file descriptor may be awaited on it: a paused clock runs ahead of real input.
pub fn virtual_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a current-thread runtime without I/O needs nothing from the system")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_day_passes_at_once() {
        let began = std::time::Instant::now();
        let elapsed = virtual_runtime().block_on(async {
            let clock = Clock::start_virtual();
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            assert_eq!(clock.now().to_string(), "2026-01-02T00:00:00Z");
            clock.elapsed()
        });
        assert_eq!(elapsed, Duration::from_secs(86_400));
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
