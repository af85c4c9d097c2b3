//! What several forms show of a report: findings by requirement, scenarios by reason, the support table.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::AgentKind;
use crate::spec::{Level, RequirementId};

use crate::results::cause::{Cause, kind};
use crate::results::model::{Finding, Report, RequirementResult, ScenarioResult, Verdict, round_of};
use crate::results::{concerns, failed_as_a_whole, over};

/// What was found of one requirement.
pub(crate) struct RequirementFindings<'a> {
    /// The requirement's id.
    pub id: &'a RequirementId,
    /// The requirement, where the report has it.
    pub requirement: Option<&'a RequirementResult>,
    /// The findings and their scenarios, by cause; never none.
    pub causes: Vec<Cause<'a>>,
}

impl RequirementFindings<'_> {
    /// The requirement's id and level: `LC-CLEAN-1 · MUST`.
    pub(crate) fn heading(&self) -> String {
        self.requirement.map_or_else(|| self.id.to_string(), |requirement| format!("{} · {}", requirement.id, requirement.level))
    }

    /// How many scenarios found something of it.
    pub(crate) fn scenarios(&self) -> usize {
        let keys: BTreeSet<&str> = self.causes.iter().flat_map(|cause| &cause.cases).map(|(scenario, _)| scenario.key.as_str()).collect();
        keys.len()
    }

    /// The requirement's sentence, where known.
    pub(crate) fn sentence(&self) -> &str {
        self.requirement.map_or("", |requirement| &requirement.sentence)
    }
}

/// The findings that fail, by requirement; without those that the baseline knows.
pub(crate) fn failures(report: &Report) -> Vec<RequirementFindings<'_>> {
    found(report, |level| level == Level::Must)
}

/// The findings that warn, by requirement.
pub(crate) fn warnings(report: &Report) -> Vec<RequirementFindings<'_>> {
    found(report, |level| level == Level::Should)
}

fn found<'a>(report: &'a Report, is: fn(Level) -> bool) -> Vec<RequirementFindings<'a>> {
    let mut by_requirement: BTreeMap<&RequirementId, Vec<(&ScenarioResult, &Finding)>> = BTreeMap::new();
    for scenario in report.scenarios.iter().filter(|scenario| scenario.verdict != Verdict::CouldNotTest && !scenario.is_known_failure()) {
        for finding in &scenario.findings {
            by_requirement.entry(&finding.requirement).or_default().push((scenario, finding));
        }
    }
    let of = |(id, cases): (&'a RequirementId, Vec<(&'a ScenarioResult, &'a Finding)>)| {
        let requirement = report.requirements.iter().find(|requirement| requirement.id == *id);
        let level = requirement.map_or(Level::Must, |requirement| requirement.level);
        is(level).then(|| RequirementFindings { id, requirement, causes: Cause::of(cases) })
    };
    by_requirement.into_iter().filter_map(of).collect()
}

/// The requirements that failed without a scenario that shows it.
pub(crate) fn whole_failures(report: &Report) -> impl Iterator<Item = &RequirementResult> {
    report.requirements.iter().filter(|requirement| failed_as_a_whole(report, requirement))
}

/// The scenarios of that verdict, by reason, in the order they ran. Reasons that say the same but for names and numbers are one: the
/// first is given.
pub(crate) fn by_reason(report: &Report, verdict: Verdict) -> Vec<(&str, Vec<&ScenarioResult>)> {
    let mut groups: Vec<(String, &str, Vec<&ScenarioResult>)> = Vec::new();
    for scenario in report.scenarios.iter().filter(|scenario| scenario.verdict == verdict) {
        let reason = scenario.reason.as_deref().unwrap_or("no reason was given");
        let kind = kind(reason);
        match groups.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., scenarios)) => scenarios.push(scenario),
            None => groups.push((kind, reason, vec![scenario])),
        }
    }
    groups.into_iter().map(|(_, reason, scenarios)| (reason, scenarios)).collect()
}

/// The scenarios that the baseline lists as failing: those that do, and those that do not.
pub(crate) fn baseline(report: &Report) -> [(&'static str, Vec<&ScenarioResult>); 2] {
    let (known, fixed) = report.scenarios.iter().fold((Vec::new(), Vec::new()), |(mut known, mut fixed), scenario| {
        known.extend(scenario.is_known_failure().then_some(scenario));
        fixed.extend(scenario.is_fixed().then_some(scenario));
        (known, fixed)
    });
    [("Known failures, listed in the baseline", known), ("Fixed, but listed in the baseline as failing", fixed)]
}

/// The scenario's name with its agent and, of a repetition, its number: `Ending a session ends its agent [codex] @2`.
pub(crate) fn label(scenario: &ScenarioResult) -> String {
    let agent = scenario.agent.map(|agent| format!(" [{agent}]")).unwrap_or_default();
    let round = round_of(&scenario.key).1.map(|round| format!(" @{round}")).unwrap_or_default();
    format!("{}{agent}{round}", scenario.name)
}

/// Scenarios by name, each name once: `Ending a session ends its agent [claude, codex @2]`.
pub(crate) fn names<'a>(scenarios: impl IntoIterator<Item = &'a ScenarioResult>) -> Vec<String> {
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for scenario in scenarios {
        let which = label(scenario)[scenario.name.len()..].replace(['[', ']'], "").trim().to_owned();
        match names.iter_mut().find(|(name, _)| *name == scenario.name) {
            Some((_, all)) => all.push(which),
            None => names.push((&scenario.name, vec![which])),
        }
    }
    let told = |(name, mut which): (&str, Vec<String>)| {
        which.retain(|which| !which.is_empty());
        if which.is_empty() { name.to_owned() } else { format!("{name} [{}]", which.join(", ")) }
    };
    names.into_iter().map(told).collect()
}

/// The file and the line of a scenario's feature.
pub(crate) fn place(scenario: &ScenarioResult) -> (&str, Option<u32>) {
    match scenario.feature.rsplit_once(':').map(|(file, line)| (file, line.parse())) {
        Some((file, Ok(line))) => (file, Some(line)),
        _ => (&scenario.feature, None),
    }
}

/// Counts in words, without those that are none: `12 passed · 1 failed`.
pub(crate) fn counts(verdicts: impl Iterator<Item = Verdict>) -> String {
    let summary = crate::results::model::Summary::of(verdicts);
    let some: Vec<String> = Verdict::ALL
        .into_iter()
        .filter(|verdict| summary.count(*verdict) > 0)
        .map(|verdict| format!("{} {}", summary.count(verdict), verdict.words()))
        .collect();
    if some.is_empty() { "none".into() } else { some.join(" · ") }
}

/// The agents on the scenarios' axis, in the order tables show them.
pub(crate) fn agents(report: &Report) -> Vec<AgentKind> {
    AgentKind::all().iter().copied().filter(|agent| report.scenarios.iter().any(|scenario| scenario.agent == Some(*agent))).collect()
}

/// The verdict on a requirement over one agent's scenarios (`None`: over those without one); `None` where there are none.
pub(crate) fn support(report: &Report, requirement: &RequirementResult, agent: Option<AgentKind>) -> Option<Verdict> {
    let own = report.scenarios.iter().filter(|scenario| scenario.agent == agent && concerns(scenario, &requirement.id));
    own.clone().next()?;
    Some(over(&requirement.id, requirement.level, own).0)
}

/// A moment (RFC 3339) to the second, for people.
pub(crate) fn moment(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(|_| at.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// How long something took, for people.
pub(crate) fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// So many scenarios, in words.
pub(crate) fn scenarios(count: usize) -> String {
    format!("{count} scenario{}", if count == 1 { "" } else { "s" })
}

/// So many more, in words.
pub(crate) fn more_scenarios(count: usize) -> String {
    format!("{count} more scenario{}", if count == 1 { "" } else { "s" })
}

/// A text on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end().replace('\n', " ⏎ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn a_moment_is_told_to_the_second_and_what_is_none_stays_as_it_is() {
        assert_eq!(moment("2026-01-31T12:00:00.123456789Z"), "2026-01-31 12:00:00 UTC");
        assert_eq!(moment("2026-01-31T12:00:00+02:00"), "2026-01-31 10:00:00 UTC");
        assert_eq!(moment("<today>"), "<today>");
    }

    #[test]
    fn scenarios_of_one_name_are_named_once() {
        let of = |name: &str, agent, round: &str| ScenarioResult {
            name: name.into(),
            agent,
            key: format!("s/f/x{round}"),
            ..example::scenario("x", Verdict::Failed)
        };
        let all = [
            of("One", Some(AgentKind::CLAUDE), ""),
            of("One", Some(AgentKind::CODEX), "@2"),
            of("Two", None, ""),
            of("Two", None, "@2"),
            of("Three", None, ""),
        ];
        assert_eq!(names(&all), ["One [claude, codex @2]", "Two [@2]", "Three"]);
    }

    #[test]
    fn repetitions_have_names_of_their_own() {
        let mut scenario = example::report().scenarios.swap_remove(0);
        scenario.name = "It holds".into();
        scenario.agent = Some(AgentKind::CODEX);
        let mut named = |key: &str| {
            scenario.key = key.into();
            label(&scenario)
        };
        assert_eq!(named("s/f@home/it-holds[codex]"), "It holds [codex]");
        assert_eq!(named("s/f/it-holds[codex]@12"), "It holds [codex] @12");
    }
}
