//! The faults of orchestrators: each a few choices other than the right ones.

use std::str::FromStr;
use std::time::Duration;

use super::choices::{
    AtDeadline, Choices, EarlyAbsence, Ends, Exit, Hears, LostStart, Pace, Polls, Verification, WhenEndFails, WhenGone, WhenOneFails,
};

/// A named defect of an orchestrator.
#[derive(Debug, Clone, Copy)]
pub struct OrchestratorFault {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub title: &'static str,
    /// The requirements that must fail.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail along with them.
    pub side_effects: &'static [&'static str],
    /// Where it was seen, or what invites it.
    pub source: &'static str,
    change: fn(&mut Choices),
}

impl OrchestratorFault {
    /// The choices of an orchestrator that has the fault.
    pub fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        (self.change)(&mut choices);
        choices
    }
}

impl FromStr for &'static OrchestratorFault {
    type Err = String;

    /// Reads a fault's name.
    ///
    /// # Errors
    /// Names the nearest fault.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let nearest = FAULTS.iter().max_by(|a, b| strsim::jaro_winkler(a.name, name).total_cmp(&strsim::jaro_winkler(b.name, name)));
        FAULTS
            .iter()
            .find(|fault| fault.name == name)
            .ok_or_else(|| format!("no such fault; did you mean `{}`?", nearest.map_or("", |fault| fault.name)))
    }
}

/// Every fault, in the order of the requirements that they break.
pub fn faults() -> &'static [OrchestratorFault] {
    FAULTS
}

/// Makes the table from rows: name, title, what it breaks, side effects, source, choices.
macro_rules! faults {
    ($($name:literal, $title:literal, breaks $breaks:expr, also $also:expr, from $source:literal, $($field:ident = $value:expr),+;)*) => {
        const FAULTS: &[OrchestratorFault] = &[
            $(OrchestratorFault {
                name: $name, title: $title, breaks: &$breaks, side_effects: &$also, source: $source,
                change: |choices| { $(choices.$field = $value;)+ },
            },)*
        ];
    };
}

const TIGHT: Pace = Pace { first: Duration::from_millis(50), growth: 1.0, most: Duration::from_millis(50), for_ever: false };
const STEADY: Pace = Pace { first: Duration::from_secs(1), growth: 1.0, most: Duration::from_secs(1), for_ever: false };
const ENDLESS: Pace = Pace { first: Duration::from_secs(2), growth: 1.5, most: Duration::from_secs(5), for_ever: true };

faults! {
    "polls-codex-early", "polls Codex sessions from their start, as it does the others",
        breaks ["OR-1"], also ["OR-11"], from "seed 001: the loop without a Codex carve-out",
        polls = Polls::All;
    "polls-codex-tightly", "polls Codex sessions twenty times a second",
        breaks ["OR-1", "OR-11"], also [], from "seed 001; busy loops around get_session_data",
        polls = Polls::All, pace = TIGHT;
    "looks-again-and-again", "at a Codex session's deadline asks until an answer comes",
        breaks ["OR-1"], also ["OR-9", "OR-11"], from "retry wrappers around every call",
        at_deadline = AtDeadline::InspectAgain;
    "reads-at-anyones-announcement", "reads a session when any session's turn is announced",
        breaks ["OR-1"], also ["OR-2", "OR-3", "OR-4", "OR-12"], from "wait_for_notification() without a session's id",
        hears = Hears::Anybodys;
    "takes-not-found-for-ended", "polls Codex sessions, and ends one that is not found yet",
        breaks ["OR-1", "OR-2"], also ["OR-3", "OR-9"], from "seed 001: premature cleanup",
        polls = Polls::All, early_absence = EarlyAbsence::Ended;
    "takes-absence-for-ended", "ends a Codex session that the list does not show yet",
        breaks ["OR-2"], also ["OR-3", "OR-9"], from "seed 001: list_sessions() during the first turn",
        looks_in_list_early = true, early_absence = EarlyAbsence::Ended;
    "replaces-what-is-not-listed", "starts another session for a Codex worker that the list does not show yet",
        breaks ["OR-2", "OR-4"], also ["OR-3", "OR-7", "OR-9"], from "supervisors that keep a number of workers",
        looks_in_list_early = true, early_absence = EarlyAbsence::Replaced;
    "ends-before-the-announcement", "gives every worker a tenth of its time, then ends it",
        breaks ["OR-9"], also ["OR-2", "OR-3"], from "seed 001: cleanup while the session is running",
        patience = 0.1, at_deadline = AtDeadline::End;
    "never-ends", "ends no session",
        breaks ["OR-4"], also ["OR-5"], from "seed 000: orphaned processes and wasted compute",
        ends = Ends::None;
    "ends-twice", "ends every session twice",
        breaks ["OR-4"], also ["OR-5"], from "cleanup in both the loop and its finally",
        extra_ends = 1;
    "forgets-the-failed", "ends only the sessions whose work was done",
        breaks ["OR-4"], also ["OR-5"], from "cleanup at the end of the good path",
        ends = Ends::OnlyDone;
    "forgets-the-dead", "does not end sessions whose agent died",
        breaks ["OR-4"], also ["OR-5"], from "taking the process for the session",
        ends = Ends::OnlyLiving;
    "drops-the-others", "stops where it is as soon as one worker fails",
        breaks ["OR-4"], also ["OR-5", "OR-12"], from "task groups that cancel their siblings",
        when_one_fails = WhenOneFails::Drop;
    "ignores-a-failed-end", "takes an end_session that failed for done, and does not look",
        breaks ["OR-4"], also ["OR-5"], from "try: end_session() except: pass",
        when_end_fails = WhenEndFails::Ignore, verification = Verification::None;
    "gives-up-a-failed-end", "does not repeat an end_session that failed",
        breaks ["OR-4"], also ["OR-5"], from "cleanup without retries",
        when_end_fails = WhenEndFails::GiveUp;
    "never-verifies", "does not look whether an ended session is gone",
        breaks ["OR-5"], also [], from "seed 000: step 4 left out",
        verification = Verification::None;
    "polls-the-gone", "polls on when an observable session is not found",
        breaks ["OR-6"], also ["OR-12"], from "retry on not-found, learned from Codex",
        when_gone = WhenGone::PollOn;
    "forgets-the-gone", "does not end an observable session that is not found",
        breaks ["OR-4", "OR-6"], also ["OR-5"], from "seed 000: \"session-not-found doesn't mean session is gone\"",
        when_gone = WhenGone::Forget;
    "starts-a-duplicate", "repeats a start whose answer was lost as a new request",
        breaks ["OR-7"], also ["OR-4", "OR-5"], from "at-least-once clients without idempotency keys",
        lost_start = LostStart::NewRequest;
    "gives-up-a-lost-start", "takes a start whose answer was lost for refused",
        breaks ["OR-7"], also ["OR-4", "OR-5"], from "timeout means failure",
        lost_start = LostStart::GiveUp;
    "reports-a-cut-text-as-whole", "does not say that a text was cut",
        breaks ["OR-8"], also [], from "seed 000: responses have size limits (48KB)",
        tells_truncation = false;
    "reads-a-short-tail", "asks for the last twenty characters and reports them as the whole",
        breaks ["OR-8"], also [], from "tail queries in status lines",
        tail_chars = Some(20), tells_truncation = false;
    "kills-the-slow", "ends a worker at its deadline without a look",
        breaks ["OR-9"], also ["OR-3"], from "timeout wrappers that kill",
        at_deadline = AtDeadline::End;
    "takes-silence-for-done", "reports a worker done that was silent until its deadline",
        breaks ["OR-12"], also ["OR-3", "OR-8"], from "no news is good news",
        at_deadline = AtDeadline::TakeForDone;
    "waits-out-days", "waits for a Codex session's announcement longer than a day",
        breaks ["OR-10"], also [], from "seed 000: day 2+ is an error",
        longest = Duration::MAX;
    "polls-in-a-tight-loop", "polls twenty times a second",
        breaks ["OR-11"], also [], from "busy loops around get_session_data",
        pace = TIGHT;
    "never-backs-off", "polls every second, for as long as it takes",
        breaks ["OR-11"], also [], from "while True: sleep(1)",
        pace = STEADY;
    "polls-for-ever", "knows no deadline while it polls",
        breaks ["OR-12"], also ["OR-4", "OR-9", "OR-11"], from "while not done",
        pace = ENDLESS;
    "waits-for-ever", "hangs when an announcement is lost",
        breaks ["OR-12"], also ["OR-4", "OR-9"], from "wait_for_notification() without a timeout",
        at_deadline = AtDeadline::WaitOn;
    "swallows-the-exit-code", "exits 0 whatever became of the work",
        breaks ["OR-12"], also [], from "pipelines without pipefail",
        exit = Exit::Zero;
    "always-fails", "exits 1 although everything is done",
        breaks ["OR-12"], also [], from "the exit status of the last cleanup command",
        exit = Exit::NonZero;
    "misses-failed-turns", "takes a turn that failed for one that was completed",
        breaks ["OR-12"], also [], from "turn_completed read without its status",
        tells_failed_turns = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_name_and_chooses_otherwise() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert_ne!(fault.choices(), Choices::default(), "{}", fault.name);
            assert_eq!(FAULTS.iter().position(|other| other.name == fault.name), Some(at), "{} is there twice", fault.name);
            assert_eq!(fault.name.parse::<&'static OrchestratorFault>().unwrap().title, fault.title);
            assert!(!fault.breaks.is_empty() && fault.breaks.iter().all(|id| !fault.side_effects.contains(id)), "{}", fault.name);
        }
        assert!(FAULTS.len() >= 25);
    }

    #[test]
    fn a_wrong_name_is_told_the_nearest() {
        assert_eq!("never-end".parse::<&'static OrchestratorFault>().unwrap_err(), "no such fault; did you mean `never-ends`?");
    }
}
