//! Changes to a session file that leave everything else as it is: a few bytes at places that were read.

use std::ops::Range;

use jiff::Timestamp;

use super::contained::{contained, inline, trimmed, uncontained};
use super::finding::Edit;
use super::session_file::SessionFile;
use super::yaml::{YamlKind, YamlNode, quoted};

impl SessionFile {
    /// The sections of level two with what was put into them, in order.
    pub(crate) fn level_two(&self) -> Vec<(String, String)> {
        let sections = self.outline.sections().into_iter().filter(|section| section.heading.level == 2);
        sections.map(|section| (section.heading.text, uncontained(self.text.slice(&trimmed(&self.text, section.body))))).collect()
    }

    /// Whether a fence is never closed: what is added behind it is code.
    pub(crate) fn has_open_fence(&self) -> bool {
        self.outline.code.iter().any(|block| block.unclosed)
    }

    /// Sets a value of the front matter. Nothing where the front matter cannot be read.
    pub(crate) fn set_value(&self, part: &str, key: &str, value: &str) -> Option<Edit> {
        let tree = self.matter.tree.as_ref()?;
        if let Some(node) = self.matter.value(part, key) {
            return Some(Edit { span: self.scalar_span(node), text: value.to_owned() });
        }
        match tree.get(part) {
            Some(mapping) => self.add_key(mapping, key, value),
            None => {
                let end = self.matter.span.as_ref()?.end;
                Some(Edit { span: end..end, text: self.ended(&format!("{part}:\n  {key}: {value}\n")) })
            }
        }
    }

    /// A value's place, where something is to stand instead of it: without the line's end that a block has.
    fn scalar_span(&self, node: &YamlNode) -> Range<usize> {
        let held = self.text.slice(&node.span);
        node.span.start..node.span.start + held.trim_end().len()
    }

    /// Adds a key behind the last one.
    fn add_key(&self, mapping: &YamlNode, key: &str, value: &str) -> Option<Edit> {
        let (last_key, last) = mapping.pairs().last()?;
        if self.text.slice(&mapping.span).starts_with('{') {
            return Some(Edit { span: last.span.end..last.span.end, text: format!(", {key}: {value}") });
        }
        let line =
            self.text.line(last.span.start.max(last_key.span.start) + self.text.slice(&last.span).trim_end().len().saturating_sub(1));
        let at = self.text.whole_line(line).end;
        let first = self.text.line_span(self.text.line(last_key.span.start)).start;
        let indent = self.text.slice(&(first..last_key.span.start)).replace('-', " ");
        Some(Edit { span: at..at, text: self.ended(&format!("{indent}{key}: {value}\n")) })
    }

    /// A text with the file's own line ends.
    fn ended(&self, text: &str) -> String {
        text.replace("\r\n", "\n").replace('\n', self.text.line_ends().0.text())
    }

    /// Sets the agents that were spawned: each its keys and texts.
    pub(crate) fn set_agents(&self, agents: &[Vec<(String, String)>]) -> Option<Edit> {
        let flow = |agent: &Vec<(String, String)>| {
            let pairs: Vec<String> = agent.iter().map(|(key, value)| format!("{}: {}", quoted(key), quoted(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        };
        let whole = format!("[{}]", agents.iter().map(flow).collect::<Vec<_>>().join(", "));
        let old = self.matter.value("orchestration", "spawned_agents");
        match old {
            // What is block stays block, however it is indented: a flow list on the line of its key is read the same.
            Some(node) if matches!(node.kind, YamlKind::Sequence(_)) && !self.text.slice(&node.span).starts_with('[') => {
                let (key, _) = self.matter.tree.as_ref()?.get("orchestration")?.pair("spawned_agents")?;
                let line = self.text.line_span(self.text.line(key.span.start));
                let indent = " ".repeat(key.span.start - line.start + 2);
                let item = |agent: &Vec<(String, String)>| {
                    let lines: Vec<String> = agent.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
                    format!("\n{indent}- {}", lines.join(&format!("\n{indent}  ")))
                };
                let text = if agents.is_empty() { " []".to_owned() } else { agents.iter().map(item).collect() };
                let colon = self.text.slice(&(key.span.end..node.span.start)).find(':').map_or(key.span.end, |at| key.span.end + at + 1);
                Some(Edit { span: colon..self.scalar_span(node).end, text: self.ended(&text) })
            }
            _ => self.set_value("orchestration", "spawned_agents", &whole),
        }
    }

    /// Sets a section's text; where there is none it is added before the log, or at the end.
    pub(crate) fn set_section(&self, title: &str, text: &str) -> Edit {
        let body = contained(text, 2);
        if let Some(section) = self.outline.section(title) {
            let place = trimmed(&self.text, section.body.clone());
            if place.is_empty() {
                return Edit { span: section.heading.span.end..section.heading.span.end, text: self.ended(&format!("\n\n{body}")) };
            }
            // A heading and its text on neighbouring lines stay so.
            return Edit { span: place, text: self.ended(&body) };
        }
        let at = self.before_log();
        let text = format!("## {}\n\n{body}\n\n", inline(title));
        let gap = if self.text.text[..at].ends_with("\n\n") || self.text.text[..at].ends_with("\r\n\r\n") { "" } else { "\n" };
        let gap = if self.text.text[..at].ends_with('\n') { gap } else { "\n\n" };
        Edit { span: at..at, text: self.ended(&format!("{gap}{text}")) }
    }

    /// Where a section is added: before the log and the rule above it.
    fn before_log(&self) -> usize {
        let Some(log) = self.outline.log() else { return self.text.text.len() };
        let before = self.outline.headings.iter().rfind(|heading| heading.span.start < log.heading.span.start);
        let from = before.map_or(self.matter.body, |heading| heading.span.end);
        let held = self.text.slice(&(from..log.heading.span.start));
        let kept = held.trim_end();
        match kept.strip_suffix("---").filter(|rest| rest.ends_with('\n')) {
            Some(rest) => from + rest.len(),
            None => log.heading.span.start,
        }
    }

    /// Adds an entry at the end of the log.
    pub(crate) fn add_entry(&self, now: Timestamp, who: &str, text: &str) -> Edit {
        let entry = format!("### {} - {}\n\n{}", now.strftime("%Y-%m-%d %H:%M"), inline(who), contained(text, 3));
        match self.outline.log() {
            Some(log) => {
                let held = self.text.slice(&log.body);
                let at = log.body.start + held.trim_end().len();
                let tail = if at == self.text.text.len() { "\n" } else { "" };
                Edit { span: at..at, text: self.ended(&format!("\n\n{entry}{tail}")) }
            }
            None => {
                let at = self.text.text.len();
                let gap = if self.text.text.ends_with('\n') { "\n" } else { "\n\n" };
                Edit { span: at..at, text: self.ended(&format!("{gap}## Session Log\n\n{entry}\n")) }
            }
        }
    }

    /// Ticks the boxes of that text; None where there is none.
    pub(crate) fn tick(&self, item: &str) -> Option<Vec<Edit>> {
        let words = |at: usize| {
            let line = self.text.line_span(self.text.line(at));
            self.text.slice(&(at..line.end)).trim().to_owned()
        };
        let meant: Vec<_> = self.outline.boxes.iter().filter(|tick| words(tick.span.end) == item.trim()).collect();
        if meant.is_empty() {
            return None;
        }
        Some(meant.into_iter().filter(|tick| !tick.ticked).map(|tick| Edit { span: tick.span.clone(), text: "[x]".into() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::repair::apply;

    const FILE: &str = "---\nsession:\n  title: \"T\" # kept\n  owner: me\norchestration:\n  current_task: a\n---\n\n# T\n\n## Context\nc\n\n## Current State\n\nold\n\n---\n\n## Session Log\n\n### 2025-12-04 14:30 - a\n\nb\n";

    fn changed(text: &str, edit: impl Fn(&SessionFile) -> Edit) -> String {
        let file = SessionFile::read("n.md", text.as_bytes());
        String::from_utf8(apply(text.as_bytes(), &[edit(&file)])).unwrap()
    }

    #[test]
    fn a_value_is_set_and_what_stands_around_it_stays() {
        let set = changed(FILE, |file| file.set_value("session", "title", "\"U\"").unwrap());
        assert_eq!(set, FILE.replace("\"T\"", "\"U\""));
        let added = changed(FILE, |file| file.set_value("session", "status", "paused").unwrap());
        assert_eq!(added, FILE.replace("  owner: me\n", "  owner: me\n  status: paused\n"));
        let flow = "---\nsession: {title: T}\n---\n";
        assert_eq!(
            changed(flow, |file| file.set_value("session", "status", "paused").unwrap()),
            "---\nsession: {title: T, status: paused}\n---\n"
        );
    }

    #[test]
    fn a_value_that_is_a_block_is_replaced_with_its_indicator() {
        for (block, end) in [(">-\n    Write\n    the cache", "\n"), ("|\n    a\n\n    b", "\n"), ("|2-\r\n    a", "\r\n")] {
            let text = FILE.replace("current_task: a\n", &format!("current_task: {block}{end}"));
            let set = changed(&text, |file| file.set_value("orchestration", "current_task", "\"a: b\"").unwrap());
            assert_eq!(set, FILE.replace("current_task: a\n", &format!("current_task: \"a: b\"{end}")));
        }
    }

    #[test]
    fn a_section_is_replaced_up_to_the_rule_below_it() {
        assert_eq!(changed(FILE, |file| file.set_section("Current State", "new\nlines")), FILE.replace("old", "new\nlines"));
        let added = changed(FILE, |file| file.set_section("Files Modified", "- `a`"));
        assert_eq!(added, FILE.replace("---\n\n## Session", "## Files Modified\n\n- `a`\n\n---\n\n## Session"));
        assert_eq!(
            changed(&FILE.replace('\n', "\r\n"), |file| file.set_section("Context", "x\ny")),
            FILE.replace("## Context\nc", "## Context\nx\ny").replace('\n', "\r\n")
        );
    }

    #[test]
    fn an_entry_goes_last() {
        let now = "2025-12-04T15:00:09Z".parse().unwrap();
        assert_eq!(changed(FILE, |file| file.add_entry(now, "pm", "went on")), format!("{FILE}\n### 2025-12-04 15:00 - pm\n\nwent on\n"));
        let none = changed("---\na: b\n---\n## X", |file| file.add_entry(now, "pm", "y"));
        assert!(none.ends_with("## X\n\n## Session Log\n\n### 2025-12-04 15:00 - pm\n\ny\n"), "{none}");
    }

    #[test]
    fn boxes_are_ticked_by_their_text() {
        let text = "---\na: b\n---\n- [ ] one\n- [x] two\n- [ ] one more\n";
        let file = SessionFile::read("n.md", text.as_bytes());
        assert_eq!(apply(text.as_bytes(), &file.tick("one").unwrap()), text.replacen("[ ]", "[x]", 1).into_bytes());
        assert_eq!(file.tick("two"), Some(vec![]));
        assert_eq!(file.tick("three"), None);
    }
}
