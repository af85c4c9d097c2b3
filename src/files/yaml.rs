//! YAML as a tree that knows where everything stands.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, options};

/// A value and its place in the file, in bytes.
#[derive(Debug, Clone)]
pub struct YamlNode {
    /// The place. Of a plain or quoted scalar its text with the quotes; of a block scalar from its `|` or `>` to its last word.
    pub span: Range<usize>,
    /// What it is.
    pub kind: YamlKind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum YamlKind {
    /// A text, and whether it is quoted or a block: what is not may be a number, a truth or nothing.
    Scalar {
        /// The text, unescaped.
        text: String,
        /// Whether it stands without quotes.
        plain: bool,
    },
    /// Keys and values, in order, each key as often as it is there.
    Mapping(Vec<(YamlNode, YamlNode)>),
    /// Values.
    Sequence(Vec<YamlNode>),
}

/// Why a text is no YAML.
#[derive(Debug, Clone)]
pub(crate) struct YamlTrouble {
    /// Where, in bytes.
    pub at: usize,
    /// What the reader says.
    pub what: String,
}

/// How deep values may lie in one another: front matter has four levels.
const DEEPEST: usize = 64;
/// How many values aliases may stand for: a few lines can mean millions.
const MOST_REPEATED: usize = 10_000;

impl YamlNode {
    /// Its text, where it is one: what stands without quotes and reads as a number, a truth or nothing is none.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            YamlKind::Scalar { text, plain } if !plain || other_type(text).is_none() => Some(text),
            _ => None,
        }
    }

    /// Its text as written, whatever it reads as.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            YamlKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing stands there: no value, `~`, `null`, an empty text.
    pub fn is_empty(&self) -> bool {
        match &self.kind {
            YamlKind::Scalar { text, plain } => text.trim().is_empty() || (*plain && other_type(text) == Some("nothing")),
            YamlKind::Mapping(pairs) => pairs.is_empty(),
            YamlKind::Sequence(items) => items.is_empty(),
        }
    }

    /// What kind of value it is, in words.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            YamlKind::Scalar { text, plain: true } => other_type(text).unwrap_or("a text"),
            YamlKind::Scalar { .. } => "a text",
            YamlKind::Mapping(_) => "a mapping",
            YamlKind::Sequence(_) => "a list",
        }
    }

    /// The pairs of a mapping; none where it is something else.
    pub fn pairs(&self) -> &[(YamlNode, YamlNode)] {
        match &self.kind {
            YamlKind::Mapping(pairs) => pairs,
            _ => &[],
        }
    }

    /// The first pair of that key.
    pub fn pair(&self, key: &str) -> Option<&(YamlNode, YamlNode)> {
        self.pairs().iter().find(|(found, _)| found.scalar() == Some(key))
    }

    /// The value of that key.
    pub fn get(&self, key: &str) -> Option<&YamlNode> {
        self.pair(key).map(|(_, value)| value)
    }

    /// How many values it is made of.
    fn size(&self) -> usize {
        1 + match &self.kind {
            YamlKind::Scalar { .. } => 0,
            YamlKind::Mapping(pairs) => pairs.iter().map(|(_, value)| 1 + value.size()).sum(),
            YamlKind::Sequence(items) => items.iter().map(YamlNode::size).sum(),
        }
    }

    /// Whether two values are the same, wherever they stand.
    pub fn is_same(&self, other: &YamlNode) -> bool {
        match (&self.kind, &other.kind) {
            (YamlKind::Scalar { text, .. }, YamlKind::Scalar { text: theirs, .. }) => {
                text == theirs && self.type_name() == other.type_name()
            }
            (YamlKind::Sequence(mine), YamlKind::Sequence(theirs)) => {
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| a.is_same(b))
            }
            (YamlKind::Mapping(mine), YamlKind::Mapping(theirs)) => {
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(|((k, v), (l, w))| k.is_same(l) && v.is_same(w))
            }
            _ => false,
        }
    }
}

/// What a text without quotes is, where it is none (the core schema of YAML 1.2).
fn other_type(text: &str) -> Option<&'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some("nothing"),
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some("a truth"),
        ".inf" | "-.inf" | "+.inf" | ".nan" | ".NaN" | ".Inf" => Some("a number"),
        _ => {
            let digits = text.trim_start_matches(['-', '+']);
            let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && (digits.parse::<f64>().is_ok() || digits.strip_prefix("0x").is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok()));
            is_number.then_some("a number")
        }
    }
}

/// What is being read.
enum Open {
    Mapping { start: usize, anchor: usize, pairs: Vec<(YamlNode, YamlNode)>, key: Option<YamlNode> },
    Sequence { start: usize, anchor: usize, items: Vec<YamlNode> },
}

/// Reads the first document of a text that begins at an offset of its file. None where it is empty.
///
/// # Errors
/// Says where the text is no YAML, and why.
pub(crate) fn read(yaml: &str, base: usize) -> Result<Option<YamlNode>, YamlTrouble> {
    let options = options! { emit_comments: false };
    let place = |span: &Span| {
        let at = |mark: &granit_parser::Marker| base + mark.byte_offset().unwrap_or_default().min(yaml.len());
        at(&span.start)..at(&span.end)
    };
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, YamlNode> = HashMap::new();
    let (mut root, mut repeated) = (None, 0);
    for next in Parser::new_from_str_with_options(yaml, options) {
        let (event, span) = next.map_err(|error| YamlTrouble {
            at: base + error.marker().byte_offset().unwrap_or_default().min(yaml.len()),
            what: error.info(),
        })?;
        let span = place(&span);
        let done = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let span = if is_block { whole_block(yaml, base, &span) } else { span };
                Some((anchor, YamlNode { span, kind: YamlKind::Scalar { text: text.into_owned(), plain } }))
            }
            Event::Alias(anchor) => {
                let meant = anchors.get(&anchor);
                repeated += meant.map_or(0, YamlNode::size);
                if repeated > MOST_REPEATED {
                    return Err(YamlTrouble { at: span.start, what: format!("aliases repeat more than {MOST_REPEATED} values") });
                }
                let kind = meant.map_or(YamlKind::Sequence(Vec::new()), |node| node.kind.clone());
                Some((0, YamlNode { span, kind }))
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(Open::Mapping { start: span.start, anchor, pairs: Vec::new(), key: None });
                None
            }
            Event::SequenceStart(_, anchor, _) => {
                open.push(Open::Sequence { start: span.start, anchor, items: Vec::new() });
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|closed| close(closed, span.end)),
            _ => None,
        };
        if open.len() > DEEPEST {
            return Err(YamlTrouble { at: span_start(&open), what: format!("values lie more than {DEEPEST} deep in one another") });
        }
        let Some((anchor, node)) = done else { continue };
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            // To the end all the same: what follows may be no YAML.
            None => root = root.or(Some(node)),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { pairs, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
        }
    }
    Ok(root)
}

/// A block scalar with its indicator: the reader tells where its text is.
fn whole_block(yaml: &str, base: usize, held: &Range<usize>) -> Range<usize> {
    let mut end = held.start - base;
    let start = loop {
        let line = yaml[..end].rfind('\n').map_or(0, |at| at + 1);
        match block_indicator(&yaml[line..end]) {
            Some(at) => break line + at,
            None if line > 0 && yaml[line..end].trim().is_empty() => end = line - 1,
            None => break held.start - base,
        }
    };
    let end = held.end - base;
    base + start..base + start + yaml[start..end.max(start)].trim_end().len()
}

/// Where a line ends in the indicator of a block scalar, with a comment or none.
fn block_indicator(line: &str) -> Option<usize> {
    let begins = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices(['|', '>']).map(|(at, _)| at).filter(|at| begins(*at)).find(|at| {
        let rest = line[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        rest.trim().is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
    })
}

fn span_start(open: &[Open]) -> usize {
    match open.last() {
        Some(Open::Mapping { start, .. } | Open::Sequence { start, .. }) => *start,
        None => 0,
    }
}

fn close(open: Open, end: usize) -> (usize, YamlNode) {
    match open {
        Open::Mapping { start, anchor, pairs, .. } => (anchor, YamlNode { span: start..end.max(start), kind: YamlKind::Mapping(pairs) }),
        Open::Sequence { start, anchor, items } => (anchor, YamlNode { span: start..end.max(start), kind: YamlKind::Sequence(items) }),
    }
}

/// A text as a double-quoted scalar on one line.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
                && (c as u32) < 0x1_0000 =>
            {
                quoted.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_its_place() {
        let text = "a: \"ä b\" # c\nlist:\n  - x: 1\n";
        let node = read(text, 0).unwrap().unwrap();
        let at = |node: &YamlNode| &text[node.span.clone()];
        assert_eq!((at(&node.pairs()[0].0), at(node.get("a").unwrap()), node.get("a").unwrap().as_text()), ("a", "\"ä b\"", Some("ä b")));
        let YamlKind::Sequence(items) = &node.get("list").unwrap().kind else { panic!("{node:?}") };
        assert_eq!((at(items[0].get("x").unwrap()), items[0].get("x").unwrap().type_name()), ("1", "a number"));
    }

    #[test]
    fn a_block_begins_at_its_indicator() {
        for (block, text) in [
            ("|\n  > a\n  b", "> a\nb\n"),
            (">- # why > how\n    a\n    b", "a b"),
            ("|2-\n\n   a", "\n a"),
            ("!!str |-\r\n  a", "a"),
            ("|-\n  \"a\"", "\"a\""),
        ] {
            let yaml = format!("x: y\nk: {block}\nz: 1\n");
            let node = read(&yaml, 7).unwrap().unwrap();
            let held = node.get("k").unwrap();
            assert_eq!((&yaml[held.span.start - 7..held.span.end - 7], held.as_text()), (block.trim_start_matches("!!str "), Some(text)));
        }
        let empty = "k: |\nz: 1\n";
        assert_eq!(&empty[read(empty, 0).unwrap().unwrap().get("k").unwrap().span.clone()], "|");
    }

    #[test]
    fn a_key_that_is_there_twice_is_kept_twice_and_flow_is_read() {
        let node = read("{a: 1, a: 2, b: [x, y]}", 0).unwrap().unwrap();
        assert_eq!(node.pairs().len(), 3);
        assert_eq!(node.get("a").unwrap().scalar(), Some("1"));
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let wrong = read("a: b\nc: d: e\n", 10).unwrap_err();
        assert!(wrong.at >= 15 && wrong.at <= 22, "{wrong:?}");
        assert!(read("a: [1\n", 0).is_err());
        assert!(read("", 0).unwrap().is_none());
        assert!(read(&"[".repeat(100_000), 0).is_err());
    }

    #[test]
    fn whatever_is_quoted_comes_back() {
        for text in ["a: b # \"c\" \\ d", "two\nlines\r\n\ttab", "---", "\u{feff}\u{1}\u{7f}\u{2028}é🦀", ""] {
            let yaml = format!("k: {}\n", quoted(text));
            assert_eq!(read(&yaml, 0).unwrap().unwrap().get("k").unwrap().as_text(), Some(text), "{yaml}");
        }
    }
}
