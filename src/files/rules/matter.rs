//! MATTER: the front matter.

use std::ops::Range;

use super::Spot;
use crate::core::diagnostic::{meant, spelt_like};
use crate::files::check::Surroundings;
use crate::files::finding::{Repair, Safety};
use crate::files::matter::{AGENT_KEYS, AGENT_STATUSES, Matter, PARTS, REQUIRED, STATUSES, rfc_3339};
use crate::files::outline::CONFLICT;
use crate::files::session_file::SessionFile;
use crate::files::yaml::{self, YamlKind, YamlNode, quoted};

pub(super) fn opens(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if file.matter.opens {
        return Vec::new();
    }
    let later = (2..=file.text.line_count().min(20)).find(|line| file.text.slice(&file.text.line_span(*line)).trim_end() == "---");
    let help = match later {
        Some(line) => format!("`---` stands on line {line}: move it to line 1"),
        None => "begin the file with `---`, the mappings `session` and `orchestration`, and `---`".into(),
    };
    vec![Spot::new(file.text.line_span(1), "the file does not begin with `---`").help(help)]
}

pub(super) fn closes(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if !file.matter.opens || file.matter.span.is_some() {
        return Vec::new();
    }
    vec![Spot::new(file.text.line_span(1), "the front matter is never closed").help("end it with a line `---`")]
}

pub(super) fn yaml(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(trouble) = &file.matter.trouble else { return Vec::new() };
    // What a merge left is SF011's.
    if file.matter.span.as_ref().is_some_and(|span| file.text.slice(span).lines().any(|line| line.starts_with(CONFLICT))) {
        return Vec::new();
    }
    let line = file.text.line(trouble.at);
    // Readers tell of a tab where the line before it ends.
    let tab = [line, line + 1]
        .into_iter()
        .map(|line| file.text.line_span(line))
        .find(|span| file.text.slice(span).trim_start_matches(' ').starts_with('\t'));
    if let Some(span) = tab {
        let indent = file.text.slice(&span).len() - file.text.slice(&span).trim_start().len();
        return vec![
            Spot::new(span.start..span.start + indent, "the front matter is no YAML: a tab indents nothing").help("indent with blanks"),
        ];
    }
    let repair = [line, line.saturating_sub(1)].into_iter().find_map(|line| quoted_value(file, line));
    let span = match &repair {
        Some(repair) => repair.edits[0].span.clone(),
        None => trouble.at..(trouble.at + 1).min(file.text.text.len()),
    };
    let what = if repair.is_some() { "an unquoted text may not hold `: `".to_owned() } else { trouble.what.clone() };
    vec![Spot::new(span, format!("the front matter is no YAML: {what}")).maybe_repair(repair)]
}

/// Quotes a value that holds `: `, where the file is better YAML for it.
fn quoted_value(file: &SessionFile, line: usize) -> Option<Repair> {
    let matter = file.matter.span.clone()?;
    let span = file.text.line_span(line);
    if !matter.contains(&span.start) {
        return None;
    }
    let words = file.text.slice(&span);
    let key = words.find(": ")? + 2;
    let value = words[key..].trim();
    let start = span.start + key + (words[key..].len() - words[key..].trim_start().len());
    let is_bare = !value.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!', '#', '%', '@', '`']) && value.contains(": ");
    // A comment stays one.
    let value = value.split_once(" #").map_or(value, |(value, _)| value.trim_end());
    if !is_bare || !words[..key - 2].trim_start_matches(['-', ' ']).chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return None;
    }
    let place = start..start + value.len();
    let mut better = file.text.slice(&matter).to_owned();
    better.replace_range(place.start - matter.start..place.end - matter.start, &quoted(value));
    let gained = match yaml::read(&better, matter.start) {
        Ok(_) => true,
        Err(trouble) => file.text.line(trouble.at) > line,
    };
    gained.then(|| Repair::one(Safety::Safe, "quote the value", place, quoted(value)))
}

pub(super) fn mapping(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(span) = file.matter.span.clone().filter(|_| file.matter.trouble.is_none()) else { return Vec::new() };
    let wanted = "wanted a mapping with `session` and `orchestration`";
    let Some(tree) = &file.matter.tree else {
        return vec![Spot::new(file.text.line_span(file.text.line(span.start)), format!("the front matter is empty: {wanted}"))];
    };
    if !matches!(tree.kind, YamlKind::Mapping(_)) {
        return vec![Spot::new(first_line(file, &tree.span), format!("the front matter is {}: {wanted}", tree.type_name()))];
    }
    let wrong = PARTS
        .iter()
        .filter_map(|(part, _)| tree.pair(part))
        .filter(|(_, value)| !matches!(value.kind, YamlKind::Mapping(_)) && !value.is_empty());
    wrong
        .map(|(key, value)| {
            Spot::new(
                first_line(file, &value.span),
                format!("`{}` is {}: wanted a mapping", key.scalar().unwrap_or_default(), value.type_name()),
            )
        })
        .collect()
}

/// Every mapping of a tree.
fn mappings<'a>(node: &'a YamlNode, into: &mut Vec<&'a YamlNode>) {
    match &node.kind {
        YamlKind::Mapping(pairs) => {
            into.push(node);
            pairs.iter().for_each(|(_, value)| mappings(value, into));
        }
        YamlKind::Sequence(items) => items.iter().for_each(|item| mappings(item, into)),
        YamlKind::Scalar { .. } => {}
    }
}

pub(super) fn twice(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    let mut all = Vec::new();
    file.matter.tree.iter().for_each(|tree| mappings(tree, &mut all));
    for mapping in all {
        let pairs = mapping.pairs();
        for (at, (key, value)) in pairs.iter().enumerate() {
            let earlier = pairs[..at].iter().find(|(other, _)| other.scalar().is_some() && other.scalar() == key.scalar());
            let Some((first, first_value)) = earlier else { continue };
            let name = key.scalar().unwrap_or_default();
            let line = file.text.line(first.span.start);
            let same = value.is_same(first_value);
            let repair = same.then(|| whole_lines(file, key.span.start..value.span.end)).flatten();
            let help = if same { "remove one" } else { "the two differ: keep the one that is true" };
            let spot = Spot::new(key.span.clone(), format!("`{name}` is there twice: first on line {line}")).help(help);
            spots.push(spot.maybe_repair(repair.map(|span| Repair::one(Safety::Safe, "remove the second", span, ""))));
        }
    }
    spots
}

/// The whole lines of a place, where nothing else stands on them.
fn whole_lines(file: &SessionFile, span: Range<usize>) -> Option<Range<usize>> {
    let text = &file.text;
    let end = span.start + text.slice(&span).trim_end().len();
    let (first, last) = (text.whole_line(text.line(span.start)), text.whole_line(text.line(end.max(span.start + 1) - 1)));
    let alone = text.slice(&(first.start..span.start)).trim().is_empty() && text.slice(&(end..last.end)).trim().is_empty();
    alone.then_some(first.start..last.end)
}

/// Whether keys can be looked for.
fn is_readable(matter: &Matter) -> bool {
    matter.tree.as_ref().is_some_and(|tree| matches!(tree.kind, YamlKind::Mapping(_)))
}

pub(super) fn missing(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if !is_readable(&file.matter) {
        return Vec::new();
    }
    let tree = file.matter.tree.as_ref().expect("it is readable");
    let mut spots = Vec::new();
    for (part, key) in REQUIRED {
        let holder = tree.pair(part);
        // What is no mapping is SF104's.
        let is_other = holder.is_some_and(|(_, value)| !matches!(value.kind, YamlKind::Mapping(_)) && !value.is_empty());
        if is_other || file.matter.value(part, key).is_some() {
            continue;
        }
        let place = holder.map_or_else(|| first_line(file, &tree.span), |(key, _)| key.span.clone());
        let elsewhere = mapping_with(tree, key)
            .map(|node| format!("there is one on line {}: it belongs under `{part}`", file.text.line(node.span.start)));
        let slip = holder.and_then(|(_, value)| {
            let keys = value.pairs().iter().filter_map(|(found, _)| found.scalar());
            keys.filter(|found| spelt_like(found, [*key].into_iter()).is_some())
                .map(|found| format!("`{found}` may be meant for it"))
                .next()
        });
        let help = slip.or(elsewhere).unwrap_or_else(|| format!("add `{key}` under `{part}`"));
        spots.push(Spot::new(place, format!("`{key}` is missing under `{part}`")).help(help));
    }
    spots
}

/// The key of that name, at a place where it does not belong.
fn mapping_with<'a>(tree: &'a YamlNode, key: &str) -> Option<&'a YamlNode> {
    let parts = PARTS.iter().filter_map(|(part, _)| tree.get(part));
    std::iter::once(tree).chain(parts).find_map(|node| node.pair(key)).map(|(key, _)| key)
}

/// The required values that are there.
fn required(file: &SessionFile) -> impl Iterator<Item = (&'static str, &YamlNode)> {
    REQUIRED.iter().filter_map(|(part, key)| Some((*key, file.matter.value(part, key)?)))
}

pub(super) fn empty(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let empty =
        REQUIRED.iter().filter_map(|(part, key)| file.matter.tree.as_ref()?.get(part)?.pair(key)).filter(|(_, value)| value.is_empty());
    empty.map(|(key, _)| Spot::new(key.span.clone(), format!("`{}` is empty", key.scalar().unwrap_or_default())).help("say it")).collect()
}

pub(super) fn no_text(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let optional = ["linear_issue", "linear_url"].iter().filter_map(|key| Some((*key, file.matter.value("session", key)?)));
    let optional = optional.filter(|(_, value)| value.scalar().is_none() || !value.is_empty());
    let wrong = required(file).filter(|(_, value)| !value.is_empty()).chain(optional).filter(|(_, value)| value.as_text().is_none());
    wrong
        .map(|(key, value)| {
            let spot = Spot::new(first_line(file, &value.span), format!("`{key}` is {}: wanted a text", value.type_name()));
            let repair = value.scalar().map(|text| Repair::one(Safety::Safe, "quote it", value.span.clone(), quoted(text)));
            spot.maybe_repair(repair)
        })
        .collect()
}

/// The word that differs by case, hyphens or blanks alone.
fn same_word<'a>(found: &str, words: &[&'a str]) -> Option<&'a str> {
    let bare = found.trim().to_lowercase().replace(['-', ' '], "_");
    words.iter().find(|word| **word == bare || word.replace('_', "") == bare).copied()
}

fn word_spot(name: &str, node: &YamlNode, found: &str, words: &[&str]) -> Spot {
    let spot = Spot::new(node.span.clone(), format!("`{name}` is `{found}`: wanted {}", listed(words)));
    match same_word(found, words) {
        Some(word) => spot.repair(Repair::one(Safety::Safe, format!("write `{word}`"), node.span.clone(), word)),
        None => spot.maybe_help(meant(found, words.iter().copied())),
    }
}

fn listed(words: &[&str]) -> String {
    let (last, rest) = words.split_last().expect("there are words");
    format!("{} or {last}", rest.join(", "))
}

pub(super) fn status(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let node = file.matter.value("session", "status").filter(|node| !node.is_empty());
    let found = node.and_then(|node| Some((node, node.as_text()?)));
    found.filter(|(_, word)| !STATUSES.contains(word)).map(|(node, word)| word_spot("status", node, word, STATUSES)).into_iter().collect()
}

/// The two times that are there, as texts.
fn times(file: &SessionFile) -> impl Iterator<Item = (&'static str, &YamlNode, &str)> {
    ["created", "last_updated"].into_iter().filter_map(|key| {
        let node = file.matter.value("session", key).filter(|node| !node.is_empty())?;
        Some((key, node, node.as_text()?))
    })
}

pub(super) fn time(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    times(file)
        .filter(|(_, _, text)| rfc_3339(text).is_none())
        .map(|(key, node, text)| {
            let help = match text.parse::<jiff::civil::DateTime>() {
                Ok(_) => "it has no offset: whose time is it?",
                Err(_) => "as `date -u +\"%Y-%m-%dT%H:%M:%SZ\"` prints it",
            };
            Spot::new(node.span.clone(), format!("`{key}` is `{text}`: wanted a real time like 2025-12-04T14:30:00Z")).help(help)
        })
        .collect()
}

pub(super) fn quoted_time(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (key, node, text) in times(file) {
        let Some(at) = rfc_3339(text) else { continue };
        let bare = matches!(node.kind, YamlKind::Scalar { plain: true, .. });
        let why = match (bare, text.ends_with('Z') && text.contains('T')) {
            (false, true) => continue,
            (true, true) => "is not quoted",
            (_, false) => "is not written in UTC with `Z`",
        };
        let right = if text.ends_with('Z') && text.contains('T') { text.to_owned() } else { at.to_string() };
        spots.push(Spot::new(node.span.clone(), format!("`{key}` {why}")).repair(Repair::one(
            Safety::Safe,
            format!("write \"{right}\""),
            node.span.clone(),
            format!("\"{right}\""),
        )));
    }
    spots
}

pub(super) fn url(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(node) = file.matter.value("session", "linear_url").filter(|node| !node.is_empty()) else { return Vec::new() };
    let Some(url) = node.as_text() else { return Vec::new() };
    if !url.starts_with("https://") || url.len() <= "https://".len() {
        return vec![Spot::new(node.span.clone(), format!("`linear_url` is `{url}`: wanted an https address"))];
    }
    let issue = file.matter.text("session", "linear_issue");
    let names = |issue: &str| url.split(['/', '?', '#']).any(|part| part.eq_ignore_ascii_case(issue));
    match issue {
        Some(issue) if !names(issue) => {
            vec![Spot::new(node.span.clone(), format!("`linear_url` does not name `linear_issue`, which is `{issue}`"))]
        }
        _ => Vec::new(),
    }
}

pub(super) fn misspelt(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(tree) = file.matter.tree.as_ref() else { return Vec::new() };
    let tops: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
    let parts = PARTS.iter().filter_map(|(part, keys)| Some((tree.get(part)?, *keys)));
    let agents = file.matter.agents().iter().map(|agent| (agent, AGENT_KEYS));
    let mut spots = Vec::new();
    for (mapping, keys) in std::iter::once((tree, tops.as_slice())).chain(parts).chain(agents) {
        for (key, _) in mapping.pairs() {
            let Some(found) = key.scalar().filter(|found| !keys.contains(found)) else { continue };
            let Some(right) = spelt_like(found, keys.iter().copied()) else { continue };
            let free = mapping.pair(right).is_none();
            let repair = free.then(|| Repair::one(Safety::Unsafe, format!("call it `{right}`"), key.span.clone(), right));
            spots.push(
                Spot::new(key.span.clone(), format!("nobody reads `{found}`"))
                    .help(format!("did you mean `{right}`?"))
                    .maybe_repair(repair),
            );
        }
    }
    spots
}

pub(super) fn agents(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(all) = file.matter.value("orchestration", "spawned_agents") else { return Vec::new() };
    if !matches!(all.kind, YamlKind::Sequence(_)) {
        let wrong = !all.is_empty();
        return wrong
            .then(|| Spot::new(first_line(file, &all.span), format!("`spawned_agents` is {}: wanted a list", all.type_name())))
            .into_iter()
            .collect();
    }
    let mut spots = Vec::new();
    for agent in file.matter.agents() {
        let place = first_line(file, &agent.span);
        if !matches!(agent.kind, YamlKind::Mapping(_)) {
            spots.push(Spot::new(place, format!("an agent is {}: wanted `agent`, `task` and `status`", agent.type_name())));
            continue;
        }
        let lacks = |key: &&&str| agent.get(key).is_none_or(YamlNode::is_empty);
        spots.extend(AGENT_KEYS[..3].iter().filter(lacks).map(|key| Spot::new(place.clone(), format!("an agent has no `{key}`"))));
        let texts = AGENT_KEYS[..2]
            .iter()
            .filter_map(|key| Some((*key, agent.get(key).filter(|node| !node.is_empty() && node.as_text().is_none())?)));
        spots.extend(texts.map(|(key, node)| {
            Spot::new(first_line(file, &node.span), format!("an agent's `{key}` is {}: wanted a text", node.type_name()))
        }));
        if let Some(node) = agent.get("status").filter(|node| !node.is_empty() && node.scalar().is_none()) {
            spots.push(Spot::new(first_line(file, &node.span), format!("an agent's `status` is {}: wanted a word", node.type_name())));
        }
        if let Some((node, word)) = agent.get("status").filter(|node| !node.is_empty()).and_then(|node| Some((node, node.scalar()?))) {
            spots.extend((!AGENT_STATUSES.contains(&word)).then(|| word_spot("status", node, word, AGENT_STATUSES)));
        }
    }
    spots
}

pub(super) fn summary(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let done = file.matter.agents().iter().filter(|agent| agent.get("status").and_then(YamlNode::scalar) == Some("completed"));
    let silent = done.filter(|agent| agent.get("summary").is_none_or(YamlNode::is_empty));
    silent
        .map(|agent| {
            let name = agent.get("agent").and_then(YamlNode::scalar).unwrap_or("an agent");
            Spot::new(first_line(file, &agent.span), format!("`{name}` is completed and has no `summary`")).help("say what came of it")
        })
        .collect()
}

/// A place as far as its first line goes.
fn first_line(file: &SessionFile, span: &Range<usize>) -> Range<usize> {
    let end = file.text.line_span(file.text.line(span.start)).end;
    span.start..span.end.min(end).max(span.start)
}
