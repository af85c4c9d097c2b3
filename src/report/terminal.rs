//! The report for people at a terminal, on one screen: of each cause one finding, as far as there is room; at the end what it
//! comes to, and what to do next.

use super::{Look, view};
use crate::results::cause::Cause;
use crate::results::model::{Finding, Report, RequirementResult, ScenarioResult, Verdict};
use crate::results::{ConformanceOutcome, headline, outcome};
use crate::trace::{Row, RowKind};

use view::RequirementFindings;

/// The narrowest width that is written for.
const NARROWEST: usize = 40;

/// How many lines a screen has. What does not fit is counted, and shown by `--all-findings`.
const SCREEN: usize = 60;

/// For how many reasons it is told that something did not run, and on how many requirements there is a word at the end, unless all
/// is shown; a second line on each where there are few.
const REASONS: usize = 4;
const REQUIREMENTS: usize = 22;
const FEW: usize = 8;

/// The most lines of what is to do next.
const NEXT: usize = 4;

/// The most lines of a text that may be of any length, unless all is shown.
const LINES: usize = 2;

pub(crate) fn plain(report: &Report, look: &Look) -> String {
    draw(report, &Look { colour: false, ..*look })
}

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let page = || TerminalPage { text: String::new(), width: look.width.max(NARROWEST), colour: look.colour, all: look.all_findings };
    let (mut top, mut middle, mut bottom) = (page(), page(), page());
    about(&mut top, report, look.strict);
    whole(&mut top, report);
    for (title, verdict) in [
        ("COULD NOT TEST", Verdict::CouldNotTest),
        ("BLOCKED", Verdict::Blocked),
        ("SKIPPED", Verdict::Skipped),
        ("NOT EXERCISED", Verdict::NotExercised),
    ] {
        grouped(&mut middle, report, title, verdict);
    }
    known(&mut middle, report);
    unexercised(&mut middle, report);
    let (failed, warned) = (view::failures(report), view::warnings(report));
    ending(&mut bottom, report, look.strict, [&failed, &warned]);
    let room = SCREEN.saturating_sub([&top, &middle, &bottom].map(TerminalPage::lines).iter().sum::<usize>() + NEXT);
    let (shown, left_out) = findings(&page, [("FAILED", Colour::Red, &failed), ("WARNED", Colour::Yellow, &warned)], room);
    next(&mut bottom, report, [&failed, &warned], left_out);
    // What is read at one glance is not said twice.
    if shown.is_empty() && middle.text.is_empty() && report.hint.is_none() {
        return top.text;
    }
    [top.text, shown, middle.text, bottom.text].concat()
}

fn about(page: &mut TerminalPage, report: &Report, strict: bool) {
    verdict(page, report, strict);
    let system = &report.system;
    let version = system.version.as_ref().map_or_else(String::new, |version| format!(" ({version})"));
    // Where nothing was random, there is no seed to speak of.
    let seed = if report.seed == 0 { String::new() } else { format!(" · seed {}", report.seed) };
    page.wrapped(
        0,
        &format!(
            "{}{version} over {} · {} {}, spec {} · {} · {}{seed}",
            system.name,
            system.transport,
            report.tool.name,
            report.tool.version,
            report.spec_version,
            report.platform,
            view::took(report.duration_ms),
        ),
    );
    page.field(0, "scenarios", &view::counts(report.scenarios.iter().map(|scenario| scenario.verdict)));
    page.field(0, "requirements", &view::counts(report.requirements.iter().map(|requirement| requirement.verdict)));
    report.notes.iter().for_each(|note| page.field(0, "note", note));
    if let Some(baseline) = &report.baseline {
        let besides = match baseline.intermittent {
            0 => String::new(),
            count => format!(", {count} more come and go"),
        };
        let known = format!("{} of the failures are known{besides} ({}, {} entries)", baseline.known, baseline.file, baseline.entries);
        page.field(0, "baseline", &known);
        baseline.problems.iter().for_each(|problem| page.field(0, "", problem));
    }
    if let Some(control) = &report.control {
        let checks: Vec<String> = control.checks.iter().map(|(check, found)| format!("{check}: {found}")).collect();
        let proven = if control.proven { "proven" } else { "NOT proven" };
        page.field(0, "control", &format!("{proven} ({})", view::one_line(&checks.join(", "))));
    }
}

/// What the run comes to, on a line of its own.
fn verdict(page: &mut TerminalPage, report: &Report, strict: bool) {
    let (outcome, why) = outcome(report, strict);
    let colour = match outcome {
        ConformanceOutcome::Conformant => Colour::Green,
        ConformanceOutcome::NotConformant => Colour::Red,
        ConformanceOutcome::CouldNotTest | ConformanceOutcome::Interrupted => Colour::Yellow,
    };
    let word = headline(report, strict).to_uppercase();
    for line in wrap(&format!("{word}: {why}"), page.width) {
        let painted = line.replacen(&word, &page.paint(&word, colour), 1);
        page.line(&painted);
    }
}

/// The requirements that failed without a scenario that shows it.
fn whole(page: &mut TerminalPage, report: &Report) {
    let mut groups: Vec<(&str, Vec<&RequirementResult>)> = Vec::new();
    for requirement in view::whole_failures(report) {
        let reason = requirement.reason.as_deref().unwrap_or("no scenario shows it");
        match groups.iter_mut().find(|(known, _)| *known == reason && !page.all) {
            Some((_, requirements)) => requirements.push(requirement),
            None => groups.push((reason, vec![requirement])),
        }
    }
    for (reason, requirements) in groups {
        let (first, others) = (requirements[0], &requirements[1..]);
        page.heading(&format!("FAILED  {} · {}", first.id, first.level), Colour::Red);
        page.wrapped(2, &first.sentence);
        page.wrapped(4, reason);
        if !others.is_empty() {
            let ids: Vec<&str> = others.iter().map(|one| one.id.as_str()).collect();
            page.excerpt(4, &format!("and so {} more: {}", ids.len(), ids.join(" ")));
        }
    }
}

/// How much is shown of a cause.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    Nothing,
    /// What was found, in which scenarios, and how to see it again.
    Short,
    /// And so many rows of the timeline.
    Rows(usize),
    /// Everything, of every scenario.
    All,
}

/// What was found, as far as there is room: the first in full; of the others first each a little, then more. Also gives how many
/// causes are left out.
fn findings(page: &dyn Fn() -> TerminalPage, sections: [(&str, Colour, &[RequirementFindings]); 2], room: usize) -> (String, usize) {
    let mut causes: Vec<(String, Colour, &str, &Cause)> = Vec::new();
    for (title, colour, found) in sections {
        for found in found {
            causes.extend(found.causes.iter().map(|cause| (format!("{title}  {}", found.heading()), colour, found.sentence(), cause)));
        }
    }
    let mut blocks = vec![(Detail::Nothing, String::new()); causes.len()];
    let mut left = room;
    let all = page().all;
    let steps: &[Detail] = if all { &[Detail::All] } else { &[Detail::Short, Detail::Rows(6), Detail::Rows(14), Detail::Rows(SCREEN)] };
    // The first is never left out; it gets its timeline before others get theirs.
    let first = |detail: Detail| (0..causes.len().min(1)).map(move |at| (at, detail));
    let order =
        steps.iter().flat_map(|detail| first(*detail)).chain(steps.iter().flat_map(|detail| (1..causes.len()).map(|at| (at, *detail))));
    for (at, detail) in order {
        let (heading, colour, sentence, cause) = &causes[at];
        let follows = at > 0 && causes[at - 1].0 == *heading && blocks[at - 1].0 > Detail::Nothing;
        let mut drawn = page();
        if !follows {
            drawn.heading(heading, *colour);
            drawn.wrapped(2, sentence);
        }
        shown(&mut drawn, cause, detail);
        let (before, after) = (blocks[at].1.lines().count(), drawn.lines());
        let is_due = all || at == 0 && blocks[at].0 == Detail::Nothing;
        if is_due || after <= left + before {
            left = (left + before).saturating_sub(after);
            blocks[at] = (detail, drawn.text);
        }
    }
    let left_out = blocks.iter().filter(|(detail, _)| *detail == Detail::Nothing).count();
    (blocks.into_iter().map(|(_, text)| text).collect(), left_out)
}

/// One cause: a finding, and where else it was found.
fn shown(page: &mut TerminalPage, cause: &Cause, detail: Detail) {
    if detail == Detail::All {
        return cause.cases.iter().for_each(|(scenario, finding)| case(page, scenario, finding, detail));
    }
    let (scenario, finding) = cause.first();
    case(page, scenario, finding, detail);
    let others = &cause.scenarios()[1..];
    if !others.is_empty() {
        let names = view::names(others.iter().copied()).join(" · ");
        page.excerpt(4, &format!("and in {}: {names}", view::more_scenarios(others.len())));
    }
}

fn case(page: &mut TerminalPage, scenario: &ScenarioResult, finding: &Finding, detail: Detail) {
    page.blank();
    page.painted(2, &view::label(scenario), Colour::Bold);
    page.wrapped(4, &scenario.feature);
    page.excerpt(4, &finding.message);
    if detail > Detail::Short {
        page.field(4, "step", &finding.origin.words());
    }
    page.field(4, "claimed", &finding.claimed);
    page.field(4, "true", &finding.truth);
    let (rows, lines) = match detail {
        Detail::All => (usize::MAX, usize::MAX),
        Detail::Rows(rows) => (rows, 3),
        Detail::Nothing | Detail::Short => (0, 0),
    };
    page.quoted("timeline", around(&finding.timeline, rows));
    let stderr: Vec<&str> = finding.stderr.lines().collect();
    page.quoted("stderr", stderr[stderr.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()));
    if !finding.repro.is_empty() {
        // Never wrapped: it is there to be copied.
        page.line(&format!("    {:<9}{}", "again", view::one_line(&finding.repro)));
    }
}

/// So many rows of a timeline: how it began, and what came before and at the contradiction.
fn around(timeline: &[Row], rows: usize) -> impl Iterator<Item = String> {
    let told = |row: &Row| row.to_string();
    let lines: Vec<String> = if timeline.len() <= rows {
        timeline.iter().map(told).collect()
    } else if rows == 0 {
        Vec::new()
    } else {
        let found = timeline.iter().position(|row| row.kind == RowKind::Contradiction).map_or(timeline.len(), |at| at + 1);
        // Two rows say what is left out.
        let (head, tail) = (rows / 4, rows - rows / 4 - 2);
        let from = found.saturating_sub(tail).max(head);
        let until = (from + tail).min(timeline.len());
        let left_out = |count: usize| (count > 0).then(|| format!("            … {count} lines left out …"));
        let (before, after) = (timeline[..head].iter().map(told), timeline[from..until].iter().map(told));
        before.chain(left_out(from - head)).chain(after).chain(left_out(timeline.len() - until)).collect()
    };
    lines.into_iter()
}

fn known(page: &mut TerminalPage, report: &Report) {
    for (title, scenarios) in view::baseline(report).into_iter().filter(|(_, scenarios)| !scenarios.is_empty()) {
        page.heading(&title.to_uppercase(), Colour::Bold);
        page.names(2, &scenarios);
    }
}

/// What did not run, by reason.
fn grouped(page: &mut TerminalPage, report: &Report, title: &str, verdict: Verdict) {
    let groups = view::by_reason(report, verdict);
    if groups.is_empty() {
        return;
    }
    page.heading(title, if verdict == Verdict::Skipped { Colour::Bold } else { Colour::Yellow });
    // Where something failed, that comes first; what was blocked may be so for the same reason.
    let is_urgent = matches!(verdict, Verdict::CouldNotTest | Verdict::Blocked) && report.summary.failed == 0;
    let shown = if page.all { groups.len() } else { REASONS };
    for (reason, scenarios) in groups.iter().take(shown) {
        match is_urgent || page.all {
            // Whole: it says what to do.
            true => {
                page.wrapped(2, reason);
                page.names(4, scenarios);
            }
            false => page.clipped(&format!("  {}: {}", view::scenarios(scenarios.len()), view::one_line(reason))),
        }
    }
    if groups.len() > shown {
        page.line(&format!("  and {} more reasons", groups.len() - shown));
    }
}

/// The requirements of which nothing was exercised: what a green run does not say.
fn unexercised(page: &mut TerminalPage, report: &Report) {
    let of = |verdict: Verdict| report.requirements.iter().filter(move |requirement| requirement.verdict == verdict);
    let untold: Vec<Verdict> =
        Verdict::ALL.into_iter().filter(|verdict| !verdict.is_exercised() && of(*verdict).next().is_some()).collect();
    if untold.is_empty() {
        return;
    }
    page.heading("REQUIREMENTS OF WHICH NOTHING IS KNOWN", Colour::Bold);
    if page.all {
        untold.iter().flat_map(|verdict| of(*verdict)).for_each(|one| {
            page.wrapped(2, &format!("{:<12} {:<14} {}", one.id, one.verdict.words(), one.title));
        });
        return;
    }
    let told = |verdict: &Verdict| {
        let ids: Vec<String> = of(*verdict).map(|one| one.id.to_string()).collect();
        format!("{}: {}", verdict.words(), ids.join(" "))
    };
    page.excerpt(2, &untold.iter().map(told).collect::<Vec<_>>().join(" · "));
}

/// What the run comes to: the verdict, and a word on each requirement that failed or warned.
fn ending(page: &mut TerminalPage, report: &Report, strict: bool, found: [&[RequirementFindings]; 2]) {
    page.blank();
    verdict(page, report, strict);
    let mut lines: Vec<[String; 3]> = Vec::new();
    for one in view::whole_failures(report) {
        let head = format!("{} {} · no scenario", Verdict::Failed.mark(), one.id);
        lines.push([head, one.sentence.clone(), one.reason.clone().unwrap_or_default()]);
    }
    for (found, mark) in found.into_iter().zip([Verdict::Failed, Verdict::Warned]) {
        for one in found {
            let more = if one.causes.len() > 1 { format!("{} causes; first: ", one.causes.len()) } else { String::new() };
            let head = format!("{} {} · {}", mark.mark(), one.id, view::scenarios(one.scenarios()));
            lines.push([head, one.sentence().to_owned(), format!("{more}{}", one.causes[0].first().1.message)]);
        }
    }
    let is_long = lines.len() > FEW && !page.all;
    let shown = if page.all { lines.len() } else { REQUIREMENTS };
    for [head, sentence, cause] in lines.iter().map(|line| line.each_ref().map(|text| view::one_line(text))).take(shown) {
        match is_long {
            true => page.clipped(&format!("{head} · {cause}")),
            false => {
                page.clipped(&format!("{head} · {sentence}"));
                page.clipped(&format!("    {cause}"));
            }
        }
    }
    if lines.len() > shown {
        let ids: Vec<&str> = lines[shown..].iter().filter_map(|[head, ..]| head.split(' ').nth(1)).collect();
        page.clipped(&format!("and {} more: {}", ids.len(), ids.join(" ")));
    }
    if let Some(hint) = &report.hint {
        page.wrapped(2, hint);
    }
}

/// What to do next.
fn next(page: &mut TerminalPage, report: &Report, [failed, warned]: [&[RequirementFindings]; 2], left_out: usize) {
    let mut todo = Vec::new();
    if let Some(one) = failed.first().or(warned.first()) {
        todo.push(("why it matters", format!("passmuster explain {}", one.id)));
        let again = &one.causes[0].first().1.repro;
        todo.extend((!again.is_empty()).then(|| ("see it again", again.clone())));
    }
    if report.scenarios.iter().any(|scenario| scenario.verdict == Verdict::CouldNotTest) && report.system.file.is_some() {
        let file = report.system.file.as_deref().unwrap_or_default();
        todo.extend((report.system.transport != "gate").then(|| ("is it wired right", format!("passmuster doctor {file}"))));
    }
    let more: usize = [failed, warned].into_iter().flatten().flat_map(|one| &one.causes).map(|cause| cause.cases.len() - 1).sum();
    if (more > 0 || left_out > 0) && !page.all {
        let causes = match left_out {
            0 => String::new(),
            1 => " (1 cause is not shown)".to_owned(),
            _ => format!(" ({left_out} causes are not shown)"),
        };
        todo.push(("every finding", format!("--all-findings{causes}, or --report html=report.html")));
    }
    for (what, how) in todo {
        page.line(&format!("  {what:<18} {}", view::one_line(&how)));
    }
}

/// A text that is being written.
struct TerminalPage {
    text: String,
    width: usize,
    colour: bool,
    /// Whether texts are shown whole, however long.
    all: bool,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Red,
    Green,
    Yellow,
}

impl TerminalPage {
    fn paint(&self, text: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Bold => "1",
            Colour::Red => "1;31",
            Colour::Green => "1;32",
            Colour::Yellow => "1;33",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes a line. CI systems act on some that a manager may have said: those are broken by an invisible mark.
    fn line(&mut self, text: &str) {
        let text = text.trim_end().replace("##[", "#\u{2060}#[").replace("##vso[", "#\u{2060}#vso[");
        let indent = text.len() - text.trim_start().len();
        let mark = if text[indent..].starts_with("::") { "\u{2060}" } else { "" };
        self.text.push_str(&text[..indent]);
        self.text.push_str(mark);
        self.text.push_str(&text[indent..]);
        self.text.push('\n');
    }

    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str, colour: Colour) {
        self.blank();
        self.painted(0, text, colour);
    }

    fn painted(&mut self, indent: usize, text: &str, colour: Colour) {
        for line in wrap(text, self.width.saturating_sub(indent)) {
            let painted = self.paint(line.trim_end(), colour);
            self.line(&format!("{:indent$}{painted}", ""));
        }
    }

    fn wrapped(&mut self, indent: usize, text: &str) {
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.line(&format!("{:indent$}{line}", ""));
        }
    }

    /// A text of any length: its beginning and its end where it is long, and how long it is.
    fn excerpt(&mut self, indent: usize, text: &str) {
        let width = self.width.saturating_sub(indent);
        for line in self.cut(text, width) {
            self.line(&format!("{:indent$}{line}", ""));
        }
    }

    fn cut(&self, text: &str, width: usize) -> Vec<String> {
        let lines = wrap(text, width);
        if self.all || lines.len() <= LINES {
            return lines;
        }
        let text: Vec<char> = view::one_line(text).chars().collect();
        let said = format!(" … ({} characters)", text.len());
        let room = (width * LINES).saturating_sub(said.len() + width / 4);
        let (head, tail) = (room * 3 / 4, room / 4);
        let part = |part: &[char]| part.iter().collect::<String>();
        wrap(&format!("{} … {}{said}", part(&text[..head]), part(&text[text.len() - tail..])), width)
    }

    /// A line that is cut at the width.
    fn clipped(&mut self, text: &str) {
        let line = clipped(text, self.width);
        self.line(&line);
    }

    /// Scenarios by their names.
    fn names(&mut self, indent: usize, scenarios: &[&ScenarioResult]) {
        match self.all {
            true => scenarios.iter().for_each(|scenario| self.named(indent, scenario)),
            false => self.excerpt(indent, &view::names(scenarios.iter().copied()).join(" · ")),
        }
    }

    /// A name and a text beside it; nothing for an empty text.
    fn field(&mut self, indent: usize, name: &str, text: &str) {
        let column = indent + if indent == 0 { 14 } else { 9 };
        let lines = self.cut(text, self.width.saturating_sub(column));
        for (nth, line) in lines.iter().enumerate().filter(|_| !text.is_empty()) {
            let name = if nth == 0 { name } else { "" };
            self.line(&format!("{:indent$}{name:<fill$}{line}", "", fill = column - indent));
        }
    }

    /// Lines of somebody else's, marked as such and cut to the width.
    fn quoted(&mut self, name: &str, lines: impl Iterator<Item = String>) {
        let lines: Vec<String> = lines.collect();
        let mut lines = lines.iter().flat_map(|line| line.lines()).peekable();
        if lines.peek().is_some() {
            self.line(&format!("    {name}"));
        }
        for line in lines {
            let quoted = clipped(&format!("      │ {line}"), self.width);
            self.line(&quoted);
        }
    }

    fn named(&mut self, indent: usize, scenario: &ScenarioResult) {
        self.wrapped(indent, &format!("{}  {}", view::label(scenario), scenario.feature));
    }
}

/// Breaks a text, its newlines shown, into lines of at most that many characters, at spaces where there are any.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut length) = (String::new(), 0);
    for word in view::one_line(text).split_inclusive(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let bare = |word: &[char]| word.len() - usize::from(word.last() == Some(&' '));
        if length > 0 && length + bare(&word) > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while bare(&word) > width {
            lines.push(word.drain(..width).collect());
        }
        length += word.len();
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn clipped(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        Some(_) => line.chars().take(width - 1).chain(['…']).collect(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Form;
    use super::*;
    use crate::results::example;

    #[rstest]
    #[case("", &[])]
    #[case("one two three", &["one two ", "three"])]
    #[case("a\nbb", &["a ⏎ bb"])]
    #[case("abcdefghijklmnop", &["abcdefgh", "ijklmnop"])]
    #[case("x abcdefghijklmnop y", &["x ", "abcdefgh", "ijklmnop ", "y"])]
    fn lines_break_at_spaces_where_they_can(#[case] text: &str, #[case] lines: &[&str]) {
        assert_eq!(wrap(text, 8), lines);
    }

    #[rstest]
    fn nothing_but_a_command_to_copy_is_wider_than_the_terminal(#[values(40, 60, 100)] width: usize) {
        let drawn = Form::find("plain").unwrap().draw(&example::report(), &Look { width, ..Look::default() });
        let free = |line: &&str| {
            ["again", "why it", "see it again", "is it wired", "every finding"].iter().any(|start| line.trim_start().starts_with(start))
        };
        let wide: Vec<&str> = drawn.lines().filter(|line| line.chars().count() > width && !free(line)).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }

    #[test]
    fn it_ends_with_the_verdict_and_what_to_do() {
        let drawn = Form::find("plain").unwrap().draw(&example::report(), &Look::default());
        let last = drawn.rsplit_once("\n\n").unwrap().1;
        let told = |start: &str| last.lines().position(|line| line.trim_start().starts_with(start)).unwrap();
        assert!(told("NOT CONFORMANT") < told("✗ LC-CLEAN-1") && told("✗ LC-CLEAN-1") < told("why it matters"), "{last}");
    }

    #[test]
    fn one_cause_in_many_scenarios_is_told_once_and_the_rest_on_demand() {
        let mut report = example::report();
        let leaks = report.scenarios[1].clone();
        report.scenarios = (0..42).map(|nth| ScenarioResult { key: format!("s/f/x@{nth}"), ..leaks.clone() }).collect();
        report.requirements.truncate(1);
        let drawn = |all_findings| Form::find("plain").unwrap().draw(&report, &Look { all_findings, ..Look::default() });
        assert!(drawn(false).contains("and in 41 more scenarios: The scenario leaks [codex @1, codex @2"), "{}", drawn(false));
        let timelines = |text: &str| text.matches("    timeline\n").count();
        assert_eq!((timelines(&drawn(false)), timelines(&drawn(true))), (1, 42));
        assert!(drawn(false).lines().count() <= SCREEN);
    }

    #[test]
    fn of_a_long_timeline_the_beginning_and_the_contradiction_are_shown() {
        let mut rows: Vec<Row> = (0..40).map(|nth| Row::untyped(&format!("row {nth}"))).collect();
        rows[30].kind = RowKind::Contradiction;
        let shown: Vec<String> = around(&rows, 8).map(|line| line.trim().to_owned()).collect();
        assert_eq!(shown.len(), 8);
        assert_eq!((shown[0].as_str(), shown[1].as_str(), shown[2].as_str()), ("row 0", "row 1", "… 25 lines left out …"));
        assert_eq!((shown[6].as_str(), shown[7].as_str()), ("✗ contradicts", "… 9 lines left out …"));
        assert_eq!((around(&rows, 40).count(), around(&rows, 0).count()), (40, 0));
    }

    #[test]
    fn a_long_text_is_cut_in_the_middle_and_its_length_told() {
        let page = TerminalPage { text: String::new(), width: 60, colour: false, all: false };
        let cut = page.cut(&format!("begins {} ends", "x".repeat(10_000)), 60);
        assert!(
            cut.len() <= LINES + 1 && cut.concat().starts_with("begins x") && cut.concat().ends_with("x ends … (10012 characters)"),
            "{cut:?}"
        );
    }

    #[test]
    fn what_a_manager_said_never_starts_a_line() {
        let drawn = Form::find("plain").unwrap().draw(&example::hostile(), &Look::default());
        assert!(drawn.lines().all(|line| !line.trim_start().starts_with("::") && !line.contains("##[")), "{drawn}");
    }
}
