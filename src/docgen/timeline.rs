//! The observation timeline: what is true and what callers see, from T = 0 on; as a table, or as a picture.

use crate::profile::{Phase, Profile};

use super::creation::alike;
use super::markdown::{Grid, prose};
use super::picture;
use super::{Drawing, Facts, TableOptions, TableSpec};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "timeline",
    about: "what is true and what a caller sees from T = 0 to after the first turn; with `file=NAME.svg` a picture",
    options: &["agents", "profiles", "mode", "file"],
    columns: &[],
    draw,
};

/// The moments of the timeline, each with the last phase that it lies in. N is the end of the first turn.
const MOMENTS: [(&str, Phase, &str); 4] = [
    ("T = 0", Phase::Started, "`start_session` has answered a `session_id`; the agent's process is up"),
    ("0 < T < N", Phase::PromptAccepted, "the agent took the prompt and works"),
    ("T = N", Phase::FirstTurnCompleted, "the first turn is complete; the manager announces `turn_completed`"),
    ("T = N+", Phase::FirstTurnCompleted, "the agent waits for the next message"),
];

fn draw(facts: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let profiles = facts.profiles(options.profiles.as_ref())?;
    let agents = alike(options.agents().into_iter().map(|kind| (kind, profiles.get(kind, options.mode()))));
    if options.file.is_some() {
        return Ok(Drawing::Picture { svg: picture::draw(&agents), alt: picture::alt(&agents) });
    }
    let several = agents.len() > 1;
    let head = several.then(|| "agent".to_owned());
    let rows = agents.iter().flat_map(|(names, profile)| {
        MOMENTS.iter().enumerate().map(move |(at, (time, phase, happens))| {
            let earlier = at.checked_sub(1).map(|before| MOMENTS[before].1);
            let cells = [prose(time), format!("{happens}; {}", file(profile, earlier, *phase)), seen(profile, earlier, *phase)];
            several.then(|| names.clone()).into_iter().chain(cells).collect()
        })
    });
    let headings = head.into_iter().chain(["time", "what is true", "what a caller sees"].map(str::to_owned)).collect();
    Ok(Drawing::Grid(Grid { headings, rows: rows.collect() }))
}

/// What there is of the native file in a phase.
fn file(profile: &Profile, earlier: Option<Phase>, now: Phase) -> &'static str {
    let comes_now = earlier.is_none_or(|earlier| profile.file_created > earlier);
    match () {
        () if profile.file_created > now => "there is no native file",
        () if profile.has_content > now => "the native file is there, without messages",
        () if comes_now => "the native file is written",
        () => "the native file has the messages",
    }
}

/// What a caller is told in a phase.
fn seen(profile: &Profile, earlier: Option<Phase>, now: Phase) -> String {
    if profile.observable > now {
        let id = if earlier.is_none() { "an id that works in every operation; " } else { "" };
        return format!("{id}`list_sessions` may leave it out; `get_session_data` says pending or not found; `capture_screen` works");
    }
    let fresh = earlier.is_none_or(|earlier| profile.observable > earlier);
    let from = if fresh { "**observable from here**: " } else { "" };
    format!("{from}`list_sessions` shows it; `get_session_data` answers data")
}
