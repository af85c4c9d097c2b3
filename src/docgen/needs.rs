//! What a system must offer for requirements to apply to it.

use crate::spec::Need;

use super::markdown::code;
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "needs",
    about: "the needs of requirements, and how many requirements have each",
    options: &["suite", "columns"],
    columns: &[shown("need", "need"), shown("requirements", "requirements")],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let count = |word: &str| {
        let of_suite = facts.registry().iter().filter(|requirement| options.suite.is_none_or(|suite| requirement.suite == suite));
        of_suite.filter(|requirement| requirement.needs.iter().any(|need| need.to_string() == word)).count()
    };
    let rows = Need::words().into_iter().map(|word| vec![code(&word), count(&word).to_string()]);
    Ok(Drawing::Rows(rows.collect()))
}
