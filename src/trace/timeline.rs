use serde_json::{Map, Value};

use crate::spec::RequirementId;
use crate::trace::{Entry, Fact, Record};

use crate::trace::history::session::{Account, CallHistory, Listing};
use crate::trace::history::{History, Moment, SessionHistory};

/// The most lines of a timeline; the middle of a longer one is left out.
const LINES: usize = 48;

/// How much of a long one is shown behind the line that matters.
const AFTER: usize = 6;

/// The longest value shown, in characters.
const VALUE: usize = 60;

/// The timeline of one session, for people: what was asked and answered, announced and true, with offsets in
/// milliseconds. Long values are cut, repetitions are counted. Empty where the trace does not know the session.
pub fn timeline(records: &[Record], session: &str) -> Vec<String> {
    let history = History::new(records);
    let Some(session) = history.sessions.iter().find(|known| known.id == session) else { return Vec::new() };
    shortened(repeated(told(&history, session)), None)
}

/// The same, with a line that says where a requirement was contradicted: behind the record of that index, the last that
/// shows it. That line is never left out.
pub fn contradicted(records: &[Record], session: &str, last: usize, requirement: &RequirementId) -> Vec<String> {
    let history = History::new(records);
    let known = history.sessions.iter().find(|known| known.id == session);
    let Some((session, at)) = known.zip(history.moments.get(last)) else { return timeline(records, session) };
    let mut lines = told(&history, session);
    let place = lines.partition_point(|line| line.at.index <= last);
    let mark = format!("✗ contradicts {requirement}");
    lines.insert(place, TimelineRow { at: *at, until: last, text: mark.clone() });
    let lines = repeated(lines);
    let place = lines.iter().position(|line| line.ends_with(&mark));
    shortened(lines, place)
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Its first record: a question, say.
    pub at: Moment,
    /// The index of its last record: the answer.
    pub until: usize,
    /// What is told: `>` begins what was asked, `<` what was answered, `!` what was announced, `*` what was true, `#` a
    /// remark.
    pub text: String,
}

/// A session's timeline, line by line, nothing left out.
pub fn told(history: &History, session: &SessionHistory) -> Vec<TimelineRow> {
    let mut lines = calls(history, session);
    let happened = |(record, at): (&Record, &Moment)| Some((*at, happened(history, session, &record.entry)?));
    lines.extend(history.records.iter().zip(&history.moments).filter_map(happened));
    lines.sort_by_key(|(at, _)| at.index);
    fused(lines)
}

/// What one line says.
enum RowText {
    Asked(String),
    Answered(String),
    Other(String),
}

fn calls(history: &History, session: &SessionHistory) -> Vec<(Moment, RowText)> {
    let starts = history.calls.iter().filter(|call: &&CallHistory| call.ok().is_some_and(|(at, _)| at == session.known));
    let mut lines = Vec::new();
    for call in starts.chain(&session.calls) {
        lines.push((call.asked, RowText::Asked(format!("{}{}", call.op, pairs(call.args, &["session_id"])))));
        if let Some(answer) = call.answer {
            let said = match answer.said {
                Ok(result) => format!("ok{}", pairs(result, &[])),
                Err(error) => format!("{} {}", error.code, value(&Value::from(error.message.as_str()))),
            };
            lines.push((answer.at, RowText::Answered(said)));
        }
    }
    for listing in history.listings.iter().filter(|listing| session.begun < listing.asked) {
        lines.push((listing.asked, RowText::Asked("list_sessions".into())));
        lines.push((listing.answered, RowText::Answered(listed(listing, session))));
    }
    lines
}

fn listed(listing: &Listing, session: &SessionHistory) -> String {
    let words = Account::of_listing(listing, session.id).words();
    words.trim_start_matches("list_sessions: ").to_owned()
}

/// What else happened to the session.
fn happened(history: &History, session: &SessionHistory, entry: &Entry) -> Option<RowText> {
    let text = match entry {
        Entry::Truth(fact) if is_of(history, session, fact) => {
            let Ok(Value::Object(fields)) = serde_json::to_value(fact) else { return None };
            format!("* {}{}", fields["fact"].as_str()?, pairs(&fields, &["fact"]))
        }
        Entry::Event(announcement) if announcement.session_id().as_str() == session.id => {
            let Ok(Value::Object(fields)) = serde_json::to_value(announcement) else { return None };
            format!("! {}{}", announcement.name(), pairs(&fields, &["event", "session_id"]))
        }
        Entry::Note { text } => format!("# {}", cut(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        _ => return None,
    };
    Some(RowText::Other(text))
}

fn is_of(history: &History, session: &SessionHistory, fact: &Fact) -> bool {
    history.runs_of(session).any(|run| run.id == fact.agent_run())
}

/// Puts an answer on the line of its question where nothing lies between.
fn fused(lines: Vec<(Moment, RowText)>) -> Vec<TimelineRow> {
    let mut drawn: Vec<TimelineRow> = Vec::new();
    let mut open = false;
    let told = |at: Moment, text: String| TimelineRow { at, until: at.index, text };
    for (at, line) in lines {
        match line {
            RowText::Answered(said) if open => {
                let asked = drawn.last_mut().expect("an open question has a line");
                asked.text.push_str(" < ");
                asked.text.push_str(&said);
                asked.until = at.index;
                open = false;
            }
            RowText::Answered(said) => drawn.push(told(at, format!("< {said}"))),
            RowText::Asked(asked) => {
                drawn.push(told(at, format!("> {asked}")));
                open = true;
            }
            RowText::Other(text) => {
                drawn.push(told(at, text));
                open = false;
            }
        }
    }
    drawn
}

/// Counts lines that repeat one another.
fn repeated(lines: Vec<TimelineRow>) -> Vec<String> {
    let mut kept: Vec<(u64, String, usize, u64)> = Vec::new();
    for TimelineRow { at, text, .. } in lines {
        match kept.last_mut().filter(|(_, before, ..)| *before == text) {
            Some((_, _, more, until)) => (*more, *until) = (*more + 1, at.ms),
            None => kept.push((at.ms, text, 0, at.ms)),
        }
    }
    let drawn = |(ms, text, more, until): (u64, String, usize, u64)| match more {
        0 => format!("{ms:>8} ms  {text}"),
        _ => format!("{ms:>8} ms  {text}  (and {more} more, until {until} ms)"),
    };
    kept.into_iter().map(drawn).collect()
}

/// Leaves out the middle of what is too long, and what follows the line that matters, where there is one.
fn shortened(lines: Vec<String>, matters: Option<usize>) -> Vec<String> {
    if lines.len() <= LINES {
        return lines;
    }
    let head = LINES / 3;
    let until = matters.map_or(lines.len(), |at| (at + 1 + AFTER).clamp(LINES, lines.len()));
    let from = (until - (LINES - head - 1)).min(matters.unwrap_or(until)).max(head);
    let left_out = |count: usize| format!("            … {count} lines left out …");
    let mut short = lines[..head].to_vec();
    if from > head {
        short.push(left_out(from - head));
    }
    short.extend_from_slice(&lines[from..until]);
    if until < lines.len() {
        short.push(left_out(lines.len() - until));
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

    fn read(lines: &str) -> Vec<Record> {
        crate::trace::jsonl::read(lines.as_bytes()).map(|record| record.unwrap()).collect()
    }

    #[test]
    fn a_session_is_told_in_order_with_its_repetitions_counted() {
        let records = read(include_str!("../../fixtures/traces/nothing-alive-is-called-ended.fail.jsonl"));
        insta::assert_snapshot!(timeline(&records, "s1").join("\n"));
    }

    #[test]
    fn a_long_one_loses_its_middle() {
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let short = shortened(lines, None);
        assert_eq!(short.len(), LINES);
        assert_eq!((short[0].as_str(), short[LINES - 1].as_str()), ("0", "99"));
        assert_eq!(short[LINES / 3].trim(), "… 53 lines left out …");
    }

    #[rstest]
    #[case(2)]
    #[case(15)]
    #[case(16)]
    #[case(48)]
    #[case(70)]
    #[case(99)]
    fn the_line_that_matters_stays(#[case] matters: usize) {
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let short = shortened(lines, Some(matters));
        assert!(short.contains(&matters.to_string()), "{short:#?}");
        let left_out = |line: &String| line.trim().trim_start_matches("… ").split(' ').next().unwrap().parse::<usize>().unwrap();
        let (cuts, kept): (Vec<_>, Vec<_>) = short.iter().partition(|line| line.contains("left out"));
        assert!(cuts.iter().all(|cut| left_out(cut) > 0), "{short:#?}");
        assert_eq!(kept.len() + cuts.into_iter().map(left_out).sum::<usize>(), 100);
    }

    #[test]
    fn six_lines_are_shown_behind_the_line_that_matters() {
        let lines: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let short = shortened(lines, Some(70));
        assert_eq!((short[short.len() - 2].as_str(), short[short.len() - 1].trim()), ("76", "… 23 lines left out …"));
    }

    #[test]
    fn a_contradiction_stands_behind_what_shows_it() {
        let records = read(include_str!("../../fixtures/traces/nothing-alive-is-called-ended.fail.jsonl"));
        let whole = timeline(&records, "s1");
        let id: RequirementId = "LC-OBS-7".parse().unwrap();
        for last in 0..records.len() {
            let marked = contradicted(&records, "s1", last, &id);
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
        let told = contradicted(&records, "s1", 5, &"CX-2".parse().unwrap());
        let expected = ["40 ms  > list_sessions < listed as `ended`", "42 ms  ✗ contradicts CX-2", "50 ms  ! turn_completed turn=1"];
        assert_eq!(told[told.len() - 3..].iter().map(|line| line.trim()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_unknown_session_has_none() {
        assert!(timeline(&[], "s1").is_empty());
    }
}
