//! The timeline of one session: what was asked and answered, announced and true, row by row.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contract::ErrorCode;
use crate::spec::RequirementId;
use crate::trace::{Entry, Fact, Record};

use crate::trace::history::session::{Account, CallHistory, Listing};
use crate::trace::history::{History, Moment, SessionHistory};

/// The most rows of a timeline; the middle of a longer one is left out.
const ROWS: usize = 48;

/// How much of a long one is shown behind the row that matters.
const AFTER: usize = 6;

/// The longest value shown, in characters.
const VALUE: usize = 60;

/// One row of a timeline. Its [`Display`](fmt::Display) is the line that people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// When it happened, in milliseconds since the trace began; absent where it stands for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// What kind of thing happened.
    pub kind: RowKind,
    /// The operation, the fact, the announcement or the requirement, by its word in the contract or the spec.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What else is told of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The answer, where it came before anything else happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<RowAnswer>,
    /// How many more of the same follow it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// When the last of them happened, in milliseconds since the trace began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// What kind of thing a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// An operation was asked for.
    Asked,
    /// An answer came, after something else.
    Answered,
    /// The manager announced something.
    Announced,
    /// Something was so.
    Fact,
    /// A step of the scenario began.
    Step,
    /// The manager was killed and started again.
    Restarted,
    /// The system left a process running.
    Litter,
    /// The harness remarked on something.
    Remark,
    /// What came before contradicts a requirement.
    Contradiction,
    /// Rows are left out; `detail` says how many.
    LeftOut,
    /// A line of a report of an earlier version, in `detail`.
    Untyped,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowAnswer {
    /// The error, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// What is told of it.
    pub text: String,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Row {
    fn new(at: Option<u64>, kind: RowKind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { at_ms: at, kind, subject: subject.into(), detail: detail.into(), answer: None, more: 0, until_ms: None }
    }

    /// A line of a report that has no rows.
    pub fn untyped(line: &str) -> Self {
        Self::new(None, RowKind::Untyped, "", line)
    }

    /// What it says without its time and its repetitions; begins with `>` for what was asked, `<` for what was answered, `!` for what
    /// was announced, `*` for what was true, `#` for a remark, `✗` for what is contradicted.
    pub fn text(&self) -> String {
        let Row { subject, detail, .. } = self;
        let answer = self.answer.as_ref().map(|answer| answer.text.as_str());
        match self.kind {
            // The answer first: lines are cut at their ends.
            RowKind::Asked => match answer {
                Some(said) if detail.is_empty() => format!("> {subject} < {said}"),
                Some(said) => format!("> {subject} < {said} ({})", detail.trim_start()),
                None => format!("> {subject}{detail}"),
            },
            RowKind::Answered => format!("< {}", answer.unwrap_or_default()),
            RowKind::Announced => format!("! {subject}{detail}"),
            RowKind::Fact => format!("* {subject}{detail}"),
            RowKind::Step => format!("# step: {detail}"),
            RowKind::Restarted => "# the manager was killed and started again".to_owned(),
            RowKind::Litter => format!("# litter: {detail} was left running"),
            RowKind::Remark => format!("# {detail}"),
            RowKind::Contradiction => format!("✗ contradicts {subject}"),
            RowKind::LeftOut => format!("… {detail} lines left out …"),
            RowKind::Untyped => detail.clone(),
        }
    }

    /// Whether it tells the same of another time.
    pub(crate) fn says_the_same(&self, other: &Row) -> bool {
        (self.kind, &self.subject, &self.detail, &self.answer) == (other.kind, &other.subject, &other.detail, &other.answer)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match (self.at_ms, self.kind) {
            (None, RowKind::Untyped) => f.write_str(&text),
            (None, _) => write!(f, "            {text}"),
            (Some(ms), _) => write!(f, "{ms:>8} ms  {text}"),
        }?;
        match self.until_ms {
            Some(until) if self.more > 0 => write!(f, "  (and {} more, until {until} ms)", self.more),
            _ => Ok(()),
        }
    }
}

/// A row, and which records it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToldRow {
    /// Its first record: a question, say.
    pub at: Moment,
    /// The index of its last record: the answer.
    pub until: usize,
    /// The row.
    pub row: Row,
}

/// The timeline of one session, with offsets in milliseconds. Long values are cut, repetitions are counted. Empty where the trace does
/// not know the session.
pub fn timeline(records: &[Record], session: &str) -> Vec<Row> {
    let history = History::new(records);
    let Some(session) = history.sessions.iter().find(|known| known.id == session) else { return Vec::new() };
    shorten(count_repetitions(tell(&history, session)), None)
}

/// The same, with a row that says where a requirement was contradicted: behind the record of that index, the last that
/// shows it. That row is never left out.
pub fn contradicted(records: &[Record], session: &str, last: usize, requirement: &RequirementId) -> Vec<Row> {
    let history = History::new(records);
    let known = history.sessions.iter().find(|known| known.id == session);
    let Some((session, at)) = known.zip(history.moments.get(last)) else { return timeline(records, session) };
    let mut rows = tell(&history, session);
    let place = rows.partition_point(|row| row.at.index <= last);
    let mark = Row::new(Some(at.ms), RowKind::Contradiction, requirement.as_str(), "");
    rows.insert(place, ToldRow { at: *at, until: last, row: mark });
    let rows = count_repetitions(rows);
    let place = rows.iter().position(|row| row.kind == RowKind::Contradiction);
    shorten(rows, place)
}

/// A session's timeline, row by row, nothing left out.
pub(crate) fn tell(history: &History, session: &SessionHistory) -> Vec<ToldRow> {
    let mut rows = calls(history, session);
    let others = history.records.iter().zip(&history.moments);
    rows.extend(others.filter_map(|(record, at)| Some((*at, other(history, session, &record.entry, at.ms)?))));
    rows.sort_by_key(|(at, _)| at.index);
    join_answers(rows)
}

fn calls(history: &History, session: &SessionHistory) -> Vec<(Moment, Row)> {
    let asked = |at: Moment, op: &str, detail: String| (at, Row::new(Some(at.ms), RowKind::Asked, op, detail));
    let answered = |at: Moment, answer: RowAnswer| (at, Row { answer: Some(answer), ..Row::new(Some(at.ms), RowKind::Answered, "", "") });
    let starts = history.calls.iter().filter(|call: &&CallHistory| call.ok().is_some_and(|(at, _)| at == session.known));
    let mut rows = Vec::new();
    for call in starts.chain(&session.calls) {
        rows.push(asked(call.asked, call.op, pairs(call.args, &["session_id"])));
        if let Some(answer) = call.answer {
            let said = match answer.said {
                Ok(result) => RowAnswer { error: None, text: format!("ok{}", pairs(result, &[])) },
                Err(error) => {
                    let text = format!("{} {}", error.code, value(&Value::from(error.message.as_str())));
                    RowAnswer { error: Some(error.code), text }
                }
            };
            rows.push(answered(answer.at, said));
        }
    }
    for listing in history.listings.iter().filter(|listing| session.begun < listing.asked) {
        rows.push(asked(listing.asked, "list_sessions", String::new()));
        rows.push(answered(listing.answered, RowAnswer { error: None, text: list_words(listing, session) }));
    }
    rows
}

fn list_words(listing: &Listing, session: &SessionHistory) -> String {
    let words = Account::of_listing(listing, session.id).words();
    words.trim_start_matches("list_sessions: ").to_owned()
}

/// What else happened to the session.
fn other(history: &History, session: &SessionHistory, entry: &Entry, ms: u64) -> Option<Row> {
    let row = |kind, subject: &str, detail: String| Some(Row::new(Some(ms), kind, subject, detail));
    match entry {
        Entry::Truth(fact) if is_of(history, session, fact) => {
            let Ok(Value::Object(fields)) = serde_json::to_value(fact) else { return None };
            row(RowKind::Fact, fields["fact"].as_str()?, pairs(&fields, &["fact"]))
        }
        Entry::Event(announcement) if announcement.session_id().as_str() == session.id => {
            let Ok(Value::Object(fields)) = serde_json::to_value(announcement) else { return None };
            row(RowKind::Announced, announcement.name(), pairs(&fields, &["event", "session_id"]))
        }
        Entry::Step { text } => row(RowKind::Step, "", on_one_line(text)),
        Entry::Restarted => row(RowKind::Restarted, "", String::new()),
        Entry::Litter { process } => row(RowKind::Litter, "", on_one_line(process)),
        Entry::Note { text } => row(RowKind::Remark, "", on_one_line(text)),
        _ => None,
    }
}

fn on_one_line(text: &str) -> String {
    cut(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_of(history: &History, session: &SessionHistory, fact: &Fact) -> bool {
    history.runs_of(session).any(|run| run.id == fact.agent_run())
}

/// Puts an answer into the row of its question where nothing lies between.
fn join_answers(rows: Vec<(Moment, Row)>) -> Vec<ToldRow> {
    let mut told: Vec<ToldRow> = Vec::new();
    for (at, row) in rows {
        match told.last_mut() {
            Some(asked) if row.kind == RowKind::Answered && asked.row.kind == RowKind::Asked && asked.row.answer.is_none() => {
                asked.row.answer = row.answer;
                asked.until = at.index;
            }
            _ => told.push(ToldRow { at, until: at.index, row }),
        }
    }
    told
}

/// Counts rows that repeat one another.
fn count_repetitions(rows: Vec<ToldRow>) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for ToldRow { at, row, .. } in rows {
        match kept.last_mut().filter(|before| before.says_the_same(&row)) {
            Some(before) => (before.more, before.until_ms) = (before.more + 1, Some(at.ms)),
            None => kept.push(row),
        }
    }
    kept
}

/// Leaves out the middle of what is too long, and what follows the row that matters, where there is one.
fn shorten(rows: Vec<Row>, matters: Option<usize>) -> Vec<Row> {
    if rows.len() <= ROWS {
        return rows;
    }
    let head = ROWS / 3;
    let until = matters.map_or(rows.len(), |at| (at + 1 + AFTER).clamp(ROWS, rows.len()));
    let from = (until - (ROWS - head - 1)).min(matters.unwrap_or(until)).max(head);
    let left_out = |count: usize| Row::new(None, RowKind::LeftOut, "", count.to_string());
    let mut short = rows[..head].to_vec();
    if from > head {
        short.push(left_out(from - head));
    }
    short.extend_from_slice(&rows[from..until]);
    if until < rows.len() {
        short.push(left_out(rows.len() - until));
    }
    short
}

fn pairs(fields: &Map<String, Value>, without: &[&str]) -> String {
    let shown = fields.iter().filter(|(key, value)| !without.contains(&key.as_str()) && !value.is_null());
    shown.map(|(key, shown)| format!(" {key}={}", value(shown))).collect()
}

/// A value as JSON, cut after [`VALUE`] characters.
fn value(value: &Value) -> String {
    cut(value.to_string())
}

/// A text's beginning, where it is long.
fn cut(text: String) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::trace;

    fn lines(rows: &[Row]) -> Vec<String> {
        rows.iter().map(ToString::to_string).collect()
    }

    fn hundred() -> Vec<Row> {
        (0..100).map(|n| Row::untyped(&n.to_string())).collect()
    }

    fn read(lines: &str) -> Vec<Record> {
        crate::trace::jsonl::read(lines.as_bytes()).map(|record| record.unwrap()).collect()
    }

    #[test]
    fn a_session_is_told_in_order_with_its_repetitions_counted() {
        let records = read(include_str!("../../fixtures/traces/nothing-alive-is-called-ended.fail.jsonl"));
        insta::assert_snapshot!(lines(&timeline(&records, "s1")).join("\n"));
    }

    #[test]
    fn a_long_one_loses_its_middle() {
        let short = lines(&shorten(hundred(), None));
        assert_eq!(short.len(), ROWS);
        assert_eq!((short[0].as_str(), short[ROWS - 1].as_str()), ("0", "99"));
        assert_eq!(short[ROWS / 3].trim(), "… 53 lines left out …");
    }

    #[rstest]
    #[case(2)]
    #[case(15)]
    #[case(16)]
    #[case(48)]
    #[case(70)]
    #[case(99)]
    fn the_line_that_matters_stays(#[case] matters: usize) {
        let short = lines(&shorten(hundred(), Some(matters)));
        assert!(short.contains(&matters.to_string()), "{short:#?}");
        let left_out = |line: &String| line.trim().trim_start_matches("… ").split(' ').next().unwrap().parse::<usize>().unwrap();
        let (cuts, kept): (Vec<_>, Vec<_>) = short.iter().partition(|line| line.contains("left out"));
        assert!(cuts.iter().all(|cut| left_out(cut) > 0), "{short:#?}");
        assert_eq!(kept.len() + cuts.into_iter().map(left_out).sum::<usize>(), 100);
    }

    #[test]
    fn six_lines_are_shown_behind_the_line_that_matters() {
        let short = lines(&shorten(hundred(), Some(70)));
        assert_eq!((short[short.len() - 2].as_str(), short[short.len() - 1].trim()), ("76", "… 23 lines left out …"));
    }

    #[test]
    fn a_contradiction_stands_behind_what_shows_it() {
        let records = read(include_str!("../../fixtures/traces/nothing-alive-is-called-ended.fail.jsonl"));
        let whole = timeline(&records, "s1");
        let id: RequirementId = "LC-OBS-7".parse().unwrap();
        for last in 0..records.len() {
            let marked = lines(&contradicted(&records, "s1", last, &id));
            let place = marked.iter().position(|line| line.ends_with("✗ contradicts LC-OBS-7")).unwrap();
            let ms = records[last].at_ms.unwrap_or_default();
            assert!(marked[place].trim_start().starts_with(&format!("{ms} ms")), "{}", marked[place]);
            // It may part what was repeated.
            assert!(marked.len() > whole.len(), "{marked:#?}");
        }
    }

    #[test]
    fn it_stands_before_what_came_later_and_announcements_are_told() {
        let records =
            trace("0 start s1 codex; 40 > list_sessions; 42 < listed s1=ended; 50 ! turn_completed s1 turn=1; 51 ! turn_completed s2");
        let told = lines(&contradicted(&records, "s1", 5, &"CX-2".parse().unwrap()));
        let expected = ["40 ms  > list_sessions < listed as `ended`", "42 ms  ✗ contradicts CX-2", "50 ms  ! turn_completed turn=1"];
        assert_eq!(told[told.len() - 3..].iter().map(|line| line.trim()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_answer_stands_before_what_was_asked_with() {
        let records = trace("0 > start_session cwd=/w/a message=go; 5 < session_id=s1");
        assert_eq!(timeline(&records, "s1")[0].text(), "> start_session < ok session_id=\"s1\" (cwd=\"/w/a\" message=\"go\")");
    }

    #[test]
    fn an_unknown_session_has_none() {
        assert!(timeline(&[], "s1").is_empty());
    }
}
