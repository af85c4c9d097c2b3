use std::ops::Range;

/// A file's bytes as text, with the beginnings of its lines.
///
/// Bytes that are no UTF-8 are read as `?`, one for one, so that every offset is one of the file's bytes.
#[derive(Debug, Clone)]
pub struct FileText {
    /// The text.
    pub text: String,
    /// The first byte that is no UTF-8, if there is one.
    pub invalid: Option<usize>,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    Lf,
    CrLf,
}

impl LineEnd {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
        }
    }
}

impl FileText {
    /// Reads bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let (text, invalid) = match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), None),
            Err(error) => {
                let mut text = String::with_capacity(bytes.len());
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|_| '?'));
                }
                (text, Some(error.valid_up_to()))
            }
        };
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Self { text, invalid, lines }
    }

    /// The line of an offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// The column of an offset, in characters from 1.
    pub fn column(&self, offset: usize) -> usize {
        let start = self.lines[self.line(offset) - 1];
        self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1)
    }

    /// A line's place, without its end; empty where there is no such line.
    pub fn line_span(&self, line: usize) -> Range<usize> {
        let Some(start) = line.checked_sub(1).and_then(|at| self.lines.get(at)).copied() else { return self.text.len()..self.text.len() };
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        start..start + self.text[start..end].trim_end_matches('\r').len()
    }

    /// The same with its end.
    pub(crate) fn whole_line(&self, line: usize) -> Range<usize> {
        self.line_span(line).start..self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The text of a place.
    pub fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// How most lines end, and the places of the ends that differ.
    pub(crate) fn line_ends(&self) -> (LineEnd, Vec<Range<usize>>) {
        let (mut lf, mut crlf) = (Vec::new(), Vec::new());
        for start in &self.lines[1..] {
            if self.text[..*start].ends_with("\r\n") { crlf.push(start - 2..*start) } else { lf.push(start - 1..*start) }
        }
        if crlf.len() > lf.len() { (LineEnd::CrLf, lf) } else { (LineEnd::Lf, crlf) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_and_lines_from_one() {
        let text = FileText::new("ä\r\nbö c\n".as_bytes());
        assert_eq!((text.line(0), text.line(4), text.column(4), text.column(8)), (1, 2, 1, 4));
        assert_eq!((text.line_span(1), text.whole_line(1), text.line_span(3)), (0..2, 0..4, 10..10));
    }

    #[test]
    fn bytes_that_are_no_utf_8_keep_their_places() {
        let text = FileText::new(b"a\xff\xfeb\nc");
        assert_eq!((text.text.as_str(), text.invalid, text.line(5)), ("a??b\nc", Some(1), 2));
    }

    #[test]
    fn the_line_ends_that_differ_from_most_are_found() {
        let ends = |bytes: &[u8]| FileText::new(bytes).line_ends();
        assert_eq!((ends(b"a\r\nb\r\nc\n").0, ends(b"a\r\nb\r\nc\n").1.as_slice()), (LineEnd::CrLf, std::slice::from_ref(&(7..8))));
        assert_eq!((ends(b"a\nb\r\n").0, ends(b"a\nb\r\n").1.as_slice()), (LineEnd::Lf, std::slice::from_ref(&(3..5))));
    }
}
