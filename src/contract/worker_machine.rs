//! The worker state machine (`next-work`): how an orchestrator follows one worker from its start to its end.
//!
//! One table, [`TRANSITIONS`]. The reference orchestrator runs on it; the diagram and the table in
//! `spec/orchestrator-rules.md` are drawn from it. The machine knows neither time nor manager: whoever runs it turns
//! answers, announcements and clocks into [`Happening`]s, and does what the [`Act`]s say.

use serde::{Deserialize, Serialize};

/// How a worker came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// The work is done.
    Done,
    /// The work failed.
    Failed,
    /// A person was called.
    Escalated,
}

impl WorkerState {
    /// The state's word.
    pub const fn name(self) -> &'static str {
        match self {
            WorkerState::Done => "done",
            WorkerState::Failed => "failed",
            WorkerState::Escalated => "escalated",
        }
    }
}

/// Where a worker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WorkerStage {
    /// Its session was asked for.
    Starting,
    /// The Codex branch: its session cannot be observed yet; the announcement will tell.
    Awaiting,
    /// The polling branch: its session is observable, and read at a measured pace.
    Following,
    /// Its turn was announced as complete, and is being read.
    Reading,
    /// Its deadline passed; it is looked at once.
    Inspecting,
    /// Its session is being ended.
    Ending,
    /// Its session was ended, and the list is to prove it.
    Verifying,
    /// There is nothing more to do.
    Over,
}

/// What can happen to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    /// `start_session` answered, and the profile says that the session is not observable before its first turn is over.
    StartedUnseen,
    /// `start_session` answered, and the profile says that the session is observable.
    StartedSeen,
    /// `start_session` gave no answer, or an indefinite error.
    StartUnknown,
    /// `start_session` gave a definite error.
    StartRefused,
    /// `turn_completed` names the worker's session, and says that the turn was completed.
    Announced,
    /// `turn_completed` says that the turn failed or was interrupted, `session_ended` names the session, or the list calls
    /// it not alive.
    SaidOver,
    /// The data shows the work, whole.
    Whole,
    /// The data shows the work as a tail: it is truncated.
    Tail,
    /// The data shows that the work goes on.
    Unfinished,
    /// Nothing can be read yet: pending.
    Pending,
    /// `session_not_found` or `session_ended`.
    NotFound,
    /// A call gave no answer, or an indefinite error.
    Unanswered,
    /// The worker's deadline passed.
    Deadline,
    /// The session is 24 hours old and still cannot be observed.
    Day,
    /// `end_session` succeeded, or says that there is no such session.
    Ended,
    /// `end_session` failed otherwise.
    EndFailed,
    /// The list does not call the session alive.
    Gone,
    /// The list still calls the session alive.
    StillThere,
    /// The repeats allowed here are used up.
    Spent,
}

/// What a worker's follower does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// `start_session` again, with the same `request_id`, after a pause.
    StartAgain,
    /// Wait for an announcement, the deadline, or the age of 24 hours.
    Await,
    /// `get_session_data`, after a pause of at least a second that grows.
    Poll,
    /// `get_session_data`, now.
    Read,
    /// Look once: `capture_screen` where it is offered, then `get_session_data`.
    Inspect,
    /// `end_session`.
    End,
    /// `end_session` again, after a pause.
    EndAgain,
    /// `list_sessions`.
    List,
    /// `list_sessions` again, after a pause.
    ListAgain,
    /// Report the outcome.
    Report,
}

/// One row of the table: in that stage, when that happens, do this and be in that stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    /// The stage in which it applies.
    pub from: WorkerStage,
    /// What happens.
    pub on: Happening,
    /// The stage afterwards.
    pub to: WorkerStage,
    /// What to do.
    pub act: Act,
    /// How the worker comes out, where this decides it; a later row may decide otherwise.
    pub outcome: Option<WorkerState>,
}

/// The stage of a new worker: its first `start_session`, with a fresh `request_id`, is on its way.
pub(crate) const FIRST: WorkerStage = WorkerStage::Starting;

/// Every transition, by stage in the order of a worker's life. What has no row changes nothing: an announcement that
/// comes twice, an answer that comes late.
pub(crate) const TRANSITIONS: &[Transition] = {
    use Act::*;
    use Happening as On;
    use WorkerStage::*;
    use WorkerState::{Done, Escalated, Failed};
    &[
        row(Starting, On::StartedUnseen, Awaiting, Await),
        row(Starting, On::StartedSeen, Following, Poll),
        row(Starting, On::StartUnknown, Starting, StartAgain),
        decides(Starting, On::StartRefused, Over, Report, Failed),
        decides(Starting, On::Spent, Over, Report, Escalated),
        row(Awaiting, On::Announced, Reading, Read),
        decides(Awaiting, On::SaidOver, Ending, End, Failed),
        row(Awaiting, On::Deadline, Inspecting, Inspect),
        decides(Awaiting, On::Day, Ending, End, Escalated),
        decides(Following, On::Whole, Ending, End, Done),
        decides(Following, On::Tail, Ending, End, Done),
        row(Following, On::Unfinished, Following, Poll),
        row(Following, On::Pending, Following, Poll),
        row(Following, On::Unanswered, Following, Poll),
        decides(Following, On::NotFound, Ending, End, Failed),
        decides(Following, On::SaidOver, Ending, End, Failed),
        row(Following, On::Announced, Reading, Read),
        row(Following, On::Deadline, Inspecting, Inspect),
        decides(Reading, On::Whole, Ending, End, Done),
        decides(Reading, On::Tail, Ending, End, Done),
        row(Reading, On::Unfinished, Following, Poll),
        row(Reading, On::Pending, Reading, Poll),
        row(Reading, On::Unanswered, Reading, Poll),
        decides(Reading, On::NotFound, Ending, End, Failed),
        row(Reading, On::Deadline, Inspecting, Inspect),
        decides(Inspecting, On::Whole, Ending, End, Done),
        decides(Inspecting, On::Tail, Ending, End, Done),
        decides(Inspecting, On::Unfinished, Ending, End, Failed),
        decides(Inspecting, On::Pending, Ending, End, Failed),
        decides(Inspecting, On::NotFound, Ending, End, Failed),
        decides(Inspecting, On::Unanswered, Ending, End, Escalated),
        row(Ending, On::Ended, Verifying, List),
        row(Ending, On::EndFailed, Ending, EndAgain),
        decides(Ending, On::Spent, Over, Report, Escalated),
        row(Verifying, On::Gone, Over, Report),
        row(Verifying, On::StillThere, Ending, EndAgain),
        row(Verifying, On::Unanswered, Verifying, ListAgain),
        decides(Verifying, On::Spent, Over, Report, Escalated),
    ]
};

const fn row(from: WorkerStage, on: Happening, to: WorkerStage, act: Act) -> Transition {
    Transition { from, on, to, act, outcome: None }
}

const fn decides(from: WorkerStage, on: Happening, to: WorkerStage, act: Act, outcome: WorkerState) -> Transition {
    Transition { from, on, to, act, outcome: Some(outcome) }
}

/// What follows when something happens in a stage; none where it changes nothing.
pub(crate) fn next(stage: WorkerStage, on: Happening) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.from == stage && row.on == on)
}

impl WorkerStage {
    /// Every stage, in the order of a worker's life.
    pub(crate) const ALL: [WorkerStage; 8] = [
        WorkerStage::Starting,
        WorkerStage::Awaiting,
        WorkerStage::Following,
        WorkerStage::Reading,
        WorkerStage::Inspecting,
        WorkerStage::Ending,
        WorkerStage::Verifying,
        WorkerStage::Over,
    ];

    /// The stage's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            WorkerStage::Starting => "starting",
            WorkerStage::Awaiting => "awaiting",
            WorkerStage::Following => "following",
            WorkerStage::Reading => "reading",
            WorkerStage::Inspecting => "inspecting",
            WorkerStage::Ending => "ending",
            WorkerStage::Verifying => "verifying",
            WorkerStage::Over => "over",
        }
    }

    /// What it means, for documents.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            WorkerStage::Starting => "the session was asked for",
            WorkerStage::Awaiting => "Codex branch: not observable yet, the announcement will tell",
            WorkerStage::Following => "polling branch: observable, read at a measured pace",
            WorkerStage::Reading => "the turn was announced, its data is read",
            WorkerStage::Inspecting => "the deadline passed, one look",
            WorkerStage::Ending => "the session is being ended",
            WorkerStage::Verifying => "the list is to prove that it is gone",
            WorkerStage::Over => "nothing more to do",
        }
    }
}

impl Happening {
    /// What happened, in a few words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Happening::StartedUnseen => "started, not observable yet",
            Happening::StartedSeen => "started, observable",
            Happening::StartUnknown => "start: no answer or an indefinite error",
            Happening::StartRefused => "start: a definite error",
            Happening::Announced => "turn_completed is announced",
            Happening::SaidOver => "said to be over",
            Happening::Whole => "data: the work, whole",
            Happening::Tail => "data: the work, truncated",
            Happening::Unfinished => "data: the work goes on",
            Happening::Pending => "pending",
            Happening::NotFound => "not found or ended",
            Happening::Unanswered => "no answer or an indefinite error",
            Happening::Deadline => "the deadline passes",
            Happening::Day => "24 hours old, not observable",
            Happening::Ended => "ended, or no such session",
            Happening::EndFailed => "end: another error",
            Happening::Gone => "not listed as alive",
            Happening::StillThere => "still listed as alive",
            Happening::Spent => "repeats are used up",
        }
    }
}

impl Act {
    /// What is done, in a few words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Act::StartAgain => "start_session again, same request_id",
            Act::Await => "wait to be told",
            Act::Poll => "pause, then get_session_data",
            Act::Read => "get_session_data",
            Act::Inspect => "capture_screen, get_session_data, once",
            Act::End => "end_session",
            Act::EndAgain => "pause, then end_session",
            Act::List => "list_sessions",
            Act::ListAgain => "pause, then list_sessions",
            Act::Report => "report the outcome",
        }
    }
}

/// The machine as a Mermaid state diagram.
pub(crate) fn mermaid() -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    lines.extend(WorkerStage::ALL.iter().map(|stage| format!("    {}: {} ({})", stage.name(), stage.name(), stage.about())));
    lines.push(format!("    [*] --> {}: start_session", FIRST.name()));
    lines.extend(TRANSITIONS.iter().map(|row| format!("    {} --> {}: {}", row.from.name(), row.to.name(), row.on.words())));
    lines.push(format!("    {} --> [*]", WorkerStage::Over.name()));
    lines.join("\n") + "\n"
}

/// The machine as a Markdown table.
pub(crate) fn table() -> String {
    let mut text = "| stage | when | do | then | outcome |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in TRANSITIONS {
        let outcome = row.outcome.map_or("", WorkerState::name);
        let cells = [row.from.name(), row.on.words(), row.act.words(), row.to.name(), outcome];
        text.push_str(&format!("| {} |\n", cells.join(" | ").trim_end()));
    }
    text
}

/// The machine as documents show it: the diagram in its fence, then the table.
pub(crate) fn section() -> String {
    format!("```mermaid\n{}```\n\n{}", mermaid(), table())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_stage_and_a_happening_have_one_row_at_most() {
        let rows: BTreeSet<_> = TRANSITIONS.iter().map(|row| (row.from.name(), row.on.words())).collect();
        assert_eq!(rows.len(), TRANSITIONS.len());
    }

    #[test]
    fn every_stage_is_reached_and_leads_to_the_end() {
        for stage in WorkerStage::ALL {
            let mut reached = vec![stage];
            let mut at = 0;
            while let Some(here) = reached.get(at).copied() {
                let further = TRANSITIONS.iter().filter(|row| row.from == here).map(|row| row.to);
                for to in further.collect::<Vec<_>>() {
                    if !reached.contains(&to) {
                        reached.push(to);
                    }
                }
                at += 1;
            }
            assert!(reached.contains(&WorkerStage::Over), "{} is a trap", stage.name());
            assert!(stage == FIRST || TRANSITIONS.iter().any(|row| row.to == stage), "{} is never reached", stage.name());
        }
    }

    #[test]
    fn whatever_was_started_is_ended_before_it_is_over() {
        let to_over: Vec<_> = TRANSITIONS.iter().filter(|row| row.to == WorkerStage::Over).map(|row| row.from).collect();
        assert!(
            to_over.iter().all(|from| matches!(from, WorkerStage::Starting | WorkerStage::Ending | WorkerStage::Verifying)),
            "{to_over:?}"
        );
        let started = [WorkerStage::Awaiting, WorkerStage::Following, WorkerStage::Reading, WorkerStage::Inspecting];
        assert!(
            TRANSITIONS.iter().filter(|row| row.to == WorkerStage::Ending && started.contains(&row.from)).all(|row| row.outcome.is_some())
        );
    }

    #[test]
    fn the_codex_branch_reads_only_when_it_is_told_or_its_time_is_up() {
        let rows: Vec<_> = TRANSITIONS.iter().filter(|row| row.from == WorkerStage::Awaiting).collect();
        for row in rows {
            match row.act {
                Act::Read => assert_eq!(row.on, Happening::Announced),
                Act::Inspect => assert_eq!(row.on, Happening::Deadline),
                act => assert_eq!(act, Act::End),
            }
        }
    }

    #[test]
    fn every_stage_with_a_session_knows_what_to_do_at_the_deadline() {
        for stage in [WorkerStage::Awaiting, WorkerStage::Following, WorkerStage::Reading] {
            assert_eq!(next(stage, Happening::Deadline).map(|row| row.to), Some(WorkerStage::Inspecting));
        }
        assert_eq!(next(WorkerStage::Over, Happening::Deadline), None);
    }

    #[test]
    fn the_specification_carries_the_machine_as_it_is() {
        let document = include_str!("../../spec/orchestrator-rules.md");
        let block = format!("<!-- passmuster:begin table=worker-machine -->\n{}<!-- passmuster:end -->", section());
        assert!(document.contains(&block), "replace the block by:\n{block}");
    }
}
