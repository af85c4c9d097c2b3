//! The fault catalogue: named defects of the reference manager, each a change at one of its behavior.
//!
//! Every fault was seen somewhere, or is one slip away from right. The suites must catch each: fail on all that it
//! breaks and on nothing that it does not.

pub(crate) mod announcements;
pub(crate) mod cleanup;
pub(crate) mod creation;
pub(crate) mod first_turn;
pub(crate) mod messages;
pub(crate) mod observation;
pub(crate) mod restart;
pub(crate) mod timeouts;

use crate::contract::SessionId;
use crate::engine::fault;

use crate::suites::manager::behavior::ManagerBehavior;

/// A named defect of the reference manager.
pub(crate) type ManagerFault = fault::Fault<ManagerBehavior>;

/// The families, in the order of the requirements.
const FAMILIES: &[&[ManagerFault]] = &[
    creation::FAULTS,
    messages::FAULTS,
    observation::FAULTS,
    first_turn::FAULTS,
    announcements::FAULTS,
    cleanup::FAULTS,
    timeouts::FAULTS,
    restart::FAULTS,
];

/// Every fault, family by family.
pub(crate) fn faults() -> impl Iterator<Item = &'static ManagerFault> + Clone {
    FAMILIES.iter().copied().flatten()
}

/// The fault of that name.
///
/// # Errors
/// Names the nearest one.
pub(crate) fn named(name: &str) -> Result<&'static ManagerFault, String> {
    fault::named(faults(), "a manager", name)
}

/// The session that an id means to who takes it for the beginning of one, where it asks for that operation.
fn by_prefix(of: &str, operation: &str, asked: &str, known: &[SessionId]) -> Option<SessionId> {
    let exact = known.iter().find(|id| id.as_str() == asked).cloned();
    exact.or_else(|| known.iter().find(|id| operation == of && !asked.is_empty() && id.as_str().starts_with(asked)).cloned())
}

/// The session that an id means to who takes it for a pattern, or for a path.
fn by_likeness(of: &str, operation: &str, asked: &str, known: &[SessionId]) -> Option<SessionId> {
    let exact = known.iter().find(|id| id.as_str() == asked).cloned();
    let (stem, last) = (asked.trim_end_matches('*'), asked.rsplit('/').next().unwrap_or(asked));
    exact.or_else(|| known.iter().find(|id| operation == of && (id.as_str() == stem || id.as_str() == last)).cloned())
}

/// A row of a family: name, title, what it breaks, what it changes.
const fn fault(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut ManagerBehavior)) -> ManagerFault {
    ManagerFault::new(name, title, breaks, change)
}
