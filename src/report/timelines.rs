//! A trace for people: a timeline for each session, with its phases and with what the rules found, in their places.

use crate::spec::Registry;
use crate::suites::orchestrator::rules::Observable;
use crate::trace::Contradiction;
use crate::trace::history::{History, SessionHistory};
use crate::trace::settings::Settings;
use crate::trace::timeline::{ToldRow, tell};
use crate::trace::{Entry, Record, Row, RowKind};

use super::Look;
use crate::core::sanitise;

/// Draws the timelines of some sessions, in the order given. `records` are those that concern them, with their lines;
/// findings cite lines, too.
pub(crate) fn draw(records: &[(usize, Record)], sessions: &[String], found: &[Contradiction], settings: &Settings, look: &Look) -> String {
    let lines: Vec<usize> = records.iter().map(|(line, _)| *line).collect();
    let records: Vec<Record> = records.iter().map(|(_, record)| record.clone()).collect();
    let history = History::new(&records);
    let mut page = TimelinePage { text: String::new(), colour: look.colour };
    for session in history.sessions().filter(|session| sessions.iter().any(|wanted| wanted == session.id)) {
        if !page.text.is_empty() {
            page.text.push('\n');
        }
        page.line(Ink::Bold, &title(session, &records));
        let own = found.iter().filter(|found| found.session_id() == Some(session.id));
        one(&mut page, &history, session, &lines, own.collect(), settings);
    }
    let of_none: Vec<&Contradiction> = found.iter().filter(|found| found.session.is_none()).collect();
    if !of_none.is_empty() {
        page.text.push_str(if page.text.is_empty() { "" } else { "\n" });
        page.line(Ink::Bold, "the orchestrator");
        of_none.into_iter().for_each(|found| page.finding(found));
    }
    page.text
}

fn title(session: &SessionHistory, records: &[Record]) -> String {
    let mut parts = vec![format!("session {}", session.id)];
    parts.extend(session.agent.map(|agent| agent.to_string()));
    parts.extend(session.cwd.map(str::to_owned));
    let worker = records.iter().find_map(|record| match &record.entry {
        Entry::Worker(worker) if Some(worker.cwd.as_str()) == session.cwd => Some(worker),
        _ => None,
    });
    parts.extend(worker.map(|worker| format!("worker {}, deadline {} s", worker.worker, worker.deadline_s)));
    parts.join(" · ")
}

fn one(
    page: &mut TimelinePage,
    history: &History,
    session: &SessionHistory,
    lines: &[usize],
    found: Vec<&Contradiction>,
    settings: &Settings,
) {
    let told = tell(history, session);
    let phases = phases(session, settings);
    let mut findings = found;
    findings.sort_by_key(|found| found.records.last().copied());
    let mut findings = findings.into_iter().peekable();
    let mut phases = phases.into_iter().peekable();
    let mut at = 0;
    while at < told.len() {
        let line = &told[at];
        while let Some((_, phase)) = phases.next_if(|(from, _)| *from <= line.at.index) {
            page.line(Ink::Dim, &format!("{:>18}── {phase} ──", ""));
        }
        // What repeats itself is told once, unless a phase begins or something is found in between.
        let next_phase = phases.peek().map_or(usize::MAX, |(from, _)| *from);
        let next_finding = findings.peek().and_then(|found| found.records.last().copied()).unwrap_or(usize::MAX);
        let same = |next: &&ToldRow| next.row.says_the_same(&line.row) && next.at.index < next_phase && lines[next.until] < next_finding;
        let more = told[at + 1..].iter().take_while(same).count();
        let last = &told[at + more];
        let count = if more > 0 { format!("  (and {more} more, until {} ms)", last.at.ms) } else { String::new() };
        page.line(Ink::of(&line.row), &format!("{:>8} {:>8} ms  {}{count}", lines[line.at.index], line.at.ms, line.row.text()));
        at += more + 1;
        while let Some(found) = findings.next_if(|found| found.records.last().is_none_or(|cited| *cited <= lines[last.until])) {
            page.finding(found);
        }
    }
    findings.for_each(|found| page.finding(found));
}

/// From which record on a session is in which phase, for those who call.
fn phases(session: &SessionHistory, settings: &Settings) -> Vec<(usize, &'static str)> {
    let observable = Observable::from_phase(session.agent.and_then(|agent| settings.observable.get(&agent).copied()));
    let is_data = |call: &&crate::trace::history::CallHistory| {
        call.op == "get_session_data" && call.ok().is_some_and(|(_, data)| data.get("text").is_some_and(|text| text != ""))
    };
    let data = session.calls.iter().find(is_data).and_then(|call| Some(call.ok()?.0.index));
    let told = session.announced.first().map(|announced| announced.at.index);
    let mut phases = match observable {
        Observable::Late => {
            let mut phases = vec![(session.known.index + 1, "not observable yet")];
            phases.extend(data.into_iter().chain(told).min().map(|from| (from, "observable")));
            phases
        }
        Observable::AtOnce | Observable::Soon => vec![(session.known.index + 1, "observable")],
        Observable::Unknown => Vec::new(),
    };
    let ended = session.calls.iter().find(|call| call.op == "end_session" && call.ok().is_some());
    phases.extend(ended.and_then(|call| Some((call.ok()?.0.index + 1, "ended"))));
    phases.sort_by_key(|(from, _)| *from);
    phases
}

/// A text that is being written.
struct TimelinePage {
    text: String,
    colour: bool,
}

/// What a line is written in.
#[derive(Clone, Copy)]
enum Ink {
    Plain,
    Bold,
    Dim,
    Cyan,
    Yellow,
    Red,
}

impl Ink {
    /// The ink of a timeline's row.
    fn of(row: &Row) -> Self {
        match row.kind {
            RowKind::Announced => Ink::Cyan,
            RowKind::Fact | RowKind::Step | RowKind::Restarted | RowKind::Litter | RowKind::Remark => Ink::Dim,
            _ if row.answer.as_ref().is_some_and(|answer| answer.error.is_some()) => Ink::Yellow,
            _ => Ink::Plain,
        }
    }
}

impl TimelinePage {
    fn line(&mut self, ink: Ink, text: &str) {
        let text = sanitise(text).replace('\n', " ⏎ ");
        let code = match ink {
            Ink::Plain => "",
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Cyan => "36",
            Ink::Yellow => "33",
            Ink::Red => "1;31",
        };
        match self.colour && !code.is_empty() {
            true => self.text.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m\n")),
            false => self.text.push_str(&format!("{text}\n")),
        }
    }

    fn finding(&mut self, found: &Contradiction) {
        let level = Registry::embedded().get(&found.requirement).map(|requirement| requirement.level.to_string()).unwrap_or_default();
        let cited: Vec<String> = found.records.iter().map(usize::to_string).collect();
        self.line(
            Ink::Red,
            &format!(
                "{:>16}  ✗ {} {level}: {} ({} {})",
                "",
                found.requirement,
                found.message,
                if cited.len() == 1 { "line" } else { "lines" },
                cited.join(", ")
            ),
        );
        self.line(Ink::Red, &format!("{:>16}    did: {}; known: {}", "", found.claimed, found.truth));
    }
}
