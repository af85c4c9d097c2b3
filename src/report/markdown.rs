//! A Markdown page: the summary on top, the support table, then every finding. Also GitHub's step summary.

use super::{Look, view};
use crate::results::cause::Cause;
use crate::results::model::{Finding, Report, RequirementResult, ScenarioResult, Verdict};
use crate::results::{headline, outcome};

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let mut blocks = summary(report, look.strict);
    blocks.extend(report.notes.iter().map(|note| text(note)));
    blocks.extend(support(report));
    let whole: Vec<String> = view::whole_failures(report).map(whole).collect();
    for (title, whole, all) in [("Failed", whole, view::failures(report)), ("Warned", Vec::new(), view::warnings(report))] {
        if !all.is_empty() || !whole.is_empty() {
            blocks.push(format!("## {title}"));
        }
        blocks.extend(whole);
        for found in all {
            blocks.push(format!("### {}\n\n{}", text(&found.heading()), text(found.sentence())));
            blocks.extend(found.causes.iter().flat_map(|cause| of_cause(cause, look.all_findings)));
        }
    }
    blocks.extend(report.baseline.iter().flat_map(|baseline| &baseline.problems).map(|problem| format!("Baseline: {}", text(problem))));
    blocks.extend(known(report));
    for verdict in [Verdict::CouldNotTest, Verdict::Blocked, Verdict::Skipped, Verdict::NotExercised] {
        blocks.extend(grouped(report, verdict));
    }
    let mut page = blocks.join("\n\n");
    page.push('\n');
    page
}

fn summary(report: &Report, strict: bool) -> Vec<String> {
    let (_, why) = outcome(report, strict);
    let system = &report.system;
    let version = system.version.as_ref().map_or_else(String::new, |version| format!(" ({})", text(version)));
    let counted = |verdicts: Vec<Verdict>| {
        let summary = crate::results::model::Summary::of(verdicts);
        Verdict::ALL.map(|verdict| summary.count(verdict).to_string())
    };
    let words = Verdict::ALL.map(|verdict| format!("{} {}", verdict.mark(), verdict.words()));
    vec![
        format!("# {}: {}", text(&system.name), headline(report, strict)),
        format!("{why}.{}", report.hint.as_ref().map(|hint| format!(" {}", text(hint))).unwrap_or_default()),
        [
            row(std::iter::once(String::new()).chain(words)),
            format!("| --- |{}", " ---: |".repeat(Verdict::ALL.len())),
            row(std::iter::once("scenarios".into()).chain(counted(report.scenarios.iter().map(|scenario| scenario.verdict).collect()))),
            row(std::iter::once("requirements".into()).chain(counted(report.requirements.iter().map(|one| one.verdict).collect()))),
        ]
        .join("\n"),
        format!(
            "{}{version} over {} · {} {}, spec {} · {} · {}{}",
            text(&system.name),
            text(&system.transport),
            text(&report.tool.name),
            text(&report.tool.version),
            text(&report.spec_version),
            text(&report.platform),
            view::took(report.duration_ms),
            if report.seed == 0 { String::new() } else { format!(" · seed {}", report.seed) },
        ),
    ]
}

/// Requirement by agent. Scenarios without an agent have a column of their own.
fn support(report: &Report) -> Vec<String> {
    if report.requirements.is_empty() {
        return Vec::new();
    }
    let mut columns: Vec<_> = view::agents(report).into_iter().map(Some).collect();
    if report.scenarios.iter().any(|scenario| scenario.agent.is_none()) {
        columns.push(None);
    }
    let names = columns.iter().map(|agent| agent.map_or("any agent".to_owned(), |agent| agent.to_string()));
    let head = ["requirement", "level", "title"].map(str::to_owned).into_iter().chain(names).chain(["verdict".into(), "why".into()]);
    let mut lines = vec![row(head), format!("| --- | --- | --- |{} --- | --- |", " :---: |".repeat(columns.len()))];
    for requirement in &report.requirements {
        let cells = columns.iter().map(|agent| view::support(report, requirement, *agent).map_or("", Verdict::mark).to_owned());
        let front = [requirement.id.to_string(), requirement.level.to_string(), text(&requirement.title)];
        lines.push(row(front.into_iter().chain(cells).chain(why(requirement))));
    }
    vec!["## Support".into(), lines.join("\n")]
}

fn why(requirement: &RequirementResult) -> [String; 2] {
    [requirement.verdict.words().to_owned(), text(requirement.reason.as_deref().unwrap_or_default())]
}

fn whole(requirement: &RequirementResult) -> String {
    let [_, why] = why(requirement);
    format!("### {} · {}\n\n{}\n\n{why}", requirement.id, requirement.level, text(&requirement.sentence))
}

/// One finding, and where else it was found; or all.
fn of_cause(cause: &Cause, all: bool) -> Vec<String> {
    if all {
        return cause.cases.iter().map(|(scenario, finding)| case(scenario, finding)).collect();
    }
    let (scenario, finding) = cause.first();
    let others = &cause.scenarios()[1..];
    let names: Vec<String> = view::names(others.iter().copied()).iter().map(|name| format!("- {}", text(name))).collect();
    let more = (!others.is_empty()).then(|| format!("And in {}:\n\n{}", view::more_scenarios(others.len()), names.join("\n")));
    std::iter::once(case(scenario, finding)).chain(more).collect()
}

fn case(scenario: &ScenarioResult, finding: &Finding) -> String {
    let mut blocks = vec![format!("#### {}\n\n{}", text(&view::label(scenario)), text(&scenario.feature)), text(&finding.message)];
    let step = finding.origin.words();
    let told = [("step", &step), ("claimed", &finding.claimed), ("true", &finding.truth)];
    let told: Vec<String> =
        told.iter().filter(|(_, said)| !said.is_empty()).map(|(name, said)| format!("- **{name}** {}", text(said))).collect();
    blocks.push(told.join("\n"));
    for (name, said) in [
        ("timeline", finding.timeline.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        ("stderr", finding.stderr.clone()),
        ("again", finding.repro.clone()),
    ] {
        if !said.is_empty() {
            blocks.push(format!("{name}:\n\n{}", fenced(&said)));
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

fn known(report: &Report) -> impl Iterator<Item = String> {
    view::baseline(report).into_iter().filter(|(_, scenarios)| !scenarios.is_empty()).map(|(title, scenarios)| {
        let names: Vec<String> = scenarios.into_iter().map(named).collect();
        format!("## {title}\n\n{}", names.join("\n"))
    })
}

fn grouped(report: &Report, verdict: Verdict) -> Vec<String> {
    let groups = view::by_reason(report, verdict);
    let title = (!groups.is_empty()).then(|| {
        let mut title = verdict.words().to_owned();
        title[..1].make_ascii_uppercase();
        format!("## {title}")
    });
    let bodies = groups.into_iter().map(|(reason, scenarios)| {
        let names: Vec<String> = scenarios.into_iter().map(named).collect();
        format!("{}:\n\n{}", text(reason), names.join("\n"))
    });
    title.into_iter().chain(bodies).collect()
}

fn named(scenario: &ScenarioResult) -> String {
    format!("- {} ({})", text(&view::label(scenario)), text(&scenario.feature))
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A text in which nothing is Markdown, on one line.
pub(crate) fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in view::one_line(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // Names of people and numbers of issues would be linked.
            '@' | '#' => {
                safe.push(c);
                safe.push('\u{2060}');
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A block of code with a fence longer than any in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::super::Form;
    use super::*;
    use crate::results::example;

    /// The page's structure: its headings, rows, cells, items and blocks of code, without their texts.
    fn structure(report: &Report) -> Vec<String> {
        let page = Form::find("markdown").unwrap().draw(report, &Look::default());
        Parser::new_ext(&page, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
            .filter_map(|event| match event {
                Event::Start(Tag::CodeBlock(_)) => Some("code".into()),
                Event::Start(tag) => Some(format!("{tag:?}")),
                Event::Html(_) | Event::InlineHtml(_) => Some("html".into()),
                Event::Code(_) => Some("span".into()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn hostile_texts_change_no_structure() {
        // Equal reasons are one group: both reports must have as many.
        let mut good = example::report();
        for scenario in &mut good.scenarios {
            scenario.reason = scenario.reason.as_ref().map(|_| "reason".into());
        }
        assert_eq!(structure(&good), structure(&example::hostile()));
    }
}
