//! How much of each suite is tested, and how much is known to be caught.

use crate::engine::{catalogue, suite};
use crate::spec::{Level, Requirement};
use crate::suites::SUITES;

use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "coverage",
    about: "for each suite, how many of its requirements have scenarios and faults",
    options: &["suite", "party", "columns"],
    columns: &[
        shown("suite", "suite"),
        shown("requirements", "requirements"),
        shown("must", "MUST"),
        shown("should", "SHOULD"),
        shown("may", "MAY"),
        shown("with-scenario", "with a scenario"),
        shown("with-fault", "with a fault"),
        shown("scenarios", "scenarios"),
        shown("faults", "faults"),
        on_request("caught", "faults caught"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let suites = suite::names(SUITES).filter(|name| options.suite.is_none_or(|suite| suite == *name));
    suites.map(|suite| row(facts, options, suite)).collect::<Result<_, _>>().map(Drawing::Rows)
}

fn row(facts: &Facts, options: &TableOptions, suite: &str) -> Result<Vec<String>, String> {
    let bound = |requirement: &&Requirement| options.party.is_none_or(|party| requirement.party == party);
    let own: Vec<&Requirement> = facts.registry().suite(suite).filter(bound).collect();
    let of = |level: Level| own.iter().filter(|requirement| requirement.level == level).count().to_string();
    let names = |id: &str| own.iter().any(|requirement| requirement.id.as_str() == id);
    let broken =
        |requirement: &&&Requirement| catalogue::faults(SUITES).iter().any(|fault| fault.info.breaks.contains(&requirement.id.as_str()));
    let tagged: Vec<usize> = own.iter().map(|requirement| facts.scenarios_of(&requirement.id)).collect::<Result<_, _>>()?;
    let caught = match options.columns.iter().any(|column| column == "caught") {
        true => caught(facts, &names)?,
        false => String::new(),
    };
    Ok(vec![
        suite.to_owned(),
        own.len().to_string(),
        of(Level::Must),
        of(Level::Should),
        of(Level::May),
        tagged.iter().filter(|count| **count > 0).count().to_string(),
        own.iter().filter(broken).count().to_string(),
        facts.scenarios()?.iter().filter(|scenario| scenario.tags.iter().any(|tag| names(tag))).count().to_string(),
        catalogue::faults(SUITES).iter().filter(|fault| fault.info.breaks.iter().any(|id| names(id))).count().to_string(),
        caught,
    ])
}

/// How many of the faults that break what is named were caught, as stored.
fn caught(facts: &Facts, names: &dyn Fn(&str) -> bool) -> Result<String, String> {
    let matrix = facts.kill_matrix()?;
    let own = matrix.faults.iter().filter(|row| row.expected.iter().any(|id| names(id.as_str())));
    let (caught, missed): (Vec<_>, Vec<_>) = own.partition(|row| row.is_killed());
    let all = caught.len() + missed.len();
    Ok(if all == 0 { "–".to_owned() } else { format!("{} of {all}", caught.len()) })
}
