//! The outer bounds on waiting.

use crate::trace::settings::Limits;

use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "limits",
    about: "the limits and their defaults",
    options: &["columns"],
    columns: &[shown("limit", "limit"), shown("default", "default"), shown("covers", "from … to …")],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    let Limits { call, start, observe, announce, end, settle: _ } = Limits::default();
    let rows = [
        ("call", call, "a request, its answer"),
        ("start", start, "`start_session`, the agent's process runs or the start has failed"),
        ("observe", observe, "the phase of the profile, the session is listed and readable"),
        ("announce", announce, "a turn is complete or an agent has died, the manager says so"),
        ("end", end, "`end_session`, or a timeout, and everything of the session is gone"),
    ];
    let row = |(name, limit, covers): (&str, std::time::Duration, &str)| {
        vec![name.to_owned(), format!("{} s", limit.as_secs_f64()), covers.to_owned()]
    };
    Ok(Drawing::Rows(rows.into_iter().map(row).collect()))
}
