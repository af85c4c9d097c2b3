use serde_json::{Value, json};

use super::LintReport;
use crate::core::sanitise;
use crate::files::finding::Safety;

pub(super) fn draw(report: &LintReport) -> String {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|found| {
            let finding = &found.finding;
            let repair = finding.repair.as_ref().map(|repair| {
                let edits: Vec<Value> =
                    repair.edits.iter().map(|edit| json!({ "start": edit.span.start, "end": edit.span.end, "text": edit.text })).collect();
                json!({ "safe": repair.safety == Safety::Safe, "what": repair.what, "edits": edits, "rename": repair.rename })
            });
            json!({
                "path": found.path,
                "code": finding.rule.code,
                "requirement": finding.rule.requirement,
                "level": finding.rule.level(),
                "line": found.line,
                "column": found.column,
                "end_line": found.end_line,
                "end_column": found.end_column,
                "message": sanitise(&finding.message),
                "help": finding.help.as_deref().map(sanitise),
                "fix": repair,
            })
        })
        .collect();
    let unreadable: Vec<Value> = report.unreadable.iter().map(|file| json!({ "path": file.path, "why": file.why })).collect();
    let whole =
        json!({ "tool": "passmuster", "checked": report.checked, "fixed": report.fixed, "findings": findings, "unreadable": unreadable });
    serde_json::to_string_pretty(&whole).expect("it is JSON") + "\n"
}
