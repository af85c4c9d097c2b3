//! The fault catalogue: named defects of the reference manager, each a change at one of its seams.
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

use crate::engine::fault;

use crate::suites::manager::behavior::Seams;

/// A named defect of the reference manager.
pub type Fault = fault::Fault<Seams>;

/// The families, in the order of the requirements.
const FAMILIES: &[&[Fault]] = &[
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
pub fn faults() -> impl Iterator<Item = &'static Fault> + Clone {
    FAMILIES.iter().copied().flatten()
}

/// The fault of that name.
///
/// # Errors
/// Names the nearest one.
pub fn named(name: &str) -> Result<&'static Fault, String> {
    fault::named(faults(), "a manager", name)
}

/// A row of a family: name, title, what it breaks, what it changes.
const fn fault(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut Seams)) -> Fault {
    Fault::new(name, title, breaks, change)
}
