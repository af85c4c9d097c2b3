use super::FaultSpec;

/// Makes the faults and their table from rows: variant, name, title, what it breaks, side effects, source.
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident, $name:literal, $title:literal, breaks $breaks:expr, also $also:expr, from $source:literal;)*) => {
        /// A named defect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $title] $fault,)*
        }

        /// Every fault, in the order of the requirements that they break.
        pub const FAULTS: &[FaultSpec] = &[
            $(FaultSpec { fault: Fault::$fault, name: $name, title: $title, breaks: &$breaks, side_effects: &$also, source: $source },)*
        ];
    };
}

faults! {
    ReusesIds, "reuses-ids", "gives the id of an ended session to the next one",
        breaks ["LC-CREATE-1"], also ["LC-CLEAN-10"], from "loom #2268: a second start under an existing name replaces the first";
    ManglesMessages, "mangles-messages", "types messages with their line breaks turned into spaces",
        breaks ["LC-CREATE-3", "LC-SEND-1"], also ["LC-CREATE-3b"], from "terminals that submit at every line break";
    TearsTexts, "tears-texts", "cuts a long transcript at bytes from its start instead of characters from its end",
        breaks ["LC-OBS-5"], also [], from "byte-limited readers of multi-byte transcripts";
    LeaksSetsid, "leaks-setsid", "ends the agent's process group and misses what left it",
        breaks ["LC-CLEAN-1"], also ["LC-CLEAN-1b"], from "gastown #699, imbue-ai/mngr #1510";
    EndsByPrefix, "ends-by-prefix", "ends the first session whose id begins with what was asked for",
        breaks ["LC-CLEAN-5"], also ["LC-CLEAN-9"], from "imbue-ai/mngr #1145, amux #156";
    ForgetsOnRestart, "forgets-on-restart", "comes back with an empty list while its agents run",
        breaks ["LC-RESTART-1"], also ["LC-RESTART-2"], from "claude-squad #322";
    CallsPendingEnded, "calls-pending-ended", "answers session_ended while a session has no file yet",
        breaks ["CX-2", "LC-OBS-3"], also ["LC-OBS-3b", "LC-CREATE-4", "LC-OBS-7", "LC-OBS-8", "LC-CLEAN-6", "CX-9"], from "seed 001; openai/codex #31158";
    AnnouncesEarly, "announces-early", "announces a turn when its message is delivered",
        breaks ["CX-3"], also ["CX-4", "CX-7"], from "orca #18368";
    AnnouncesTwice, "announces-twice", "announces every turn a second time",
        breaks ["CX-3"], also ["CX-7"], from "agent-deck #1040";
    SwapsCodexSessions, "swaps-codex-sessions", "takes the newest file of a directory for a session's, whoever wrote it",
        breaks ["CX-7"], also [], from "two Codex threads in one directory";
}
