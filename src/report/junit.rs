//! JUnit XML: a suite a feature, a case a scenario.
//!
//! Failed is a failure. Blocked and could not test are errors: a CI system must not show them as green. A known failure,
//! skipped and not exercised are skipped, with the reason. A warning passes, with its text as output. Of findings with one cause the
//! first has its timeline; the others name the scenario that has it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Look, view};
use crate::results::model::{Finding, Report, ScenarioResult, Verdict};

/// What is told elsewhere: a finding, and the scenario that tells it in full.
type Elsewhere<'a> = Vec<(&'a Finding, &'a ScenarioResult)>;

pub(crate) fn draw(report: &Report, look: &Look) -> String {
    let elsewhere = if look.all_findings { Vec::new() } else { elsewhere(report) };
    let mut document = Document::new("passmuster");
    document.set_time(Duration::from_millis(report.duration_ms));
    let mut features: Vec<&str> = Vec::new();
    for scenario in &report.scenarios {
        let feature = view::place(scenario).0;
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    for feature in features {
        let scenarios = report.scenarios.iter().filter(|scenario| view::place(scenario).0 == feature);
        let mut suite = TestSuite::new(feature);
        suite.set_time(Duration::from_millis(scenarios.clone().map(|scenario| scenario.duration_ms).sum()));
        suite.add_test_cases(scenarios.map(|scenario| case(scenario, &elsewhere)));
        document.add_test_suite(suite);
    }
    let mut whole = TestSuite::new("requirements");
    for requirement in view::whole_failures(report) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(requirement.id.to_string()).set_message(requirement.reason.clone().unwrap_or_default());
        status.set_description(requirement.sentence.clone());
        whole.add_test_case(TestCase::new(requirement.title.clone(), status));
    }
    if !whole.test_cases.is_empty() {
        document.add_test_suite(whole);
    }
    document.to_string().expect("writing to memory succeeds")
}

fn elsewhere(report: &Report) -> Elsewhere<'_> {
    let all = [view::failures(report), view::warnings(report)];
    let causes = all.iter().flatten().flat_map(|found| &found.causes);
    causes.flat_map(|cause| cause.cases[1..].iter().map(|(_, finding)| (*finding, cause.first().0))).collect()
}

fn case(scenario: &ScenarioResult, elsewhere: &Elsewhere) -> TestCase {
    let mut case = TestCase::new(view::label(scenario), status(scenario, elsewhere));
    case.set_classname(view::place(scenario).0.trim_end_matches(".feature").replace('/', "."));
    case.set_time(Duration::from_millis(scenario.duration_ms));
    case.add_property(("verdict", scenario.verdict.words()));
    case.add_property(("requirements", scenario.requirements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").as_str()));
    if scenario.verdict == Verdict::Warned {
        case.set_system_out(texts(scenario, elsewhere));
    }
    if let Some(stderr) = scenario.findings.iter().map(|finding| finding.stderr.as_str()).find(|stderr| !stderr.is_empty()) {
        case.set_system_err(stderr);
    }
    case
}

fn status(scenario: &ScenarioResult, elsewhere: &Elsewhere) -> TestCaseStatus {
    let mut status = match scenario.verdict {
        Verdict::Failed if scenario.is_known_failure() => TestCaseStatus::skipped(),
        Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ if scenario.is_fixed() => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Passed | Verdict::Warned => return TestCaseStatus::success(),
        Verdict::Blocked | Verdict::CouldNotTest => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped | Verdict::NotExercised => TestCaseStatus::skipped(),
    };
    let first = scenario.findings.first().map(|finding| format!("{}: {}", finding.requirement, finding.message));
    let message = match (scenario.verdict, first) {
        _ if scenario.is_fixed() => "listed in the baseline as failing, but it does not fail".to_owned(),
        (Verdict::Failed, Some(first)) if scenario.is_known_failure() => format!("known failure: {first}"),
        (Verdict::Failed, Some(first)) => first,
        (verdict, _) => scenario.reason.clone().unwrap_or_else(|| verdict.words().to_owned()),
    };
    status.set_type(scenario.verdict.words()).set_message(message);
    if !scenario.findings.is_empty() {
        status.set_description(texts(scenario, elsewhere));
    }
    status
}

fn texts(scenario: &ScenarioResult, elsewhere: &Elsewhere) -> String {
    let text = |finding| text(finding, elsewhere.iter().find(|(told, _)| std::ptr::eq(*told, finding)).map(|(_, scenario)| *scenario));
    scenario.findings.iter().map(text).collect::<Vec<_>>().join("\n\n")
}

fn text(finding: &Finding, elsewhere: Option<&ScenarioResult>) -> String {
    let mut lines = vec![format!("{}: {}", finding.requirement, finding.message)];
    for (name, text) in
        [("step", &finding.origin.words()), ("claimed", &finding.claimed), ("true", &finding.truth), ("again", &finding.repro)]
    {
        if !text.is_empty() {
            lines.push(format!("{name}: {text}"));
        }
    }
    match elsewhere {
        Some(scenario) => lines.push(format!("as in: {}", view::label(scenario))),
        None => lines.extend(finding.timeline.iter().map(ToString::to_string)),
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;
    use crate::results::example;

    fn read_back(report: &Report) -> Document {
        Document::deserialize_from_str(&Form::find("junit").unwrap().draw(report, &Look::default())).unwrap()
    }

    #[test]
    fn what_is_not_known_to_be_right_is_not_green() {
        let read = read_back(&example::report());
        assert_eq!((read.tests, read.failures, read.errors, read.skipped), (12, 3, 3, 4));
    }

    #[test]
    fn all_are_there_and_one_of_a_cause_has_the_timeline() {
        let mut report = example::report();
        let leaks = report.scenarios[1].clone();
        report.scenarios.extend((0..4).map(|nth| ScenarioResult { key: format!("s/f/x{nth}"), ..leaks.clone() }));
        let drawn = Form::find("junit").unwrap().draw(&report, &Look::default());
        assert_eq!(drawn.matches("&gt; start_session").count(), 2, "the first, and the known one");
        assert_eq!(drawn.matches("as in: The scenario leaks [codex]").count(), 4);
        assert_eq!(read_back(&report).failures, 7);
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let (good, bad) = (read_back(&example::report()), read_back(&example::hostile()));
        assert_eq!((good.tests, good.failures, good.errors, good.skipped), (bad.tests, bad.failures, bad.errors, bad.skipped));
        let failure = bad.test_suites.iter().flat_map(|suite| &suite.test_cases).find_map(|case| match &case.status {
            TestCaseStatus::NonSuccess { description: Some(text), .. } => Some(text.as_str().to_owned()),
            _ => None,
        });
        let hostile = crate::core::sanitise(example::HOSTILE);
        assert!(failure.unwrap().contains(&hostile));
    }
}
