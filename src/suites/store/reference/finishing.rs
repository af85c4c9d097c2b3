//! How a session ends.

use jiff::Timestamp;
use serde_json::Number;

use crate::contract::SessionPhase;

use super::record::{StoreRecord, enter, remember};

/// Ends a record for good.
pub(crate) fn finish(record: &mut StoreRecord, outcome: SessionPhase, summary: Option<&str>, now: Timestamp) {
    remember(record, outcome, now);
    enter(record, outcome);
    record.finalized_at = Some(now);
    record.duration_seconds = Number::from_f64(seconds_between(record.created_at, now));
    record.summary = summary.map(str::to_owned);
}

/// The seconds from one time to another.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_micros() as f64 / 1e6
}

/// The outcome of that word.
pub(crate) fn outcome(word: &str) -> Option<SessionPhase> {
    SessionPhase::from_name(word).filter(|phase| phase.is_final())
}
