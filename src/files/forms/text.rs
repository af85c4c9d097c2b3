use super::{LintReport, LocatedFinding};
use crate::core::sanitise;
use crate::files::finding::Safety;

/// What each finding says in its first line.
fn headline(found: &LocatedFinding) -> String {
    let finding = &found.finding;
    let mark = match &finding.repair {
        Some(repair) if repair.safety == Safety::Safe => " [*]",
        Some(_) => " [-*]",
        None => "",
    };
    let level = if finding.rule.should { "warning" } else { "error" };
    let place = format!("{}:{}:{}", found.path, found.line, found.column);
    one_line(&format!("{place}: {level} {}{mark} {}", finding.rule.code, finding.message))
}

fn one_line(text: &str) -> String {
    sanitise(text).replace('\n', "␤")
}

pub(super) fn concise(report: &LintReport) -> String {
    let mut out: String = report.findings.iter().map(|found| headline(found) + "\n").collect();
    out += &unreadable(report);
    out
}

fn unreadable(report: &LintReport) -> String {
    report.unreadable.iter().map(|file| one_line(&format!("{}: could not be checked: {}", file.path, file.why)) + "\n").collect()
}

pub(super) fn draw(report: &LintReport) -> String {
    let mut out = String::new();
    for found in &report.findings {
        out += &headline(found);
        out += "\n";
        out += &excerpt(found);
        let repair = found.finding.repair.as_ref().map(|repair| {
            let flag = if repair.safety == Safety::Safe { "--fix" } else { "--fix --unsafe-fixes" };
            format!("{flag}: {}", repair.what)
        });
        for help in [found.finding.help.as_ref(), repair.as_ref()].into_iter().flatten() {
            out += &format!("  = {}\n", one_line(help));
        }
        out += "\n";
    }
    out += &unreadable(report);
    out + &summary(report)
}

/// The line with a caret under what is meant.
fn excerpt(found: &LocatedFinding) -> String {
    let Some(line) = &found.excerpt else { return String::new() };
    let safe = |text: &str| one_line(text);
    let (before, rest): (String, String) = (line.chars().take(found.column - 1).collect(), line.chars().skip(found.column - 1).collect());
    let length = if found.end_line == found.line { found.end_column.saturating_sub(found.column) } else { rest.chars().count() };
    let meant: String = rest.chars().take(length).collect();
    let number = found.line.to_string();
    let margin = " ".repeat(number.len());
    let carets = "^".repeat(safe(&meant).chars().count().max(1));
    format!("{margin} |\n{number} | {}\n{margin} | {}{carets}\n", safe(line), " ".repeat(safe(&before).chars().count()))
}

fn summary(report: &LintReport) -> String {
    let count = |safety: Safety| {
        report.findings.iter().filter(|found| found.finding.repair.as_ref().is_some_and(|repair| repair.safety == safety)).count()
    };
    let should = report.findings.iter().filter(|found| found.finding.rule.should).count();
    let must = report.findings.len() - should;
    let mut out = format!("{} checked", plural(report.checked, "session file"));
    if report.fixed > 0 {
        out += &format!(", {} fixed", plural(report.fixed, "finding"));
    }
    out += &match (must, should) {
        (0, 0) if report.unreadable.is_empty() => ": all is well\n".to_owned(),
        (0, 0) => "\n".to_owned(),
        (must, should) => format!(": {}, {}\n", plural(must, "error"), plural(should, "warning")),
    };
    if !report.unreadable.is_empty() {
        out += &format!("{} could not be checked\n", plural(report.unreadable.len(), "file"));
    }
    let (safe, not) = (count(Safety::Safe), count(Safety::Unsafe));
    if safe > 0 {
        out += &format!("[*] {safe} can be put right with `--fix`\n");
    }
    if not > 0 {
        out += &format!("[-*] {not} can be put right with `--fix --unsafe-fixes`\n");
    }
    if let Some(first) = report.findings.first() {
        out += &format!("`passmuster explain {}` says why a rule is there\n", first.finding.rule.code);
    }
    out
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
