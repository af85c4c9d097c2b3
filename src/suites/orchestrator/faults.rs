//! The faults of orchestrators: each a few choices other than the right ones.

use std::time::Duration;

use crate::engine::fault;
use crate::suites::orchestrator::behavior::{
    AtDeadline, Choices, EarlyAbsence, Ends, EndsBesides, Hears, LostStart, Pace, Polls, ReportedExit, ToldOutcomes, Verification,
    WhenEndFails, WhenGone, WhenOneFails,
};

/// A named defect of the reference orchestrator.
pub(crate) type OrchestratorFault = fault::Fault<Choices>;

/// The fault of that name.
///
/// # Errors
/// Names the nearest one.
pub(crate) fn named(name: &str) -> Result<&'static OrchestratorFault, String> {
    fault::named(FAULTS.iter(), "an orchestrator", name)
}

/// The choices of an orchestrator that has the fault of that name; of one that conforms, where none is named.
pub(crate) fn choices(fault: Option<&OrchestratorFault>) -> Choices {
    let mut choices = Choices::default();
    fault.iter().for_each(|fault| fault.apply(&mut choices));
    choices
}

/// A row of the table: name, title, what it breaks, what it chooses.
const fn fault(name: &'static str, title: &'static str, breaks: &'static [&'static str], change: fn(&mut Choices)) -> OrchestratorFault {
    OrchestratorFault::new(name, title, breaks, change)
}

/// Slower in the end: the polls of a virtual day must not fill the memory.
const TIGHT: Pace = Pace { first: Duration::from_millis(10), growth: 1.02, most: Duration::from_secs(60), for_ever: false };
const STEADY: Pace = Pace { first: Duration::from_secs(1), growth: 1.0, most: Duration::from_secs(1), for_ever: false };
const ENDLESS: Pace = Pace { first: Duration::from_secs(2), growth: 1.5, most: Duration::from_secs(5), for_ever: true };

/// Every fault, in the order of the requirements that they break.
pub(crate) const FAULTS: &[OrchestratorFault] = &[
    fault("polls-codex-early", "polls Codex sessions from their start, as it does the others", &["OR-1"], |choices| {
        choices.polls = Polls::All
    })
    .seen("seed 001: the loop without a Codex carve-out"),
    fault("polls-codex-tightly", "polls Codex sessions, at first a hundred times a second", &["OR-1", "OR-11", "OR-11b"], |choices| {
        choices.polls = Polls::All;
        choices.pace = TIGHT;
    })
    .seen("seed 001; busy loops around get_session_data"),
    fault("looks-again-and-again", "at a Codex session's deadline asks until an answer comes", &["OR-1"], |choices| {
        choices.at_deadline = AtDeadline::InspectAgain
    })
    .seen("retry wrappers around every call"),
    fault("reads-at-anyones-announcement", "reads a session when any session's turn is announced", &["OR-1"], |choices| {
        choices.hears = Hears::Anybodys
    })
    .also(&["OR-2", "OR-9", "OR-12"])
    .seen("wait_for_notification() without a session's id"),
    fault("takes-not-found-for-ended", "polls Codex sessions, and ends one that is not found yet", &["OR-1", "OR-2"], |choices| {
        choices.polls = Polls::All;
        choices.early_absence = EarlyAbsence::Ended;
    })
    .also(&["OR-12"])
    .seen("seed 001: premature cleanup"),
    fault("takes-absence-for-ended", "ends a Codex session that the list does not show yet", &["OR-2"], |choices| {
        choices.looks_in_list_early = true;
        choices.early_absence = EarlyAbsence::Ended;
    })
    .also(&["OR-12"])
    .seen("seed 001: list_sessions() during the first turn"),
    fault(
        "replaces-what-is-not-listed",
        "starts another session for a Codex worker that the list does not show yet",
        &["OR-2", "OR-4"],
        |choices| {
            choices.looks_in_list_early = true;
            choices.early_absence = EarlyAbsence::Replaced;
        },
    )
    .also(&["OR-12"])
    .seen("supervisors that keep a number of workers"),
    fault("ends-before-the-announcement", "gives every worker a tenth of its time, then ends it", &["OR-9"], |choices| {
        choices.patience = 0.1;
        choices.at_deadline = AtDeadline::End;
    })
    .also(&["OR-12"])
    .seen("seed 001: cleanup while the session is running"),
    fault("never-ends", "ends no session", &["OR-4"], |choices| choices.ends = Ends::None)
        .seen("seed 000: orphaned processes and wasted compute"),
    fault("ends-twice", "ends every session twice", &["OR-4"], |choices| choices.extra_ends = 1)
        .seen("cleanup in both the loop and its finally"),
    fault("forgets-the-failed", "ends only the sessions whose work was done", &["OR-4"], |choices| choices.ends = Ends::OnlyDone)
        .seen("cleanup at the end of the good path"),
    fault("forgets-the-dead", "does not end sessions whose agent died", &["OR-4"], |choices| choices.ends = Ends::OnlyLiving)
        .seen("taking the process for the session"),
    fault("drops-the-others", "stops where it is as soon as one worker fails", &["OR-4"], |choices| {
        choices.when_one_fails = WhenOneFails::Drop
    })
    .seen("task groups that cancel their siblings"),
    fault("ignores-a-failed-end", "takes an end_session that failed for done, and does not look", &["OR-4"], |choices| {
        choices.when_end_fails = WhenEndFails::Ignore;
        choices.verification = Verification::None;
    })
    .also(&["OR-5"])
    .seen("try: end_session() except: pass"),
    fault("gives-up-a-failed-end", "does not repeat an end_session that failed", &["OR-4"], |choices| {
        choices.when_end_fails = WhenEndFails::GiveUp
    })
    .seen("cleanup without retries"),
    fault("never-verifies", "does not look whether an ended session is gone", &["OR-5"], |choices| {
        choices.verification = Verification::None
    })
    .seen("seed 000: step 4 left out"),
    fault("polls-the-gone", "polls on when an observable session is not found", &["OR-6"], |choices| choices.when_gone = WhenGone::PollOn)
        .seen("retry on not-found, learned from Codex"),
    fault("forgets-the-gone", "does not end an observable session that is not found", &["OR-4"], |choices| {
        choices.when_gone = WhenGone::Forget
    })
    .seen("seed 000: \"session-not-found doesn't mean session is gone\""),
    fault("starts-a-duplicate", "repeats a start whose answer was lost as a new request", &["OR-7"], |choices| {
        choices.lost_start = LostStart::NewRequest
    })
    .seen("at-least-once clients without idempotency keys"),
    fault("gives-up-a-lost-start", "takes a start whose answer was lost for refused", &["OR-7"], |choices| {
        choices.lost_start = LostStart::GiveUp
    })
    .also(&["OR-4"])
    .seen("timeout means failure"),
    fault("reports-a-cut-text-as-whole", "does not say that a text was cut", &["OR-8"], |choices| choices.tells_truncation = false)
        .seen("seed 000: responses have size limits (48KB)"),
    fault("reads-a-short-tail", "asks for the last twenty characters and reports them as the whole", &["OR-8"], |choices| {
        choices.tail_chars = Some(20);
        choices.tells_truncation = false;
    })
    .seen("tail queries in status lines"),
    fault("kills-the-slow", "ends a worker at its deadline without a look", &["OR-9"], |choices| choices.at_deadline = AtDeadline::End)
        .seen("timeout wrappers that kill"),
    fault("kills-the-slow-in-silence", "does so, and tells nothing of its workers but by its exit status", &["OR-9"], |choices| {
        choices.at_deadline = AtDeadline::End;
        choices.outcomes = ToldOutcomes::None;
    })
    .seen("timeout(1) around an agent"),
    fault("takes-silence-for-done", "reports a worker done that was silent until its deadline", &["OR-3", "OR-9", "OR-12"], |choices| {
        choices.at_deadline = AtDeadline::TakeForDone
    })
    .seen("no news is good news"),
    fault("waits-out-days", "waits for a Codex session's announcement longer than a day", &["OR-10"], |choices| {
        choices.day = Duration::from_secs(365 * 86_400)
    })
    .seen("seed 000: day 2+ is an error"),
    fault("polls-in-a-tight-loop", "polls at first a hundred times a second", &["OR-11", "OR-11b"], |choices| choices.pace = TIGHT)
        .seen("busy loops around get_session_data"),
    fault("never-backs-off", "polls every second, for as long as it takes", &["OR-11"], |choices| choices.pace = STEADY)
        .seen("while True: sleep(1)"),
    fault("polls-for-ever", "knows no deadline while it polls", &["OR-4", "OR-12"], |choices| choices.pace = ENDLESS)
        .seen("while not done"),
    fault("waits-for-ever", "hangs when an announcement is lost", &["OR-4", "OR-12"], |choices| choices.at_deadline = AtDeadline::WaitOn)
        .seen("wait_for_notification() without a timeout"),
    fault("swallows-the-exit-code", "exits 0 whatever became of the work", &["OR-12"], |choices| choices.exit = ReportedExit::Zero)
        .seen("pipelines without pipefail"),
    fault("always-fails", "exits 1 although everything is done", &["OR-12"], |choices| choices.exit = ReportedExit::NonZero)
        .seen("the exit status of the last cleanup command"),
    fault("misses-failed-turns", "takes a turn that failed for one that was completed", &["OR-12"], |choices| {
        choices.tells_failed_turns = false
    })
    .seen("turn_completed read without its status"),
    fault("ends-everybodys", "ends whatever is listed when its work is done", &["OR-15"], |choices| {
        choices.ends_besides = EndsBesides::Everybodys
    })
    .seen("cleanup scripts that end all sessions"),
    fault(
        "takes-the-first-listed",
        "takes the session that is listed first for the one whose start was not answered",
        &["OR-15"],
        |choices| choices.lost_start = LostStart::FirstListed,
    )
    .also(&["OR-3", "OR-4", "OR-12"])
    .seen("tmux list-sessions | head -1"),
    fault("rotates-outcomes", "tells of each worker how the one before it came out", &["OR-15"], |choices| {
        choices.outcomes = ToldOutcomes::Neighbours
    })
    .also(&["OR-12"])
    .seen("results gathered in the order of completion"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_chooses_otherwise() {
        for fault in FAULTS {
            assert_ne!(choices(Some(fault)), Choices::default(), "{}", fault.info.name);
        }
    }
}
