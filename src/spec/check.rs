//! What `passmuster spec check` finds.

use std::fmt;

use super::registry::Registry;
use super::requirement::{Party, RequirementId};

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

/// Finds duplicate ids, tags without a requirement, and requirements for managers without a scenario.
pub fn check(registry: &Registry, scenarios: &[ScenarioTags]) -> Vec<CheckFinding> {
    let duplicates = registry.duplicates().iter().map(|(id, file, line)| CheckFinding {
        file: file.clone(),
        line: *line,
        message: format!("{id} is stated a second time: ids are unique"),
    });
    let dangling = scenarios.iter().flat_map(|scenario| {
        scenario.tags.iter().filter_map(|tag| tag.parse::<RequirementId>().ok()).filter(|id| registry.get(id).is_none()).map(|id| {
            CheckFinding {
                file: scenario.feature.clone(),
                line: scenario.line,
                message: match registry.nearest(&id) {
                    Some(nearest) => format!("there is no requirement {id}; did you mean {nearest}?"),
                    None => format!("there is no requirement {id}"),
                },
            }
        })
    });
    let without = registry.iter().filter(|requirement| requirement.party == Party::Manager).filter_map(|requirement| {
        let covered = scenarios.iter().any(|scenario| scenario.tags.iter().any(|tag| tag == requirement.id.as_str()));
        (!covered).then(|| CheckFinding {
            file: requirement.file.clone(),
            line: requirement.line,
            message: format!("{} has no scenario: tag one with @{}", requirement.id, requirement.id),
        })
    });
    duplicates.chain(dangling).chain(without).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &str) -> (String, String) {
        ("a.md".into(), format!("---\nsuite: lifecycle\n---\n{body}"))
    }

    #[test]
    fn gaps_duplicates_and_dangling_tags_are_all_found() {
        let stated = "### LC-X-1 · MUST · manager · one\n\nIt MUST.\n\n### LC-X-1 · MUST · manager · again\n\nIt MUST.\n\n### LC-X-2 · MAY · agent · fact\n\nIt MAY.\n";
        let registry = Registry::from_documents(&[document(stated)]).unwrap();
        let scenario =
            ScenarioTags { feature: "f.feature".into(), line: 3, name: "s".into(), tags: vec!["LC-X-3".into(), "each-agent".into()] };
        let found: Vec<String> = check(&registry, &[scenario]).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a.md:8: LC-X-1 is stated a second time: ids are unique",
                "f.feature:3: there is no requirement LC-X-3; did you mean LC-X-1?",
                "a.md:4: LC-X-1 has no scenario: tag one with @LC-X-1",
            ]
        );
    }
}
