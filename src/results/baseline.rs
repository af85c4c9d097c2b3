//! The baseline: failures that are known, each with its reason, so that new ones stand out.
//!
//! An entry covers findings, not scenarios: a scenario that fails on something else besides is a new failure. An entry
//! that has expired, that matches nothing, or that nothing fails of any more, fails the run: lists like this rot.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::contract::AgentKind;
use crate::core::diagnostic::{Diagnostics, Placed, SourceText, meant_field};
use crate::spec::{Level, Registry, RequirementId};

use super::failed_as_a_whole;
use super::model::{BaselineResult, Finding, Report, ScenarioResult, Verdict, round_of};

/// Failures that are known, as they are written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "passmuster baseline")]
pub struct WrittenBaseline {
    /// The failures that are known.
    #[serde(default)]
    known: Vec<Placed<WrittenEntry>>,
}

/// One known failure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenEntry {
    /// The requirement that fails: its id, `*` stands for anything.
    requirement: Option<String>,
    /// The scenario that fails: its key as in reports, `*` stands for anything.
    scenario: Option<String>,
    /// Only with this agent.
    #[schemars(with = "Option<AgentKind>")]
    agent: Option<String>,
    /// Why it is known and left.
    reason: String,
    /// Where it is tracked.
    #[allow(dead_code, reason = "for people")]
    link: Option<String>,
    /// Whether it fails now and then: it is counted apart, and is not fixed where it does not fail.
    #[serde(default)]
    intermittent: bool,
    /// The day from which it counts as new again: YYYY-MM-DD.
    #[schemars(extend("format" = "date"))]
    expires: Option<String>,
}

/// A baseline that was read.
#[derive(Debug, Clone)]
pub struct Baseline {
    file: String,
    text: String,
    entries: Vec<BaselineEntry>,
}

#[derive(Debug, Clone)]
struct BaselineEntry {
    at: Range<usize>,
    line: usize,
    requirement: Option<String>,
    scenario: Option<String>,
    agent: Option<AgentKind>,
    intermittent: bool,
    expires: Option<Date>,
}

/// A scenario that there is, whether it ran or not.
#[derive(Debug, Clone)]
pub struct BaselinePlace {
    /// Its key.
    pub key: String,
    /// Its agent.
    pub agent: Option<AgentKind>,
    /// Its requirements.
    pub requirements: Vec<RequirementId>,
}

const HEADER: &str = "# Failures that are known. `passmuster verify --baseline FILE` counts them apart and fails when an entry expires, matches\n\
                      # nothing, or does not fail any more.\n";

impl Baseline {
    /// A baseline without an entry, to be written to that file.
    pub fn empty(file: &str) -> Self {
        Self { file: file.into(), text: String::new(), entries: Vec::new() }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// Everything that is wrong, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Diagnostics>> {
        let source = SourceText::new(file, text);
        let mut errors = Vec::new();
        let mut wrong = |at: Range<usize>, what: String, help: Option<String>| errors.push(source.diagnostic(Some(at), what, help));
        let written = toml::from_str::<WrittenBaseline>(text).unwrap_or_else(|error| {
            let form = || Some("an entry: [[known]] with requirement or scenario, and reason".to_owned());
            wrong(error.span().unwrap_or(0..0), error.message().to_owned(), meant_field(error.message()).or_else(form));
            WrittenBaseline::default()
        });
        let mut entries = Vec::new();
        for given in written.known {
            let at = given.span();
            let given = given.into_inner();
            if given.requirement.is_none() && given.scenario.is_none() {
                let help = "it would cover everything".to_owned();
                wrong(at.clone(), "the entry names neither a requirement nor a scenario".into(), Some(help));
            }
            if let Some(id) = given.requirement.as_ref().filter(|id| !Registry::embedded().iter().any(|it| fits(id, it.id.as_str()))) {
                let help = Registry::embedded().nearest(id).map(|nearest| format!("did you mean {nearest}?"));
                wrong(at.clone(), format!("`{id}` is no requirement"), help);
            }
            let agent = given.agent.and_then(|agent| agent.parse::<AgentKind>().map_err(|why| wrong(at.clone(), why, None)).ok());
            let expires = given.expires.and_then(|word| {
                let no_day = |_| wrong(at.clone(), format!("`{word}` is no day"), Some("wanted YYYY-MM-DD".to_owned()));
                word.parse::<Date>().map_err(no_day).ok()
            });
            if given.reason.trim().is_empty() {
                wrong(at.clone(), "the entry gives no reason".into(), Some("say why the failure is known and left".to_owned()));
            }
            let line = source.line(at.start);
            let WrittenEntry { requirement, scenario, intermittent, .. } = given;
            entries.push(BaselineEntry { at, line, requirement, scenario, agent, intermittent, expires });
        }
        if !errors.is_empty() {
            return Err(Box::new(Diagnostics::new(format!("{file}: the baseline cannot be used"), errors)));
        }
        Ok(Self { file: file.into(), text: text.into(), entries })
    }

    /// Marks in a report what is known, and says there what is wrong with the baseline.
    pub fn apply(&self, report: &mut Report, places: &[BaselinePlace], today: Date) {
        let mut used = vec![false; self.entries.len()];
        let valid = |entry: &BaselineEntry| entry.expires.is_none_or(|day| today < day);
        let mut intermittent = 0;
        for scenario in &mut report.scenarios {
            scenario.expected = None;
            let (mut uncovered, mut comes_and_goes) = (false, false);
            for finding in scenario.findings.iter().filter(|finding| is_must(&finding.requirement)) {
                let covering = self.entries.iter().enumerate().filter(|(_, entry)| entry.covers(&scenario.key, scenario.agent, finding));
                let covering: Vec<usize> = covering.map(|(at, _)| at).collect();
                covering.iter().for_each(|at| used[*at] = true);
                uncovered |= !covering.iter().any(|at| valid(&self.entries[*at]));
                comes_and_goes |= !covering.iter().any(|at| !self.entries[*at].intermittent);
            }
            if scenario.verdict == Verdict::Failed && !uncovered {
                scenario.expected = Some("failed".into());
                intermittent += usize::from(comes_and_goes);
            }
        }
        let whole: Vec<bool> = report.requirements.iter().map(|requirement| failed_as_a_whole(report, requirement)).collect();
        for (requirement, _) in report.requirements.iter_mut().zip(whole).filter(|(_, whole)| *whole) {
            let covering = |entry: &BaselineEntry| {
                entry.scenario.is_none()
                    && entry.agent.is_none()
                    && entry.requirement.as_ref().is_some_and(|id| fits(id, requirement.id.as_str()))
            };
            for (at, _) in self.entries.iter().enumerate().filter(|(_, entry)| covering(entry)) {
                used[at] = true;
                if valid(&self.entries[at]) {
                    requirement.expected = Some("failed".into());
                }
            }
        }
        let mut problems = Vec::new();
        for (entry, used) in self.entries.iter().zip(used) {
            if let Some(day) = entry.expires.filter(|_| !valid(entry)) {
                problems.push(format!("{}:{}: {entry} expired on {day}", self.file, entry.line));
            } else if !places.iter().any(|place| entry.matches(place)) {
                problems.push(format!("{}:{}: {entry} matches no scenario", self.file, entry.line));
            } else if !used && !entry.intermittent {
                // What ran and passed is fixed; what did not run says nothing.
                let fixed = report.scenarios.iter_mut().filter(|scenario| scenario.verdict.is_exercised() && entry.is_about(scenario));
                fixed.for_each(|scenario| scenario.expected = Some("failed".into()));
            }
        }
        let known = report.scenarios.iter().filter(|scenario| scenario.is_known_failure()).count() - intermittent;
        report.baseline = Some(BaselineResult { file: self.file.clone(), entries: self.entries.len(), known, intermittent, problems });
    }

    /// The file's text brought up to date with a report: entries of which nothing fails any more, that match nothing or
    /// have expired are gone; what is not covered has an entry of its own. Everything else stays, to the letter.
    pub fn updated(&self, report: &Report, places: &[BaselinePlace], today: Date) -> String {
        let mut text = String::new();
        let mut from = 0;
        for entry in self.entries.iter().filter(|entry| !self.stays(entry, report, places, today)) {
            let (start, end) = self.block(entry);
            text += &self.text[from..start];
            from = end;
        }
        text += &self.text[from..];
        if text.trim().is_empty() {
            text = HEADER.into();
        }
        for (scenario, finding) in self.uncovered(report, today) {
            let agent = scenario.agent.filter(|agent| !base(&scenario.key).ends_with(&format!("[{agent}]")));
            let agent = agent.map(|agent| format!("agent = {:?}\n", agent.name())).unwrap_or_default();
            text += &format!(
                "\n[[known]]\nrequirement = {:?}\nscenario = {}\n{agent}reason = {}\n",
                finding.requirement.as_str(),
                toml::Value::from(base(&scenario.key)),
                toml::Value::from(format!("recorded on {today}: {}", one_line(&finding.message))),
            );
        }
        text
    }

    fn uncovered<'a>(&self, report: &'a Report, today: Date) -> Vec<(&'a ScenarioResult, &'a Finding)> {
        let mut new: BTreeMap<(String, RequirementId), (&ScenarioResult, &Finding)> = BTreeMap::new();
        for scenario in report.scenarios.iter().filter(|scenario| scenario.verdict == Verdict::Failed) {
            for finding in scenario.findings.iter().filter(|finding| is_must(&finding.requirement)) {
                let covers = |entry: &BaselineEntry| {
                    entry.expires.is_none_or(|day| today < day) && entry.covers(&scenario.key, scenario.agent, finding)
                };
                if !self.entries.iter().any(covers) {
                    new.entry((base(&scenario.key).to_owned(), finding.requirement.clone())).or_insert((scenario, finding));
                }
            }
        }
        new.into_values().collect()
    }

    fn stays(&self, entry: &BaselineEntry, report: &Report, places: &[BaselinePlace], today: Date) -> bool {
        if entry.expires.is_some_and(|day| today >= day) || !places.iter().any(|place| entry.matches(place)) {
            return false;
        }
        let about: Vec<_> = report.scenarios.iter().filter(|scenario| entry.is_about(scenario)).collect();
        let fails =
            about.iter().any(|scenario| scenario.findings.iter().any(|finding| entry.covers(&scenario.key, scenario.agent, finding)));
        let whole = report.requirements.iter().any(|requirement| {
            failed_as_a_whole(report, requirement) && entry.requirement.as_ref().is_some_and(|id| fits(id, requirement.id.as_str()))
        });
        fails || whole || entry.intermittent || !about.iter().any(|scenario| scenario.verdict.is_exercised())
    }

    /// An entry's lines: from the comments right above its header to the next header.
    fn block(&self, entry: &BaselineEntry) -> (usize, usize) {
        let headers: Vec<usize> =
            self.text.match_indices("[[known]]").map(|(at, _)| at).filter(|at| self.text[..*at].ends_with(['\n']) || *at == 0).collect();
        let start = headers.iter().rev().find(|at| **at <= entry.at.start).copied().unwrap_or(entry.at.start);
        let end = headers.iter().find(|at| **at > start).copied().unwrap_or(self.text.len());
        (self.above(start), if end == self.text.len() { end } else { self.above(end) })
    }

    fn above(&self, mut at: usize) -> usize {
        while let Some(line) = self.text[..at].strip_suffix('\n') {
            let start = line.rfind('\n').map_or(0, |at| at + 1);
            if !self.text[start..at].trim_start().starts_with('#') {
                break;
            }
            at = start;
        }
        at
    }
}

impl BaselineEntry {
    fn covers(&self, key: &str, agent: Option<AgentKind>, finding: &Finding) -> bool {
        self.agent.is_none_or(|wanted| agent == Some(wanted))
            && self.scenario.as_ref().is_none_or(|pattern| fits(pattern, base(key)))
            && self.requirement.as_ref().is_none_or(|pattern| fits(pattern, finding.requirement.as_str()))
    }

    fn matches(&self, place: &BaselinePlace) -> bool {
        let of = |pattern: &String| self.scenario.is_some() || place.requirements.iter().any(|id| fits(pattern, id.as_str()));
        self.agent.is_none_or(|wanted| place.agent == Some(wanted))
            && self.scenario.as_ref().is_none_or(|pattern| fits(pattern, &place.key))
            && self.requirement.as_ref().is_none_or(of)
    }

    fn is_about(&self, scenario: &ScenarioResult) -> bool {
        let requirements = scenario.requirements.clone();
        self.matches(&BaselinePlace { key: base(&scenario.key).to_owned(), agent: scenario.agent, requirements })
    }
}

impl std::fmt::Display for BaselineEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let agent = self.agent.map(|agent| agent.name());
        let named = [self.requirement.as_deref(), self.scenario.as_deref(), agent];
        write!(f, "the entry of {}", named.into_iter().flatten().collect::<Vec<_>>().join(" in "))
    }
}

/// Whether a text fits a pattern: `*` stands for anything, all else for itself.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A key without the number of its repetition.
fn base(key: &str) -> &str {
    round_of(key).0
}

fn is_must(id: &RequirementId) -> bool {
    Registry::embedded().get(id).is_none_or(|requirement| requirement.level == Level::Must)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;
    use crate::results::{ConformanceOutcome, outcome};

    const TODAY: Date = jiff::civil::date(2026, 11, 21);

    fn scenario(key: &str, verdict: Verdict, findings: &[&str]) -> ScenarioResult {
        let findings = findings.iter().map(|id| example::finding(id)).collect();
        let requirements = vec!["LC-CLEAN-1".parse().unwrap()];
        ScenarioResult { key: key.into(), requirements, findings, agent: None, ..example::scenario("s", verdict) }
    }

    fn judged(text: &str, scenarios: Vec<ScenarioResult>) -> (Report, Vec<BaselinePlace>) {
        let mut report = Report { scenarios, requirements: Vec::new(), control: None, ..example::report() };
        let place = |scenario: &ScenarioResult| BaselinePlace {
            key: base(&scenario.key).to_owned(),
            agent: None,
            requirements: scenario.requirements.clone(),
        };
        let places: Vec<BaselinePlace> = report.scenarios.iter().map(place).collect();
        Baseline::parse("b.toml", text).unwrap().apply(&mut report, &places, TODAY);
        (report, places)
    }

    fn entry(more: &str) -> String {
        format!("[[known]]\n{more}\nreason = \"r\"\n")
    }

    #[rstest]
    #[case("requirement = \"LC-CLEAN-1\"", ConformanceOutcome::Conformant, "")]
    #[case("requirement = \"LC-CLEAN-*\"\nscenario = \"a/*/c\"", ConformanceOutcome::Conformant, "")]
    #[case("scenario = \"a/b/c\"\nexpires = \"2026-11-22\"", ConformanceOutcome::Conformant, "")]
    #[case(
        "scenario = \"a/b/c\"\nexpires = \"2026-11-21\"",
        ConformanceOutcome::NotConformant,
        "b.toml:1: the entry of a/b/c expired on 2026-11-21"
    )]
    #[case("scenario = \"a/b/x*\"", ConformanceOutcome::NotConformant, "b.toml:1: the entry of a/b/x* matches no scenario")]
    #[case("requirement = \"LC-CLEAN-2\"\nscenario = \"a/*\"", ConformanceOutcome::NotConformant, "")]
    fn an_entry(#[case] written: &str, #[case] wanted: ConformanceOutcome, #[case] problem: &str) {
        let failing = scenario("a/b/c@2", Verdict::Failed, &["LC-CLEAN-1"]);
        let (report, _) = judged(&entry(written), vec![failing, scenario("a/b/d", Verdict::Passed, &[])]);
        assert_eq!(outcome(&report, false).0, wanted, "{report:#?}");
        assert_eq!(report.baseline.unwrap().problems.join(""), problem);
    }

    #[test]
    fn a_new_failure_beside_a_known_one_is_new() {
        let failing = scenario("a/b/c", Verdict::Failed, &["LC-CLEAN-1", "LC-CLEAN-2"]);
        let (report, _) = judged(&entry("requirement = \"LC-CLEAN-1\""), vec![failing]);
        assert!(!report.scenarios[0].is_known_failure());
    }

    #[test]
    fn what_comes_and_goes_is_counted_apart_and_is_not_fixed_where_it_does_not_fail() {
        let text = entry("scenario = \"a/b/c\"\nintermittent = true") + &entry("scenario = \"a/b/d\"");
        let known = |verdict, findings: &[&str]| {
            let scenarios = vec![scenario("a/b/c", verdict, findings), scenario("a/b/d", Verdict::Failed, &["LC-CLEAN-1"])];
            let (report, places) = judged(&text, scenarios);
            assert_eq!(outcome(&report, false).0, ConformanceOutcome::Conformant, "{report:#?}");
            assert_eq!(Baseline::parse("b.toml", &text).unwrap().updated(&report, &places, TODAY), text, "it stays");
            report.baseline.map(|baseline| (baseline.known, baseline.intermittent)).unwrap()
        };
        assert_eq!(known(Verdict::Failed, &["LC-CLEAN-1"]), (1, 1));
        assert_eq!(known(Verdict::Passed, &[]), (1, 0));
    }

    #[test]
    fn what_no_longer_fails_is_said_and_what_did_not_run_is_not() {
        let of = |verdict| {
            judged(&entry("scenario = \"a/b/c\""), vec![scenario("a/b/c", verdict, &[]), scenario("a/b/d", Verdict::Passed, &[])]).0
        };
        assert!(of(Verdict::Passed).scenarios[0].is_fixed());
        assert_eq!(outcome(&of(Verdict::Skipped), false).0, ConformanceOutcome::Conformant);
    }

    #[test]
    fn bringing_it_up_to_date_keeps_what_holds_to_the_letter() {
        let text = "# ours\n\n# stays\n[[known]]\nrequirement = \"LC-CLEAN-1\"\nscenario = \"a/b/c\"\nreason = \"r\" # why\n\n# goes\n[[known]]\n\
                    scenario = \"a/b/d\"\nreason = \"r\"\n";
        let (report, places) = judged(
            text,
            vec![
                scenario("a/b/c", Verdict::Failed, &["LC-CLEAN-1"]),
                scenario("a/b/d", Verdict::Passed, &[]),
                scenario("a/b/e", Verdict::Failed, &["LC-CLEAN-1"]),
            ],
        );
        let updated = Baseline::parse("b.toml", text).unwrap().updated(&report, &places, TODAY);
        insta::assert_snapshot!(updated);
        let (report, _) = judged(&updated, report.scenarios);
        assert_eq!(outcome(&report, false).0, ConformanceOutcome::Conformant);
    }

    #[rstest]
    #[case("[[known]]\nreason = \"r\"\n", "b.toml:1: the entry names neither a requirement nor a scenario")]
    #[case("\n[[known]]\nrequirement = \"LC-CLEN-1\"\nreason = \"r\"\n", "b.toml:2: `LC-CLEN-1` is no requirement")]
    #[case("[[known]]\nscenario = \"x\"\nexpires = \"soon\"\nreason = \"r\"\n", "b.toml:1: `soon` is no day")]
    #[case("[[known]]\nscenario = \"x\"\nreason = \" \"\n", "b.toml:1: the entry gives no reason")]
    #[case("[[known]]\nscenario = \"x\"\nagent = \"cursor\"\nreason = \"r\"\n", "b.toml:1: ")]
    #[case("[[known]]\nscenarios = \"x\"\nreason = \"r\"\n", "b.toml:2: unknown field `scenarios`")]
    fn a_mistake_has_its_line(#[case] text: &str, #[case] wanted: &str) {
        let errors = Baseline::parse("b.toml", text).unwrap_err();
        assert!(errors.related.len() == 1 && errors.related[0].to_string().starts_with(wanted), "{errors:?}");
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let text =
            "[[known]]\nreason = \"r\"\n\n[[known]]\nrequirement = \"LC-CLEN-1\"\nexpires = \"soon\"\nagent = \"cursor\"\nreason = \"\"\n";
        let errors = Baseline::parse("b.toml", text).unwrap_err();
        assert_eq!(errors.related.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 4, 4, 4, 4]);
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, wanted) in
            [("a*c", "abc", true), ("a*c", "abcd", false), ("*", "", true), ("a", "ab", false), ("a*a", "a", false), ("*b*", "abc", true)]
        {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
