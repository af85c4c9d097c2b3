//! What `passmuster explain` and `passmuster spec list` say.

use super::check::ScenarioTags;
use super::registry::Registry;
use super::requirement::Requirement;

/// A fault, as plain data.
#[derive(Debug, Clone)]
pub struct FaultNote {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub title: String,
}

/// A requirement, why it exists, its scenarios and its faults.
pub fn explain(requirement: &Requirement, scenarios: &[ScenarioTags], faults: &[FaultNote]) -> String {
    let mut text = format!("{} · {} · {} · {}\n\n", requirement.id, requirement.level, requirement.party, requirement.title);
    text.push_str(&folded(&requirement.sentence, "  "));
    if !requirement.rationale.is_empty() {
        text.push_str(&format!("\nWhy\n{}", folded(&requirement.rationale, "  ")));
    }
    if !requirement.needs.is_empty() {
        text.push_str(&format!("\nApplies where the system offers\n  {}\n", requirement.needs.join(", ")));
    }
    text.push_str("\nScenarios\n");
    let own: Vec<_> = scenarios.iter().filter(|scenario| scenario.tags.iter().any(|tag| tag == requirement.id.as_str())).collect();
    for scenario in &own {
        text.push_str(&format!("  {}:{}  {}\n", scenario.feature, scenario.line, scenario.name));
    }
    if own.is_empty() {
        text.push_str("  none\n");
    }
    if !faults.is_empty() {
        text.push_str("\nFaults that break it\n");
        for fault in faults {
            text.push_str(&format!("  {}  {}\n", fault.name, fault.title));
        }
    }
    text.push_str(&format!("\nStated in\n  {}:{} (suite {})\n", requirement.file, requirement.line, requirement.suite));
    if !own.is_empty() {
        text.push_str(&format!("\nTo see it alone\n  passmuster verify --requirement {}\n", requirement.id));
    }
    text
}

/// Every requirement in a line.
pub fn list(registry: &Registry, suite: Option<&str>) -> String {
    registry
        .iter()
        .filter(|requirement| suite.is_none_or(|suite| requirement.suite == suite))
        .map(|r| format!("{:<13} {:<6} {:<12} {:<19} {}\n", r.id, r.level, r.party, r.suite, r.title))
        .collect()
}

/// Text in lines of at most 96 characters.
fn folded(text: &str, indent: &str) -> String {
    let mut folded = String::new();
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() > 96 {
            folded.push_str(line.trim_end());
            folded.push('\n');
            line = indent.to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    folded.push_str(line.trim_end());
    folded.push('\n');
    folded
}
