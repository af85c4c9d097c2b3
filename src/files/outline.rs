//! The body of a session file: headings, sections, lists, entries of the log, all with their places. What stands in code is none of it.

use std::ops::Range;

use jiff::civil::DateTime;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::text::FileText;

/// What a merge leaves: with the `=======` that follows it would read as a heading.
pub(crate) const CONFLICT: &str = "<<<<<<< ";

/// A heading, however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Its level, 1 to 6.
    pub level: u8,
    /// Its text without marks.
    pub text: String,
    /// The place of the whole heading.
    pub span: Range<usize>,
}

/// A heading with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSection {
    /// The heading.
    pub heading: Heading,
    /// From the end of the heading to the next one of its level or a higher one.
    pub body: Range<usize>,
}

/// A box of a list, and whether it is ticked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickBox {
    /// The place of `[ ]` or `[x]`.
    pub span: Range<usize>,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// An entry of the session log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its section.
    pub section: FileSection,
    /// When, in UTC; none where the heading does not say.
    pub at: Option<DateTime>,
    /// Who.
    pub who: String,
}

/// A code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodeBlock {
    pub span: Range<usize>,
    /// Whether it is fenced and its fence is never closed.
    pub unclosed: bool,
}

/// The body of a file as a whole.
#[derive(Debug, Clone, Default)]
pub struct MarkdownOutline {
    /// The headings outside of code, in order.
    pub headings: Vec<Heading>,
    /// The boxes, in order.
    pub boxes: Vec<TickBox>,
    /// Where lists begin.
    pub lists: Vec<usize>,
    pub(crate) code: Vec<CodeBlock>,
    /// HTML: comments, mostly.
    pub(crate) html: Vec<Range<usize>>,
    comments: Vec<Range<usize>>,
    end: usize,
}

impl MarkdownOutline {
    /// Reads a file's body, which begins at an offset.
    pub(crate) fn read(text: &FileText, body: usize) -> Self {
        let source = &text.text[body..];
        let place = |range: &Range<usize>| body + range.start..body + range.end;
        let mut outline = Self { end: text.text.len(), ..Self::default() };
        let mut heading: Option<Heading> = None;
        // What is quoted, or an item of a list, is somebody's text: it makes no section of the file.
        let (mut quotes, mut items) = (0, 0);
        for (event, range) in Parser::new_ext(source, Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some(Heading { level: level_number(level), text: String::new(), span: place(&range) });
                }
                Event::End(TagEnd::Heading(_)) => {
                    let own = |heading: &Heading| quotes + items == 0 && !text.slice(&heading.span).starts_with(CONFLICT);
                    if let Some(mut heading) = heading.take().filter(own) {
                        heading.text = heading.text.trim().to_owned();
                        heading.span.end = heading.span.start + text.slice(&heading.span).trim_end().len();
                        outline.headings.push(heading);
                    }
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(&part);
                    }
                }
                Event::SoftBreak | Event::HardBreak => {
                    if let Some(heading) = &mut heading {
                        heading.text.push(' ');
                    }
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    // The fence of a quote ends with it.
                    let unclosed = matches!(kind, CodeBlockKind::Fenced(_)) && quotes == 0 && !is_closed(&source[range.clone()]);
                    outline.code.push(CodeBlock { span: place(&range), unclosed });
                }
                Event::Start(Tag::List(_)) => outline.lists.push(body + range.start),
                Event::TaskListMarker(ticked) => outline.boxes.push(TickBox { span: place(&range), ticked }),
                Event::Start(Tag::BlockQuote(_)) => quotes += 1,
                Event::End(TagEnd::BlockQuote(_)) => quotes -= 1,
                Event::Start(Tag::Item) => items += 1,
                Event::End(TagEnd::Item) => items -= 1,
                Event::Start(Tag::HtmlBlock) => outline.comments.extend(comments(text, place(&range))),
                Event::Html(_) => outline.html.push(place(&range)),
                Event::InlineHtml(_) => {
                    outline.html.push(place(&range));
                    outline.comments.extend(comments(text, place(&range)));
                }
                _ => {}
            }
        }
        outline
    }

    /// The section of a heading of the outline.
    fn section_at(&self, at: usize) -> FileSection {
        let heading = &self.headings[at];
        let end = self.headings[at + 1..].iter().find(|next| next.level <= heading.level).map_or(self.end, |next| next.span.start);
        FileSection { heading: heading.clone(), body: heading.span.end..end }
    }

    /// Every section, in order; those within others follow them.
    pub fn sections(&self) -> Vec<FileSection> {
        (0..self.headings.len()).map(|at| self.section_at(at)).collect()
    }

    /// The first section of level two with that title.
    pub fn section(&self, title: &str) -> Option<FileSection> {
        self.headings.iter().position(|heading| heading.level == 2 && heading.text == title).map(|at| self.section_at(at))
    }

    /// The sections one level deeper within another.
    pub fn within(&self, outer: &FileSection) -> Vec<FileSection> {
        let inside = |heading: &Heading| heading.level == outer.heading.level + 1 && outer.body.contains(&heading.span.start);
        (0..self.headings.len()).filter(|at| inside(&self.headings[*at])).map(|at| self.section_at(at)).collect()
    }

    /// The session log, in whatever case it is headed.
    pub(crate) fn log(&self) -> Option<FileSection> {
        let is_log = |heading: &Heading| heading.level == 2 && heading.text.eq_ignore_ascii_case("Session Log");
        self.headings.iter().position(is_log).map(|at| self.section_at(at))
    }

    /// The entries of the session log, in the order of the file.
    pub fn entries(&self) -> Vec<LogEntry> {
        let sections = self.log().map(|log| self.within(&log)).unwrap_or_default();
        sections
            .into_iter()
            .map(|section| {
                let (at, who) = dated(&section.heading.text).map_or((None, String::new()), |(at, who)| (Some(at), who.to_owned()));
                LogEntry { section, at, who }
            })
            .collect()
    }

    /// Whether a place is in code.
    pub(crate) fn is_code(&self, at: usize) -> bool {
        self.code.iter().any(|block| block.span.contains(&at))
    }

    /// A line that begins at an offset with its comments blanked out, byte for byte.
    pub(crate) fn without_comments(&self, start: usize, line: &str) -> String {
        let in_comment = |at: usize| self.comments.iter().any(|comment| comment.contains(&(start + at)));
        let blank = |(at, c): (usize, char)| if in_comment(at) { " ".repeat(c.len_utf8()) } else { c.to_string() };
        if self.comments.iter().any(|comment| comment.start < start + line.len() && start < comment.end) {
            line.char_indices().map(blank).collect()
        } else {
            line.to_owned()
        }
    }

    /// A section's text without what is nobody's content: comments and the rule above the log.
    pub(crate) fn content<'a>(&self, text: &'a FileText, section: &Range<usize>) -> Vec<(usize, &'a str)> {
        let mut lines = Vec::new();
        let mut at = section.start;
        for line in text.slice(section).split_inclusive('\n') {
            let start = at;
            at += line.len();
            let words = line.trim();
            let is_heading = self.headings.iter().any(|heading| heading.span.start < at && start < heading.span.end);
            let is_comment = self.without_comments(start, line).trim().is_empty();
            if !is_heading && !is_comment && !is_rule(words) {
                lines.push((start, line.trim_end()));
            }
        }
        lines
    }
}

/// The comments in a piece of HTML.
fn comments(text: &FileText, html: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut from) = (Vec::new(), html.start);
    while let Some(at) = text.text[from..html.end].find("<!--").map(|at| from + at) {
        from = text.text[at..html.end].find("-->").map_or(html.end, |end| at + end + "-->".len());
        found.push(at..from);
    }
    found
}

fn is_rule(words: &str) -> bool {
    words.len() >= 3 && ["-", "*", "_"].iter().any(|mark| words.split_whitespace().collect::<String>().replace(mark, "").is_empty())
}

/// A heading of the log: `YYYY-MM-DD HH:MM - who`, a real time.
pub(crate) fn dated(heading: &str) -> Option<(DateTime, &str)> {
    let (time, rest) = heading.split_at_checked(16)?;
    let who = rest.strip_prefix(" - ").map(str::trim).filter(|who| !who.is_empty())?;
    let digits = |at: Range<usize>| time.get(at).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let shaped = digits(0..4) && digits(5..7) && digits(8..10) && digits(11..13) && digits(14..16);
    let marks = time.as_bytes();
    if !shaped || marks[4] != b'-' || marks[7] != b'-' || marks[10] != b' ' || marks[13] != b':' {
        return None;
    }
    Some((format!("{}T{}:00", &time[..10], &time[11..]).parse().ok()?, who))
}

/// Whether a fenced block ends with a fence of its own.
fn is_closed(block: &str) -> bool {
    let bare = |line: &str| line.trim().trim_start_matches(['>', ' ', '-', '*', '+']).to_owned();
    let mut lines = block.trim_end().lines();
    let opening = bare(lines.next().unwrap_or_default());
    let mark = opening.chars().next().unwrap_or('`');
    let length = opening.chars().take_while(|c| *c == mark).count();
    let closing = bare(lines.next_back().unwrap_or_default());
    closing.chars().count() >= length && closing.chars().all(|c| c == mark)
}

fn level_number(level: HeadingLevel) -> u8 {
    level as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> (FileText, MarkdownOutline) {
        let text = FileText::new(text.as_bytes());
        let outline = MarkdownOutline::read(&text, 0);
        (text, outline)
    }

    #[test]
    fn headings_are_read_in_every_form_and_none_in_code() {
        let (_, read) = outline("# A\n\nContext\n-------\n\n```md\n## In code\n```\n\n    ## Indented\n\n## Next `Steps` ##\n");
        let found: Vec<(u8, &str)> = read.headings.iter().map(|heading| (heading.level, heading.text.as_str())).collect();
        assert_eq!(found, [(1, "A"), (2, "Context"), (2, "Next Steps")]);
        assert!(read.code.iter().all(|block| !block.unclosed));
    }

    #[test]
    fn a_fence_that_is_never_closed_is_known() {
        let unclosed = |text: &str| outline(text).1.code.iter().any(|block| block.unclosed);
        assert!(unclosed("```\na\n"));
        assert!(unclosed("````md\n```bash\nx\n```\n"));
        assert!(!unclosed("````md\n```bash\nx\n```\n````\n"));
        assert!(!unclosed("~~~\n```\n~~~\n"));
        assert!(unclosed("```"));
        assert!(!unclosed("- a\n  ```\n  b\n  ```\n"));
    }

    #[test]
    fn entries_boxes_and_lists_are_found() {
        let (text, read) =
            outline("## Next Steps\n- [ ] a\n- [x] b\n\n## Session Log\n\n### 2025-12-04 14:30 - pm\nBegan.\n\n### yesterday\n");
        assert_eq!(read.boxes.iter().map(|tick| tick.ticked).collect::<Vec<_>>(), [false, true]);
        assert_eq!(text.slice(&read.boxes[0].span), "[ ]");
        let entries = read.entries();
        assert_eq!((entries.len(), entries[0].who.as_str(), entries[1].at), (2, "pm", None));
        assert_eq!(read.lists, [14]);
    }

    #[test]
    fn comments_and_rules_are_no_content() {
        let (text, read) = outline("## A\n<!-- say something -->\n\n---\n\n## B\ntext\n");
        let content = |title: &str| read.content(&text, &read.section(title).unwrap().body).len();
        assert_eq!((content("A"), content("B")), (0, 1));
        let (text, read) = outline("## A\n\nDone. <!-- a\nb -->\n\n## B\n\n<!-- a --> Done.\n\n## C\n\n<!-- a -->\n<!-- b\n\nc -->\n");
        let content = |title: &str| read.content(&text, &read.section(title).unwrap().body).len();
        assert_eq!((content("A"), content("B"), content("C")), (1, 1, 0));
    }

    #[test]
    fn what_is_quoted_or_an_item_is_no_section_and_a_quoted_fence_ends_with_its_quote() {
        let (_, read) = outline("> ## A\n\n- ## B\n\n## C\n\n> ```\n> ## D\n\ntext\n");
        assert_eq!(read.headings.iter().map(|heading| heading.text.as_str()).collect::<Vec<_>>(), ["C"]);
        assert!(read.code.iter().all(|block| !block.unclosed));
    }

    #[test]
    fn a_log_is_one_in_whatever_case() {
        assert_eq!(outline("## Session log\n\n### 2025-12-04 25:40 - pm\n\nx\n").1.entries().len(), 1);
    }
}
