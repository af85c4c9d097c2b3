//! LOG: the session log, and the times that it must agree with.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::Spot;
use crate::files::check::Surroundings;
use crate::files::finding::{Edit, Repair, Safety};
use crate::files::outline::LogEntry;
use crate::files::session_file::SessionFile;

/// From how many entries on Current State is to have changed.
const ENTRIES: usize = 3;

pub(super) fn heading(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let odd = file.outline.entries().into_iter().filter(|entry| entry.at.is_none());
    odd.map(|entry| {
        let heading = entry.section.heading;
        Spot::new(heading.span, format!("the entry is headed `{}`: wanted `YYYY-MM-DD HH:MM - who`, a real time", heading.text))
            .help("the time is UTC, as `date -u +\"%Y-%m-%d %H:%M\"` prints it")
    })
    .collect()
}

pub(super) fn text(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let silent = file.outline.entries().into_iter().filter(|entry| file.outline.content(&file.text, &entry.section.body).is_empty());
    silent
        .map(|entry| Spot::new(entry.section.heading.span.clone(), format!("the entry `{}` says nothing", entry.section.heading.text)))
        .collect()
}

pub(super) fn order(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let entries = file.outline.entries();
    let dated: Vec<&LogEntry> = entries.iter().filter(|entry| entry.at.is_some()).collect();
    let Some(pair) = dated.windows(2).find(|pair| pair[1].at < pair[0].at) else { return Vec::new() };
    let repair = (dated.len() == entries.len()).then(|| sorted(file, &entries)).flatten();
    let message = format!("an entry of {} follows one of {}: wanted the oldest first", minute(pair[1]), minute(pair[0]));
    vec![Spot::new(pair[1].section.heading.span.clone(), message).maybe_repair(repair)]
}

fn minute(entry: &LogEntry) -> String {
    entry.at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}

/// The entries in order of their times; of one minute they keep theirs.
fn sorted(file: &SessionFile, entries: &[LogEntry]) -> Option<Repair> {
    let (first, last) = (entries.first()?, entries.last()?);
    let span = first.section.heading.span.start..last.section.body.end;
    let texts = |entry: &LogEntry| file.text.slice(&(entry.section.heading.span.start..entry.section.body.end)).trim_end().to_owned();
    let mut order: Vec<&LogEntry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.at);
    let (ends, _) = file.text.line_ends();
    let gap = ends.text().repeat(2);
    let tail = &file.text.slice(&span)[file.text.slice(&span).trim_end().len()..];
    let text = order.into_iter().map(texts).collect::<Vec<_>>().join(&gap) + tail;
    Some(Repair { safety: Safety::Unsafe, what: "put the oldest first".into(), edits: vec![Edit { span, text }], rename: None })
}

/// A time's value and its place.
fn time(file: &SessionFile, key: &str) -> Option<(Timestamp, std::ops::Range<usize>)> {
    Some((file.matter.time(key)?, file.matter.value("session", key)?.span.clone()))
}

pub(super) fn before_created(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let (Some((created, _)), Some((updated, place))) = (time(file, "created"), time(file, "last_updated")) else { return Vec::new() };
    if updated >= created {
        return Vec::new();
    }
    vec![Spot::new(place, format!("`last_updated` is {updated}, before `created`, which is {created}"))]
}

/// The newest entry's time.
pub(crate) fn newest(file: &SessionFile) -> Option<Timestamp> {
    let newest = file.outline.entries().into_iter().filter_map(|entry| entry.at).max()?;
    newest.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

pub(super) fn older_than_entry(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let (Some((updated, place)), Some(newest)) = (time(file, "last_updated"), newest(file)) else { return Vec::new() };
    if updated >= newest {
        return Vec::new();
    }
    let minute = Timestamp::from_second(updated.as_second().div_euclid(60) * 60).unwrap_or(updated);
    let minutes = newest.duration_since(minute).as_mins();
    let shown = newest.strftime("%Y-%m-%d %H:%M");
    let message = format!("`last_updated` is {updated}; the newest entry is of {shown} UTC, by {minutes} min later");
    vec![Spot::new(place, message).help(local_time(minutes).unwrap_or_else(|| format!("set it to \"{newest}\" or later")))]
}

/// What a difference of whole hours, or half ones, is mostly due to.
pub(super) fn local_time(minutes: i64) -> Option<String> {
    let minutes = minutes.abs();
    ((30..=14 * 60).contains(&minutes) && minutes % 30 == 0)
        .then(|| format!("by {minutes} min: local time? All times are UTC, as `date -u` prints them"))
}

pub(super) fn future(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let Some((updated, place)) = time(file, "last_updated") else { return Vec::new() };
    if updated <= around.now + SignedDuration::from_mins(1) {
        return Vec::new();
    }
    let ahead = updated.duration_since(around.now).as_mins();
    let message = format!("`last_updated` is {updated}, {ahead} min in the future");
    vec![Spot::new(place, message).help("local time written with `Z`, or a clock that is wrong")]
}

pub(super) fn stale_state(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let entries = file.outline.entries().len();
    let Some(section) = file.outline.section("Current State").filter(|_| entries >= ENTRIES) else { return Vec::new() };
    let state = file.section_text("Current State");
    let is_stale = around.earlier.iter().any(|text| {
        let before = SessionFile::read(&file.name.whole, text.as_bytes());
        before.section_text("Current State") == state && before.outline.entries().len() + ENTRIES <= entries
    });
    let message = format!("Current State is what it was {ENTRIES} log entries ago");
    is_stale
        .then(|| Spot::new(section.heading.span, message).help("write where you are now: the next one reads it first"))
        .into_iter()
        .collect()
}
