//! Markers: where a document wants a table, and which.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options as Extensions, Parser, Tag};

use crate::core::diagnostic::{Diagnostic, SourceText, meant};

use super::options::{OPTIONS, TableOptions};
use super::{TABLES, TableSpec};

const BEGIN: &str = "passmuster:begin";
const END: &str = "passmuster:end";
const FORM: &str = "write `<!-- passmuster:begin table=NAME option=value -->`, alone on its line, and `<!-- passmuster:end -->` below it \
                    (MDX: `{/* … */}`)";
/// How comments begin and end: in Markdown, in MDX.
const COMMENTS: [(&str, &str); 2] = [("<!--", "-->"), ("{/*", "*/}")];

/// A document's text, and what is wrong with its markers so far.
pub(crate) struct MarkerReading<'a> {
    text: &'a str,
    source: SourceText<'a>,
    pub errors: Vec<Diagnostic>,
}

/// A place for a table.
pub(crate) struct Marked {
    pub table: &'static TableSpec,
    pub options: TableOptions,
    /// The marker itself, for errors.
    pub at: Range<usize>,
    /// What stands between the markers' lines.
    pub body: Range<usize>,
    /// What the marker's line begins with: the table's lines begin with it, too.
    pub indent: String,
    /// How the marker's line ends.
    pub line_end: &'static str,
}

/// What a line is, as far as markers go.
enum MarkerLine {
    Begin(Range<usize>),
    End(Range<usize>),
}

impl<'a> MarkerReading<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { text, source: SourceText::new(file, text), errors: Vec::new() }
    }

    /// What is wrong, in the order of the document.
    pub(crate) fn done(mut self) -> Vec<Diagnostic> {
        self.errors.sort_by_key(Diagnostic::offset);
        self.errors
    }

    pub(crate) fn wrong(&mut self, at: Range<usize>, what: String, help: Option<String>) {
        self.errors.push(self.source.diagnostic(Some(at), what, help));
    }

    /// The places for tables, in order.
    pub(crate) fn marked(&mut self) -> Vec<Marked> {
        let mut found = Vec::new();
        let mut open: Option<(Range<usize>, Range<usize>)> = None;
        for (line, said) in self.lines() {
            match (said, open.take()) {
                (MarkerLine::Begin(at), before) => {
                    if let Some((_, begin)) = before {
                        self.wrong(begin, "the marker has no end before the next begins".into(), Some(FORM.into()));
                    }
                    open = Some((line, at));
                }
                (MarkerLine::End(at), None) => self.wrong(at, "the marker ends what has not begun".into(), Some(FORM.into())),
                (MarkerLine::End(_), Some((first, begin))) => {
                    let text = &self.text[first.clone()];
                    let indent = text[..begin.start - first.start].trim_start_matches('\u{feff}').to_owned();
                    let line_end = if text.ends_with("\r\n") { "\r\n" } else { "\n" };
                    if let Some((table, options)) = self.asked(begin.clone()) {
                        found.push(Marked { table, options, at: begin, body: first.end..line.start, indent, line_end });
                    }
                }
            }
        }
        if let Some((_, begin)) = open {
            self.wrong(begin, "the marker has no end".into(), Some(FORM.into()));
        }
        found
    }

    /// The lines that hold markers, outside of code; a marker among other text is none, and is told.
    fn lines(&mut self) -> Vec<(Range<usize>, MarkerLine)> {
        let layout = Layout::of(self.text);
        let mut found = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let range = start..start + line.len();
            start = range.end;
            let Some(word) = [BEGIN, END].into_iter().find(|word| line.contains(word)) else { continue };
            let word_at = range.start + line.find(word).expect("the line has it");
            if layout.code.iter().any(|code| code.contains(&word_at)) {
                continue;
            }
            let bare = line.trim_start_matches('\u{feff}').trim();
            let lead = line.find(bare).unwrap_or_default();
            let at = range.start + lead..range.start + lead + bare.len();
            let comment = COMMENTS.into_iter().find(|(begin, end)| bare.starts_with(begin) && bare.ends_with(end));
            let inner = comment.and_then(|(begin, end)| bare.strip_prefix(begin)?.strip_suffix(end)).map(str::trim);
            let told = |inner: &str, word: &str| {
                inner.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
            };
            // Among other text a comment is no block of its own. In what is indented by four, as in an admonition, it is one of what
            // stands there; MDX knows no blocks of HTML.
            let is_deep = line[..lead].len() >= 4 && line[..lead].trim().is_empty();
            let is_block = is_deep || inner.is_some() && bare.starts_with('{') || layout.html.iter().any(|html| html.contains(&word_at));
            match inner.filter(|inner| is_block && !inner.contains("-->")) {
                Some(inner) if told(inner, BEGIN) => found.push((range, MarkerLine::Begin(at))),
                Some(END) => found.push((range, MarkerLine::End(at))),
                // Prose that mentions the word, outside of a comment, is no marker.
                _ if !COMMENTS.iter().any(|(begin, _)| line.contains(begin)) => {}
                _ => self.wrong(at, format!("`{word}` is no marker here"), Some(FORM.into())),
            }
        }
        found
    }

    /// The table and the options that a marker asks for.
    fn asked(&mut self, at: Range<usize>) -> Option<(&'static TableSpec, TableOptions)> {
        let before = self.errors.len();
        let pairs = self.pairs(&at);
        let Some((_, name)) = pairs.iter().find(|(key, _)| &self.text[key.clone()] == "table") else {
            if self.errors.len() > before {
                return None;
            }
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            self.wrong(at, "the marker names no table".into(), Some(format!("add `table=NAME`; the tables are {}", names.join(", "))));
            return None;
        };
        let name = name.clone();
        let Some(table) = TableSpec::find(&self.text[name.clone()]) else {
            let known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            let what = format!("there is no table `{}`: wanted {}", &self.text[name.clone()], known.join(", "));
            let help = meant(&self.text[name.clone()], known.into_iter());
            self.wrong(name, what, help);
            return None;
        };
        let mut options = TableOptions::default();
        let mut seen = Vec::new();
        for (key, value) in pairs {
            let word = &self.text[key.clone()];
            if seen.contains(&word) {
                self.wrong(key, format!("`{word}` is said twice"), None);
                continue;
            }
            seen.push(word);
            if word == "table" {
                continue;
            }
            let Some(option) = OPTIONS.iter().find(|option| option.name == word && table.options.contains(&word)) else {
                let known = table.options.join(", ");
                let what = match table.options.is_empty() {
                    true => format!("the table `{}` has no options", table.name),
                    false => format!("the table `{}` has no option `{word}`: wanted {known}", table.name),
                };
                let help = meant(word, table.options.iter().copied());
                self.wrong(key, what, help);
                continue;
            };
            if let Err(refused) = options.set(table, option, &self.text[value.clone()]) {
                let within = self.text[value.clone()].find(&refused.found).map(|at| value.start + at);
                let span = within.filter(|_| !refused.found.is_empty()).map_or(value, |start| start..start + refused.found.len());
                let help = meant(&refused.found, refused.known.iter().map(String::as_str));
                self.wrong(span, refused.wanted, help);
            }
        }
        (self.errors.len() == before).then_some((table, options))
    }

    /// A marker's `key=value` pairs. Values with spaces stand in double quotes.
    fn pairs(&mut self, at: &Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
        let text = self.text;
        let begin = at.start + text[at.clone()].find(BEGIN).expect("it was found to begin") + BEGIN.len();
        let end = at.end - "-->".len();
        let mut pairs = Vec::new();
        let mut here = begin;
        loop {
            here += text[here..end].len() - text[here..end].trim_start().len();
            if here >= end {
                return pairs;
            }
            let rest = &text[here..end];
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let Some(equals) = rest[..word].find('=') else {
                self.wrong(here..here + word, format!("`{}` is no option: wanted `name=value`", &rest[..word]), None);
                here += word;
                continue;
            };
            let key = here..here + equals;
            let after = here + equals + 1;
            let value = match text[after..end].strip_prefix('"').map(|rest| rest.find('"')) {
                Some(Some(length)) => after + 1..after + 1 + length,
                Some(None) => {
                    self.wrong(after..here + word, "the quotation mark is not closed".into(), None);
                    return pairs;
                }
                None => after..here + word,
            };
            here = if text[after..end].starts_with('"') { value.end + 1 } else { value.end };
            pairs.push((key, value));
        }
    }
}

/// What Markdown makes of a document: where markers can be, and where they are examples.
#[derive(Default)]
struct Layout {
    html: Vec<Range<usize>>,
    code: Vec<Range<usize>>,
}

impl Layout {
    fn of(text: &str) -> Self {
        let bom = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut layout = Self::default();
        for (event, at) in Parser::new_ext(&text[bom..], Extensions::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter() {
            let at = at.start + bom..at.end + bom;
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) if is_admonished(text, at.start) => {}
                Event::Code(_) | Event::Start(Tag::CodeBlock(_) | Tag::MetadataBlock(_)) => layout.code.push(at),
                Event::Start(Tag::HtmlBlock) => layout.html.push(at),
                _ => {}
            }
        }
        layout
    }
}

/// Whether what is indented there belongs to an admonition or a tab (`!!! note`, `??? tip`, `=== "Linux"`), and is no code.
fn is_admonished(text: &str, at: usize) -> bool {
    let above = text[..at].lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with("    "));
    above.is_some_and(|line| ["!!!", "???", "==="].iter().any(|mark| line.trim_start().starts_with(mark)))
}
