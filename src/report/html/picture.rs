//! A finding's timeline as a picture: one row a line, with a lane each for the caller, the manager, the agent and the file
//! system. The template draws it; here every line gets its place.

use serde::Serialize;

use crate::trace::{Row, RowKind};

/// The height of a row.
const ROW: usize = 24;
/// Where the first row is: below the lanes' names.
const TOP: usize = 44;
/// Where a row's words begin.
const WORDS: usize = 334;
/// The width of a character, in tenths: monospaced fonts of 12 pixels have 72 (DejaVu Sans Mono, Menlo, Courier).
const CHARACTER: usize = 73;
/// The width of a picture of short lines, and the most characters of a line that are shown: the text below it has all.
const USUAL: usize = 980;
const LONGEST: usize = 240;

/// A timeline to be drawn.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Picture {
    width: usize,
    height: usize,
    /// Where the lanes end.
    floor: usize,
    /// What a person hears who cannot see it.
    words: String,
    phases: Vec<Band>,
    rows: Vec<PictureRow>,
}

/// The rows of a phase of the session, shaded.
#[derive(Debug, PartialEq, Serialize)]
struct Band {
    /// `1` to `4`, in the order phases come.
    phase: usize,
    name: &'static str,
    y: usize,
    height: usize,
}

/// One line of the timeline.
#[derive(Debug, PartialEq, Serialize)]
struct PictureRow {
    y: usize,
    /// The offset in milliseconds; empty where it is not known.
    at: String,
    /// The symbols in the lanes: ids in the page.
    symbols: Vec<&'static str>,
    /// How the words are set: `step`, `found`, or nothing.
    set: &'static str,
    /// Whether it tells a fact, and which.
    #[serde(skip)]
    fact: bool,
    #[serde(skip)]
    subject: String,
    words: String,
}

/// Who errs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Whoever calls a manager.
    Caller,
    /// Whoever is called.
    Manager,
}

impl Picture {
    /// The picture of a timeline in which somebody errs, and how. Nothing where there are no rows.
    pub(crate) fn of(timeline: &[Row], message: &str, who: Lane) -> Option<Self> {
        if timeline.is_empty() {
            return None;
        }
        let mut rows: Vec<PictureRow> = timeline.iter().enumerate().map(|(at, told)| row(TOP + at * ROW, told)).collect();
        for row in rows.iter_mut().filter(|row| row.set == "found") {
            row.words = format!("{}: {message}", row.words);
            row.symbols = vec![match who {
                Lane::Caller => "erred",
                Lane::Manager => "found",
            }];
        }
        let floor = TOP + (rows.len() - 1) * ROW + ROW / 2;
        let phases = bands(&rows, floor);
        let calls = rows.iter().filter(|row| row.symbols.contains(&"ask")).count();
        let found = rows.iter().find(|row| row.set == "found").map_or(String::new(), |row| format!("; at {} ms it {}", row.at, row.words));
        let words = format!("Timeline of {} lines with {calls} calls{found}. The text below says the same.", rows.len());
        let longest = rows.iter().map(|row| columns(&row.words)).max().unwrap_or_default().min(LONGEST);
        let width = USUAL.max(WORDS + longest * CHARACTER / 10 + 12);
        Some(Self { width, height: floor + 34, floor, words, phases, rows })
    }
}

fn row(y: usize, told: &Row) -> PictureRow {
    let at = told.at_ms.map(|ms| ms.to_string()).unwrap_or_default();
    let answer = told.answer.as_ref().map(|answer| if answer.error.is_some() { "refusal" } else { "answer" });
    let (symbols, set): (Vec<_>, _) = match told.kind {
        RowKind::Asked => (std::iter::once("ask").chain(answer).collect(), ""),
        RowKind::Answered => (answer.into_iter().collect(), ""),
        RowKind::Fact => (vec![fact(&told.subject)], ""),
        RowKind::Announced => (vec!["event"], ""),
        RowKind::Contradiction => (vec!["found"], "found"),
        RowKind::Step => (vec![], "step"),
        RowKind::Restarted | RowKind::Litter | RowKind::Remark => (vec!["remark"], ""),
        RowKind::LeftOut | RowKind::Untyped => (vec!["gap"], ""),
    };
    PictureRow { y, at, symbols, set, fact: told.kind == RowKind::Fact, subject: told.subject.clone(), words: words(told) }
}

/// What stands beside the symbols: the line, without its time and the sign that the symbol says.
fn words(told: &Row) -> String {
    let line = told.to_string();
    let line = line.split_once(" ms  ").filter(|_| told.at_ms.is_some()).map_or(line.trim(), |(_, rest)| rest);
    match told.kind {
        RowKind::Step => told.detail.clone(),
        RowKind::LeftOut | RowKind::Untyped => line.to_owned(),
        _ => line.split_once(' ').map_or(line, |(_, words)| words).to_owned(),
    }
}

/// How many columns a text takes, at the most: what is not ASCII may be wide.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

fn fact(name: &str) -> &'static str {
    match name {
        "file_written" | "file_removed" => "file",
        "agent_exited" | "agent_gone" => "end",
        "agent_signalled" => "signal",
        _ => "fact",
    }
}

/// The phases that the agent went through, each from the row where it began.
fn bands(rows: &[PictureRow], floor: usize) -> Vec<Band> {
    const PHASES: [(&str, &[&str]); 4] = [
        ("started", &["agent_started"]),
        ("first turn", &["prompt_accepted", "turn_started"]),
        ("after the first turn", &["turn_completed"]),
        ("exited", &["agent_exited", "agent_gone"]),
    ];
    let mut begun: Vec<Band> = Vec::new();
    for row in rows.iter().filter(|row| row.fact) {
        let phase = PHASES.iter().position(|(_, facts)| facts.contains(&row.subject.as_str())).map_or(0, |at| at + 1);
        if phase > begun.last().map_or(0, |band| band.phase) {
            begun.push(Band { phase, name: PHASES[phase - 1].0, y: row.y - ROW / 2, height: 0 });
        }
    }
    let ends: Vec<usize> = begun.iter().skip(1).map(|band| band.y).chain([floor]).collect();
    for (band, end) in begun.iter_mut().zip(ends) {
        band.height = end - band.y;
    }
    begun
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::contract::ErrorCode;
    use crate::trace::timeline::RowAnswer;

    fn told(kind: RowKind, subject: &str, detail: &str) -> Row {
        Row { at_ms: Some(10), kind, subject: subject.into(), detail: detail.into(), answer: None, more: 0, until_ms: None }
    }

    fn answered(error: Option<ErrorCode>, text: &str) -> Row {
        Row { answer: Some(RowAnswer { error, text: text.into() }), ..told(RowKind::Asked, "list_sessions", "") }
    }

    #[rstest]
    #[case(answered(None, "listed as `running`"), &["ask", "answer"], "list_sessions < listed as `running`")]
    #[case(answered(Some(ErrorCode::Internal), "internal \"no\""), &["ask", "refusal"], "list_sessions < internal \"no\"")]
    #[case(Row { kind: RowKind::Answered, subject: String::new(), ..answered(None, "ok") }, &["answer"], "ok")]
    #[case(told(RowKind::Fact, "file_written", " path=\"/f\""), &["file"], "file_written path=\"/f\"")]
    #[case(told(RowKind::Announced, "turn_completed", " turn=1"), &["event"], "turn_completed turn=1")]
    #[case(told(RowKind::Step, "", "Given a > b"), &[], "Given a > b")]
    #[case(told(RowKind::Remark, "", "killed"), &["remark"], "killed")]
    #[case(told(RowKind::Contradiction, "LC-OBS-7", ""), &["found"], "contradicts LC-OBS-7")]
    #[case(Row { at_ms: None, ..told(RowKind::LeftOut, "", "5") }, &["gap"], "… 5 lines left out …")]
    #[case(Row::untyped("<script>"), &["gap"], "<script>")]
    #[case(Row::untyped(""), &["gap"], "")]
    fn a_row_has_its_symbols(#[case] told: Row, #[case] symbols: &[&str], #[case] words: &str) {
        let row = row(0, &told);
        assert_eq!((row.symbols.as_slice(), row.words.as_str()), (symbols, words));
    }

    #[rstest]
    #[case(10, USUAL)]
    #[case(100, 334 + 730 + 12)]
    #[case(10_000, 334 + 1752 + 12)]
    fn it_is_as_wide_as_its_longest_line_but_not_without_measure(#[case] characters: usize, #[case] width: usize) {
        let rows = [told(RowKind::Remark, "", "short"), told(RowKind::Remark, "", &"x".repeat(characters))];
        assert_eq!(Picture::of(&rows, "", Lane::Manager).unwrap().width, width);
    }

    #[test]
    fn the_finding_stands_in_the_lane_of_who_errs() {
        let rows = [told(RowKind::Contradiction, "OR-1", "")];
        let drawn = |who| {
            let row = Picture::of(&rows, "it asked too often", who).unwrap().rows.remove(0);
            (row.symbols, row.words)
        };
        assert_eq!(drawn(Lane::Caller), (vec!["erred"], "contradicts OR-1: it asked too often".to_owned()));
        assert_eq!(drawn(Lane::Manager).0, ["found"]);
    }

    #[test]
    fn phases_follow_one_another_without_a_gap() {
        let records: Vec<_> =
            crate::trace::jsonl::read(include_bytes!("../../../fixtures/traces/nothing-ended-runs.fail.jsonl").as_slice())
                .map(Result::unwrap)
                .collect();
        let session = crate::trace::history::History::new(&records).sessions().nth(1).unwrap().id.to_owned();
        let lines = crate::trace::timeline(&records, &session);
        let picture = Picture::of(&lines, "", Lane::Manager).unwrap();
        assert!(picture.rows.iter().zip(&lines).all(|(row, line)| line.to_string().ends_with(&row.words) && !row.symbols.contains(&"gap")));
        let names: Vec<_> = picture.phases.iter().map(|band| band.name).collect();
        assert_eq!(names, ["started", "first turn", "exited"]);
        assert!(picture.phases.windows(2).all(|two| two[0].y + two[0].height == two[1].y));
        assert!(Picture::of(&[], "", Lane::Manager).is_none());
    }
}
