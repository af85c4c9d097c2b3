use std::collections::BTreeMap;
use std::time::Duration;

use crate::contract::{AgentKind, Args, ContractError, ErrorCode, Status};

use super::Moment;

/// One call, and its answer where one came.
#[derive(Debug, Clone, Copy)]
pub struct CallHistory<'a> {
    /// The operation.
    pub op: &'a str,
    /// Its arguments.
    pub args: &'a Args,
    /// When it was asked.
    pub asked: Moment,
    /// The answer; `None` where none was seen: what was asked may have happened, at any time.
    pub answer: Option<AnswerHistory<'a>>,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHistory<'a> {
    /// When it came.
    pub at: Moment,
    /// The result or the error.
    pub said: Result<&'a Args, &'a ContractError>,
}

impl<'a> CallHistory<'a> {
    /// Whether `tail_chars` is what the contract takes, or absent.
    fn has_a_sound_tail(&self) -> bool {
        self.args.get("tail_chars").is_none_or(|tail| tail.is_null() || tail.is_i64() || tail.is_u64())
    }

    /// An argument, where it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.args.get(name)?.as_str()
    }

    /// The result and when it came, where the call succeeded.
    pub fn ok(&self) -> Option<(Moment, &'a Args)> {
        self.answer.and_then(|answer| Some((answer.at, answer.said.ok()?)))
    }

    /// The error and when it came, where the call failed.
    pub fn error(&self) -> Option<(Moment, &'a ContractError)> {
        self.answer.and_then(|answer| Some((answer.at, answer.said.err()?)))
    }

    /// Whether what was asked may have happened: it succeeded, or nobody knows.
    pub fn may_have_happened(&self) -> bool {
        self.error().is_none_or(|(_, error)| !error.code.spec().definite)
    }
}

/// An answered `list_sessions`.
#[derive(Debug)]
pub struct Listing<'a> {
    /// When it was asked.
    pub asked: Moment,
    /// When the answer came.
    pub answered: Moment,
    /// The sessions in it and their status words.
    pub items: BTreeMap<&'a str, Option<&'a str>>,
}

/// A message that was sent to a session, by its start or later.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its text.
    pub text: &'a str,
    /// When it was sent.
    pub asked: Moment,
    /// When that succeeded, if it did.
    pub taken: Option<Moment>,
    /// Whether it came with the start.
    pub first: bool,
}

/// A session that a start gave an id.
#[derive(Debug)]
pub struct SessionHistory<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether another start gave the same id: then nobody knows which of the two is meant by it.
    pub id_reused: bool,
    /// Its agent, as asked for.
    pub agent: Option<AgentKind>,
    /// Its folder, as asked for.
    pub cwd: Option<&'a str>,
    /// When it was first asked for.
    pub begun: Moment,
    /// When its id came back.
    pub known: Moment,
    /// The timeout that was asked for or answered.
    pub timeout: Option<Duration>,
    /// What was sent to it, in the order asked.
    pub messages: Vec<Message<'a>>,
    /// The calls that name it.
    pub calls: Vec<CallHistory<'a>>,
    /// Its `turn_completed` announcements.
    pub announced: Vec<Announced>,
    /// When its end was announced.
    pub announced_end: Vec<Moment>,
    /// The indices of its agent's runs.
    pub runs: Vec<usize>,
}

/// A `turn_completed`.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    /// When it came.
    pub at: Moment,
    /// The turn's number, where the manager counts.
    pub turn: Option<u64>,
}

impl<'a> SessionHistory<'a> {
    /// The calls of one operation that name it.
    pub fn asked(&self, op: &'static str) -> impl Iterator<Item = &CallHistory<'a>> {
        self.calls.iter().filter(move |call| call.op == op)
    }

    /// When its end was first asked for.
    pub fn end_asked(&self) -> Option<Moment> {
        self.asked("end_session").map(|call| call.asked).min()
    }

    /// When its end was first granted.
    pub fn ended(&self) -> Option<Moment> {
        self.asked("end_session").filter_map(|call| call.ok()).map(|(at, _)| at).min()
    }

    /// Whether that text was sent to it.
    pub fn was_sent(&self, text: &str) -> bool {
        self.messages.iter().any(|message| same_prompt(message.text, text))
    }
}

/// Whether two prompts are equal, up to a trailing newline.
pub fn same_prompt(one: &str, other: &str) -> bool {
    trimmed(one) == trimmed(other)
}

fn trimmed(prompt: &str) -> &str {
    let cut = prompt.strip_suffix('\n').unwrap_or(prompt);
    cut.strip_suffix('\r').unwrap_or(cut)
}

/// One thing that the manager said of a session.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The operation, or the announcement's name.
    pub by: &'a str,
    /// When it was asked; for an announcement when it came.
    pub asked: Moment,
    /// When it was said.
    pub answered: Moment,
    /// What was said.
    pub says: Says<'a>,
}

/// What is said of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Says<'a> {
    /// It is listed, with this status word.
    Listed(Option<&'a str>),
    /// A list leaves it out.
    Missing,
    /// Its data, not empty.
    Data(&'a str),
    /// Nothing can be read yet, as a result.
    Pending,
    /// Data without text: no data.
    Empty,
    /// An error.
    Error(&'a ContractError),
    /// What was asked of it was done.
    Done,
    /// It is over, as an announcement.
    Ended,
}

impl<'a> Account<'a> {
    pub(crate) fn of_call(call: &CallHistory<'a>) -> Option<Self> {
        let answer = call.answer?;
        let says = match (answer.said, call.op) {
            // A front may refuse a question of a wrong type in its own way (the command line: as a usage error).
            (Err(error), "get_session_data") if error.code == ErrorCode::Internal && !call.has_a_sound_tail() => return None,
            (Err(error), _) => Says::Error(error),
            (Ok(result), "get_session_data") => match result.get("text").and_then(|text| text.as_str()) {
                _ if result.get("pending").is_some_and(|pending| *pending == true) => Says::Pending,
                None | Some("") => Says::Empty,
                Some(text) => Says::Data(text),
            },
            (Ok(_), _) => Says::Done,
        };
        Some(Self { by: call.op, asked: call.asked, answered: answer.at, says })
    }

    pub(crate) fn of_listing(listing: &Listing<'a>, id: &str) -> Self {
        let says = listing.items.get(id).map_or(Says::Missing, |status| Says::Listed(*status));
        Self { by: "list_sessions", asked: listing.asked, answered: listing.answered, says }
    }

    pub(crate) fn of_announced_end(at: Moment) -> Self {
        Self { by: "session_ended", asked: at, answered: at, says: Says::Ended }
    }

    /// Whether it was read, by `get_session_data`.
    pub fn is_read(&self) -> bool {
        self.by == "get_session_data"
    }

    /// The error's code, where it is an error.
    pub fn code(&self) -> Option<ErrorCode> {
        match self.says {
            Says::Error(error) => Some(error.code),
            _ => None,
        }
    }

    /// Whether a list gives it a status that is alive (or not alive). Unknown words and no word claim neither.
    pub fn listed_alive(&self) -> Option<bool> {
        match self.says {
            Says::Listed(Some(word)) => Status::from_name(word).map(Status::is_alive),
            _ => None,
        }
    }

    /// Whether it says that the session is over.
    pub fn calls_ended(&self) -> bool {
        self.listed_alive() == Some(false) || self.code() == Some(ErrorCode::SessionEnded) || self.says == Says::Ended
    }

    /// The account in words.
    pub fn words(&self) -> String {
        let said = match self.says {
            Says::Listed(Some(word)) => format!("listed as `{word}`"),
            Says::Listed(None) => "listed".to_owned(),
            Says::Missing => "not listed".to_owned(),
            Says::Data(text) => format!("data, {} characters", text.chars().count()),
            Says::Pending => "pending".to_owned(),
            Says::Empty => "an empty text".to_owned(),
            Says::Error(error) => format!("`{}`", error.code),
            Says::Done => "success".to_owned(),
            Says::Ended => "announced".to_owned(),
        };
        format!("{}: {said}", self.by)
    }
}
