//! The requirements: who must what, how it is tested.

use crate::engine::{catalogue, suite};
use crate::spec::{Requirement, heading_anchor};
use crate::suites::SUITES;

use super::markdown::{codes, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "requirements",
    about: "the requirements, with their scenarios and faults",
    options: &["suite", "level", "party", "columns", "links", "depth"],
    columns: &[
        shown("id", "id"),
        shown("level", "level"),
        shown("party", "party"),
        shown("title", "title"),
        on_request("sentence", "requirement"),
        on_request("why", "why"),
        on_request("needs", "applies where the system offers"),
        on_request("scenarios", "scenarios"),
        on_request("faults", "faults"),
        on_request("fault-names", "faults that break it"),
        on_request("since", "since"),
        on_request("suite", "suite"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let rows = |suite: Option<&str>| -> Result<Vec<Vec<String>>, String> {
        let fits = |requirement: &&Requirement| {
            suite.is_none_or(|suite| requirement.suite == suite)
                && (options.levels.is_empty() || options.levels.contains(&requirement.level))
                && options.party.is_none_or(|party| requirement.party == party)
        };
        let mut stated: Vec<&Requirement> = facts.registry().iter().filter(fits).collect();
        // Families in the order of the documents, and in each the natural order of ids.
        let place = |requirement: &Requirement| (suite::names(SUITES).position(|suite| suite == requirement.suite), requirement.line);
        let first = |family: &str| facts.registry().iter().filter(|other| other.id.family() == family).map(place).min();
        stated.sort_by_key(|requirement| (first(requirement.id.family()), &requirement.id));
        stated.into_iter().map(|requirement| row(facts, options, requirement)).collect()
    };
    if options.depth.is_none() {
        return Ok(Drawing::Rows(rows(options.suite)?));
    }
    let suites = suite::names(SUITES).filter(|name| options.suite.is_none_or(|suite| suite == *name));
    let parts: Result<Vec<_>, String> = suites.map(|suite| Ok((suite.to_owned(), rows(Some(suite))?))).collect();
    Ok(Drawing::Parts(parts?.into_iter().filter(|(_, rows)| !rows.is_empty()).collect()))
}

fn row(facts: &Facts, options: &TableOptions, requirement: &Requirement) -> Result<Vec<String>, String> {
    let id = requirement.id.to_string();
    let breaking = catalogue::faults(SUITES).into_iter().map(|fault| fault.info).filter(|fault| fault.breaks.contains(&id.as_str()));
    let faults: Vec<&str> = breaking.map(|fault| fault.name).collect();
    let retired = requirement.retired.map(|version| format!(", retired {version}")).unwrap_or_default();
    Ok(vec![
        options.links.as_ref().map_or_else(|| id.clone(), |base| link(base, requirement)),
        requirement.level.to_string(),
        requirement.party.to_string(),
        prose(&requirement.title),
        prose(&requirement.sentence),
        prose(&requirement.rationale),
        codes(requirement.needs.iter().map(ToString::to_string)),
        facts.scenarios_of(&requirement.id)?.to_string(),
        faults.len().to_string(),
        codes(faults),
        format!("{}{retired}", requirement.since),
        requirement.suite.clone(),
    ])
}

/// The id as a link to where it is stated; `base` leads to the folder `spec`, or says that it is `here`.
fn link(base: &str, requirement: &Requirement) -> String {
    let Requirement { id, level, party, title, .. } = requirement;
    let file = requirement.file.strip_prefix("spec/").unwrap_or(&requirement.file);
    let file = if base == "here" { String::new() } else { format!("{base}/{file}") };
    format!("[{id}]({file}#{})", heading_anchor(&format!("{id} · {level} · {party} · {title}")))
}
