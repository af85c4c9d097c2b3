use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{LintReport, LocatedFinding};
use crate::core::sanitise;

pub(super) fn draw(report: &LintReport) -> String {
    let mut document = Report::new("passmuster files");
    let mut suite = TestSuite::new("session files");
    let mut rest = report.findings.as_slice();
    let mut failed = 0;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|found| found.path == first.path).count();
        let (of_file, others) = rest.split_at(count);
        suite.add_test_case(case(of_file));
        (rest, failed) = (others, failed + 1);
    }
    for file in &report.unreadable {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("could not be checked").set_message(sanitise(&file.why));
        suite.add_test_case(TestCase::new(sanitise(&file.path), status));
    }
    // A suite without a case is an error to some readers.
    let well = report.checked.saturating_sub(failed);
    if well > 0 || suite.test_cases.is_empty() {
        suite.add_test_case(TestCase::new(format!("{well} files without a finding"), TestCaseStatus::success()));
    }
    document.add_test_suite(suite);
    document.to_string().expect("writing to memory succeeds")
}

fn case(findings: &[LocatedFinding]) -> TestCase {
    let lines: Vec<String> = findings
        .iter()
        .map(|found| format!("{}:{}:{}: {} {}", found.path, found.line, found.column, found.finding.rule.code, found.finding.message))
        .collect();
    let must = findings.iter().find(|found| !found.finding.rule.should);
    let mut case = match must.or(findings.first()) {
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(first.finding.rule.code)
                .set_message(sanitise(&first.finding.message))
                .set_description(sanitise(&lines.join("\n")));
            TestCase::new(sanitise(&findings[0].path), status)
        }
        None => unreachable!("a case is of a file with findings"),
    };
    case.set_classname("passmuster.files");
    case
}
