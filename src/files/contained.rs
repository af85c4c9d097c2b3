//! Texts of others as Markdown that reads as those texts: they make no heading, and hide none.

use std::ops::Range;

use super::outline::MarkdownOutline;
use super::text::FileText;

/// The word behind the fence of a text that is kept as it is.
const LITERAL: &str = "literal";

/// A text in one line of Markdown that reads as that text, blanks aside.
pub(crate) fn inline(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if heading_text(&line).as_deref() == Some(line.as_str()) {
        return line;
    }
    line.chars().flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect()
}

/// What a line reads as behind `# x `.
fn heading_text(line: &str) -> Option<String> {
    let source = FileText::new(format!("# x {line}\n").as_bytes());
    let outline = MarkdownOutline::read(&source, 0);
    outline.headings.first().and_then(|heading| heading.text.strip_prefix("x ").map(str::to_owned))
}

/// A text as the body of a section whose headings end at a level: as it is where that is harmless, else in a fence of its own.
pub(crate) fn contained(text: &str, level: u8) -> String {
    if is_harmless(text, level) {
        return text.to_owned();
    }
    let longest = text.split(|c| c != '~').map(str::len).max().unwrap_or_default();
    let fence = "~".repeat(longest.max(2) + 1);
    format!("{fence}{LITERAL}\n{text}\n{fence}")
}

/// Whether a text between two headings makes no heading itself, hides none, and reads as it is.
fn is_harmless(text: &str, level: u8) -> bool {
    let marks = "#".repeat(level.into());
    let source = FileText::new(format!("{marks} Before\n\n{text}\n\n---\n\n{marks} After\n").as_bytes());
    let outline = MarkdownOutline::read(&source, 0);
    let outer: Vec<&str> = outline.headings.iter().filter(|heading| heading.level <= level).map(|heading| heading.text.as_str()).collect();
    let html_ends = outline.html.iter().all(|html| !source.slice(html).contains("After"));
    outer == ["Before", "After"]
        && html_ends
        && !text.contains('\r')
        && text.trim() == text
        && !text.is_empty()
        && !outline.content(&source, &(0..source.text.len())).is_empty()
        && uncontained(text) == text
        && body_of(&source, &outline, level).is_some_and(|body| source.slice(&body) == text)
}

fn body_of(source: &FileText, outline: &MarkdownOutline, level: u8) -> Option<Range<usize>> {
    let before = outline.headings.iter().find(|heading| heading.level == level)?;
    let after = outline.headings.iter().find(|heading| heading.level <= level && heading.span.start > before.span.start)?;
    Some(trimmed(source, before.span.end..after.span.start))
}

/// What was given, from what [`contained`] made of it.
pub(crate) fn uncontained(body: &str) -> String {
    let body = body.replace("\r\n", "\n");
    let inner = || {
        let (opening, rest) = body.split_once('\n')?;
        let fence = opening.strip_suffix(LITERAL).filter(|fence| fence.len() > 2 && fence.bytes().all(|byte| byte == b'~'))?;
        rest.strip_suffix(fence)?.strip_suffix('\n').filter(|text| !text.lines().any(|line| line.starts_with(fence))).map(str::to_owned)
    };
    inner().unwrap_or(body)
}

/// A place without the blank lines around what it holds, and without a rule at its end.
pub(crate) fn trimmed(text: &FileText, body: Range<usize>) -> Range<usize> {
    let held = text.slice(&body);
    let start = body.start + (held.len() - held.trim_start().len());
    let mut end = body.start + held.trim_end().len();
    let last = text.slice(&text.line_span(text.line(end.max(start + 1) - 1))).trim();
    if matches!(last, "---" | "***" | "___") && end >= start + 3 {
        end = start + text.slice(&(start..end - 3)).trim_end().len();
    }
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::SessionFile;

    #[test]
    fn texts_come_back_equal_and_make_no_section() {
        let texts = [
            "plain",
            "## Heading",
            "a\n---",
            "---",
            "```\nopen",
            "~~~literal\nx\n~~~",
            "~~~~\nx",
            "  indented",
            "<!-- open",
            "a\n\n### deep\n\nb",
            "- [ ] a\n- b",
            "trailing\n",
            "a\rb",
            ": # \" \\ ---",
            "<div>\n\n## In html",
            "> ```\n> x",
            "    code",
            "* * *",
            "a\n***",
        ];
        for text in texts {
            for level in [2, 3] {
                let body = contained(text, level);
                let file = format!("---\na: b\n---\n## One\n\n{body}\n\n---\n\n## Two\n\nx\n");
                let read = SessionFile::read("n.md", file.as_bytes());
                let outer = read.outline.headings.iter().filter(|heading| heading.level <= 2);
                assert_eq!(outer.map(|heading| heading.text.as_str()).collect::<Vec<_>>(), ["One", "Two"], "{text:?}");
                let held = trimmed(&read.text, read.outline.section("One").unwrap().body);
                assert_eq!(uncontained(read.text.slice(&held)), text, "{body}");
            }
        }
    }

    #[test]
    fn a_line_reads_as_what_was_given() {
        for text in ["plain words", "*bold* `code` #", "<!-- x -->", "[a](b)", "a_b_c", "\\", "1. x", "&amp;", "# x #"] {
            assert_eq!(heading_text(&inline(text)).as_deref(), Some(text));
        }
    }
}
