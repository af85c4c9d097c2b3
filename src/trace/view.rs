//! A view at a record: what the rules for orchestrators look at, borrowed from a line or from a [`Record`].
//!
//! Reading a line this way allocates next to nothing: transcripts are measured and passed over, unknown keys skipped.

use std::borrow::Cow;

use serde::Deserialize;

use crate::contract::{AgentKind, Announcement, Args, ErrorCode, TurnStatus};

use super::loose::{Length, LooseText, Truthful};
use super::{Entry, Fact, Outcome, Record, Worker};

/// What of one record matters, and when it was.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordView<'a> {
    /// Milliseconds: `at_ms`, else those of the wall time `at` since 1970. None where the record says neither.
    pub ms: Option<u64>,
    /// What the record says.
    pub what: What<'a>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum What<'a> {
    /// An operation is asked for.
    Asked {
        /// Pairs it with its answer.
        id: u64,
        /// The operation.
        op: Cow<'a, str>,
        /// What of its arguments matters.
        args: ArgsView<'a>,
    },
    /// An answer came.
    Answered {
        /// The request's id.
        id: u64,
        /// The result or the error; none where no answer was seen.
        said: Option<Result<AnswerView<'a>, ErrorCode>>,
    },
    /// The manager announced something about a session.
    Told {
        /// The session.
        session: Cow<'a, str>,
        /// What.
        news: AnnouncementView,
    },
    /// A fact about an agent's run.
    Truth {
        /// The run.
        run: Cow<'a, str>,
        /// What of it matters.
        fact: Turned<'a>,
    },
    /// A session was found to be an agent's run.
    Bound {
        /// The session.
        session: Cow<'a, str>,
        /// The run.
        run: Cow<'a, str>,
    },
    /// What an orchestrator is to do with one worker.
    Worker(Worker),
    /// How a worker came out.
    Outcome(Outcome),
    /// The orchestrator's process is over.
    Exited {
        /// Its exit status; none where a signal ended it.
        code: Option<i32>,
        /// Whether the gate had to end it.
        overdue: bool,
    },
    /// A recording begins.
    Begun,
    /// The manager was killed and started again.
    Restarted,
    /// Nothing that matters here.
    Other,
    /// A kind that this version does not know.
    Unknown,
}

/// The arguments that matter.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct ArgsView<'a> {
    /// `session_id`.
    #[serde(borrow, default, rename = "session_id")]
    pub session: LooseText<'a>,
    /// `agent`.
    #[serde(borrow, default)]
    pub agent: LooseText<'a>,
    /// `cwd`.
    #[serde(borrow, default)]
    pub cwd: LooseText<'a>,
    /// `message`.
    #[serde(borrow, default)]
    pub message: LooseText<'a>,
    /// `request_id`.
    #[serde(borrow, default, rename = "request_id")]
    pub request: LooseText<'a>,
}

/// What of a result matters.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct AnswerView<'a> {
    /// `session_id`.
    #[serde(borrow, default, rename = "session_id")]
    pub session: LooseText<'a>,
    /// The length of `text`, in bytes; none where there is no text.
    #[serde(default)]
    pub text: Length,
    /// `truncated`.
    #[serde(default)]
    pub truncated: Truthful,
    /// `pending`.
    #[serde(default)]
    pub pending: Truthful,
    /// `sessions`.
    #[serde(borrow, default)]
    pub sessions: Option<Vec<ListView<'a>>>,
}

/// A session in a list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct ListView<'a> {
    /// `session_id`.
    #[serde(borrow, default, rename = "session_id")]
    pub session: LooseText<'a>,
    /// `status`.
    #[serde(borrow, default)]
    pub status: LooseText<'a>,
    /// `request_id`.
    #[serde(borrow, default, rename = "request_id")]
    pub request: LooseText<'a>,
    /// `cwd`.
    #[serde(borrow, default)]
    pub cwd: LooseText<'a>,
}

/// What an announcement tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncementView {
    /// A turn is over, in that way.
    TurnCompleted(TurnStatus),
    /// The session is over.
    SessionEnded,
    /// The agent waits for an answer.
    NeedsInput,
    /// What only a supervisor of agents in containers tells.
    Supervised,
}

/// What a fact says of an agent's turns.
#[derive(Debug, Clone, PartialEq)]
pub enum Turned<'a> {
    /// The agent is up, in that folder.
    Up(Cow<'a, str>),
    /// A turn is open.
    Open,
    /// A turn is complete, in that way.
    Complete(TurnStatus),
    /// The agent is gone.
    Gone,
    /// Something else.
    Else,
}

impl<'a> RecordView<'a> {
    /// What of a record matters.
    pub fn of_record(record: &'a Record) -> Self {
        Self { ms: record.at_ms.or_else(|| epoch_ms(record.at.as_deref()?)), what: what(&record.entry) }
    }
}

/// Milliseconds since 1970 of an RFC 3339 time.
pub(crate) fn epoch_ms(at: &str) -> Option<u64> {
    u64::try_from(at.parse::<jiff::Timestamp>().ok()?.as_millisecond()).ok()
}

fn what(entry: &Entry) -> What<'_> {
    match entry {
        Entry::Request { id, op, args } => What::Asked { id: *id, op: Cow::Borrowed(op), args: ArgsView::of(args) },
        Entry::Reply { id, ok, error } => What::Answered {
            id: *id,
            said: match (ok, error) {
                (_, Some(error)) => Some(Err(error.code)),
                (ok, None) => ok.as_ref().map(|ok| Ok(AnswerView::of(ok))),
            },
        },
        Entry::Event(said) => What::Told {
            session: Cow::Borrowed(said.session_id().as_str()),
            news: match said {
                Announcement::TurnCompleted { status, .. } => AnnouncementView::TurnCompleted(status.unwrap_or(TurnStatus::Completed)),
                Announcement::SessionEnded { .. } => AnnouncementView::SessionEnded,
                Announcement::NeedsInput { .. } => AnnouncementView::NeedsInput,
                Announcement::StateChanged { .. }
                | Announcement::HealthFailed { .. }
                | Announcement::RestartScheduled { .. }
                | Announcement::Escalated { .. } => AnnouncementView::Supervised,
            },
        },
        Entry::Truth(fact) => What::Truth {
            run: Cow::Borrowed(&fact.agent_run().0),
            fact: match fact {
                Fact::AgentStarted { cwd, .. } => Turned::Up(Cow::Borrowed(cwd)),
                Fact::PromptAccepted { .. } | Fact::TurnStarted { .. } => Turned::Open,
                Fact::TurnCompleted { status, .. } => Turned::Complete(status.unwrap_or(TurnStatus::Completed)),
                Fact::AgentExited { .. } | Fact::AgentGone { .. } => Turned::Gone,
                _ => Turned::Else,
            },
        },
        Entry::Bound { session_id, agent_run, .. } => {
            What::Bound { session: Cow::Borrowed(session_id.as_str()), run: Cow::Borrowed(&agent_run.0) }
        }
        Entry::Worker(worker) => What::Worker(worker.clone()),
        Entry::Outcome(outcome) => What::Outcome(outcome.clone()),
        Entry::OrchestratorExited { code, overdue } => What::Exited { code: *code, overdue: *overdue },
        Entry::Restarted => What::Restarted,
        Entry::Meta { .. } => What::Begun,
        Entry::Step { .. } | Entry::Litter { .. } | Entry::Note { .. } | Entry::Container(_) | Entry::Recorded { .. } => What::Other,
        Entry::Unknown => What::Unknown,
    }
}

impl<'a> ArgsView<'a> {
    fn of(args: &'a Args) -> Self {
        let text = |name| LooseText::of(args.get(name));
        Self { session: text("session_id"), agent: text("agent"), cwd: text("cwd"), message: text("message"), request: text("request_id") }
    }

    /// The agent asked for, where the contract knows it.
    pub fn agent_kind(&self) -> Option<AgentKind> {
        self.agent.get()?.parse().ok()
    }
}

impl<'a> AnswerView<'a> {
    fn of(result: &'a Args) -> Self {
        let flag = |name: &str| Truthful(result.get(name).and_then(serde_json::Value::as_bool).unwrap_or_default());
        let sessions = result.get("sessions").and_then(serde_json::Value::as_array);
        Self {
            session: LooseText::of(result.get("session_id")),
            text: Length(result.get("text").and_then(serde_json::Value::as_str).map(str::len)),
            truncated: flag("truncated"),
            pending: flag("pending"),
            sessions: sessions.map(|items| items.iter().filter_map(|item| item.as_object().map(ListView::of)).collect()),
        }
    }
}

impl<'a> ListView<'a> {
    fn of(item: &'a Args) -> Self {
        let text = |name| LooseText::of(item.get(name));
        Self { session: text("session_id"), status: text("status"), request: text("request_id"), cwd: text("cwd") }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The lines of every trace in `fixtures/traces`.
    fn lines() -> Vec<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
        let files = [folder.clone(), folder.join("orchestrator")].into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let texts =
            files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn a_line_and_its_record_look_the_same() {
        for line in lines() {
            let record: Record = serde_json::from_str(&line).unwrap();
            assert_eq!(RecordView::of_line(line.as_bytes()).unwrap(), RecordView::of_record(&record), "{line}");
        }
    }

    #[test]
    fn what_is_no_record_is_no_glance() {
        for line in [
            "",
            "[]",
            "{}",
            r#"{"at_ms":1}"#,
            r#"{"kind":"request","id":1}"#,
            r#"{"kind":"request","id":-1,"op":"x"}"#,
            r#"{"kind":"reply"}"#,
            r#"{"kind":"reply","id":1,"error":{"code":"no_such_code"}}"#,
            r#"{"kind":"reply","id":1,"ok":{},"error":{"code":"internal","message":"x"}}"#,
            r#"{"kind":"event","event":"turn_completed"}"#,
            r#"{"kind":"event","event":"party","session_id":"s"}"#,
            r#"{"kind":"truth","fact":"agent_gone"}"#,
            r#"{"kind":"outcome","worker":0,"state":"asleep"}"#,
            r#"{"at_ms":"soon","kind":"meta"}"#,
            r#"{"at_ms":0.5,"kind":"meta"}"#,
            r#"{"at_ms":-1,"kind":"meta"}"#,
            r#"{"at_ms":-1.0,"kind":"meta"}"#,
            r#"{"at_ms":1e300,"kind":"meta"}"#,
        ] {
            assert!(RecordView::of_line(line.as_bytes()).is_err(), "{line}");
            assert!(serde_json::from_str::<Record>(line).is_err(), "{line}");
        }
    }

    #[rstest]
    #[case::none("{", None)]
    #[case::neither(r#"{"at_ms":null,"at":null,"#, None)]
    #[case::an_integer(r#"{"at_ms":58500,"#, Some(58_500))]
    #[case::a_whole_float(r#"{"at_ms":58500.0,"#, Some(58_500))]
    #[case::one_with_an_exponent(r#"{"at_ms":5.85e4,"#, Some(58_500))]
    #[case::more_than_a_float_holds(r#"{"at_ms":18446744073709551615,"#, Some(u64::MAX))]
    fn a_time_is_a_whole_number_however_it_is_written(#[case] begin: &str, #[case] ms: Option<u64>) {
        let line = format!(r#"{begin}"kind":"meta"}}"#);
        assert_eq!(RecordView::of_line(line.as_bytes()).unwrap().ms, ms);
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap().at_ms, ms);
    }

    #[rstest]
    #[case::a_result(r#""ok":{},"error":null"#, true)]
    #[case::an_error(r#""ok":null,"error":{"code":"internal","message":"x"}"#, true)]
    #[case::neither(r#""ok":null"#, true)]
    #[case::both(r#""ok":{},"error":{"code":"internal","message":"x"}"#, false)]
    fn a_reply_is_not_both_a_result_and_an_error(#[case] said: &str, #[case] is_reply: bool) {
        let line = format!(r#"{{"at_ms":1,"kind":"reply","id":1,{said}}}"#);
        assert_eq!(RecordView::of_line(line.as_bytes()).is_ok(), is_reply);
        assert_eq!(serde_json::from_str::<Record>(&line).is_ok(), is_reply);
    }

    #[test]
    fn what_an_operation_was_asked_with_is_not_held_to_types() {
        let line = r#"{"kind":"request","id":1,"op":"get_session_data","args":{"session_id":{"a":[1]},"cwd":7,"agent":null}}"#;
        let What::Asked { args, .. } = RecordView::of_line(line.as_bytes()).unwrap().what else { panic!("a request") };
        assert_eq!(args, ArgsView::default());
    }

    #[test]
    fn wall_times_are_milliseconds_since_1970() {
        let view = RecordView::of_line(br#"{"at":"2026-01-01T01:00:00.250+01:00","kind":"meta"}"#).unwrap();
        assert_eq!(view.ms, Some(1_767_225_600_250));
        assert!(RecordView::of_line(br#"{"at":"yesterday","kind":"meta"}"#).is_err());
    }
}
