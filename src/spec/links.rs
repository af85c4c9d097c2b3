//! Relative links: whether what they lead to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::check::CheckFinding;

/// The anchor of a heading, as GitHub makes it.
pub fn heading_anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Finds relative links to files that are not there, and to headings that a document does not have. Paths are relative
/// to the current folder, where a link's leading `/` also leads.
pub fn links(documents: &[(String, String)]) -> Vec<CheckFinding> {
    let mut anchors: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for (file, text) in documents {
        for (at, target) in targets(text) {
            if let Some(what) = broken(Path::new(file), text, &target, &mut anchors) {
                let line = text[..at.start].matches('\n').count() + 1;
                found.push(CheckFinding { file: file.clone(), line, message: format!("the link `{target}` leads nowhere: {what}") });
            }
        }
    }
    found
}

/// The relative links of a document.
fn targets(text: &str) -> Vec<(Range<usize>, String)> {
    let is_elsewhere = |target: &str| target.contains("://") || target.starts_with("mailto:") || target.starts_with("//");
    Parser::new_ext(text, EXTENSIONS)
        .into_offset_iter()
        .filter_map(|(event, at)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some((at, dest_url.into_string())),
            _ => None,
        })
        .filter(|(_, target)| !target.is_empty() && !is_elsewhere(target))
        .collect()
}

const EXTENSIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS);

/// Why a link leads nowhere; none where it leads somewhere.
fn broken(from: &Path, text: &str, target: &str, anchors: &mut BTreeMap<PathBuf, BTreeSet<String>>) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = decoded(path.split('?').next().unwrap_or_default());
    let to = match path.strip_prefix('/') {
        _ if path.is_empty() => from.to_owned(),
        Some(from_here) => normal(Path::new(from_here)),
        None => normal(&from.parent().unwrap_or(Path::new("")).join(&path)),
    };
    let here = if to.as_os_str().is_empty() { Path::new(".") } else { &to };
    if !path.is_empty() && !here.exists() {
        return Some(format!("there is no {}", to.display()));
    }
    let anchor = anchor.filter(|anchor| !anchor.is_empty() && to.extension().is_some_and(|extension| extension == "md"))?;
    let known = anchors.entry(to.clone()).or_insert_with(|| match to == from {
        true => headings(text),
        false => headings(&std::fs::read_to_string(&to).unwrap_or_default()),
    });
    (!known.contains(&decoded(anchor).to_lowercase())).then(|| {
        let nearest = crate::core::diagnostic::nearest(anchor, known.iter().map(String::as_str));
        let meant = nearest.map(|nearest| format!("; did you mean #{nearest}?")).unwrap_or_default();
        format!("{} has no heading of that anchor{meant}", to.display())
    })
}

/// The anchors of a document: of its headings, and those that it sets itself.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, EXTENSIONS) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = heading_anchor(&heading.take().unwrap_or_default());
                let again = (1..).map(|count| format!("{anchor}-{count}"));
                let free = std::iter::once(anchor.clone()).chain(again).find(|anchor| !found.contains(anchor));
                found.extend(free);
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let set = html.split(['"', '\'']).collect::<Vec<_>>();
                let named = set.windows(2).filter(|pair| pair[0].trim_end().ends_with("id=") || pair[0].trim_end().ends_with("name="));
                found.extend(named.map(|pair| pair[1].to_lowercase()));
            }
            _ => {}
        }
    }
    found
}

/// A path without `.` and `..`, as far as that is known without looking.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// A link without its percent signs: `%20` is a space.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(heading_anchor("LC-CLEAN-1 · MUST · manager · the whole tree ends"), "lc-clean-1--must--manager--the-whole-tree-ends");
        let text = "# A b!\n\n## A b\n\n<a id=\"Mine\"></a>\n\n```\n# no heading\n```\n";
        assert_eq!(headings(text).into_iter().collect::<Vec<_>>(), ["a-b", "a-b-1", "mine"]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found_where_they_stand() {
        let text = "# One\n\n[a](#one) [b](#tow) [c](src) [d](no/such.md)\n\n[e](https://x.invalid/y) `[f](no)` [g](README.md#no-such-heading)\n\
                    [h](/src/lib.rs) ![i](spec/../no.svg)\n";
        let found: Vec<String> = links(&[("x.md".into(), text.into())]).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "x.md:3: the link `#tow` leads nowhere: x.md has no heading of that anchor",
                "x.md:3: the link `no/such.md` leads nowhere: there is no no/such.md",
                "x.md:5: the link `README.md#no-such-heading` leads nowhere: README.md has no heading of that anchor",
                "x.md:6: the link `spec/../no.svg` leads nowhere: there is no no.svg",
            ]
        );
    }
}
