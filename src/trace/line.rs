//! A view at a line: JSON, read without being copied.

use serde::Deserialize;

use crate::contract::{ErrorCode, TurnStatus, WorkerState};

use super::loose::{Int, LooseText, Truthful, milliseconds};
use super::view::{AnnouncementView, AnswerView, ArgsView, RecordView, Turned, What, epoch_ms};
use super::{Outcome, Worker};

/// One line, as JSON has it.
#[derive(Deserialize)]
struct RecordLine<'a> {
    #[serde(default, deserialize_with = "milliseconds")]
    at_ms: Option<u64>,
    #[serde(borrow, default)]
    at: LooseText<'a>,
    #[serde(borrow, default)]
    kind: LooseText<'a>,
    #[serde(default)]
    id: Int,
    #[serde(borrow, default)]
    op: LooseText<'a>,
    #[serde(borrow, default)]
    args: Option<ArgsView<'a>>,
    #[serde(borrow, default)]
    ok: Option<AnswerView<'a>>,
    #[serde(default)]
    error: Option<Code>,
    #[serde(borrow, default)]
    event: LooseText<'a>,
    #[serde(borrow, default)]
    session_id: LooseText<'a>,
    #[serde(borrow, default)]
    agent_run: LooseText<'a>,
    #[serde(borrow, default)]
    fact: LooseText<'a>,
    #[serde(borrow, default)]
    cwd: LooseText<'a>,
    #[serde(borrow, default)]
    status: LooseText<'a>,
    #[serde(borrow, default)]
    agent: LooseText<'a>,
    #[serde(default)]
    worker: Int,
    #[serde(default)]
    deadline_s: Option<f64>,
    #[serde(borrow, default)]
    state: LooseText<'a>,
    #[serde(default)]
    truncated: Truthful,
    #[serde(default)]
    code: Int,
    #[serde(default)]
    overdue: Truthful,
}

#[derive(Deserialize)]
struct Code {
    code: ErrorCode,
}

/// How much of a line is shown that is no record at all, in bytes.
const SHOWN: usize = 30;

/// Why a line is not a record.
#[derive(Debug, thiserror::Error)]
pub enum GlanceError {
    /// It is not JSON, or not of a record's shape.
    #[error("not a trace record: {0}")]
    Json(#[from] serde_json::Error),
    /// It does not even begin like one.
    #[error("not a trace record: wanted a JSON object, found `{0}`")]
    NoObject(String),
    /// It has no `kind`.
    #[error("not a trace record: the line has no `kind`")]
    NoKind,
    /// Something that its kind must have is not there.
    #[error("not a trace record: a line of kind `{kind}` has no {wanted}")]
    Lacks {
        /// The kind.
        kind: String,
        /// What is not there, or not of its form.
        wanted: &'static str,
    },
    /// A reply is a result or an error, not both.
    #[error("not a trace record: a line of kind `reply` has both `ok` and `error`, wanted one of them")]
    Both,
    /// The wall time cannot be read.
    #[error("not a trace record: `at` is `{0}`, wanted a time such as 2026-01-31T12:00:00.250Z")]
    Time(String),
}

impl<'a> RecordView<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// Where the line is not a record.
    pub fn of_line(line: &'a [u8]) -> Result<Self, GlanceError> {
        if !line.starts_with(b"{") {
            return Err(GlanceError::NoObject(String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned()));
        }
        let line: RecordLine = serde_json::from_slice(line)?;
        let ms = match (line.at_ms, line.at.get()) {
            (None, Some(at)) => Some(epoch_ms(at).ok_or_else(|| GlanceError::Time(at.to_owned()))?),
            (at_ms, _) => at_ms,
        };
        Ok(Self { ms, what: line.what()? })
    }
}

impl<'a> RecordLine<'a> {
    fn what(self) -> Result<What<'a>, GlanceError> {
        let kind = self.kind.0.unwrap_or_default();
        let lacks = |wanted| GlanceError::Lacks { kind: kind.clone().into_owned(), wanted };
        Ok(match &*kind {
            "request" => What::Asked {
                id: self.id.unsigned().ok_or_else(|| lacks("`id`"))?,
                op: self.op.0.ok_or_else(|| lacks("`op`"))?,
                args: self.args.unwrap_or_default(),
            },
            "reply" => What::Answered {
                id: self.id.unsigned().ok_or_else(|| lacks("`id`"))?,
                said: match (self.ok, self.error) {
                    (Some(_), Some(_)) => return Err(GlanceError::Both),
                    (None, Some(error)) => Some(Err(error.code)),
                    (ok, None) => ok.map(Ok),
                },
            },
            "event" => What::Told {
                session: self.session_id.0.ok_or_else(|| lacks("`session_id`"))?,
                news: match self.event.get() {
                    Some("turn_completed") => {
                        AnnouncementView::TurnCompleted(turn_status(self.status.get()).ok_or_else(|| lacks("known `status`"))?)
                    }
                    Some("session_ended") => AnnouncementView::SessionEnded,
                    Some("needs_input") => AnnouncementView::NeedsInput,
                    Some("state_changed" | "health_failed" | "restart_scheduled" | "escalated") => AnnouncementView::Supervised,
                    _ => return Err(lacks("known `event`")),
                },
            },
            "truth" => What::Truth {
                run: self.agent_run.0.ok_or_else(|| lacks("`agent_run`"))?,
                fact: match self.fact.get().ok_or_else(|| lacks("`fact`"))? {
                    "agent_started" => Turned::Up(self.cwd.0.unwrap_or_default()),
                    "prompt_accepted" | "turn_started" => Turned::Open,
                    "turn_completed" => Turned::Complete(turn_status(self.status.get()).ok_or_else(|| lacks("known `status`"))?),
                    "agent_exited" | "agent_gone" => Turned::Gone,
                    "turn_released" | "file_written" | "file_removed" | "agent_signalled" | "descendant_alive" => Turned::Else,
                    _ => return Err(lacks("known `fact`")),
                },
            },
            "bound" => What::Bound {
                session: self.session_id.0.ok_or_else(|| lacks("`session_id`"))?,
                run: self.agent_run.0.ok_or_else(|| lacks("`agent_run`"))?,
            },
            "worker" => What::Worker(Worker {
                worker: self.worker.index().ok_or_else(|| lacks("`worker`"))?,
                agent: self.agent.get().and_then(|word| word.parse().ok()).ok_or_else(|| lacks("known `agent`"))?,
                cwd: self.cwd.get().ok_or_else(|| lacks("`cwd`"))?.to_owned(),
                deadline_s: self.deadline_s.ok_or_else(|| lacks("`deadline_s`"))?,
            }),
            "outcome" => What::Outcome(Outcome {
                worker: self.worker.index().ok_or_else(|| lacks("`worker`"))?,
                state: self.state.get().and_then(worker_state).ok_or_else(|| lacks("known `state`"))?,
                truncated: self.truncated.0,
            }),
            "orchestrator_exited" => What::Exited { code: self.code.0.and_then(|code| code.try_into().ok()), overdue: self.overdue.0 },
            "restarted" => What::Restarted,
            "meta" => What::Begun,
            "step" | "litter" | "note" | "container" | "recorded" => What::Other,
            "" => return Err(GlanceError::NoKind),
            _ => What::Unknown,
        })
    }
}

/// A turn's status by its word; absent means completed.
fn turn_status(word: Option<&str>) -> Option<TurnStatus> {
    match word {
        None | Some("completed") => Some(TurnStatus::Completed),
        Some("interrupted") => Some(TurnStatus::Interrupted),
        Some("failed") => Some(TurnStatus::Failed),
        Some(_) => None,
    }
}

fn worker_state(word: &str) -> Option<WorkerState> {
    [WorkerState::Done, WorkerState::Failed, WorkerState::Escalated].into_iter().find(|state| state.name() == word)
}
