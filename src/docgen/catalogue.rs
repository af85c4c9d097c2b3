//! The tables themselves, for those who put them into their documents.

use super::markdown::{code, codes, prose};
use super::{Drawing, Facts, TABLES, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "tables",
    about: "the tables that documents can show",
    options: &["columns"],
    columns: &[shown("table", "table"), shown("about", "shows"), shown("options", "options"), shown("columns", "columns")],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    let rows = TABLES.iter().map(|table| {
        vec![code(table.name), prose(table.about), codes(table.options), codes(table.columns.iter().map(|column| column.name))]
    });
    Ok(Drawing::Rows(rows.collect()))
}
