//! NAME: what a session file is called, and where it lies.

use super::Spot;
use crate::files::ROOT;
use crate::files::check::Surroundings;
use crate::files::finding::{Repair, Safety};
use crate::files::session_file::SessionFile;

/// The longest description, in characters.
const LONGEST: usize = 60;

pub(super) fn form(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    if !file.name.is_right() {
        let created = file.matter.time("created").map(|at| at.strftime("%Y%m%d-%H%M%S").to_string());
        let slug = slug(file.name.whole.trim_end_matches(".md"));
        let help = format!("call it `{}-{slug}.md`", created.as_deref().unwrap_or("YYYYMMDD-HHMMSS"));
        spots.push(
            Spot::new(0..0, format!("the file is called `{}`: wanted `YYYYMMDD-HHMMSS-<description>.md`, a real time", file.name.whole))
                .help(help),
        );
    }
    let below = |folder: &str| folder.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(folder) = around.folder.filter(|folder| !below(folder)) {
        let folder = if folder.is_empty() { "." } else { folder };
        spots.push(Spot::new(0..0, format!("the file lies in `{folder}`: wanted `{ROOT}`")).help("move it there"));
    }
    spots
}

pub(super) fn description(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let description = &file.name.description;
    let fits = description.chars().count() <= LONGEST;
    let is_slug = description.split('-').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    // An id in it is SF003's.
    if !file.name.is_right() || (fits && is_slug) || !issue_ids(file).is_empty() {
        return Vec::new();
    }
    let wanted = slug(description);
    let message = format!("the description is `{description}`: wanted lower-case words with single hyphens, at most {LONGEST} characters");
    vec![Spot::new(0..0, message).maybe_repair(renamed(file, &wanted))]
}

pub(super) fn issue(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let ids = issue_ids(file);
    let Some(id) = ids.first() else { return Vec::new() };
    let rest = ids.iter().fold(file.name.description.clone(), |rest, id| rest.replace(id.as_str(), ""));
    let spot = Spot::new(0..0, format!("the name holds the issue's id `{id}`")).help("the id belongs into `linear_issue`");
    vec![spot.maybe_repair(renamed(file, &slug(&rest)))]
}

pub(super) fn time(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let (Some(named), Some(created)) = (file.name.at, file.matter.time("created")) else { return Vec::new() };
    let named = named.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()).unwrap_or(created);
    if created.duration_since(named).abs() <= jiff::SignedDuration::from_mins(1) {
        return Vec::new();
    }
    let place = file.matter.value("session", "created").map_or(0..0, |node| node.span.clone());
    let minutes = created.duration_since(named).as_mins();
    let message = format!("`created` is {}, the name says {}: wanted the same time within a minute", created, named);
    vec![Spot::new(place, message).maybe_help(super::log::local_time(minutes))]
}

/// The ids of issues in a name: its own `linear_issue`, and upper-case ones like `ABC-12`.
fn issue_ids(file: &SessionFile) -> Vec<String> {
    let description = &file.name.description;
    let own = file.matter.text("session", "linear_issue").unwrap_or_default();
    let words: Vec<&str> = description.split('-').collect();
    let mut ids: Vec<String> = Vec::new();
    for pair in words.windows(2) {
        let id = pair.join("-");
        let is_upper = pair[0].len() >= 2
            && pair[0].starts_with(|c: char| c.is_ascii_uppercase())
            && pair[0].chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let is_number = !pair[1].is_empty() && pair[1].chars().all(|c| c.is_ascii_digit());
        if is_number && (is_upper || id.eq_ignore_ascii_case(own)) {
            ids.push(id);
        }
    }
    ids
}

/// Lower-case words with single hyphens.
pub(crate) fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        let gap = usize::from(!slug.is_empty());
        if slug.len() + gap + word.len() > LONGEST {
            if slug.is_empty() {
                slug.push_str(&word[..LONGEST]);
            }
            break;
        }
        slug.push_str(if gap == 1 { "-" } else { "" });
        slug.push_str(word);
    }
    if slug.is_empty() { "session".into() } else { slug }
}

fn renamed(file: &SessionFile, description: &str) -> Option<Repair> {
    let name = format!("{}-{description}.md", file.name.whole.get(..15)?);
    (name != file.name.whole).then(|| Repair {
        safety: Safety::Unsafe,
        what: format!("rename it to `{name}`"),
        edits: Vec::new(),
        rename: Some(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_description() {
        assert_eq!(slug("Fix: the  Weather_fallback (again)!"), "fix-the-weather-fallback-again");
        assert_eq!(slug("天気"), "session");
        assert_eq!(slug(&"word ".repeat(30)).len(), 59);
        assert_eq!(slug(&"x".repeat(90)).len(), 60);
    }

    #[test]
    fn an_issues_id_is_known_and_a_charset_is_none() {
        let ids = |name: &str, own: &str| {
            issue_ids(&SessionFile::read(name, format!("---\nsession:\n  linear_issue: \"{own}\"\n---\n").as_bytes()))
        };
        assert_eq!(ids("20251204-143000-PLT-123-weather.md", ""), ["PLT-123"]);
        assert_eq!(ids("20251204-143000-plt-123-weather.md", "PLT-123"), ["plt-123"]);
        assert!(ids("20251204-143000-read-utf-8-files.md", "PLT-123").is_empty());
    }
}
