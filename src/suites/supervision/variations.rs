//! Permitted variations: what other supervisors do otherwise and conform all the same. The suite must find nothing in them.

use std::time::Duration;

use crate::engine::fault;

use super::behavior::{Delay, SupervisorBehavior};
use super::reference::registry::RecordWriting;

/// A way to conform that is not the reference supervisor's.
pub(crate) type SupervisorVariation = fault::Variation<SupervisorBehavior>;

const fn variation(name: &'static str, title: &'static str, change: fn(&mut SupervisorBehavior)) -> SupervisorVariation {
    SupervisorVariation::new(name, title, change)
}

/// Every variation.
pub(crate) const VARIATIONS: &[SupervisorVariation] = &[
    variation("keeps-messages-of-a-pause", "keeps what is sent to a paused session, and types it once it is resumed", |s| {
        s.keeps_messages = true;
    }),
    variation("waits-a-little-longer", "waits a quarter longer before each restart than the policy says", |s| {
        s.delay = Delay(|policy, attempt| policy.delay(attempt).mul_f64(1.25));
    }),
    variation("jitters", "waits a tenth longer before each second restart", |s| {
        s.delay =
            Delay(|policy, attempt| policy.delay(attempt) + if attempt % 2 == 0 { policy.delay(attempt) / 10 } else { Duration::ZERO });
    }),
    variation("closer-records", "gives records to its owner to read alone", |s| {
        s.writing = RecordWriting { mode: 0o400, ..RecordWriting::default() };
    }),
];

/// The variation of that name.
///
/// # Errors
/// Names all that there are.
pub(crate) fn named(name: &str) -> Result<&'static SupervisorVariation, String> {
    let names = || VARIATIONS.iter().map(|variation| variation.info.name).collect::<Vec<_>>().join(", ");
    VARIATIONS.iter().find(|variation| variation.info.name == name).ok_or_else(|| format!("no such variation; wanted one of: {}", names()))
}
