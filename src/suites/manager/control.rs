//! What must be seen before somebody's manager is judged.

use crate::engine::control::ControlCheck;

pub(super) const CHECKS: &[ControlCheck] = &[
    ControlCheck {
        what: "an orphan",
        fault: "forgets-instead",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]",
    },
    ControlCheck {
        what: "a setsid child",
        fault: "leaks-setsid",
        requirement: "LC-CLEAN-1",
        scenario: "lifecycle/cleanup/ending-a-session-ends-an-agent-that-will-start-a-setsid-child[claude]",
    },
    ControlCheck {
        what: "a false \"ended\"",
        fault: "calls-pending-ended",
        requirement: "CX-2",
        scenario: "codex-observability/first-turn/every-account-calls-it-alive",
    },
    ControlCheck {
        what: "a missing announcement",
        fault: "busy-for-ever",
        requirement: "CX-3",
        scenario: "codex-observability/completion/a-completion-is-announced-on-the-stream",
    },
];
