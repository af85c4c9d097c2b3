//! What is promised once is promised always: every operation at every moment at which managers were seen to break what they had kept
//! before; for each the scenario that looks, and a fault that it catches. Where there is none, the reason.
//!
//! A test holds that no cell is missing, that its scenario and its fault are there, and that the kill matrix has the one catching
//! the other.

/// A moment at which an operation is tried.
#[derive(Debug)]
pub struct TriedMoment {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// Every moment, in the order of the table.
pub const MOMENTS: &[TriedMoment] = &[
    TriedMoment { name: "first", about: "for the first time" },
    TriedMoment { name: "third", about: "for the third time" },
    TriedMoment { name: "tenth", about: "for the tenth time" },
    TriedMoment { name: "turn", about: "in a turn" },
    TriedMoment { name: "silence", about: "in or after a long silence" },
    TriedMoment { name: "restart", about: "after a restart" },
    TriedMoment { name: "beside", about: "while another starts, works or ends" },
    TriedMoment { name: "unknown", about: "of what is not known" },
    TriedMoment { name: "ended", about: "of what was ended" },
    TriedMoment { name: "foreign", about: "of what is another's, or a part of its id" },
    TriedMoment { name: "optional", about: "with optional arguments" },
    TriedMoment { name: "limit", about: "at a limit" },
    TriedMoment { name: "beyond", about: "beyond a limit" },
    TriedMoment { name: "many", about: "with many sessions" },
];

/// How one operation is tried at one moment.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// A scenario looks: its key without an agent; and one fault that it catches.
    Caught {
        /// The scenario.
        scenario: &'static str,
        /// The fault.
        fault: &'static str,
    },
    /// None does, for that reason.
    Left(&'static str),
}

const fn by(scenario: &'static str, fault: &'static str) -> Cell {
    Cell::Caught { scenario, fault }
}

const NO_ID: Cell = Cell::Left("it takes no id");
const NO_OPTION: Cell = Cell::Left("it has no optional argument");
const NO_LIMIT: Cell = Cell::Left("it has no limit");
const SCREEN: Cell = Cell::Left("an optional operation; asked of it is that it works in the first turn");

/// Every operation, with a cell for each of [`MOMENTS`].
pub const CELLS: &[(&str, [Cell; MOMENTS.len()])] = &[
    (
        "start_session",
        [
            by("lifecycle/creation/the-agent-runs-when-the-session-is-started", "never-launches"),
            by("lifecycle/creation/ten-sessions-of-mixed-agents-that-are-started-at-once-are-distinct", "forgets-every-third"),
            by("lifecycle/creation/ten-sessions-of-mixed-agents-that-are-started-at-once-are-distinct", "forgets-the-eighth"),
            by("lifecycle/creation/sessions-started-at-once-are-distinct", "starts-in-turn"),
            Cell::Left("before a start nothing of the session is there that could be silent"),
            by("lifecycle/restart/an-id-is-not-used-again-after-a-restart", "counts-anew"),
            by("lifecycle/cleanup/ending-one-while-another-starts-leaves-that", "ends-what-starts"),
            by("lifecycle/creation/an-unknown-agent-is-refused", "takes-any-agent"),
            by("lifecycle/creation/an-id-is-not-used-again", "reuses-ids"),
            by("lifecycle/creation/ids-of-sessions-that-are-started-at-once-differ", "names-by-folder"),
            by("lifecycle/creation/a-repeated-request-answers-the-same-session", "ignores-request-ids"),
            by("lifecycle/creation/a-message-of-the-stated-limit-arrives-unaltered", "refuses-its-limit"),
            by("lifecycle/creation/a-message-beyond-the-stated-limit-is-refused-not-cut", "takes-any-length"),
            by("lifecycle/creation/ten-sessions-of-mixed-agents-that-are-started-at-once-are-distinct", "forgets-the-eighth"),
        ],
    ),
    (
        "list_sessions",
        [
            by("lifecycle/observability/a-session-becomes-observable-at-its-phase", "lists-every-minute"),
            by("lifecycle/observability/an-observable-session-stays-observable-during-later-turns", "hides-the-busy"),
            Cell::Left("five looks in a row are made; nothing is known of managers that count lists"),
            by("lifecycle/observability/an-observable-session-stays-observable-during-later-turns", "hides-the-busy"),
            by("lifecycle/observability/a-slow-agent-is-not-dead", "gives-up-after-a-minute"),
            by("lifecycle/restart/nothing-runs-unlisted-after-a-restart", "forgets-on-restart"),
            by("lifecycle/observability/an-idle-session-stays-observable", "lists-the-newest"),
            NO_ID,
            by("lifecycle/cleanup/an-ended-session-is-not-listed", "goes-on-listing"),
            NO_ID,
            NO_OPTION,
            NO_LIMIT,
            NO_LIMIT,
            by("lifecycle/observability/each-of-eleven-sessions-stays-observable", "lists-ten"),
        ],
    ),
    (
        "get_session_data",
        [
            by("lifecycle/observability/a-session-becomes-observable-at-its-phase", "finds-no-file"),
            by("lifecycle/cleanup/an-error-on-reading-has-ended-nothing", "ends-at-the-third-failed-read"),
            by("lifecycle/cleanup/however-often-reading-fails-nothing-is-ended", "ends-at-the-tenth-failed-read"),
            by("lifecycle/observability/reading-changes-no-status-in-a-turn", "calls-the-read-idle"),
            by("codex-observability/first-turn/a-first-turn-of-23-hours-changes-nothing", "stops-looking"),
            Cell::Left("a kept session has to be listed and to end; what it reads after a restart is not looked at yet"),
            by("lifecycle/observability/the-data-has-every-turn-in-order-and-nobody-else-s", "mixes-sessions"),
            by("lifecycle/observability/a-part-of-an-id-is-no-session-s", "reads-by-prefix"),
            by("lifecycle/cleanup/an-ended-session-is-neither-read-nor-sent-to", "reads-the-ended"),
            by("lifecycle/observability/a-part-of-an-id-is-no-session-s", "reads-by-prefix"),
            by("lifecycle/observability/asking-for-the-last-0-characters", "takes-zero-for-none"),
            by("lifecycle/observability/asking-for-the-last-48000-characters", "has-no-limit"),
            by("lifecycle/observability/asking-for-the-last-48001-characters", "trusts-tails"),
            Cell::Left("each of eleven sessions is read; nothing is known of managers that read a few"),
        ],
    ),
    (
        "send_message",
        [
            by("lifecycle/messages/messages-arrive-once-in-order-at-their-session-alone", "sends-twice"),
            by("lifecycle/messages/eleven-messages-arrive-each-once", "loses-the-third-message"),
            by("lifecycle/messages/eleven-messages-arrive-each-once", "loses-the-tenth-message"),
            by("lifecycle/messages/a-message-that-comes-during-a-turn-is-taken-after-it", "drops-what-comes-early"),
            by("lifecycle/messages/a-message-after-a-long-silence-arrives", "drops-what-comes-late"),
            by("lifecycle/messages/messages-after-a-restart-arrive-each-once", "loses-one-after-a-restart"),
            by("lifecycle/messages/eleven-messages-arrive-each-once", "sends-to-the-newest"),
            by("lifecycle/messages/a-message-to-a-session-that-never-was-reaches-nobody", "strays-to-the-newest"),
            by("lifecycle/messages/a-message-to-a-session-that-was-ended-reaches-nobody-else", "strays-to-the-oldest"),
            by("lifecycle/messages/a-message-to-a-part-of-an-id-reaches-nobody", "sends-by-prefix"),
            NO_OPTION,
            by("lifecycle/messages/a-later-message-of-the-stated-limit-arrives-unaltered", "refuses-its-limit"),
            by("lifecycle/messages/a-later-message-beyond-the-stated-limit-is-refused-not-cut", "takes-any-length"),
            by("lifecycle/messages/a-message-to-a-part-of-an-id-reaches-nobody", "sends-by-prefix"),
        ],
    ),
    (
        "end_session",
        [
            by("lifecycle/cleanup/ending-a-session-ends-its-agent", "forgets-instead"),
            by("lifecycle/termination/ten-sessions-of-mixed-agents-at-once", "ends-one-at-a-time"),
            by("lifecycle/termination/ten-sessions-of-mixed-agents-at-once", "ends-one-of-many"),
            by("lifecycle/cleanup/ending-during-the-first-turn-leaves-no-orphan", "lets-the-turn-end"),
            by("lifecycle/termination/the-whole-procedure-leaves-nothing", "takes-idle-for-ended"),
            by("lifecycle/restart/a-kept-session-can-be-ended-after-a-restart", "loses-hold"),
            by("lifecycle/cleanup/ending-one-while-another-starts-leaves-that", "ends-what-starts"),
            by("lifecycle/cleanup/ending-a-session-that-never-was-harms-nobody", "ends-the-newest"),
            by("lifecycle/cleanup/ending-twice", "ends-another"),
            by("lifecycle/cleanup/ending-by-a-part-of-an-id-harms-nobody", "ends-by-prefix"),
            NO_OPTION,
            NO_LIMIT,
            NO_LIMIT,
            by("lifecycle/termination/ten-sessions-of-mixed-agents-at-once", "ends-one-of-many"),
        ],
    ),
    (
        "wait_events",
        [
            by("codex-observability/completion/a-turn-s-completion-is-announced-once-and-not-early", "announces-twice"),
            by("codex-observability/completion/the-completions-of-eleven-turns-are-each-announced-once", "loses-the-third-completion"),
            by("codex-observability/completion/the-completions-of-eleven-turns-are-each-announced-once", "loses-the-tenth-completion"),
            by("codex-observability/completion/a-turn-s-completion-is-announced-once-and-not-early", "announces-early"),
            by("codex-observability/first-turn/a-first-turn-of-23-hours-changes-nothing", "rejects-late-completions"),
            by("codex-observability/completion/a-turn-in-flight-is-not-completed-by-a-restart", "calls-turns-complete"),
            by("codex-observability/completion/turns-that-complete-at-once-are-all-announced", "announces-one-of-many"),
            NO_ID,
            Cell::Left("what is announced of a session after its end is not judged: its turn may have ended with it"),
            by("codex-observability/completion/completions-in-one-directory-are-announced-for-the-right-session", "announces-by-folder"),
            Cell::Left("every scenario uses its cursor; what is lost or repeated behind one is not looked for yet"),
            NO_LIMIT,
            NO_LIMIT,
            by("codex-observability/completion/turns-that-complete-at-once-are-all-announced", "announces-one-of-many"),
        ],
    ),
    (
        "capture_screen",
        [
            by("codex-observability/first-turn/the-screen-can-be-captured", "captures-a-blank"),
            SCREEN,
            SCREEN,
            by("codex-observability/first-turn/the-screen-can-be-captured", "captures-the-known"),
            SCREEN,
            SCREEN,
            SCREEN,
            SCREEN,
            SCREEN,
            SCREEN,
            NO_OPTION,
            NO_LIMIT,
            NO_LIMIT,
            SCREEN,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::SESSION_OPERATIONS;

    #[test]
    fn every_operation_has_its_row() {
        let rows: BTreeSet<&str> = CELLS.iter().map(|(operation, _)| *operation).collect();
        assert_eq!(rows, SESSION_OPERATIONS.iter().map(|operation| operation.name).collect());
        assert_eq!(rows.len(), CELLS.len());
    }
}
