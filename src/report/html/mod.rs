//! One HTML page that needs nothing else: the summary, what failed with a picture of each session, the support table, every
//! scenario; with filters. It loads nothing and sends nothing, and its own policy forbids both.

pub(crate) mod picture;

use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::{Look, view};
use crate::contract::AgentKind;
use crate::results::cause::Cause;
use crate::results::model::{Finding, Report, RequirementResult, ScenarioResult, Summary, Verdict};
use crate::results::{failed_as_a_whole, headline, names, outcome};
use crate::spec::Party;
use picture::{Lane, Picture};

// The page's policy has the hashes of the style and the script: Chromium names the right ones (`tests/browser`).
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// How many findings are shown with a picture and a log: a page has to be opened. The JSON report has them all.
const PICTURES: usize = 300;

/// What the template is given.
#[derive(Serialize)]
struct HtmlPage<'a> {
    style: &'static str,
    script: &'static str,
    report: &'a Report,
    outcome: &'static str,
    headline: String,
    why: String,
    began: String,
    took: String,
    counts: [Counts; 2],
    axes: [Axis; 4],
    sections: Vec<HtmlSection<'a>>,
    columns: Vec<HtmlColumn>,
    support: Vec<SupportRow<'a>>,
    lists: Vec<List<'a>>,
    scenarios: Vec<ScenarioRow<'a>>,
}

/// How many scenarios or requirements came to each verdict.
#[derive(Serialize)]
struct Counts {
    of: &'static str,
    total: usize,
    verdicts: Vec<Count>,
}

#[derive(Serialize)]
struct Count {
    #[serde(flatten)]
    verdict: Shown,
    count: usize,
    /// Its part of the bar: where it begins and how wide it is, in thousandths.
    from: usize,
    width: usize,
}

/// A verdict as the page shows it.
#[derive(Clone, Copy, Serialize)]
struct Shown {
    /// Its word in classes and filters.
    verdict: Verdict,
    mark: &'static str,
    words: &'static str,
}

impl From<Verdict> for Shown {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, mark: verdict.mark(), words: verdict.words() }
    }
}

/// A filter: by what, and what it can be set to, with the words for people.
#[derive(Serialize)]
struct Axis {
    name: &'static str,
    any: &'static str,
    choices: Vec<(String, String)>,
}

/// Requirements that failed, or warned, with what was found.
#[derive(Serialize)]
struct HtmlSection<'a> {
    title: &'static str,
    verdict: Shown,
    /// Those that failed without a scenario that shows it.
    whole: Vec<&'a RequirementResult>,
    found: Vec<HtmlFinding<'a>>,
}

#[derive(Serialize)]
struct HtmlFinding<'a> {
    id: &'a str,
    level: &'static str,
    title: &'a str,
    sentence: &'a str,
    /// In how many scenarios it was found, in words.
    times: String,
    causes: Vec<HtmlCause<'a>>,
}

/// Findings with one cause: one in full for each agent, then the others.
#[derive(Serialize)]
struct HtmlCause<'a> {
    first: Vec<Case<'a>>,
    more: Vec<Case<'a>>,
    /// How many others there are, in words.
    others: String,
}

#[derive(Serialize)]
struct Case<'a> {
    scenario: ScenarioRow<'a>,
    finding: &'a Finding,
    /// Whether its picture, its log and its standard error are shown.
    whole: bool,
    picture: Option<Picture>,
    timeline: String,
}

/// A column of the support table: an agent, or the scenarios without one.
#[derive(Serialize)]
struct HtmlColumn {
    agent: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct SupportRow<'a> {
    requirement: &'a RequirementResult,
    /// Whether there is a card of what was found.
    is_found: bool,
    verdict: Shown,
    cells: Vec<Option<Shown>>,
}

/// Scenarios that a baseline knows.
#[derive(Serialize)]
struct List<'a> {
    title: &'static str,
    scenarios: Vec<ScenarioRow<'a>>,
}

#[derive(Serialize)]
struct ScenarioRow<'a> {
    label: String,
    agent: &'static str,
    suite: &'a str,
    feature: &'a str,
    shown: Shown,
    /// The requirement whose card shows what it found; empty where it found nothing.
    found: &'a str,
    /// The requirements that it exercises or found something of, with spaces between.
    requirements: String,
    took: String,
    reason: &'a str,
}

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let template = templates().get_template("page.html").expect("the page is there");
    template.render(Serde(page(report, look))).expect("the page has all that it names")
}

fn templates() -> &'static Environment<'static> {
    static TEMPLATES: OnceLock<Environment> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the usual delimiters differ");
        templates.set_syntax(lines);
        templates.add_filter("code", code);
        // The name's ending is what makes it escape every text.
        templates.add_template("page.html", PAGE).expect("the page is a template");
        templates
    })
}

/// A text in which what stands in backticks is code.
fn code(text: &str) -> minijinja::Value {
    let parts: Vec<&str> = text.split('`').collect();
    let mut html = String::new();
    for (at, part) in parts.iter().enumerate() {
        let escaped = minijinja::HtmlEscape(part);
        match (at % 2 == 1, at + 1 < parts.len()) {
            (true, true) => html.push_str(&format!("<code>{escaped}</code>")),
            // An odd one quotes nothing.
            (true, false) => html.push_str(&format!("`{escaped}")),
            (false, _) => html.push_str(&escaped.to_string()),
        }
    }
    minijinja::Value::from_safe_string(html)
}

fn page<'a>(report: &'a Report, look: &Look) -> HtmlPage<'a> {
    let (outcome, why) = outcome(report, look.strict);
    let mut left = PICTURES;
    let whole = view::whole_failures(report).collect();
    let mut of = |title, verdict, whole, found: Vec<view::RequirementFindings<'a>>| HtmlSection {
        title,
        verdict: Shown::from(verdict),
        whole,
        found: found.into_iter().map(|found| card(&found, look.all_findings, &mut left)).collect(),
    };
    let sections =
        [of("Failed", Verdict::Failed, whole, view::failures(report)), of("Warned", Verdict::Warned, Vec::new(), view::warnings(report))];
    let agents: Vec<Option<AgentKind>> = view::agents(report).into_iter().map(Some).collect();
    let rest = report.scenarios.iter().any(|scenario| scenario.agent.is_none()).then_some(None);
    let columns: Vec<Option<AgentKind>> = agents.iter().copied().chain(rest).collect();
    HtmlPage {
        style: STYLE,
        script: SCRIPT,
        report,
        outcome: outcome.words(),
        headline: headline(report, look.strict),
        why: report.hint.as_ref().map_or(why.clone(), |hint| format!("{why}. {hint}")),
        began: view::moment(&report.started_at),
        took: view::took(report.duration_ms),
        counts: [
            counts("scenarios", report.scenarios.iter().map(|scenario| scenario.verdict)),
            counts("requirements", report.requirements.iter().map(|requirement| requirement.verdict)),
        ],
        axes: axes(report, &agents),
        sections: sections.into_iter().filter(|section| !section.whole.is_empty() || !section.found.is_empty()).collect(),
        support: report.requirements.iter().map(|requirement| support(report, requirement, &columns)).collect(),
        columns: columns
            .into_iter()
            .map(|agent| HtmlColumn { agent: word(agent), name: agent.map_or("any agent", AgentKind::name) })
            .collect(),
        lists: view::baseline(report)
            .into_iter()
            .filter(|(_, scenarios)| !scenarios.is_empty())
            .map(|(title, scenarios)| List { title, scenarios: scenarios.into_iter().map(row).collect() })
            .collect(),
        scenarios: report.scenarios.iter().map(row).collect(),
    }
}

fn counts(of: &'static str, verdicts: impl Iterator<Item = Verdict>) -> Counts {
    let summary = Summary::of(verdicts);
    let total: usize = Verdict::ALL.iter().map(|verdict| summary.count(*verdict)).sum();
    let mut before = 0;
    let verdicts = Verdict::ALL.map(|verdict| {
        let count = summary.count(verdict);
        let [from, until] = [before, before + count].map(|many| many * 1000 / total.max(1));
        before += count;
        Count { verdict: verdict.into(), count, from, width: until - from }
    });
    Counts { of, total, verdicts: verdicts.into() }
}

fn axes(report: &Report, agents: &[Option<AgentKind>]) -> [Axis; 4] {
    let same = |text: &str| (text.to_owned(), text.to_owned());
    let mut suites: Vec<&str> = report.scenarios.iter().map(|scenario| scenario.suite.as_str()).collect();
    suites.extend(report.requirements.iter().map(|requirement| requirement.suite.as_str()));
    suites.sort_unstable();
    suites.dedup();
    let agents = agents.iter().map(|agent| same(word(*agent))).collect();
    let verdicts = Verdict::ALL.map(|verdict| (slug(verdict).to_owned(), format!("{} {}", verdict.mark(), verdict.words())));
    let requirements = report.requirements.iter().map(|one| (one.id.to_string(), format!("{} {}", one.id, one.title))).collect();
    [
        Axis { name: "suite", any: "every suite", choices: suites.into_iter().map(same).collect() },
        Axis { name: "agent", any: "every agent", choices: agents },
        Axis { name: "verdict", any: "every verdict", choices: verdicts.into() },
        Axis { name: "requirement", any: "every requirement", choices: requirements },
    ]
}

/// The verdict's word in the page's filters: as in JSON.
fn slug(verdict: Verdict) -> String {
    serde_json::to_value(verdict).ok().and_then(|word| word.as_str().map(str::to_owned)).expect("a verdict is a word")
}

fn word(agent: Option<AgentKind>) -> &'static str {
    agent.map_or("", AgentKind::name)
}

fn card<'a>(found: &view::RequirementFindings<'a>, all: bool, left: &mut usize) -> HtmlFinding<'a> {
    let who = match found.requirement.map(|requirement| requirement.party) {
        Some(Party::Orchestrator) => Lane::Caller,
        _ => Lane::Manager,
    };
    HtmlFinding {
        id: found.id.as_str(),
        level: found.requirement.map_or("", |requirement| requirement.level.word()),
        title: found.requirement.map_or("", |requirement| &requirement.title),
        sentence: found.requirement.map_or("", |requirement| &requirement.sentence),
        times: view::scenarios(found.scenarios()),
        causes: found.causes.iter().map(|cause| of_cause(cause, all, who, left)).collect(),
    }
}

/// The first finding of each agent is shown in full: whoever filters by an agent sees one of its own.
fn of_cause<'a>(cause: &Cause<'a>, all: bool, who: Lane, left: &mut usize) -> HtmlCause<'a> {
    let mut seen = Vec::new();
    let (first, more): (Vec<_>, Vec<_>) = cause.cases.iter().partition(|(scenario, _)| {
        let is_first = !seen.contains(&scenario.agent);
        seen.push(scenario.agent);
        all || is_first
    });
    let first = first.into_iter().map(|(scenario, finding)| case(scenario, finding, true, who, left)).collect();
    let more: Vec<Case> = more.into_iter().map(|(scenario, finding)| case(scenario, finding, false, who, left)).collect();
    let others = format!("{} more finding{}", more.len(), if more.len() == 1 { "" } else { "s" });
    HtmlCause { first, others, more }
}

fn case<'a>(scenario: &'a ScenarioResult, finding: &'a Finding, in_full: bool, who: Lane, left: &mut usize) -> Case<'a> {
    let whole = in_full && *left > 0;
    *left = left.saturating_sub(usize::from(in_full));
    Case {
        scenario: row(scenario),
        finding,
        whole,
        picture: Picture::of(&finding.timeline, &finding.message, who).filter(|_| whole),
        timeline: if whole { finding.timeline.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") } else { String::new() },
    }
}

fn support<'a>(report: &Report, requirement: &'a RequirementResult, columns: &[Option<AgentKind>]) -> SupportRow<'a> {
    let cells = columns.iter().map(|agent| view::support(report, requirement, *agent).map(Shown::from)).collect();
    let is_found = matches!(requirement.verdict, Verdict::Failed | Verdict::Warned)
        && (failed_as_a_whole(report, requirement)
            || report.scenarios.iter().any(|scenario| !scenario.is_known_failure() && names(scenario, &requirement.id)));
    SupportRow { requirement, is_found, verdict: requirement.verdict.into(), cells }
}

fn row(scenario: &ScenarioResult) -> ScenarioRow<'_> {
    let mut requirements: Vec<_> =
        scenario.requirements.iter().chain(scenario.findings.iter().map(|finding| &finding.requirement)).collect();
    requirements.sort();
    requirements.dedup();
    ScenarioRow {
        label: view::label(scenario),
        agent: word(scenario.agent),
        suite: &scenario.suite,
        feature: &scenario.feature,
        shown: scenario.verdict.into(),
        found: match scenario.verdict {
            Verdict::Failed | Verdict::Warned if !scenario.is_known_failure() => {
                scenario.findings.first().map_or("", |finding| finding.requirement.as_str())
            }
            _ => "",
        },
        requirements: requirements.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        took: view::took(scenario.duration_ms),
        reason: scenario.reason.as_deref().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("answer `-32001`, or `<map>` it", "answer <code>-32001</code>, or <code>&lt;map&gt;</code> it")]
    #[case("an odd ` & one", "an odd ` &amp; one")]
    #[case("", "")]
    fn what_stands_in_backticks_is_code(#[case] text: &str, #[case] html: &str) {
        assert_eq!(code(text).to_string(), html);
    }
}
