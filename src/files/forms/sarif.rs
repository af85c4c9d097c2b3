use serde_json::{Value, json};

use super::LintReport;
use crate::core::sanitise;
use crate::files::rules::RULES;

/// A path as a URI: what has a meaning there is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub(super) fn draw(report: &LintReport) -> String {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.why },
                "defaultConfiguration": { "level": level(rule.should) },
                "properties": { "requirement": rule.requirement },
            })
        })
        .collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|found| {
            let finding = &found.finding;
            let text = [Some(finding.message.as_str()), finding.help.as_deref()].into_iter().flatten().map(sanitise).collect::<Vec<_>>().join("\n");
            let at = RULES.iter().position(|rule| rule.code == finding.rule.code);
            json!({
                "ruleId": finding.rule.code,
                "ruleIndex": at,
                "level": level(finding.rule.should),
                "message": { "text": text },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(&found.path) },
                    "region": { "startLine": found.line, "startColumn": found.column, "endLine": found.end_line, "endColumn": found.end_column },
                } }],
            })
        })
        .collect();
    let notes: Vec<Value> = report
        .unreadable
        .iter()
        .map(|file| json!({ "level": "error", "message": { "text": sanitise(&file.why) }, "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&file.path) } } }] }))
        .collect();
    let run = json!({
        "tool": { "driver": { "name": "passmuster", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [{ "executionSuccessful": notes.is_empty(), "toolExecutionNotifications": notes }],
    });
    let whole = json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run] });
    serde_json::to_string_pretty(&whole).expect("it is JSON") + "\n"
}

fn level(should: bool) -> &'static str {
    if should { "warning" } else { "error" }
}
