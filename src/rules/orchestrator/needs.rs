//! What a rule needs of a trace besides the records that it cites.

use super::Occurrence;
use super::session::Observable;

/// The requirements that need times, some of them only now and then.
pub const TIMED: [&str; 10] = ["OR-1", "OR-2", "OR-3", "OR-4", "OR-5", "OR-6", "OR-9", "OR-10", "OR-11", "OR-11b"];

/// Whether what a rule says of an occurrence rests on how much time went by, not on the order of things alone.
pub fn times(requirement: &str, occurrence: &Occurrence) -> bool {
    match (requirement, occurrence) {
        ("OR-4", occurrence) => matches!(occurrence, Occurrence::EndAsked { .. }),
        ("OR-5", Occurrence::Left { session, .. }) => session.listed.is_some(),
        // An agent that is observable from its start is so some time after it.
        ("OR-6", Occurrence::ReadAsked { session, .. } | Occurrence::EndAsked { session, .. }) => session.observable == Observable::AtOnce,
        _ => TIMED.contains(&requirement),
    }
}
