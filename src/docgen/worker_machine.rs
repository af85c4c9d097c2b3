//! The machine that follows one worker.

use crate::contract::worker_machine::section;

use super::{Drawing, Facts, TableOptions, TableSpec};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "worker-machine",
    about: "the worker state machine of orchestrators: a diagram and its transitions",
    options: &[],
    columns: &[],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    Ok(Drawing::Text(section()))
}
