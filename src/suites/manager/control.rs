//! What must be seen before somebody's manager is judged.

use crate::engine::control::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        what: "an orphan",
        fault: "forgets-instead",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]",
    },
    Check {
        what: "a setsid child",
        fault: "leaks-setsid",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-an-agent-that-will-start-a-setsid-child[claude]",
    },
    Check {
        what: "a false \"ended\"",
        fault: "calls-pending-ended",
        requirement: "CX-2",
        scenario: "codex-observability/first-turn/every-account-calls-it-alive",
    },
    Check {
        what: "a missing announcement",
        fault: "busy-for-ever",
        requirement: "CX-3",
        scenario: "codex-observability/completion/a-completion-is-announced-on-the-stream",
    },
];
