//! The errors that operations give.

use crate::contract::ERRORS;

use super::markdown::{code, prose, yes};
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "errors",
    about: "the error codes, and which say that surely nothing happened",
    options: &["columns"],
    columns: &[shown("code", "code"), shown("rpc", "JSON-RPC"), shown("definite", "surely did not happen"), shown("meaning", "meaning")],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    let rows = ERRORS.iter().map(|error| vec![code(error.name), error.rpc_code.to_string(), yes(error.definite), prose(error.meaning)]);
    Ok(Drawing::Rows(rows.collect()))
}
