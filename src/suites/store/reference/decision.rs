//! Whether a session is to be resumed: one table of conditions, the first that fails is the reason.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::StoreRecord;

/// Why a session is resumed, or why it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is resumed.
    SessionResumable,
    /// There is no such session.
    NotFound,
    /// Its record means nothing.
    Corrupt,
    /// It is over.
    Finalized,
    /// It was not left in a state to resume.
    NotReady,
    /// Its phase cannot be resumed.
    PhaseNotResumable,
    /// Its last activity lies in the future.
    ClockSkew,
    /// Its last activity was too long ago.
    Timeout,
    /// It failed too often.
    TooManyErrors,
}

impl Reason {
    /// The reason's word.
    pub fn name(self) -> &'static str {
        match self {
            Reason::SessionResumable => "session_resumable",
            Reason::NotFound => "not_found",
            Reason::Corrupt => "corrupt",
            Reason::Finalized => "finalized",
            Reason::NotReady => "not_ready",
            Reason::PhaseNotResumable => "phase_not_resumable",
            Reason::ClockSkew => "clock_skew",
            Reason::Timeout => "timeout",
            Reason::TooManyErrors => "too_many_errors",
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
}

impl Decision {
    /// Whether the session is resumed.
    pub fn resume(self) -> bool {
        self.reason == Reason::SessionResumable
    }
}

/// What bounds a resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeLimits {
    /// From this long after its last activity on, a session is not resumed.
    pub idle: Duration,
    /// From this many errors on, it is not.
    pub errors: u64,
    /// A last activity farther in the future than this is not believed.
    pub skew: Duration,
}

impl Default for ResumeLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30 * 60), errors: 3, skew: Duration::from_secs(60) }
    }
}

/// A condition against resuming: the reason, and when it applies.
pub(crate) type Condition = (Reason, fn(&StoreRecord, &ResumeLimits, Timestamp) -> bool);

/// The conditions, in the order in which they are looked at.
pub(crate) const CONDITIONS: &[Condition] = &[
    (Reason::Finalized, |record, _, _| record.phase.is_final()),
    (Reason::NotReady, |record, _, _| !record.resume_ready),
    (Reason::PhaseNotResumable, |record, _, _| !record.phase.is_resumable()),
    (Reason::ClockSkew, |record, limits, now| is_ahead(record, limits, now)),
    (Reason::Timeout, |record, limits, now| idle(record.last_updated, now) >= limits.idle),
    (Reason::TooManyErrors, |record, limits, _| record.error_count >= limits.errors),
];

/// Whether a record's last activity lies in the future, beyond what clocks differ by.
pub(crate) fn is_ahead(record: &StoreRecord, limits: &ResumeLimits, now: Timestamp) -> bool {
    idle(now, record.last_updated) > limits.skew
}

/// The time since an activity; none where it lies ahead.
pub(crate) fn idle(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Decides on a record that could be read.
pub(crate) fn decide(conditions: &[Condition], record: &StoreRecord, limits: &ResumeLimits, now: Timestamp) -> Decision {
    let against = conditions.iter().find(|(_, applies)| applies(record, limits, now));
    Decision { reason: against.map_or(Reason::SessionResumable, |(reason, _)| *reason) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Args, SessionPhase};

    fn reason(change: impl Fn(&mut StoreRecord), seconds: i64) -> &'static str {
        let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut record = StoreRecord::new("a", "n", "p", Args::new(), then);
        super::super::record::enter(&mut record, SessionPhase::Approval);
        change(&mut record);
        decide(CONDITIONS, &record, &ResumeLimits::default(), then + jiff::SignedDuration::from_secs(seconds)).reason.name()
    }

    #[test]
    fn boundaries_are_exact() {
        assert_eq!(reason(|_| {}, 1_799), "session_resumable");
        assert_eq!(reason(|_| {}, 1_800), "timeout");
        assert_eq!(reason(|_| {}, -60), "session_resumable");
        assert_eq!(reason(|_| {}, -61), "clock_skew");
        assert_eq!(reason(|record| record.error_count = 2, 0), "session_resumable");
        assert_eq!(reason(|record| record.error_count = 3, 0), "too_many_errors");
    }

    #[test]
    fn the_first_condition_that_applies_is_the_reason() {
        assert_eq!(reason(|record| record.phase = SessionPhase::Failed, 9_999), "finalized");
        assert_eq!(reason(|record| record.resume_ready = false, 9_999), "not_ready");
        assert_eq!(reason(|record| record.phase = SessionPhase::Executing, 9_999), "phase_not_resumable");
        assert_eq!(reason(|record| record.error_count = 9, -120), "clock_skew");
        assert_eq!(reason(|record| record.error_count = 9, 9_999), "timeout");
    }
}
