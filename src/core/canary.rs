//! A timer of the harness's own: how late it is tells how busy the machine is.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the canary sleeps at a time.
const TICK: Duration = Duration::from_millis(20);

/// A limit is missed for want of time where the canary was late by more than this part of it.
const PART: u64 = 10;

/// The longest that a limit is stretched, as so many times itself.
const MOST: u32 = 3;

/// How late it was at most, in milliseconds.
static LATE: AtomicU64 = AtomicU64::new(0);

/// Starts it, once; it ends with the process. Where nobody does (in virtual time) it is never late.
#[allow(clippy::disallowed_methods, reason = "a thread that does nothing but sleep is all that it is")]
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            loop {
                let asleep = Instant::now();
                std::thread::sleep(TICK);
                let late = asleep.elapsed().saturating_sub(TICK).as_millis();
                LATE.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
    });
}

/// How late it was at most, in milliseconds.
pub(crate) fn late_ms() -> u64 {
    LATE.load(Ordering::Relaxed)
}

/// Whether what missed a limit (in milliseconds) may have missed it because the machine was that busy.
pub(crate) fn excuses(late_ms: u64, missed_ms: u64) -> bool {
    late_ms.saturating_mul(PART) > missed_ms
}

/// A limit as long as the machine needs it: where the canary was late by more than a tenth of it, ten times that, and at most
/// three times the limit.
pub(crate) fn stretched(limit: Duration) -> Duration {
    stretched_by(limit, late_ms())
}

fn stretched_by(limit: Duration, late_ms: u64) -> Duration {
    Duration::from_millis(late_ms.saturating_mul(PART)).clamp(limit, limit * MOST)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::on_time(0, 5_000)]
    #[case::a_tenth_late(500, 5_000)]
    #[case::more(800, 8_000)]
    #[case::at_most_three_times(60_000, 15_000)]
    fn limits_follow_the_canary(#[case] late_ms: u64, #[case] expected_ms: u64) {
        assert_eq!(stretched_by(Duration::from_secs(5), late_ms), Duration::from_millis(expected_ms));
    }

    #[test]
    fn what_may_wait_no_time_waits_none() {
        assert_eq!(stretched_by(Duration::ZERO, 60_000), Duration::ZERO);
    }
}
