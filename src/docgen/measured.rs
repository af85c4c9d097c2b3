//! What the real programs did, version by version, and how that is known.

use crate::profile::{Mode, Phase, Profile};

use super::markdown::prose;
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "measured",
    about: "when real versions of the agents made their native files, with where that is known from",
    options: &["agents", "columns"],
    columns: &[
        shown("agent", "agent"),
        shown("version", "version"),
        shown("interactive", "interactive"),
        shown("headless", "headless"),
        shown("source", "source"),
        on_request("observable", "observable from (interactive)"),
        on_request("removed", "what removes the file"),
    ],
    draw,
};

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(None)?;
    let mut rows = Vec::new();
    for kind in options.agents() {
        let measured: Vec<&Profile> = profiles.agent(kind).profiles.iter().filter(|row| row.set != "spec").collect();
        let mut versions: Vec<&str> = measured.iter().map(|row| row.version.as_str()).collect();
        versions.dedup();
        for version in versions {
            let of = |mode: Mode| measured.iter().copied().find(|row| row.version == version && row.mode == mode);
            let (interactive, headless) = (of(Mode::Interactive), of(Mode::Headless));
            let both: Vec<&Profile> = interactive.into_iter().chain(headless).collect();
            let first = both.first().expect("a version has a row");
            rows.push(vec![
                kind.to_string(),
                prose(version),
                interactive.map_or_else(|| "not run".into(), cell),
                headless.map_or_else(|| "not run".into(), cell),
                prose(&sources(&both)),
                first.observable.word().to_owned(),
                prose(&first.removed),
            ]);
        }
    }
    Ok(Drawing::Rows(rows))
}

/// When the file came: the phase, how long after it, and what else there is to say.
fn cell(profile: &Profile) -> String {
    let phase = match profile.file_created {
        Phase::Started => "at start",
        Phase::PromptAccepted => "prompt accepted",
        Phase::FirstTurnCompleted => "first turn completed",
        Phase::Exited => "at exit",
        Phase::Never => "never",
    };
    let delay =
        profile.delay_ms.map(|(least, most)| if least == most { format!(", +{least} ms") } else { format!(", +{least}…{most} ms") });
    let note = if profile.note.is_empty() { String::new() } else { format!("; {}", profile.note) };
    prose(&format!("{phase}{}{note}", delay.unwrap_or_default()))
}

/// The sources of both modes, where they differ: which is whose.
fn sources(rows: &[&Profile]) -> String {
    match rows {
        [one, other] if one.source != other.source => format!("{}; headless: {}", one.source, other.source),
        _ => rows[0].source.clone(),
    }
}
