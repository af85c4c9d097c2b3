//! From which phase each agent's sessions can be seen.

use crate::profile::{Phase, Profile};

use super::markdown::{code, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "observability",
    about: "for each agent, when its native file appears and from when its sessions can be seen",
    options: &["agents", "profiles", "mode", "columns"],
    columns: &[
        shown("agent", "agent"),
        on_request("version", "version"),
        shown("file", "native file created"),
        on_request("content", "first has content"),
        on_request("observable", "observable from"),
        shown("list", "`list_sessions`"),
        shown("data", "`get_session_data`"),
        on_request("path", "native file"),
        on_request("removed", "what removes it"),
        on_request("identity", "identity before the file"),
        on_request("hook", "how a turn's end is told"),
        on_request("source", "source"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(options.profiles.as_ref())?;
    let rows = options.agents().into_iter().map(|kind| {
        let (agent, profile) = (profiles.agent(kind), profiles.get(kind, options.mode()));
        let phase = |phase: Phase| code(phase.word());
        vec![
            kind.to_string(),
            prose(&profile.version),
            phase(profile.file_created),
            phase(profile.has_content),
            phase(profile.observable),
            prose(&list(profile)),
            prose(&data(profile)),
            code(&agent.file),
            prose(&profile.removed),
            prose(&agent.identity),
            prose(&agent.hook),
            prose(&profile.source),
        ]
    });
    Ok(Drawing::Rows(rows.collect()))
}

/// What `list_sessions` says of a session, by the profile's own words or by its phase.
fn list(profile: &Profile) -> String {
    said(&profile.list, profile.observable, "may omit it")
}

/// What `get_session_data` says of a session.
fn data(profile: &Profile) -> String {
    said(&profile.read, profile.observable, "pending, or \"session file not found\",")
}

fn said(own: &str, observable: Phase, before: &str) -> String {
    match observable {
        _ if !own.is_empty() => own.to_owned(),
        Phase::Started => "from the start".to_owned(),
        Phase::Never => format!("{before} for ever"),
        phase => format!("{before} until `{}`", phase.word()),
    }
}
