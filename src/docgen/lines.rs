//! How the native files grow.

use crate::profile::LineCounts;

use super::markdown::prose;
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "lines",
    about: "how many lines the native file has as the session goes on, as measured",
    options: &["agents", "columns"],
    columns: &[
        shown("agent", "agent"),
        shown("version", "version"),
        shown("idle", "before a prompt"),
        shown("first-turn", "first turn open"),
        shown("turn-1", "after turn 1"),
        shown("second-turn", "second turn open"),
        shown("turn-2", "after turn 2"),
        shown("source", "source"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(None)?;
    let mut rows = Vec::new();
    for kind in options.agents() {
        for profile in &profiles.agent(kind).profiles {
            let Some(LineCounts { idle, first_turn, turn_1, second_turn, turn_2 }) = profile.lines else { continue };
            let counts = [idle, first_turn, turn_1, second_turn, turn_2].map(|count| count.to_string());
            rows.push([vec![kind.to_string(), prose(&profile.version)], counts.to_vec(), vec![prose(&profile.source)]].concat());
        }
    }
    Ok(Drawing::Rows(rows))
}
