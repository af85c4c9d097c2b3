//! Every operation at every moment: what looks, and what it catches.

use crate::suites::manager::moments::{CELLS, Cell, MOMENTS};

use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "moments",
    about: "each operation of a session manager at each moment, with the scenario that looks and a fault that it catches",
    options: &["columns"],
    columns: &[shown("operation", "operation"), shown("moment", "moment"), shown("scenario", "looked at by"), shown("fault", "catches")],
    draw: |_: &Facts, _: &TableOptions| Ok(Drawing::Rows(CELLS.iter().flat_map(|(operation, cells)| rows(operation, cells)).collect())),
};

fn rows(operation: &str, cells: &[Cell]) -> Vec<Vec<String>> {
    let row = |(moment, cell): (&crate::suites::manager::moments::TriedMoment, &Cell)| {
        let (scenario, fault) = match cell {
            Cell::Caught { scenario, fault } => (format!("`{scenario}`"), format!("`{fault}`")),
            Cell::Left(why) => ((*why).to_owned(), "–".to_owned()),
        };
        vec![format!("`{operation}`"), moment.about.to_owned(), scenario, fault]
    };
    MOMENTS.iter().zip(cells).map(row).collect()
}
