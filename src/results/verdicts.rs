//! From findings to verdicts: of scenarios, of requirements, of the run.

use std::collections::BTreeMap;

use crate::spec::{Level, Registry, Requirement, RequirementId, SpecVersion};

use super::model::{Finding, Report, RequirementResult, ScenarioResult, Verdict};

/// The verdict on a scenario that ran to its end: failed by a finding that names a MUST, warned by one that names a
/// SHOULD; what is found of a MAY is no fault. An id that the registry does not know counts as a MUST.
pub fn verdict_of(findings: &[Finding], registry: &Registry) -> Verdict {
    let levels = findings.iter().map(|finding| registry.get(&finding.requirement).map_or(Level::Must, |requirement| requirement.level));
    worst(levels)
}

/// Takes out of a scenario's result what a version of the spec does not state, and judges it again by what is left.
/// Ids that the registry does not know stay: they are the caller's own.
pub fn judge_by(result: &mut ScenarioResult, registry: &Registry, version: SpecVersion) {
    let states = |id: &RequirementId| registry.get(id).is_none_or(|requirement| requirement.is_in(version));
    result.requirements.retain(states);
    result.findings.retain(|finding| states(&finding.requirement));
    if matches!(result.verdict, Verdict::Failed | Verdict::Warned) {
        result.verdict = match verdict_of(&result.findings, registry) {
            // The finding that is gone hid that the scenario did not come to its end.
            Verdict::Passed if result.reason.is_some() => Verdict::Blocked,
            verdict => verdict,
        };
    }
}

fn worst(levels: impl Iterator<Item = Level>) -> Verdict {
    match levels.min() {
        Some(Level::Must) => Verdict::Failed,
        Some(Level::Should) => Verdict::Warned,
        Some(Level::May) | None => Verdict::Passed,
    }
}

/// The verdicts on requirements: of each in `scope`, in its order.
///
/// - A finding that names it decides: failed (MUST) or warned (SHOULD). So does a place in `unmapped`: operations that
///   it needs and that the manifest of a system that claims its suite does not map, with the reason.
/// - Else it passed if any scenario that is tagged with it was exercised; what of it was not is said in the reason.
/// - Else the worst of its scenarios decides, in this order: could not test, blocked, skipped, not exercised.
/// - Without scenarios it was not exercised.
///
/// Findings in a scenario that could not be tested count for nothing: the harness itself was broken there.
pub fn requirement_results<'a>(
    scope: impl IntoIterator<Item = &'a Requirement>,
    scenarios: &[ScenarioResult],
    unmapped: &BTreeMap<RequirementId, String>,
) -> Vec<RequirementResult> {
    let result = |requirement: &Requirement| {
        let own: Vec<&ScenarioResult> = scenarios.iter().filter(|scenario| concerns(scenario, &requirement.id)).collect();
        let (verdict, reason) = match unmapped.get(&requirement.id) {
            Some(why) => (worst([requirement.level].into_iter()), Some(why.clone())),
            None => over(&requirement.id, requirement.level, own.iter().copied()),
        };
        RequirementResult {
            id: requirement.id.clone(),
            level: requirement.level,
            party: requirement.party,
            title: requirement.title.clone(),
            suite: requirement.suite.clone(),
            sentence: requirement.sentence.clone(),
            line: None,
            verdict,
            reason,
            expected: None,
            scenarios: own.iter().map(|scenario| scenario.key.clone()).collect(),
        }
    };
    scope.into_iter().map(result).collect()
}

/// Whether a scenario exercises a requirement, or found something of it.
pub fn concerns(scenario: &ScenarioResult, id: &RequirementId) -> bool {
    scenario.requirements.contains(id) || names(scenario, id)
}

/// Whether something was found of a requirement, where the harness itself was not broken.
pub fn names(scenario: &ScenarioResult, id: &RequirementId) -> bool {
    scenario.verdict != Verdict::CouldNotTest && scenario.findings.iter().any(|finding| finding.requirement == *id)
}

/// The verdict on a requirement over some scenarios, and the reason where findings do not say it.
pub fn over<'a>(
    id: &RequirementId,
    level: Level,
    scenarios: impl Iterator<Item = &'a ScenarioResult> + Clone,
) -> (Verdict, Option<String>) {
    let found = scenarios.clone().filter(|scenario| names(scenario, id)).map(|_| level);
    match worst(found) {
        Verdict::Passed => {}
        verdict => return (verdict, None),
    }
    let tagged = scenarios.filter(|scenario| scenario.requirements.contains(id));
    let (done, left): (Vec<_>, Vec<_>) = tagged.partition(|scenario| scenario.verdict.is_exercised());
    let worst_left = [Verdict::CouldNotTest, Verdict::Blocked, Verdict::Skipped, Verdict::NotExercised]
        .into_iter()
        .find_map(|verdict| left.iter().find(|scenario| scenario.verdict == verdict));
    match (done.is_empty(), worst_left) {
        (false, None) => (Verdict::Passed, None),
        (false, Some(worst)) => {
            let part = format!("{} of {} scenarios not exercised", left.len(), left.len() + done.len());
            (Verdict::Passed, Some(with_reason(part, worst.reason.as_deref())))
        }
        (true, Some(worst)) => (worst.verdict, worst.reason.clone()),
        (true, None) => (Verdict::NotExercised, Some("no scenario ran for it".into())),
    }
}

fn with_reason(what: String, why: Option<&str>) -> String {
    match why {
        Some(why) => format!("{what}: {why}"),
        None => what,
    }
}

/// What a run comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConformanceOutcome {
    /// Everything exercised conforms.
    Conformant,
    /// Something does not.
    NotConformant,
    /// Nothing can be said for certain.
    CouldNotTest,
    /// The run was ended before it was over.
    Interrupted,
}

impl ConformanceOutcome {
    /// The outcome's words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            ConformanceOutcome::Conformant => "conformant",
            ConformanceOutcome::NotConformant => "not conformant",
            ConformanceOutcome::CouldNotTest => "could not test",
            ConformanceOutcome::Interrupted => "interrupted",
        }
    }
}

/// The run's verdict as headings have it: `conformant, but for 11 known failures`.
pub fn headline(report: &Report, strict: bool) -> String {
    let outcome = outcome(report, strict).0;
    let whole = report.requirements.iter().filter(|requirement| requirement.expected.is_some()).count();
    let known = report.scenarios.iter().filter(|scenario| scenario.is_known_failure()).count() + whole;
    match (outcome, known) {
        (ConformanceOutcome::Conformant, 1..) => {
            format!("{}, but for {}", outcome.words(), said(&[(known, "known failure", "known failures")]).unwrap_or_default())
        }
        _ => outcome.words().to_owned(),
    }
}

/// What a run comes to, and why, in a few words.
///
/// In this order: a run that was interrupted. Control checks that did not prove what they must: could not test. A failure that the baseline does
/// not know, a requirement that failed as a whole, a baseline entry that is wrong or no longer fails, or with `strict` a warning:
/// not conformant. Nothing exercised, or a scenario that was blocked or could not be tested: could not test. Else
/// conformant; so is a shard that no scenario falls into.
pub fn outcome(report: &Report, strict: bool) -> (ConformanceOutcome, String) {
    let scenarios = |is: fn(&ScenarioResult) -> bool| report.scenarios.iter().filter(|scenario| is(scenario)).count();
    if report.interrupted {
        let failed = scenarios(|scenario| scenario.verdict == Verdict::Failed && !scenario.is_known_failure());
        let failed = said(&[(failed, "failed", "failed")]).map(|failed| format!(", {failed}")).unwrap_or_default();
        let ran = scenarios(|scenario| scenario.verdict.is_exercised());
        return (ConformanceOutcome::Interrupted, format!("{ran} scenarios had been exercised until then{failed}"));
    }
    if report.control.as_ref().is_some_and(|control| !control.proven) {
        return (ConformanceOutcome::CouldNotTest, "the control checks did not prove what they must".into());
    }
    let is_whole = |requirement: &&RequirementResult| requirement.expected.is_none() && failed_as_a_whole(report, requirement);
    let whole = report.requirements.iter().filter(is_whole).count();
    let problems = report.baseline.as_ref().map_or(0, |baseline| baseline.problems.len());
    let wrong = [
        (scenarios(|scenario| scenario.verdict == Verdict::Failed && !scenario.is_known_failure()), "scenario failed", "scenarios failed"),
        (whole, "requirement failed without a scenario", "requirements failed without a scenario"),
        (scenarios(ScenarioResult::is_fixed), "scenario in the baseline no longer fails", "scenarios in the baseline no longer fail"),
        (problems, "entry of the baseline is wrong", "entries of the baseline are wrong"),
        (if strict { warnings(report) } else { 0 }, "warning, and warnings count", "warnings, and warnings count"),
    ];
    let unclear = [
        (scenarios(|scenario| scenario.verdict == Verdict::CouldNotTest), "scenario could not be tested", "scenarios could not be tested"),
        (scenarios(|scenario| scenario.verdict == Verdict::Blocked), "scenario was blocked", "scenarios were blocked"),
    ];
    let exercised = scenarios(|scenario| scenario.verdict.is_exercised());
    match (said(&wrong), said(&unclear)) {
        (Some(wrong), _) => (ConformanceOutcome::NotConformant, wrong),
        (None, _) if report.scenarios.is_empty() && report.hint.is_none() && report.shard.is_some() => {
            (ConformanceOutcome::Conformant, format!("the shard {} is empty", report.shard.as_deref().unwrap_or_default()))
        }
        (None, _) if exercised == 0 => (ConformanceOutcome::CouldNotTest, "nothing was exercised".into()),
        (None, Some(unclear)) => (ConformanceOutcome::CouldNotTest, unclear),
        (None, None) => (ConformanceOutcome::Conformant, format!("{exercised} of {} scenarios exercised", report.scenarios.len())),
    }
}

/// The exit status of a run: 0 conformant, 1 not conformant, 2 could not test, 130 interrupted. See [`outcome`].
pub fn exit_code(report: &Report, strict: bool) -> u8 {
    match outcome(report, strict).0 {
        ConformanceOutcome::Conformant => 0,
        ConformanceOutcome::NotConformant => 1,
        ConformanceOutcome::CouldNotTest => 2,
        ConformanceOutcome::Interrupted => 130,
    }
}

/// Whether a requirement failed without a scenario that failed on it: an operation that it needs is not mapped.
pub fn failed_as_a_whole(report: &Report, requirement: &RequirementResult) -> bool {
    requirement.verdict == Verdict::Failed && !report.scenarios.iter().any(|scenario| names(scenario, &requirement.id))
}

fn warnings(report: &Report) -> usize {
    let scenarios = report.scenarios.iter().filter(|scenario| scenario.verdict == Verdict::Warned).count();
    scenarios.max(report.requirements.iter().filter(|requirement| requirement.verdict == Verdict::Warned).count())
}

fn said(counts: &[(usize, &str, &str)]) -> Option<String> {
    let words: Vec<String> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;

    fn id(text: &str) -> RequirementId {
        text.parse().unwrap()
    }

    /// A scenario of LC-OBS-1 with that verdict and reason, and findings of these requirements.
    fn scenario(verdict: Verdict, reason: &str, findings: &[&str]) -> ScenarioResult {
        let findings = findings.iter().map(|named| example::finding(named)).collect();
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        ScenarioResult { requirements: vec![id("LC-OBS-1")], reason, findings, ..example::scenario("s", verdict) }
    }

    #[rstest]
    #[case::no_scenario(Level::Must, vec![], Verdict::NotExercised, Some("no scenario ran for it"))]
    #[case::passed(Level::Must, vec![scenario(Verdict::Passed, "", &[])], Verdict::Passed, None)]
    #[case::only_a_finding_that_names_it_fails_it(Level::Must, vec![scenario(Verdict::Failed, "", &["LC-OBS-2"])], Verdict::Passed, None)]
    #[case::a_finding_fails_a_must(Level::Must, vec![scenario(Verdict::Passed, "", &[]), scenario(Verdict::Failed, "", &["LC-OBS-1"])], Verdict::Failed, None)]
    #[case::a_finding_warns_of_a_should(Level::Should, vec![scenario(Verdict::Warned, "", &["LC-OBS-1"])], Verdict::Warned, None)]
    #[case::a_finding_of_a_may_is_no_fault(Level::May, vec![scenario(Verdict::Passed, "", &["LC-OBS-1"])], Verdict::Passed, None)]
    #[case::a_finding_counts_in_a_blocked_scenario(Level::Must, vec![scenario(Verdict::Blocked, "b", &["LC-OBS-1"])], Verdict::Failed, None)]
    #[case::and_not_in_a_broken_one(Level::Must, vec![scenario(Verdict::CouldNotTest, "x", &["LC-OBS-1"])], Verdict::CouldNotTest, Some("x"))]
    #[case::part_of_it_was_not_exercised(
        Level::Must,
        vec![scenario(Verdict::Passed, "", &[]), scenario(Verdict::Skipped, "no serve", &[]), scenario(Verdict::Blocked, "no start", &[])],
        Verdict::Passed,
        Some("2 of 3 scenarios not exercised: no start")
    )]
    #[case::broken_before_blocked(Level::Must, vec![scenario(Verdict::Blocked, "b", &[]), scenario(Verdict::CouldNotTest, "x", &[])], Verdict::CouldNotTest, Some("x"))]
    #[case::blocked_before_skipped(Level::Must, vec![scenario(Verdict::Skipped, "s", &[]), scenario(Verdict::Blocked, "b", &[])], Verdict::Blocked, Some("b"))]
    #[case::skipped_before_not_exercised(
        Level::Must,
        vec![scenario(Verdict::NotExercised, "n", &[]), scenario(Verdict::Skipped, "s", &[])],
        Verdict::Skipped,
        Some("s")
    )]
    fn a_requirements_verdict(
        #[case] level: Level,
        #[case] scenarios: Vec<ScenarioResult>,
        #[case] verdict: Verdict,
        #[case] reason: Option<&str>,
    ) {
        let requirement = Requirement { level, ..example::requirement("LC-OBS-1") };
        let results = requirement_results([&requirement], &scenarios, &BTreeMap::new());
        assert_eq!((results[0].verdict, results[0].reason.as_deref()), (verdict, reason));
    }

    #[test]
    fn a_requirement_has_the_scenarios_that_concern_it_and_no_others() {
        let named = |key: &str, tag: &str, verdict, findings: &[&str]| ScenarioResult {
            key: key.into(),
            requirements: vec![id(tag)],
            ..scenario(verdict, "", findings)
        };
        let scenarios = [
            named("tagged", "LC-OBS-1", Verdict::Passed, &[]),
            named("other", "LC-OBS-3", Verdict::Failed, &["LC-OBS-3"]),
            named("found", "LC-OBS-3", Verdict::Failed, &["LC-OBS-1"]),
            named("broken", "LC-OBS-3", Verdict::CouldNotTest, &["LC-OBS-1"]),
        ];
        let results = requirement_results([&example::requirement("LC-OBS-1")], &scenarios, &BTreeMap::new());
        assert_eq!(results[0].scenarios, ["tagged", "found"]);
    }

    #[test]
    fn an_operation_that_is_not_mapped_fails_the_requirement_that_needs_it() {
        let unmapped = BTreeMap::from([(id("LC-OBS-1"), "the manifest maps no `send_message`".to_owned())]);
        let results = requirement_results([&example::requirement("LC-OBS-1")], &[scenario(Verdict::Skipped, "s", &[])], &unmapped);
        assert_eq!((results[0].verdict, results[0].reason.as_deref()), (Verdict::Failed, Some("the manifest maps no `send_message`")));
    }

    fn ends_with(scenarios: Vec<ScenarioResult>, strict: bool) -> (u8, String) {
        let requirements = requirement_results([&example::requirement("LC-OBS-1")], &scenarios, &BTreeMap::new());
        let report = Report { scenarios, requirements, control: None, ..example::report() };
        (exit_code(&report, strict), outcome(&report, strict).1)
    }

    #[rstest]
    #[case::nothing(&[], 2, 2)]
    #[case::nothing_exercised(&[Verdict::Skipped, Verdict::NotExercised], 2, 2)]
    #[case::passed(&[Verdict::Passed, Verdict::Skipped], 0, 0)]
    #[case::warned(&[Verdict::Passed, Verdict::Warned], 0, 1)]
    #[case::failed(&[Verdict::Passed, Verdict::Failed, Verdict::CouldNotTest], 1, 1)]
    #[case::could_not_test(&[Verdict::Passed, Verdict::CouldNotTest], 2, 2)]
    #[case::blocked(&[Verdict::Passed, Verdict::Blocked], 2, 2)]
    fn an_exit_status(#[case] verdicts: &[Verdict], #[case] lenient: u8, #[case] strict: u8) {
        let scenarios = || verdicts.iter().map(|verdict| scenario(*verdict, "", &[])).collect();
        assert_eq!((ends_with(scenarios(), false).0, ends_with(scenarios(), true).0), (lenient, strict));
    }

    #[test]
    fn a_known_failure_is_forgiven_and_a_fixed_one_is_not() {
        let listed = |verdict| ScenarioResult { expected: Some("failed".into()), ..scenario(verdict, "", &[]) };
        assert_eq!(ends_with(vec![listed(Verdict::Failed)], false).0, 0);
        assert_eq!(ends_with(vec![listed(Verdict::Passed)], false), (1, "1 scenario in the baseline no longer fails".into()));
        assert_eq!(ends_with(vec![listed(Verdict::Skipped), scenario(Verdict::Passed, "", &[])], false).0, 0);
    }

    #[test]
    fn a_requirement_that_failed_as_a_whole_is_not_conformant() {
        let report = Report { scenarios: vec![scenario(Verdict::Passed, "", &[])], control: None, ..example::report() };
        assert!(report.requirements.iter().any(|requirement| failed_as_a_whole(&report, requirement)));
        assert_eq!(exit_code(&report, false), 1);
    }

    #[test]
    fn a_requirement_that_the_baseline_knows_to_fail_as_a_whole_is_forgiven() {
        let mut report = Report { scenarios: vec![scenario(Verdict::Passed, "", &[])], control: None, ..example::report() };
        report.requirements.iter_mut().for_each(|requirement| requirement.expected = Some("failed".into()));
        assert_eq!(exit_code(&report, false), 0);
    }

    #[rstest]
    #[case(ConformanceOutcome::Conformant, "conformant")]
    #[case(ConformanceOutcome::NotConformant, "not conformant")]
    #[case(ConformanceOutcome::CouldNotTest, "could not test")]
    #[case(ConformanceOutcome::Interrupted, "interrupted")]
    fn an_outcome_in_words(#[case] outcome: ConformanceOutcome, #[case] words: &str) {
        assert_eq!(outcome.words(), words);
    }

    #[test]
    fn what_is_known_stands_in_the_heading() {
        let listed = |verdict| ScenarioResult { expected: Some("failed".into()), ..scenario(verdict, "", &[]) };
        let report = |scenarios| Report { scenarios, requirements: Vec::new(), control: None, ..example::report() };
        assert_eq!(headline(&report(vec![listed(Verdict::Failed); 2]), false), "conformant, but for 2 known failures");
        assert_eq!(headline(&report(vec![listed(Verdict::Failed)]), false), "conformant, but for 1 known failure");
        assert_eq!(headline(&report(vec![scenario(Verdict::Passed, "", &[])]), false), "conformant");
    }

    #[test]
    fn an_interrupted_run_is_called_that_whatever_it_found() {
        let scenarios = vec![scenario(Verdict::Passed, "", &[]), scenario(Verdict::Failed, "", &["LC-OBS-1"])];
        let report = Report { scenarios, interrupted: true, ..example::report() };
        assert_eq!(exit_code(&report, false), 130);
        let why = "2 scenarios had been exercised until then, 1 failed".to_owned();
        assert_eq!(outcome(&report, false), (ConformanceOutcome::Interrupted, why));
    }

    #[test]
    fn an_empty_shard_is_no_failure_and_a_choice_of_nothing_is() {
        let empty = |hint: Option<&str>, shard: Option<&str>| {
            let (hint, shard) = (hint.map(str::to_owned), shard.map(str::to_owned));
            exit_code(&Report { scenarios: Vec::new(), requirements: Vec::new(), control: None, hint, shard, ..example::report() }, false)
        };
        assert_eq!((empty(None, Some("7/9")), empty(Some("no tag @foo"), Some("7/9")), empty(None, None)), (0, 2, 2));
    }

    #[test]
    fn unproven_control_checks_spoil_everything() {
        let mut report = Report { scenarios: vec![scenario(Verdict::Failed, "", &["LC-OBS-1"])], ..example::report() };
        report.control.as_mut().unwrap().proven = false;
        assert_eq!(exit_code(&report, false), 2);
    }

    #[test]
    fn a_finding_of_an_unknown_requirement_counts_as_a_must() {
        let registry = Registry::from_documents(&[]).unwrap();
        assert_eq!(verdict_of(&[example::finding("LC-OBS-1")], &registry), Verdict::Failed);
        assert_eq!(verdict_of(&[], &registry), Verdict::Passed);
    }

    #[test]
    fn a_version_judges_by_what_it_states_and_by_ids_of_ones_own() {
        let text = "---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n\n### LC-X-1 · MUST · manager · t\n\nRetired: 1.0\n\nIt MUST.\n\nWhy: so.\n\n\
                    ### LC-X-2 · SHOULD · manager · t\n\nIt SHOULD.\n\nWhy: so.\n";
        let registry = Registry::from_documents(&[("a.md".into(), text.into())]).unwrap();
        let judged_from = |verdict: Verdict, reason: Option<&str>, ids: &[&str]| {
            let mut result = example::report().scenarios.into_iter().next().unwrap();
            (result.verdict, result.reason) = (verdict, reason.map(str::to_owned));
            result.requirements = ids.iter().map(|text| id(text)).collect();
            result.findings = ids.iter().map(|id| example::finding(id)).collect();
            judge_by(&mut result, &registry, SpecVersion::FIRST);
            (result.verdict, result.requirements.len(), result.findings.len())
        };
        let judged = |ids: &[&str]| judged_from(Verdict::Failed, None, ids);
        assert_eq!(judged(&["LC-X-1"]), (Verdict::Passed, 0, 0));
        assert_eq!(judged(&["LC-X-1", "LC-X-2"]), (Verdict::Warned, 1, 1));
        assert_eq!(judged(&["LC-X-1", "MY-OWN-1"]), (Verdict::Failed, 1, 1));
        assert_eq!(judged_from(Verdict::CouldNotTest, Some("it broke"), &["LC-X-1"]), (Verdict::CouldNotTest, 0, 0));
        assert_eq!(judged_from(Verdict::Failed, Some("no start"), &["LC-X-1"]), (Verdict::Blocked, 0, 0));
    }
}
