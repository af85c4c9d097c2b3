//! What a rule needs of a trace besides the records that it cites.

use crate::contract::WorkerState;

use super::Occurrence;
use super::session::Observable;

/// Rules whose findings the records that they cite prove, whatever else happened.
const PROVED_ALONE: [&str; 2] = ["OR-6", "OR-11b"];

/// Whether a rule ever needs every record.
pub(crate) fn ever_every_record(requirement: &str) -> bool {
    !PROVED_ALONE.contains(&requirement)
}

/// Whether what a rule finds in an occurrence rests on there being no other record: one that could not be read may
/// explain it.
pub(crate) fn every_record(requirement: &str, occurrence: &Occurrence) -> bool {
    let Occurrence::Exited { code, overdue, workers, .. } = occurrence else { return ever_every_record(requirement) };
    let is_undone = |state| matches!(state, WorkerState::Failed | WorkerState::Escalated);
    let is_reported = workers.iter().any(|(worker, _)| worker.outcome.as_ref().is_some_and(|(_, outcome)| is_undone(outcome.state)));
    !(*overdue || *code == Some(0) && is_reported)
}

/// The requirements that need times, some of them only now and then.
pub(crate) const TIMED: [&str; 10] = ["OR-1", "OR-2", "OR-3", "OR-4", "OR-5", "OR-6", "OR-9", "OR-10", "OR-11", "OR-11b"];

/// Whether what a rule says of an occurrence rests on how much time went by, not on the order of things alone.
pub(crate) fn times(requirement: &str, occurrence: &Occurrence) -> bool {
    match (requirement, occurrence) {
        ("OR-4", occurrence) => matches!(occurrence, Occurrence::EndAsked { .. }),
        ("OR-5", Occurrence::Left { session, .. }) => session.listed.is_some(),
        // An agent that is observable from its start is so some time after it.
        ("OR-6", Occurrence::ReadAsked { session, .. } | Occurrence::EndAsked { session, .. }) => session.observable == Observable::AtOnce,
        _ => TIMED.contains(&requirement),
    }
}
