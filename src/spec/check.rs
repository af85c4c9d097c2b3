//! What `passmuster spec check` finds.

use std::fmt;

use super::need::Need;
use super::registry::Registry;
use super::requirement::{Party, Requirement, RequirementId};
use super::version::SpecVersion;

/// A scenario's tags, as plain data.
#[derive(Debug, Clone)]
pub struct ScenarioTags {
    /// The feature's file.
    pub feature: String,
    /// The scenario's line.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its tags, without `@`, and the requirements that its steps name.
    pub tags: Vec<String>,
}

/// Something that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for CheckFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Finds duplicate ids, tags that name no requirement or no need, and requirements without a scenario.
pub fn check(registry: &Registry, scenarios: &[ScenarioTags]) -> Vec<CheckFinding> {
    let duplicates = registry.duplicates().iter().map(|(id, file, line)| CheckFinding {
        file: file.clone(),
        line: *line,
        message: format!("{id} is stated a second time: ids are unique, give this one its own"),
    });
    let tags = scenarios.iter().flat_map(|scenario| {
        let wrong = scenario.tags.iter().filter_map(|tag| wrong_tag(registry, tag));
        wrong.map(|message| CheckFinding { file: scenario.feature.clone(), line: scenario.line, message })
    });
    let tagged = |id: &RequirementId| scenarios.iter().any(|scenario| scenario.tags.iter().any(|tag| tag == id.as_str()));
    let without = registry.iter().filter(|requirement| is_to_be_tested(requirement, scenarios) && !tagged(&requirement.id));
    let without = without.map(|requirement| CheckFinding {
        file: requirement.file.clone(),
        line: requirement.line,
        message: format!("{} has no scenario: tag one with @{}", requirement.id, requirement.id),
    });
    duplicates.chain(tags).chain(without).collect()
}

/// Whether a requirement must have a scenario: every one for managers, and one for orchestrators where its suite has
/// features. Facts about agents are measured.
fn is_to_be_tested(requirement: &Requirement, scenarios: &[ScenarioTags]) -> bool {
    let folder = format!("/{}/", requirement.suite);
    match requirement.party {
        _ if !requirement.is_in(SpecVersion::NEWEST) => false,
        Party::Manager | Party::Supervisor => true,
        Party::Orchestrator => scenarios.iter().any(|scenario| scenario.feature.contains(&folder)),
        Party::Agent => false,
    }
}

/// Finds requirements that no named fault breaks, given the ids that faults break: of those that must have a scenario, the
/// ones for managers and orchestrators.
pub fn without_fault(registry: &Registry, scenarios: &[ScenarioTags], broken: &[&str]) -> Vec<CheckFinding> {
    let bound = |requirement: &&Requirement| is_to_be_tested(requirement, scenarios);
    let without = registry.iter().filter(bound).filter(|requirement| !broken.contains(&requirement.id.as_str()));
    let told = |requirement: &Requirement| CheckFinding {
        file: requirement.file.clone(),
        line: requirement.line,
        message: format!("{} has no fault: without one, nobody knows whether its scenarios can fail", requirement.id),
    };
    without.map(told).collect()
}

/// What is wrong with a tag that means a requirement (`LC-CLEAN-1`) or a need (`needs:serve`).
fn wrong_tag(registry: &Registry, tag: &str) -> Option<String> {
    if let Some(need) = tag.strip_prefix("needs:") {
        return need.parse::<Need>().err().map(|error| format!("@{tag}: {error}; {}", error.advice()));
    }
    let id = tag.parse::<RequirementId>();
    let known = id.as_ref().is_ok_and(|id| registry.get(id).is_some());
    if known || (id.is_err() && !registry.looks_like_an_id(tag)) {
        return None;
    }
    Some(match registry.nearest(tag) {
        Some(nearest) => format!("there is no requirement {tag}; did you mean {nearest}?"),
        None => format!("there is no requirement {tag}: `passmuster spec list` shows them all"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &str) -> (String, String) {
        ("a.md".into(), format!("---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n{body}"))
    }

    fn scenario(tags: &[&str]) -> ScenarioTags {
        ScenarioTags { feature: "f.feature".into(), line: 3, name: "s".into(), tags: tags.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn gaps_duplicates_and_dangling_tags_are_all_found() {
        let stated = "### LC-X-1 · MUST · manager · one\n\nIt MUST.\n\nWhy: so.\n\n\
             ### LC-X-1 · MUST · manager · again\n\nIt MUST.\n\nWhy: so.\n\n\
             ### LC-X-2 · MAY · agent · fact\n\nIt MAY.\n\nWhy: so.\n";
        let registry = Registry::from_documents(&[document(stated)]).unwrap();
        let scenario = scenario(&["LC-X-3", "lc-x-1", "LC-X2", "AB-QUITE-OTHER-1", "each-agent", "needs:serve", "needs:sevre"]);
        let found: Vec<String> = check(&registry, &[scenario]).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a.md:12: LC-X-1 is stated a second time: ids are unique, give this one its own",
                "f.feature:3: there is no requirement LC-X-3; did you mean LC-X-1?",
                "f.feature:3: there is no requirement lc-x-1; did you mean LC-X-1?",
                "f.feature:3: there is no requirement LC-X2; did you mean LC-X-2?",
                "f.feature:3: there is no requirement AB-QUITE-OTHER-1: `passmuster spec list` shows them all",
                "f.feature:3: @needs:sevre: `sevre` is no need: wanted an operation, announcements, serve, record, \
                 processes=session or agent=NAME; did you mean `serve`?",
                "a.md:6: LC-X-1 has no scenario: tag one with @LC-X-1",
            ]
        );
    }

    #[test]
    fn a_rule_for_orchestrators_needs_a_scenario_once_its_suite_has_features() {
        let text = "---\nsuite: orchestrator\ntitle: T\nspec_version: \"1.0\"\n---\n### OR-1 · MUST · orchestrator · one\n\nIt MUST.\n\nWhy: so.\n";
        let registry = Registry::from_documents(&[("o.md".into(), text.to_owned())]).unwrap();
        assert_eq!(check(&registry, &[]), []);
        let other = ScenarioTags { feature: "features/orchestrator/x.feature".into(), ..scenario(&["virtual"]) };
        assert_eq!(check(&registry, &[other]).len(), 1);
    }

    #[test]
    fn what_must_have_a_scenario_must_have_a_fault() {
        let stated = "### LC-X-1 · MUST · manager · one\n\nIt MUST.\n\nWhy: so.\n\n### LC-X-2 · MUST · manager · two\n\nIt MUST.\n\nWhy: so.\n\n\
             ### LC-X-3 · MAY · agent · fact\n\nIt MAY.\n\nWhy: so.\n\n### LC-X-4 · MUST · orchestrator · rule\n\nIt MUST.\n\nWhy: so.\n";
        let registry = Registry::from_documents(&[document(stated)]).unwrap();
        let mut tested = scenario(&["LC-X-4"]);
        let ids = |scenarios: &[ScenarioTags]| -> Vec<String> {
            let found = without_fault(&registry, scenarios, &["LC-X-1"]);
            found.iter().map(|finding| finding.message.split(' ').next().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&[tested.clone()]), ["LC-X-2"]);
        tested.feature = "features/lifecycle/x.feature".into();
        assert_eq!(ids(&[tested]), ["LC-X-2", "LC-X-4"]);
    }

    #[test]
    fn what_fits_together_has_no_findings() {
        let registry = Registry::from_documents(&[document("### LC-X-1 · MUST · manager · one\n\nIt MUST.\n\nWhy: so.\n")]).unwrap();
        assert_eq!(check(&registry, &[scenario(&["LC-X-1", "virtual", "agent:codex"])]), []);
    }
}
