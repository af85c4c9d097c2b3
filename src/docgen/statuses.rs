//! The words for a session's status.

use crate::contract::Status;

use super::markdown::{code, prose, yes};
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "statuses",
    about: "the status words, and which say that the agent lives",
    options: &["columns"],
    columns: &[shown("status", "status"), shown("alive", "alive"), shown("meaning", "meaning")],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    Ok(Drawing::Rows(Status::ALL.iter().map(|status| vec![code(status.name()), yes(status.is_alive()), prose(status.meaning())]).collect()))
}
