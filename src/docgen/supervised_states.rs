//! The states of a supervised session.

use crate::contract::supervised_state::section;

use super::{Drawing, Facts, TableOptions, TableSpec};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "supervised-states",
    about: "the states of supervised sessions: a diagram and their transitions",
    options: &[],
    columns: &[],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    Ok(Drawing::Text(section()))
}
