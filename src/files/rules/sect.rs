//! SECT: the sections.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Spot;
use crate::files::check::Surroundings;
use crate::files::finding::{Repair, Safety};
use crate::files::outline::{CodeBlock, FileSection, Heading};
use crate::files::session_file::SessionFile;

/// What every session file has.
pub(crate) const REQUIRED: &[&str] = &["Context", "Current State", "Next Steps"];

/// Sentences that say what is to be written there, and are not it.
const TEMPLATE: &[&str] = &[
    "Background for anyone picking up this work",
    "What problem are we solving? Why now?",
    "Where we are right now. What just happened",
    "This section should ALWAYS be handoff-ready",
    "Immediate actions for continuation",
    "Brief description of what happened",
    "What was decided",
    "YYYY-MM-DD HH:MM",
    "[Title]",
    "[Name]",
    "[Agent/Action]",
];
static LATER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(TODO|TBD|FIXME)\b").expect("a pattern"));
static WAVE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^Wave (\d+)\b").expect("a pattern"));
static BLOCKED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)\(blocked by (?:waves? )?([^)]*)\)").expect("a pattern"));
static DECISION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:[-*]\s+)?(?:\*\*|__)Decision:?(?:\*\*|__)\s*:?\s*\S").expect("a pattern"));
static RATIONALE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:[-*]\s+)?(?:\*\*|__)Rationale:?(?:\*\*|__)\s*:?\s*\S").expect("a pattern"));

/// A block whose fence is never closed, and the required sections that it swallows.
fn swallowed(file: &SessionFile) -> Option<(&CodeBlock, Vec<(usize, String)>)> {
    let block = file.outline.code.iter().find(|block| block.unclosed)?;
    let mut headings = Vec::new();
    let mut at = block.span.start;
    for line in file.text.slice(&block.span).split_inclusive('\n') {
        let words = line.trim();
        let title = words.trim_start_matches('#');
        if words.starts_with('#') && title.starts_with(' ') {
            headings.push((file.text.line(at), words.to_owned()));
        }
        at += line.len();
    }
    Some((block, headings))
}

/// Headings that have the title exactly, and those that have it with another case or level.
fn headings<'a>(file: &'a SessionFile, title: &str) -> (Vec<&'a Heading>, Vec<&'a Heading>) {
    let like: Vec<&Heading> = file.outline.headings.iter().filter(|heading| heading.text.eq_ignore_ascii_case(title)).collect();
    like.into_iter().partition(|heading| heading.level == 2 && heading.text == title)
}

pub(super) fn missing(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let hidden = swallowed(file).map(|(_, headings)| headings).unwrap_or_default();
    let mut spots = Vec::new();
    for title in REQUIRED {
        let (exact, near) = headings(file, title);
        // One that an unclosed fence swallows is SF305's, one of another case or level SF302's.
        let is_swallowed = hidden.iter().any(|(_, heading)| heading.trim_start_matches('#').trim() == *title);
        if exact.is_empty() && near.is_empty() && !is_swallowed {
            let end = file.text.text.len();
            let in_code = in_code(file, title).map(|line| format!("line {line} has one, in code"));
            let help = in_code.unwrap_or_else(|| format!("add `## {title}`"));
            spots.push(
                Spot::new(file.matter.body.min(end)..file.matter.body.min(end), format!("there is no section `## {title}`")).help(help),
            );
        }
        spots.extend(exact.iter().skip(1).map(|again| {
            let first = file.text.line(exact[0].span.start);
            Spot::new(again.span.clone(), format!("`## {title}` is there twice: first on line {first}")).help("make them one")
        }));
    }
    spots
}

/// The line of a heading of that title in code.
fn in_code(file: &SessionFile, title: &str) -> Option<usize> {
    let heading = format!("## {title}");
    let spans = file.outline.code.iter().map(|block| block.span.clone());
    spans
        .filter_map(|span| file.text.slice(&span).lines().position(|line| line.trim() == heading).map(|at| file.text.line(span.start) + at))
        .next()
}

pub(super) fn near(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for title in REQUIRED {
        let (exact, near) = headings(file, title);
        if !exact.is_empty() {
            continue;
        }
        if let Some(found) = near.first() {
            let written = file.text.slice(&found.span).lines().next().unwrap_or_default().trim().to_owned();
            let repair = (near.len() == 1)
                .then(|| Repair::one(Safety::Safe, format!("write `## {title}`"), found.span.clone(), format!("## {title}")));
            spots.push(Spot::new(found.span.clone(), format!("the heading is `{written}`: wanted `## {title}`")).maybe_repair(repair));
        }
    }
    spots
}

/// The required sections that are there.
fn required(file: &SessionFile) -> impl Iterator<Item = FileSection> {
    REQUIRED.iter().filter_map(|title| file.outline.section(title))
}

pub(super) fn empty(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let empty = required(file).filter(|section| file.outline.content(&file.text, &section.body).is_empty());
    empty
        .map(|section| {
            Spot::new(section.heading.span.clone(), format!("`## {}` is empty", section.heading.text))
                .help("say it: whoever takes over has this file alone")
        })
        .collect()
}

pub(super) fn template(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for section in required(file) {
        for (start, line) in file.outline.content(&file.text, &section.body) {
            if file.outline.is_code(start) {
                continue;
            }
            let prose = without_code(&file.outline.without_comments(start, line));
            let copied = TEMPLATE.iter().find_map(|sentence| prose.find(sentence).map(|at| at..at + sentence.len()));
            let later = LATER.find(&prose).map(|found| found.range());
            if let Some(at) = copied.or(later) {
                let place = start + at.start..start + at.end;
                let message = format!("`## {}` holds `{}`", section.heading.text, file.text.slice(&place));
                spots.push(Spot::new(place, message).help("write what is so, or remove it"));
            }
        }
    }
    spots
}

/// A line with its code spans blanked out, byte for byte.
fn without_code(line: &str) -> String {
    let mut in_code = false;
    let blank = |c: char| " ".repeat(c.len_utf8());
    line.chars()
        .map(|c| {
            in_code ^= c == '`';
            if in_code || c == '`' { blank(c) } else { c.to_string() }
        })
        .collect()
}

pub(super) fn fences(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some((block, headings)) = swallowed(file) else { return Vec::new() };
    let line = file.text.line_span(file.text.line(block.span.start));
    let swallows = match headings.first() {
        Some((line, heading)) => format!(": it swallows `{heading}` (line {line}) and what follows"),
        None => String::new(),
    };
    let help = "close it; a block that holds fences itself needs a longer one around it";
    vec![Spot::new(block.span.start..line.end, format!("the fence is never closed{swallows}")).help(help)]
}

pub(super) fn steps(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(section) = file.outline.section("Next Steps") else { return Vec::new() };
    let is_empty = file.outline.content(&file.text, &section.body).is_empty();
    if is_empty || file.outline.lists.iter().any(|list| section.body.contains(list)) {
        return Vec::new();
    }
    vec![Spot::new(section.heading.span.clone(), "`## Next Steps` is no list").help("one step a line, each with `- ` or `1. `")]
}

/// A wave: its number, its section, what is ticked in it.
pub(crate) struct Wave {
    pub(crate) number: usize,
    pub(crate) section: FileSection,
    pub(crate) active: bool,
    pub(crate) boxes: Vec<bool>,
}

/// The waves of a file.
pub(crate) fn all_waves(file: &SessionFile) -> Vec<Wave> {
    let boxes =
        |body: &Range<usize>| file.outline.boxes.iter().filter(|tick| body.contains(&tick.span.start)).map(|tick| tick.ticked).collect();
    let numbered = |section: &FileSection| WAVE.captures(&section.heading.text).and_then(|found| found[1].parse().ok());
    let waves = file.outline.sections().into_iter().filter_map(|section| Some((numbered(&section)?, section)));
    waves
        .map(|(number, section)| Wave { number, active: section.heading.text.contains("(ACTIVE)"), boxes: boxes(&section.body), section })
        .collect()
}

pub(super) fn waves(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let waves = all_waves(file);
    let mut spots = Vec::new();
    for (at, wave) in waves.iter().enumerate() {
        let place = wave.section.heading.span.clone();
        if let Some(before) = waves[..at].last().filter(|before| before.number >= wave.number) {
            spots.push(Spot::new(place.clone(), format!("wave {} follows wave {}: wanted numbers that rise", wave.number, before.number)));
        }
        if let Some(other) = waves[..at].iter().find(|other| other.active && wave.active) {
            spots.push(
                Spot::new(place.clone(), format!("waves {} and {} are both ACTIVE", other.number, wave.number))
                    .help("one wave is worked on at a time"),
            );
        }
        if wave.active && !wave.boxes.is_empty() && wave.boxes.iter().all(|ticked| *ticked) {
            spots.push(
                Spot::new(place.clone(), format!("wave {} is ACTIVE, and everything in it is ticked", wave.number))
                    .help("make the next one ACTIVE"),
            );
        }
        let Some(blocked) = BLOCKED.captures(&wave.section.heading.text) else { continue };
        let by: Vec<usize> = blocked[1].split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
        let others = |number: &usize| *number != wave.number && waves.iter().any(|other| other.number == *number);
        if let Some(wrong) = by.iter().find(|number| !others(number)) {
            let why = if *wrong == wave.number { "itself".to_owned() } else { format!("wave {wrong}, which is not there") };
            spots.push(Spot::new(place.clone(), format!("wave {} is blocked by {why}", wave.number)));
        } else if by.is_empty() {
            spots.push(Spot::new(place, format!("wave {} is blocked by `{}`: wanted a wave", wave.number, &blocked[1])));
        }
    }
    spots
}

/// The decisions of a file.
pub(crate) fn all_decisions(file: &SessionFile) -> Vec<FileSection> {
    file.outline.section("Decisions").map(|section| file.outline.within(&section)).unwrap_or_default()
}

pub(super) fn decisions(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for section in all_decisions(file) {
        let body = file.text.slice(&section.body);
        let lacks = [("Decision", &*DECISION), ("Rationale", &*RATIONALE)].into_iter().filter(|(_, pattern)| !pattern.is_match(body));
        spots.extend(lacks.map(|(what, _)| {
            Spot::new(section.heading.span.clone(), format!("`{}` has no `**{what}**: …`", section.heading.text)).help("say what, and why")
        }));
    }
    spots
}
