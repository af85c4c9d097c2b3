//! What must be seen before somebody's store is judged: time that was made to pass, and what the file system tells.

use crate::engine::control::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        what: "a stale session",
        fault: "resumes-for-ever",
        requirement: "RS-RESUME-4",
        scenario: "resumption/decision/thirty-minutes-and-a-second-are",
    },
    Check {
        what: "an overwritten record",
        fault: "overwrites",
        requirement: "RS-DUR-3",
        scenario: "resumption/durability/a-record-is-replaced-not-overwritten-where-it-lies",
    },
    Check {
        what: "a record open to others",
        fault: "everybody-may-read",
        requirement: "RS-DUR-4",
        scenario: "resumption/durability/a-record-is-its-owner-s-alone",
    },
    Check {
        what: "a link that was followed",
        fault: "follows-links",
        requirement: "RS-CLEAN-3",
        scenario: "resumption/cleanup/a-link-is-not-followed",
    },
];
