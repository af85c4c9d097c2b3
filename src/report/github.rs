//! Workflow commands that annotate a run on GitHub. The summary page is the Markdown form.

use super::{Look, view};
use crate::results::model::{Report, ScenarioResult, Verdict};
use crate::results::outcome;

/// Who hears of it, in GitHub's words.
#[derive(Clone, Copy)]
enum Severity {
    Error,
    Warning,
    Notice,
}

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let mut commands = Vec::new();
    let (outcome, why) = outcome(report, look.strict);
    commands.push(command(
        Severity::Notice,
        None,
        "passmuster",
        &format!("{}: {}: {why}", view::one_line(&report.system.name), outcome.words()),
    ));
    for requirement in view::whole_failures(report) {
        let why = requirement.reason.as_deref().unwrap_or_default();
        commands.push(command(Severity::Error, None, &requirement.id.to_string(), &format!("{}\n{why}", requirement.sentence)));
    }
    for (severity, all) in [(Severity::Error, view::failures(report)), (Severity::Warning, view::warnings(report))] {
        for (found, (scenario, finding)) in all.iter().flat_map(|found| found.cases.iter().map(move |case| (found, case))) {
            let title = format!("{}: {}", found.heading(), view::label(scenario));
            let said = [("claimed", &finding.claimed), ("true", &finding.truth), ("again", &finding.repro)];
            let said: String = said.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("\n{name}: {text}")).collect();
            commands.push(command(severity, Some(scenario), &title, &format!("{}\n{}{said}", finding.message, found.sentence())));
        }
    }
    for problem in report.baseline.iter().flat_map(|baseline| &baseline.problems) {
        commands.push(command(Severity::Error, None, "baseline", problem));
    }
    for scenario in report.scenarios.iter().filter(|scenario| scenario.is_fixed()) {
        commands.push(command(
            Severity::Error,
            Some(scenario),
            &view::label(scenario),
            "listed in the baseline as failing, but it does not fail",
        ));
    }
    for (severity, verdict) in [(Severity::Error, Verdict::CouldNotTest), (Severity::Warning, Verdict::Blocked)] {
        for (reason, scenarios) in view::by_reason(report, verdict) {
            for scenario in scenarios {
                commands.push(command(severity, Some(scenario), &format!("{}: {}", verdict.words(), view::label(scenario)), reason));
            }
        }
    }
    commands.concat()
}

fn command(severity: Severity, scenario: Option<&ScenarioResult>, title: &str, message: &str) -> String {
    let name = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let place = scenario.map_or_else(String::new, |scenario| match view::place(scenario) {
        (file, Some(line)) => format!("file={},line={line},", property(file)),
        (file, None) => format!("file={},", property(file)),
    });
    format!("::{name} {place}title={}::{}\n", property(title), data(message.trim_end()))
}

/// A command that marks a place in a file.
pub fn annotation(file: &str, line: usize, title: &str, message: &str) -> String {
    format!("::error file={},line={line},title={}::{}\n", property(file), property(title), data(message.trim_end()))
}

/// Escapes a message, as the runner's toolkit does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;
    use crate::results::example;

    #[test]
    fn hostile_texts_neither_end_a_command_nor_begin_one() {
        let draw = |report| Form::find("github").unwrap().draw(&report, &Look::default());
        let (good, bad) = (draw(example::report()), draw(example::hostile()));
        // One command a finding, whatever the finding says; by design the same texts are one group.
        assert_eq!(good.lines().count(), bad.lines().count());
        for line in bad.lines() {
            let (head, _) = line[2..].split_once("::").unwrap();
            let names: Vec<&str> = head.split_once(' ').unwrap().1.split(',').map(|pair| pair.split_once('=').unwrap().0).collect();
            assert!([vec!["title"], vec!["file", "line", "title"]].contains(&names), "{line}");
        }
    }
}
