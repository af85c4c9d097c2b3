//! TRUE: whether the status is so.

use jiff::{SignedDuration, Timestamp};

use super::{Spot, log, sect};
use crate::files::check::Surroundings;
use crate::files::session_file::SessionFile;
use crate::files::yaml::YamlNode;

/// After how long nobody works on a session, and one that is completed is due.
const LONG: SignedDuration = SignedDuration::from_hours(24);

fn status_place(file: &SessionFile) -> std::ops::Range<usize> {
    file.matter.value("session", "status").map_or(0..0, |node| node.span.clone())
}

/// Agents with a status among these.
fn agents_that<'a>(file: &'a SessionFile, statuses: &'a [&str]) -> impl Iterator<Item = (&'a YamlNode, &'a str, &'a str)> {
    file.matter.agents().iter().filter_map(|agent| {
        let node = agent.get("status")?;
        let status = node.scalar().filter(|status| statuses.contains(status))?;
        Some((node, agent.get("agent").and_then(YamlNode::scalar).unwrap_or("an agent"), status))
    })
}

pub(super) fn agents(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if file.status() != Some("completed") {
        return Vec::new();
    }
    let open = agents_that(file, &["pending", "in_progress"]);
    open.map(|(node, name, status)| Spot::new(node.span.clone(), format!("the session is completed, its agent `{name}` is {status}")))
        .collect()
}

pub(super) fn boxes(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if file.status() != Some("completed") {
        return Vec::new();
    }
    let open = file.outline.boxes.iter().filter(|tick| !tick.ticked);
    open.map(|tick| {
        let line = file.text.line_span(file.text.line(tick.span.start));
        let words = file.text.slice(&(tick.span.end..line.end)).trim();
        Spot::new(tick.span.clone(), format!("the session is completed, this is open: {words}")).help("make an issue of it, then tick it")
    })
    .collect()
}

/// When the session was last touched: by its own word or its log's.
fn touched(file: &SessionFile) -> Option<Timestamp> {
    file.matter.time("last_updated").into_iter().chain(log::newest(file)).max()
}

fn is_long_ago(file: &SessionFile, now: Timestamp) -> Option<i64> {
    let age = now.duration_since(touched(file)?);
    (age > LONG).then_some(age.as_hours())
}

pub(super) fn untouched(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let hours = is_long_ago(file, around.now).filter(|_| file.status() == Some("in_progress"));
    let spot =
        |hours| Spot::new(status_place(file), format!("the session is in_progress, and untouched for {hours} hours")).help("is it paused?");
    hours.map(spot).into_iter().collect()
}

pub(super) fn due(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let hours = is_long_ago(file, around.now).filter(|_| file.status() == Some("completed"));
    let spot = |hours| {
        Spot::new(status_place(file), format!("the session is completed for {hours} hours"))
            .help("capture what is worth keeping, then delete the file")
    };
    hours.map(spot).into_iter().collect()
}

pub(super) fn paused(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if file.status() != Some("paused") {
        return Vec::new();
    }
    let waves = sect::all_waves(file).into_iter().filter(|wave| wave.active);
    let waves =
        waves.map(|wave| Spot::new(wave.section.heading.span.clone(), format!("the session is paused, wave {} is ACTIVE", wave.number)));
    let running = agents_that(file, &["in_progress"]);
    let running =
        running.map(|(node, name, _)| Spot::new(node.span.clone(), format!("the session is paused, its agent `{name}` is in_progress")));
    waves.chain(running).collect()
}
