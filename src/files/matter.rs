use std::ops::Range;

use serde_json::json;

use super::rules::REQUIRED_SECTIONS;
use super::text::FileText;
use super::yaml::{self, YamlNode, YamlTrouble};

/// The front matter of a session file: what stands between the two `---`.
#[derive(Debug, Clone)]
pub struct Matter {
    /// Whether the file begins with `---`.
    pub opens: bool,
    /// The YAML's place; none where it is not closed.
    pub span: Option<Range<usize>>,
    /// The YAML as read; none where it is empty or there is nothing to read.
    pub tree: Option<YamlNode>,
    /// Why it is no YAML.
    pub(crate) trouble: Option<YamlTrouble>,
    /// Where the body begins.
    pub body: usize,
}

/// The keys of each mapping, the required ones first.
pub(crate) const SESSION_KEYS: &[&str] = &["title", "status", "created", "last_updated", "linear_issue", "linear_url"];
pub(crate) const ORCHESTRATION_KEYS: &[&str] = &["current_task", "spawned_agents"];
pub(crate) const AGENT_KEYS: &[&str] = &["agent", "task", "status", "summary"];
/// The two mappings.
pub(crate) const PARTS: &[(&str, &[&str])] = &[("session", SESSION_KEYS), ("orchestration", ORCHESTRATION_KEYS)];
/// What must be there, with the mapping that it is in.
pub(crate) const REQUIRED: &[(&str, &str)] =
    &[("session", "title"), ("session", "status"), ("session", "created"), ("session", "last_updated"), ("orchestration", "current_task")];
/// What a session's status may be.
pub(crate) const STATUSES: &[&str] = &["in_progress", "paused", "completed"];
/// What an agent's may be.
pub(crate) const AGENT_STATUSES: &[&str] = &["pending", "in_progress", "completed"];

impl Matter {
    /// Reads what a file begins with.
    pub(crate) fn read(text: &FileText) -> Self {
        let start = if text.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut matter = Self { opens: false, span: None, tree: None, trouble: None, body: start };
        if text.text[start..text.line_span(1).end.max(start)].trim_end() != "---" {
            return matter;
        }
        matter.opens = true;
        let close = (2..=text.line_count()).find(|line| text.slice(&text.line_span(*line)).trim_end() == "---");
        let Some(close) = close else { return matter };
        let span = text.whole_line(1).end..text.line_span(close).start;
        matter.body = text.whole_line(close).end;
        match yaml::read(text.slice(&span), span.start) {
            Ok(tree) => matter.tree = tree,
            Err(trouble) => match unclosed(text, &span) {
                // What closes it is a rule of the body.
                Some(body) => {
                    matter.body = body;
                    return matter;
                }
                None => matter.trouble = Some(trouble),
            },
        }
        matter.span = Some(span);
        matter
    }

    /// A value by its mapping and key.
    pub fn value(&self, part: &str, key: &str) -> Option<&YamlNode> {
        self.tree.as_ref()?.get(part)?.get(key)
    }

    /// A value's text; none where it is no text or empty.
    pub fn text(&self, part: &str, key: &str) -> Option<&str> {
        self.value(part, key).filter(|node| !node.is_empty()).and_then(YamlNode::as_text)
    }

    /// The agents that were spawned.
    pub fn agents(&self) -> &[YamlNode] {
        match self.value("orchestration", "spawned_agents").map(|node| &node.kind) {
            Some(yaml::YamlKind::Sequence(items)) => items,
            _ => &[],
        }
    }

    /// A time, where it is one with an offset.
    pub fn time(&self, key: &str) -> Option<jiff::Timestamp> {
        self.value("session", key).and_then(YamlNode::scalar).and_then(rfc_3339)
    }
}

/// Where the body begins, where a front matter that is no YAML holds a section: it is YAML up to the first heading, and was not closed.
fn unclosed(text: &FileText, span: &Range<usize>) -> Option<usize> {
    let lines = text.line(span.start)..text.line(span.end);
    let held = |line: usize| text.slice(&text.line_span(line)).trim_end();
    let is_section = |line: usize| held(line).strip_prefix("## ").is_some_and(|title| REQUIRED_SECTIONS.contains(&title));
    lines.clone().find(|line| is_section(*line))?;
    let heading = lines.into_iter().find(|line| held(*line).starts_with('#') && held(line - 1).is_empty())?;
    let body = text.line_span(heading).start;
    matches!(yaml::read(text.slice(&(span.start..body)), span.start), Ok(Some(_))).then_some(body)
}

/// The JSON Schema of front matter: what every session file must have.
pub(crate) fn front_matter_schema() -> schemars::Schema {
    let text = json!({ "type": "string", "minLength": 1 });
    let time = |about: &str| json!({ "type": "string", "format": "date-time", "description": about });
    schemars::json_schema!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Front matter of a session file",
        "type": "object",
        "required": PARTS.iter().map(|(part, _)| part).collect::<Vec<_>>(),
        "properties": {
            "session": {
                "type": "object",
                "required": REQUIRED.iter().filter(|(part, _)| *part == "session").map(|(_, key)| key).collect::<Vec<_>>(),
                "properties": {
                    "title": text,
                    "status": { "enum": STATUSES, "description": "`completed` is ready to be deleted" },
                    "created": time("when it began, in UTC: the time of the file's name"),
                    "last_updated": time("when it was last written, in UTC"),
                    "linear_issue": { "type": "string", "description": "the issue's id" },
                    "linear_url": { "type": "string", "description": "its https address" },
                },
            },
            "orchestration": {
                "type": "object",
                "required": REQUIRED.iter().filter(|(part, _)| *part == "orchestration").map(|(_, key)| key).collect::<Vec<_>>(),
                "properties": {
                    "current_task": text,
                    "spawned_agents": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": &AGENT_KEYS[..3],
                            "properties": {
                                "agent": text,
                                "task": text,
                                "status": { "enum": AGENT_STATUSES },
                                "summary": { "description": "what came of it, once it is completed" },
                            },
                        },
                    },
                },
            },
        },
    })
}

/// A time as RFC 3339 writes it, with an offset. Nothing else is one.
pub(crate) fn rfc_3339(text: &str) -> Option<jiff::Timestamp> {
    let bytes = text.as_bytes();
    let shape = |at: usize, wanted: u8| bytes.get(at).is_some_and(|found| found.eq_ignore_ascii_case(&wanted));
    let is_date_time = bytes.len() >= 20 && shape(4, b'-') && shape(7, b'-') && shape(10, b't') && shape(13, b':') && shape(16, b':');
    let rest = text.get(19..).unwrap_or_default();
    let offset = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let is_offset = offset.eq_ignore_ascii_case("z")
        || (offset.len() == 6
            && offset.starts_with(['+', '-'])
            && offset.as_bytes()[3] == b':'
            && offset[1..3].parse::<u8>().is_ok_and(|hours| hours < 24)
            && offset[4..].parse::<u8>().is_ok_and(|m| m < 60));
    if is_date_time && is_offset { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_ends_at_its_own_line() {
        let matter = Matter::read(&FileText::new(b"---\r\nsession:\r\n  title: a --- b\r\n---\r\n# T\r\n"));
        assert_eq!((matter.text("session", "title"), matter.body), (Some("a --- b"), 38));
        assert!(!Matter::read(&FileText::new(b"\n---\na: b\n---\n")).opens);
        assert!(Matter::read(&FileText::new(b"---\na: b\n")).span.is_none());
        assert!(Matter::read(&FileText::new("\u{feff}---\na: b\n---\n".as_bytes())).tree.is_some());
    }

    #[test]
    fn a_rule_of_the_body_does_not_close_it() {
        let open = "---\nsession:\n  title: T\n\n# T\n\n## Context\n\nA text.\n\n---\n\n## Session Log\n";
        let matter = Matter::read(&FileText::new(open.as_bytes()));
        assert!(matter.opens && matter.span.is_none() && open[matter.body..].starts_with("# T\n"));
        // A comment is one, and what is no YAML before it is told of.
        let matter = Matter::read(&FileText::new(b"---\na: b\n\n# c\nd: e: f\n---\n"));
        assert!(matter.span.is_some() && matter.trouble.is_some());
    }

    #[test]
    fn a_time_has_an_offset() {
        for right in ["2025-12-04T14:30:00Z", "2025-12-04t14:30:00.25z", "2025-12-04T14:30:00+02:00"] {
            assert!(rfc_3339(right).is_some(), "{right}");
        }
        for wrong in [
            "2025-12-04",
            "2025-12-04 14:30:00Z",
            "2025-12-04T14:30:00",
            "2025-02-30T14:30:00Z",
            "2025-12-04T25:30:00Z",
            "now",
            "2025-12-04T14:30:00+0200",
            "2025-12-04T14:30Z",
            "2025-12-04T14:30:00+24:00",
        ] {
            assert!(rfc_3339(wrong).is_none(), "{wrong}");
        }
    }
}
