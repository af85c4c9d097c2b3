//! What managers announce.

use crate::contract::ANNOUNCEMENTS;

use super::markdown::{code, codes, prose, yes};
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "announcements",
    about: "the announcements and what they carry",
    options: &["columns"],
    columns: &[
        shown("announcement", "announcement"),
        shown("fields", "carries"),
        shown("optional", "may be left out"),
        shown("meaning", "meaning"),
    ],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    let rows = ANNOUNCEMENTS.iter().map(|announcement| {
        vec![code(announcement.name), codes(announcement.fields), yes(announcement.optional), prose(announcement.meaning)]
    });
    Ok(Drawing::Rows(rows.collect()))
}
