//! What must be seen before somebody's store is judged: time that was made to pass, and what the file system tells.

use crate::engine::control::ControlCheck;

pub(super) const CHECKS: &[ControlCheck] = &[
    ControlCheck {
        what: "a stale session",
        fault: "resumes-for-ever",
        requirement: "RS-RESUME-4",
        scenario: "resumption/decision/thirty-minutes-and-a-second-are",
    },
    ControlCheck {
        what: "an overwritten record",
        fault: "overwrites",
        requirement: "RS-DUR-3",
        scenario: "resumption/durability/a-record-is-replaced-not-overwritten-where-it-lies",
    },
    ControlCheck {
        what: "a record open to others",
        fault: "everybody-may-read",
        requirement: "RS-DUR-4",
        scenario: "resumption/durability/a-record-is-its-owner-s-alone",
    },
    ControlCheck {
        what: "a link that was followed",
        fault: "follows-links",
        requirement: "RS-CLEAN-3",
        scenario: "resumption/cleanup/a-link-is-not-followed",
    },
];
