//! The vocabulary of scenarios.

use crate::engine::vocabulary::StepKind;
use crate::suites::SUITES;

use super::markdown::{code, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "steps",
    about: "the steps that scenarios are written with",
    options: &["suite", "kind", "columns"],
    columns: &[shown("step", "step"), shown("kind", "kind"), shown("meaning", "meaning")],
    draw,
};

fn draw(_: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let chosen = SUITES.iter().filter(|suite| options.suite.is_none_or(|name| suite.names().contains(&name)));
    let steps = chosen.flat_map(|suite| suite.vocabulary().steps());
    let rows = steps.filter(|step| options.kind.is_none_or(|kind| step.kind == kind)).map(|step| {
        let kind = match step.kind {
            StepKind::Act => "act",
            StepKind::Check => "check",
        };
        vec![code(step.pattern), kind.to_owned(), prose(step.about)]
    });
    Ok(Drawing::Rows(rows.collect()))
}
