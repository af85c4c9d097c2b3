//! The phases of a session, and what each means for callers, by agent: agents that behave alike share a column.

use crate::profile::{Phase, Profile};

use super::creation::alike;
use super::markdown::{Grid, code};
use super::{Drawing, Facts, TableOptions, TableSpec};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "phases",
    about: "the phases of a session in order, and what each means for callers, by agent",
    options: &["agents", "profiles", "mode"],
    columns: &[],
    draw,
};

/// What has happened when a session is in a phase.
const PHASES: [(Phase, &str); 4] = [
    (Phase::Started, "the agent's process is up"),
    (Phase::PromptAccepted, "the agent took the first prompt; the first turn is open"),
    (Phase::FirstTurnCompleted, "the first answer is complete"),
    (Phase::Exited, "the agent's process is gone"),
];

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(options.profiles.as_ref())?;
    let columns = alike(options.agents().into_iter().map(|kind| (kind, profiles.get(kind, options.mode()))));
    let row = |(phase, happened): (Phase, &str)| {
        let cells = columns.iter().map(|(_, profile)| means(profile, phase));
        [code(phase.word()), happened.to_owned()].into_iter().chain(cells).collect()
    };
    let headings = ["phase", "what has happened"].map(str::to_owned).into_iter().chain(columns.iter().map(|(agents, _)| agents.clone()));
    Ok(Drawing::Grid(Grid { headings: headings.collect(), rows: PHASES.into_iter().map(row).collect() }))
}

/// What a phase means for a caller.
fn means(profile: &Profile, phase: Phase) -> String {
    let file = if profile.file_created == phase { "native file written; " } else { "" };
    let seen = match phase {
        Phase::Exited => "not alive; still to be ended",
        _ if profile.observable == phase => "**observable from here**",
        _ if profile.observable < phase => "observable",
        _ => "runs; may be unlisted; not readable",
    };
    format!("{file}{seen}")
}
