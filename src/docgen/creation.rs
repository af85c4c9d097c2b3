//! What happens when a session is created, by operation and agent: agents that behave alike share a column.

use crate::contract::AgentKind;
use crate::profile::{Phase, Profile};

use super::markdown::{Grid, code};
use super::{Drawing, Facts, TableOptions, TableSpec};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "creation",
    about: "what each operation does around a session's creation, by agent",
    options: &["agents", "profiles", "mode"],
    columns: &[],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(options.profiles.as_ref())?;
    let columns = alike(options.agents().into_iter().map(|kind| (kind, profiles.get(kind, options.mode()))));
    let row = |head: String, cell: &dyn Fn(&Profile) -> String| {
        let mut cells: Vec<String> = columns.iter().map(|(_, profile)| cell(profile)).collect();
        let (first, others) = cells.split_first_mut().expect("there is an agent");
        // A whole sentence is not said twice.
        others.iter_mut().filter(|cell| *cell == first && first.len() > 60).for_each(|cell| *cell = "the same".to_owned());
        [vec![head], cells].concat()
    };
    let from = |profile: &Profile, now: &str, before: &str| match profile.observable {
        Phase::Started => format!("{now} at once"),
        Phase::Never => format!("{before} for ever"),
        phase => format!("{before} until {}", moment(phase)),
    };
    let rows = vec![
        row(code("start_session"), &|_| {
            "makes the place where the agent runs (a tmux session, a pseudo-terminal, a container), starts the agent's process there, answers the `session_id`".into()
        }),
        row("native file".into(), &|profile| match profile.file_created {
            Phase::Started => "there at once".into(),
            Phase::Never => "never made".into(),
            phase => format!("only when {}", moment(phase)),
        }),
        row(code("list_sessions"), &|profile| from(profile, "shows the session", "may leave it out")),
        row(code("get_session_data"), &|profile| from(profile, "answers data", "pending, or \"session file not found\",")),
        row("`send_message`, `end_session`".into(), &|_| "work at once".into()),
        row("`capture_screen` (optional)".into(), &|profile| match profile.observable {
            Phase::Started => "works at once".into(),
            _ => "works at once: the one view before the session is observable".into(),
        }),
    ];
    let headings = [vec!["operation".to_owned()], columns.iter().map(|(agents, _)| agents.clone()).collect()].concat();
    Ok(Drawing::Grid(Grid { headings, rows }))
}

/// Agents whose sessions become visible alike, together: their names, and one profile for them all.
pub(crate) fn alike<'a>(agents: impl Iterator<Item = (AgentKind, &'a Profile)>) -> Vec<(String, &'a Profile)> {
    let mut columns: Vec<(String, &Profile)> = Vec::new();
    for (kind, profile) in agents {
        let same = |other: &Profile| (other.file_created, other.observable) == (profile.file_created, profile.observable);
        match columns.iter_mut().find(|(_, other)| same(other)) {
            Some((names, _)) => *names = format!("{names}, {}", title(kind)),
            None => columns.push((title(kind).to_owned(), profile)),
        }
    }
    columns
}

fn title(kind: AgentKind) -> String {
    let (first, rest) = kind.name().split_at(1);
    first.to_uppercase() + rest
}

/// A phase as a point in time: `until …`.
pub(crate) const fn moment(phase: Phase) -> &'static str {
    match phase {
        Phase::Started => "the start",
        Phase::PromptAccepted => "the first prompt is accepted",
        Phase::FirstTurnCompleted => "the first turn is over",
        Phase::Exited => "the agent exits",
        Phase::Never => "never",
    }
}
