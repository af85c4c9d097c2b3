//! The report for people at a terminal: the summary first, then what needs a look, most pressing first.

use super::{Look, view};
use crate::results::model::{Finding, Report, ScenarioResult, Verdict};
use crate::results::{ConformanceOutcome, outcome};

/// The narrowest width that is written for.
const NARROWEST: usize = 40;

pub(crate) fn plain(report: &Report, look: &Look) -> String {
    draw(report, &Look { colour: false, ..*look })
}

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let mut page = TerminalPage { text: String::new(), width: look.width.max(NARROWEST), colour: look.colour };
    summary(&mut page, report, look.strict);
    failed(&mut page, report);
    warned(&mut page, report);
    known(&mut page, report);
    for (title, verdict) in [
        ("COULD NOT TEST", Verdict::CouldNotTest),
        ("BLOCKED", Verdict::Blocked),
        ("SKIPPED", Verdict::Skipped),
        ("NOT EXERCISED", Verdict::NotExercised),
    ] {
        grouped(&mut page, report, title, verdict);
    }
    unexercised(&mut page, report);
    page.text
}

fn summary(page: &mut TerminalPage, report: &Report, strict: bool) {
    let (outcome, why) = outcome(report, strict);
    let colour = match outcome {
        ConformanceOutcome::Conformant => Colour::Green,
        ConformanceOutcome::NotConformant => Colour::Red,
        ConformanceOutcome::CouldNotTest => Colour::Yellow,
    };
    let word = outcome.words().to_uppercase();
    for line in wrap(&format!("{word}: {why}"), page.width) {
        let painted = line.replacen(&word, &page.paint(&word, colour), 1);
        page.line(&painted);
    }
    let system = &report.system;
    let version = system.version.as_ref().map_or_else(String::new, |version| format!(" ({version})"));
    page.wrapped(
        0,
        &format!(
            "{}{version} over {} · {} {}, spec {} · {} · {} · seed {}",
            system.name,
            system.transport,
            report.tool.name,
            report.tool.version,
            report.spec_version,
            report.platform,
            view::took(report.duration_ms),
            report.seed,
        ),
    );
    page.field(0, "scenarios", &view::counts(report.scenarios.iter().map(|scenario| scenario.verdict)));
    page.field(0, "requirements", &view::counts(report.requirements.iter().map(|requirement| requirement.verdict)));
    report.notes.iter().for_each(|note| page.field(0, "note", note));
    if let Some(baseline) = &report.baseline {
        let known = format!("{} of the failures are known ({}, {} entries)", baseline.known, baseline.file, baseline.entries);
        page.field(0, "baseline", &known);
        baseline.problems.iter().for_each(|problem| page.field(0, "", problem));
    }
    if let Some(control) = &report.control {
        let checks: Vec<String> = control.checks.iter().map(|(check, found)| format!("{check}: {found}")).collect();
        let proven = if control.proven { "proven" } else { "NOT proven" };
        page.field(0, "control", &format!("{proven} ({})", view::one_line(&checks.join(", "))));
    }
}

fn failed(page: &mut TerminalPage, report: &Report) {
    for requirement in view::whole_failures(report) {
        page.heading(&format!("FAILED  {} · {}", requirement.id, requirement.level), Colour::Red);
        page.wrapped(2, &requirement.sentence);
        page.wrapped(4, requirement.reason.as_deref().unwrap_or("no scenario shows it"));
    }
    for found in view::failures(report) {
        page.heading(&format!("FAILED  {}", found.heading()), Colour::Red);
        page.wrapped(2, found.sentence());
        for (scenario, finding) in &found.cases {
            case(page, scenario, finding);
        }
    }
}

fn case(page: &mut TerminalPage, scenario: &ScenarioResult, finding: &Finding) {
    page.blank();
    page.painted(2, &view::label(scenario), Colour::Bold);
    page.wrapped(4, &scenario.feature);
    page.wrapped(4, &finding.message);
    page.field(4, "step", &finding.origin.words());
    page.field(4, "claimed", &finding.claimed);
    page.field(4, "true", &finding.truth);
    page.quoted("timeline", finding.timeline.iter().map(ToString::to_string));
    page.quoted("stderr", finding.stderr.lines().map(str::to_owned));
    if !finding.repro.is_empty() {
        // Never wrapped: it is there to be copied.
        page.line(&format!("    {:<9}{}", "again", view::one_line(&finding.repro)));
    }
}

fn warned(page: &mut TerminalPage, report: &Report) {
    for found in view::warnings(report) {
        page.heading(&format!("WARNED  {}", found.heading()), Colour::Yellow);
        page.wrapped(2, found.sentence());
        for (scenario, finding) in &found.cases {
            case(page, scenario, finding);
        }
    }
}

fn known(page: &mut TerminalPage, report: &Report) {
    for (title, scenarios) in view::baseline(report).into_iter().filter(|(_, scenarios)| !scenarios.is_empty()) {
        page.heading(&title.to_uppercase(), Colour::Bold);
        scenarios.iter().for_each(|scenario| page.named(2, scenario));
    }
}

fn grouped(page: &mut TerminalPage, report: &Report, title: &str, verdict: Verdict) {
    let groups = view::by_reason(report, verdict);
    if groups.is_empty() {
        return;
    }
    page.heading(title, if verdict == Verdict::Skipped { Colour::Bold } else { Colour::Yellow });
    for (reason, scenarios) in groups {
        page.wrapped(2, reason);
        scenarios.iter().for_each(|scenario| page.named(4, scenario));
    }
}

/// The requirements of which nothing was exercised: what a green run does not say.
fn unexercised(page: &mut TerminalPage, report: &Report) {
    let untold: Vec<_> = report.requirements.iter().filter(|requirement| !requirement.verdict.is_exercised()).collect();
    if untold.is_empty() {
        return;
    }
    page.heading("REQUIREMENTS OF WHICH NOTHING IS KNOWN", Colour::Bold);
    for requirement in untold {
        page.wrapped(2, &format!("{:<12} {:<14} {}", requirement.id, requirement.verdict.words(), requirement.title));
    }
}

/// A text that is being written.
struct TerminalPage {
    text: String,
    width: usize,
    colour: bool,
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

    /// A name and a text beside it; nothing for an empty text.
    fn field(&mut self, indent: usize, name: &str, text: &str) {
        let column = indent + if indent == 0 { 14 } else { 9 };
        let lines = wrap(text, self.width.saturating_sub(column));
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
        let free =
            |line: &&str| ["again", "  The scenario", "NOT CONFORMANT"].iter().any(|start| line.trim_start().starts_with(start.trim()));
        let wide: Vec<&str> = drawn.lines().filter(|line| line.chars().count() > width && !free(line)).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }

    #[test]
    fn what_a_manager_said_never_starts_a_line() {
        let drawn = Form::find("plain").unwrap().draw(&example::hostile(), &Look::default());
        assert!(drawn.lines().all(|line| !line.trim_start().starts_with("::") && !line.contains("##[")), "{drawn}");
    }
}
