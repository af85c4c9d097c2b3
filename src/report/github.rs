//! Workflow commands that annotate a run on GitHub. The summary page is the Markdown form.

use super::{Look, view};
use crate::results::model::{Report, ScenarioResult, Verdict};
use crate::results::{headline, outcome};

/// Who hears of it, in GitHub's words.
#[derive(Clone, Copy)]
enum Severity {
    Error,
    Warning,
    Notice,
}

/// How many annotations a run gets: GitHub shows ten of a kind, and nobody reads more.
const ANNOTATIONS: usize = 10;

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let (_, why) = outcome(report, look.strict);
    let verdict = format!("{}: {}: {why}", view::one_line(&report.system.name), headline(report, look.strict));
    let mut commands = vec![command(Severity::Notice, None, "passmuster", &verdict)];
    let all = annotations(report);
    let shown = if look.all_findings { all.len() } else { ANNOTATIONS };
    commands.extend(all.iter().take(shown).cloned());
    if let Some(more @ 1..) = all.len().checked_sub(shown) {
        let said = format!("{more} more are in the reports: --report html=report.html shows all of them");
        commands.push(command(Severity::Notice, None, "passmuster", &said));
    }
    commands.concat()
}

/// What there is to say, most pressing first: one for each requirement, and for each reason why something did not run.
fn annotations(report: &Report) -> Vec<String> {
    let mut commands = Vec::new();
    let file = report.system.file.as_deref();
    let at = |line: Option<usize>| Some((file?, Some(line.unwrap_or(1))));
    for requirement in view::whole_failures(report) {
        let why = requirement.reason.as_deref().unwrap_or_default();
        let said = format!("{}\n{why}", requirement.sentence);
        commands.push(command(Severity::Error, at(requirement.line), &requirement.id.to_string(), &said));
    }
    for (severity, all) in [(Severity::Error, view::failures(report)), (Severity::Warning, view::warnings(report))] {
        for found in &all {
            let (scenario, finding) = found.causes[0].first();
            let (one, count) = (view::label(scenario), found.scenarios());
            let title = match count {
                1 => format!("{}: {one}", found.heading()),
                _ => format!("{}: {one} and {}", found.heading(), view::more_scenarios(count - 1)),
            };
            let said = [("claimed", &finding.claimed), ("true", &finding.truth), ("again", &finding.repro)];
            let said: String = said.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("\n{name}: {text}")).collect();
            let others: String = found.causes[1..].iter().map(|cause| format!("\nalso: {}", cause.first().1.message)).collect();
            // A recorded trace is the user's own file, and the scenario's place the line that breaks the rule.
            let traced = (report.system.transport == "trace").then(|| place(scenario));
            let place = traced.or_else(|| at(found.requirement.and_then(|requirement| requirement.line)));
            commands.push(command(severity, place, &title, &format!("{}\n{}{said}{others}", finding.message, found.sentence())));
        }
    }
    if let Some(baseline) = &report.baseline {
        let place = Some((baseline.file.as_str(), None));
        commands.extend(baseline.problems.iter().map(|problem| command(Severity::Error, place, "baseline", problem)));
        let fixed: Vec<&ScenarioResult> = report.scenarios.iter().filter(|scenario| scenario.is_fixed()).collect();
        if !fixed.is_empty() {
            let said = format!("listed as failing, but does not fail: {}", view::names(fixed).join(", "));
            commands.push(command(Severity::Error, place, "baseline", &said));
        }
    }
    for (severity, verdict) in [(Severity::Error, Verdict::CouldNotTest), (Severity::Warning, Verdict::Blocked)] {
        for (reason, scenarios) in view::by_reason(report, verdict) {
            let title = format!("{}: {}", verdict.words(), view::scenarios(scenarios.len()));
            commands.push(command(severity, at(None), &title, &format!("{reason}\n{}", view::names(scenarios).join(", "))));
        }
    }
    commands
}

/// A scenario's file and line.
fn place(scenario: &ScenarioResult) -> (&str, Option<usize>) {
    let (file, line) = view::place(scenario);
    (file, line.map(|line| line as usize))
}

fn command(severity: Severity, place: Option<(&str, Option<usize>)>, title: &str, message: &str) -> String {
    let name = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let place = place.map_or_else(String::new, |place| match place {
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
    fn there_is_one_a_requirement_at_the_manifests_line_and_ten_at_most() {
        let mut report = example::report();
        let leaks = report.scenarios[1].clone();
        report.scenarios.extend((0..40).map(|nth| ScenarioResult { key: format!("s/f/x{nth}"), ..leaks.clone() }));
        for nth in 1..30 {
            let findings = vec![example::finding(&format!("LC-X-{nth}"))];
            report.scenarios.push(ScenarioResult { findings, ..leaks.clone() });
        }
        let draw = |all_findings| Form::find("github").unwrap().draw(&report, &Look { all_findings, ..Look::default() });
        let drawn = draw(false);
        let all: Vec<&str> = drawn.lines().filter(|line| !line.starts_with("::notice")).collect();
        assert_eq!(all.len(), ANNOTATIONS);
        let of_one: Vec<&&str> = all.iter().filter(|line| line.contains("title=LC-CLEAN-1 ")).collect();
        assert!(of_one.len() == 1 && of_one[0].starts_with("::error file=my.toml,line=12,"), "{drawn}");
        let more = draw(true).lines().count() - 1 - ANNOTATIONS;
        assert!(drawn.lines().last().unwrap().contains(&format!("::{more} more are in the reports")), "{drawn}");
        assert!(!drawn.contains(".feature"), "{drawn}");
    }

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
