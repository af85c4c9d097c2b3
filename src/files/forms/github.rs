use super::LintReport;
use crate::core::sanitise;

/// A workflow's command: a property's value may hold neither `:` nor `,`, a message no newline.
fn escaped(text: &str, property: bool) -> String {
    let text = sanitise(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

pub(super) fn draw(report: &LintReport) -> String {
    let mut out = String::new();
    for found in &report.findings {
        let rule = found.finding.rule;
        let command = if rule.should { "warning" } else { "error" };
        let help = found.finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        out += &format!(
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}\n",
            escaped(&found.path, true),
            found.line,
            found.end_line,
            found.column,
            found.end_column,
            escaped(&format!("{} ({})", rule.code, rule.requirement), true),
            escaped(&format!("{}{help}", found.finding.message), false),
        );
    }
    for file in &report.unreadable {
        out += &format!("::error file={},title=could not be checked::{}\n", escaped(&file.path, true), escaped(&file.why, false));
    }
    out
}
