//! How well each requirement is guarded: the stored result of `passmuster faults run`.

use crate::spec::RequirementId;

use super::markdown::codes;
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "kill-matrix",
    about: "for each requirement, how many of the faults that break it are caught, as stored",
    options: &["suite", "columns"],
    columns: &[shown("requirement", "requirement"), shown("killed", "caught"), on_request("faults", "faults")],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let matrix = facts.kill_matrix()?;
    let of_suite = |id: &RequirementId| {
        let stated = facts.registry().get(id);
        options.suite.is_none_or(|suite| stated.is_some_and(|requirement| requirement.suite == suite))
    };
    let rows = matrix.requirements.iter().filter(|score| score.faults > 0 && of_suite(&score.id)).map(|score| {
        let breaking = matrix.faults.iter().filter(|row| row.expected.contains(&score.id)).map(|row| &row.name);
        vec![score.id.to_string(), format!("{} of {}", score.killed, score.faults), codes(breaking)]
    });
    Ok(Drawing::Rows(rows.collect()))
}
