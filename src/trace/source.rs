//! Where recorded traces come from: files and standard input, plain or gzip, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// The longest line that is read, in bytes; a longer one is no record.
pub const LONGEST_LINE: usize = 16 * 1024 * 1024;

const BUFFER: usize = 256 * 1024;

/// Lines, one at a time, in a buffer that they share.
pub struct SourceLines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    number: usize,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceLine<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its bytes, without its end; none where it is longer than [`LONGEST_LINE`].
    pub bytes: Option<&'a [u8]>,
    /// Whether it has no end: the last one of a trace that is being written, or whose writer died.
    pub torn: bool,
}

impl SourceLines {
    /// The lines of a file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::read(File::open(path)?)
    }

    /// The lines of whatever can be read, unpacked where it begins as gzip does.
    ///
    /// # Errors
    /// Where its beginning cannot be read.
    pub fn read(input: impl Read + 'static) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let is_gzip = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let input: Box<dyn BufRead> =
            if is_gzip { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input))) } else { Box::new(input) };
        Ok(Self { input, line: Vec::new(), number: 0 })
    }

    /// The next line; none at the end. Blank lines are passed over.
    ///
    /// # Errors
    /// Where the input cannot be read, or its packing is broken.
    pub fn next_line(&mut self) -> io::Result<Option<SourceLine<'_>>> {
        loop {
            self.line.clear();
            let mut input = self.input.as_mut().take(LONGEST_LINE as u64 + 1);
            if input.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let has_end = self.line.ends_with(b"\n");
            if !has_end && self.line.len() > LONGEST_LINE {
                let has_end = self.pass_over()?;
                return Ok(Some(SourceLine { number: self.number, bytes: None, torn: !has_end }));
            }
            // The mark that some editors put before a text.
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(SourceLine { number: self.number, bytes: Some(self.line.trim_ascii()), torn: !has_end }));
            }
        }
    }

    /// Passes over the rest of a line; says whether it has an end.
    fn pass_over(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.input.fill_buf()?;
            if rest.is_empty() {
                return Ok(false);
            }
            let (length, found) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (rest.len(), false),
            };
            self.input.consume(length);
            if found {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn all(input: Vec<u8>) -> Vec<(usize, Option<usize>, bool)> {
        let mut lines = SourceLines::read(io::Cursor::new(input)).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.number, line.bytes.map(<[u8]>::len), line.torn));
        }
        all
    }

    #[test]
    fn blank_lines_are_passed_over_and_counted_and_the_last_may_be_torn() {
        assert_eq!(all(b"{}\n\n  \r\n{\"a\":1}\r\n{\"b".to_vec()), [(1, Some(2), false), (4, Some(7), false), (5, Some(3), true)]);
        assert_eq!(all(Vec::new()), []);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(all(b"\xef\xbb\xbf{}\n".to_vec()), [(1, Some(2), false)]);
    }

    #[test]
    fn what_was_packed_is_unpacked_also_in_pieces() {
        let pack = |text: &[u8]| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(text).unwrap();
            packed.finish().unwrap()
        };
        assert_eq!(all([pack(b"{}\n"), pack(b"[]\n")].concat()), [(1, Some(2), false), (2, Some(2), false)]);
    }

    #[test]
    fn a_line_without_measure_is_passed_over() {
        let mut input = vec![b'x'; LONGEST_LINE + 5];
        input.extend(b"\n{}\n");
        assert_eq!(all(input), [(1, None, false), (2, Some(2), false)]);
    }
}
