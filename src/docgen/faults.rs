//! The fault catalogue.

use crate::engine::catalogue::{self, Defect};
use crate::suites::SUITES;

use super::markdown::{code, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "faults",
    about: "the named defects of the references that the suites must catch",
    options: &["suite", "party", "columns"],
    columns: &[
        shown("fault", "fault"),
        shown("title", "what is wrong"),
        shown("breaks", "breaks"),
        on_request("also", "may also break"),
        on_request("source", "seen in"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let of_suite = |id: &&str| {
        let stated = id.parse().ok().and_then(|id| facts.registry().get(&id));
        options.suite.is_none_or(|suite| stated.is_some_and(|requirement| requirement.suite == suite))
    };
    let of_party = |fault: &Defect| options.party.is_none_or(|party| fault.suite.party() == party);
    let rows = catalogue::faults(SUITES).into_iter().filter(of_party).map(|fault| fault.info);
    let rows = rows.filter(|fault| fault.breaks.iter().any(&of_suite)).map(|fault| {
        let ids = |ids: &[&str]| prose(&ids.join(", "));
        vec![code(fault.name), prose(fault.title), ids(fault.breaks), ids(fault.side_effects), prose(fault.source)]
    });
    Ok(Drawing::Rows(rows.collect()))
}
