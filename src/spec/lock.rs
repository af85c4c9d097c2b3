//! The lock of released ids: an id that callers may have written down keeps its meaning.

use super::check::CheckFinding;
use super::registry::Registry;
use super::requirement::{Requirement, RequirementId};

const HEAD: &str =
    "# Released requirements: id, version, level, party, title. `passmuster spec lock` adds to it at a release; nothing is taken out.\n";

/// A requirement as it was released.
struct Released<'a> {
    id: RequirementId,
    since: &'a str,
    level: &'a str,
    party: &'a str,
    title: &'a str,
}

/// Finds ids of a lock that are gone, that were given to something else, or that bind otherwise than when they were released.
pub fn unlocked(file: &str, lock: &str, registry: &Registry) -> Vec<CheckFinding> {
    let told = |line: usize, message: String| CheckFinding { file: file.to_owned(), line: line + 1, message };
    let mut found = Vec::new();
    let mut released: Vec<(usize, Released)> = Vec::new();
    for (at, line) in lock.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        match read(line) {
            None => found.push(told(at, "wanted `ID VERSION LEVEL PARTY TITLE`".into())),
            Some(one) if released.iter().any(|(_, other)| other.id == one.id) => {
                found.push(told(at, format!("{} is locked twice", one.id)))
            }
            Some(one) => released.push((at, one)),
        }
    }
    for (at, one) in &released {
        match registry.get(&one.id) {
            None => {
                let now = registry.iter().find(|requirement| requirement.title == one.title);
                found.push(told(
                    *at,
                    match now {
                        Some(now) => format!("{} was renumbered to {}: released ids stay, give it back its own", one.id, now.id),
                        None => format!(
                            "{} was released in {} and is not stated any more: state it, with `Retired: VERSION`",
                            one.id, one.since
                        ),
                    },
                ));
            }
            Some(now) => found.extend(changed(one, now, &released).map(|what| CheckFinding {
                file: now.file.clone(),
                line: now.line,
                message: what,
            })),
        }
    }
    found
}

fn changed(was: &Released, now: &Requirement, released: &[(usize, Released)]) -> Option<String> {
    let facts = [
        ("level", was.level, now.level.to_string()),
        ("party", was.party, now.party.to_string()),
        ("version", was.since, now.since.to_string()),
    ];
    if let Some((what, old, new)) = facts.iter().find(|(_, old, new)| old != new) {
        return Some(format!(
            "{} was released with {what} {old}, and now has {new}: retire it, and state the new rule under a new id",
            was.id
        ));
    }
    let taken = released.iter().find(|(_, other)| other.id != was.id && other.title == now.title && was.title != now.title)?;
    Some(format!(
        "{} was released as \"{}\", and now has the title of {}: released ids are not given to other rules",
        was.id, was.title, taken.1.id
    ))
}

fn read(line: &str) -> Option<Released<'_>> {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().filter(|word| !word.is_empty());
    Some(Released { id: next()?.parse().ok()?, since: next()?, level: next()?, party: next()?, title: next()? })
}

/// The lock with every requirement that it does not have yet; what it has stays as it is.
pub fn locked(lock: &str, registry: &Registry) -> String {
    let mut lines: Vec<(RequirementId, String)> = lock.lines().filter_map(|line| Some((read(line)?.id, line.to_owned()))).collect();
    let is_new = |requirement: &&Requirement| !lines.iter().any(|(id, _)| *id == requirement.id);
    let new: Vec<_> = registry
        .iter()
        .filter(is_new)
        .map(|Requirement { id, since, level, party, title, .. }| (id.clone(), format!("{id} {since} {level} {party} {title}")))
        .collect();
    lines.extend(new);
    lines.sort();
    std::iter::once(HEAD.to_owned()).chain(lines.into_iter().map(|(_, line)| line + "\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(stated: &[(&str, &str, &str)]) -> Registry {
        let section =
            |(id, level, title): &(&str, &str, &str)| format!("### {id} · {level} · manager · {title}\n\nIt {level}.\n\nWhy: so.\n\n");
        let text =
            format!("---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n\n{}", stated.iter().map(section).collect::<String>());
        Registry::from_documents(&[("a.md".into(), text)]).unwrap()
    }

    #[test]
    fn released_ids_stay_what_they_were() {
        let first =
            registry(&[("LC-X-1", "MUST", "one"), ("LC-X-2", "MUST", "two"), ("LC-X-3", "MUST", "three"), ("LC-X-4", "MAY", "four")]);
        let lock = locked("", &first);
        assert_eq!(unlocked("ids.lock", &lock, &first), []);
        let later =
            registry(&[("LC-X-1", "SHOULD", "one"), ("LC-X-3", "MUST", "two"), ("LC-X-5", "MUST", "five"), ("LC-X-4", "MAY", "fourth")]);
        let found: Vec<String> =
            unlocked("ids.lock", &format!("{lock}LC-X-4 1.0 MAY manager four\nwhat\n"), &later).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "ids.lock:6: LC-X-4 is locked twice",
                "ids.lock:7: wanted `ID VERSION LEVEL PARTY TITLE`",
                "a.md:7: LC-X-1 was released with level MUST, and now has SHOULD: retire it, and state the new rule under a new id",
                "ids.lock:3: LC-X-2 was renumbered to LC-X-3: released ids stay, give it back its own",
                "a.md:13: LC-X-3 was released as \"three\", and now has the title of LC-X-2: released ids are not given to other rules",
            ]
        );
    }

    #[test]
    fn locking_adds_and_takes_nothing_away() {
        let lock = locked("", &registry(&[("LC-X-2", "MUST", "two")]));
        let more = locked(&lock, &registry(&[("LC-X-1", "MUST", "one")]));
        assert_eq!(more, format!("{HEAD}LC-X-1 1.0 MUST manager one\nLC-X-2 1.0 MUST manager two\n"));
    }
}
