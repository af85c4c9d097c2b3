//! What `passmuster explain` and `passmuster spec list` say.

use super::check::ScenarioTags;
use super::registry::Registry;
use super::requirement::{Level, Party, Requirement};

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
        let needs: Vec<String> = requirement.needs.iter().map(ToString::to_string).collect();
        text.push_str(&format!("\nApplies where the system offers\n  {}\n", needs.join(", ")));
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
    let retired = requirement.retired.map_or_else(String::new, |version| format!(", retired in {version}"));
    let since = format!("since version {}{retired}", requirement.since);
    text.push_str(&format!("\nStated in\n  {}:{} (suite {}), {since}\n", requirement.file, requirement.line, requirement.suite));
    if !own.is_empty() {
        text.push_str(&format!("\nTo see it alone\n  passmuster verify --requirement {}\n", requirement.id));
    }
    text
}

/// Which requirements to list: those that fit everything that is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filters<'a> {
    /// Of this suite.
    pub suite: Option<&'a str>,
    /// Of this level.
    pub level: Option<Level>,
    /// That bind this party.
    pub party: Option<Party>,
}

impl Filters<'_> {
    fn fit(&self, requirement: &Requirement) -> bool {
        self.suite.is_none_or(|suite| requirement.suite == suite)
            && self.level.is_none_or(|level| requirement.level == level)
            && self.party.is_none_or(|party| requirement.party == party)
    }
}

/// Requirements, one in a line.
pub fn list(registry: &Registry, filters: Filters) -> String {
    registry
        .iter()
        .filter(|requirement| filters.fit(requirement))
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

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n\n\
        ### LC-X-10 · SHOULD · manager · the last in natural order\n\nIt SHOULD.\n\nWhy: so.\n\n\
        ### LC-X-2 · MUST · manager · the whole tree ends\n\nNeeds: end_session, processes=session\n\n\
        `end_session` MUST end the agent's process and everything under it within the end limit, also what ignores HUP or TERM.\n\n\
        Why: killing a terminal is not killing what ran in it.\n\n\
        ### LC-X-3 · MAY · agent · a fact\n\nIt MAY.\n\nWhy: so.\n";

    fn registry() -> Registry {
        Registry::from_documents(&[("spec/x.md".into(), DOCUMENT.into())]).unwrap()
    }

    fn explained(id: &str, scenarios: &[ScenarioTags], faults: &[FaultNote]) -> String {
        explain(registry().get(&id.parse().unwrap()).unwrap(), scenarios, faults)
    }

    #[test]
    fn a_requirement_is_explained_with_its_scenarios_and_faults() {
        let scenario = |line: usize, name: &str, tag: &str| ScenarioTags {
            feature: "features/lifecycle/x.feature".into(),
            line,
            name: name.into(),
            tags: vec![tag.into(), "each-agent".into()],
        };
        let scenarios = [scenario(4, "Ending a session ends its agent", "LC-X-2"), scenario(9, "Another", "LC-X-20")];
        let faults = [FaultNote { name: "leaks-setsid".into(), title: "misses what left the process group".into() }];
        insta::assert_snapshot!(explained("LC-X-2", &scenarios, &faults));
    }

    #[test]
    fn a_requirement_without_scenarios_says_so() {
        insta::assert_snapshot!(explained("LC-X-3", &[], &[]));
    }

    #[test]
    fn requirements_are_listed_in_natural_order() {
        insta::assert_snapshot!(list(&registry(), Filters::default()));
    }

    #[test]
    fn a_list_has_what_fits_every_filter() {
        let ids = |filters: Filters| -> Vec<String> {
            list(&registry(), filters).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(Filters { party: Some(Party::Manager), ..Filters::default() }), ["LC-X-2", "LC-X-10"]);
        assert_eq!(ids(Filters { party: Some(Party::Manager), level: Some(Level::Should), ..Filters::default() }), ["LC-X-10"]);
        assert!(ids(Filters { suite: Some("codex-observability"), ..Filters::default() }).is_empty());
    }
}
