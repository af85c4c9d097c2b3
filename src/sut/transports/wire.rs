//! Newline-delimited messages: read line by line without ever filling memory, and what is odd about them remembered.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::process::{ANSWER_LIMIT, is_too_long};

/// How many different reasons why announcements could not be read are kept: enough that chatter hides no mistake.
const REASONS: usize = 3;

/// One line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum WireLine {
    /// A line, without its end. The last one may lack its end in the stream.
    Whole(Vec<u8>),
    /// A line of too many values, or one that has just grown longer than [`ANSWER_LIMIT`]: the rest of it will be passed over.
    TooLong,
}

/// A stream read line by line. Blank lines are passed over.
#[derive(Debug)]
pub struct WireLines<R> {
    reader: BufReader<R>,
    limit: usize,
    /// In the rest of a line that was too long.
    skipping: bool,
}

impl<R: AsyncRead + Unpin> WireLines<R> {
    /// The lines of a stream.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, reader), limit: ANSWER_LIMIT, skipping: false }
    }

    /// The next line; `None` at the end. Not to be cancelled in the middle: a line's beginning would be lost.
    ///
    /// # Errors
    /// What the stream says.
    pub async fn next(&mut self) -> io::Result<Option<WireLine>> {
        let mut line = Vec::new();
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok((!line.trim_ascii().is_empty()).then_some(WireLine::Whole(line)));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let too_long = !self.skipping && line.len() + part.len() > self.limit;
            if !self.skipping && !too_long {
                line.extend_from_slice(part);
            }
            let used = end.map_or(chunk.len(), |at| at + 1);
            self.reader.consume(used);
            self.skipping = (self.skipping || too_long) && end.is_none();
            if too_long {
                return Ok(Some(WireLine::TooLong));
            }
            if end.is_some() {
                if is_too_long(&line) {
                    return Ok(Some(WireLine::TooLong));
                }
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(WireLine::Whole(line)));
                }
                line.clear();
            }
        }
    }
}

/// Ways in which a peer breaks its protocol and can still be listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// A line that is not a JSON object.
    Garbage,
    /// A line longer than the limit.
    TooLong,
    /// An object that is no request, no notification and no answer.
    Shapeless,
    /// An answer to nothing that is being asked: unknown id, or a second answer.
    Unasked,
    /// A notification that should be an announcement and cannot be read as one.
    Announcement,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Oddity::Garbage => "a line that is not a JSON object",
            Oddity::TooLong => "a line longer than 8 MB, or of more than 100000 values",
            Oddity::Shapeless => "a message that is no request, notification or answer",
            Oddity::Unasked => "an answer to a question that was not open",
            Oddity::Announcement => "an announcement that cannot be read",
        })
    }
}

/// The oddities met on a connection, counted, each kind with its first example. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    met: Arc<Mutex<Met>>,
}

#[derive(Debug, Default)]
struct Met {
    kinds: Vec<WireKind>,
    latest: String,
    count: u64,
    unread: u64,
    /// Why announcements could not be read: the first few reasons.
    reasons: Vec<String>,
}

#[derive(Debug)]
struct WireKind {
    oddity: Oddity,
    first: String,
    count: u64,
}

impl Oddities {
    /// Counts one more, keeping the beginning of what came.
    pub fn note(&self, oddity: Oddity, example: impl AsRef<[u8]>) {
        let example = excerpt(example.as_ref());
        let mut met = self.lock();
        met.count += 1;
        met.latest = format!("{oddity}: `{example}`");
        match met.kinds.iter_mut().find(|kind| kind.oddity == oddity) {
            Some(kind) => kind.count += 1,
            None => met.kinds.push(WireKind { oddity, first: example, count: 1 }),
        }
    }

    /// Counts an announcement that cannot be read, with what is wrong with it.
    pub fn unreadable(&self, example: impl AsRef<[u8]>, why: impl fmt::Display) {
        self.note(Oddity::Announcement, example);
        let why = excerpt(why.to_string().as_bytes());
        let mut met = self.lock();
        met.unread += 1;
        if met.reasons.len() < REASONS && !met.reasons.contains(&why) {
            met.reasons.push(why);
        }
    }

    /// How many announcements could not be read and why, where there were any: `1 announcement could not be read: …`.
    pub fn unread(&self) -> Option<String> {
        let met = self.lock();
        let announcements = match met.unread {
            0 => return None,
            1 => "1 announcement".to_owned(),
            count => format!("{count} announcements"),
        };
        Some(format!("{announcements} could not be read: {}", met.reasons.join("; ")))
    }

    /// How many were met so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// The latest, where more than `before` were met.
    pub fn since(&self, before: u64) -> Option<String> {
        let met = self.lock();
        (met.count > before).then(|| met.latest.clone())
    }

    /// One sentence for each kind of oddity met.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |WireKind { oddity, first, count }: &WireKind| match count {
            1 => format!("the system sent {oddity}: `{first}`"),
            _ => format!("{count} times the system sent {oddity}; the first: `{first}`"),
        };
        self.lock().kinds.iter().map(sentence).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The beginning of what came, short enough for a message.
pub fn excerpt(bytes: &[u8]) -> String {
    const CHARS: usize = 120;
    let bytes = bytes.trim_ascii();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * CHARS)]);
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(CHARS).collect();
    if chars.next().is_some() || bytes.len() > 4 * CHARS {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    async fn lines(input: &[u8], limit: usize) -> Vec<WireLine> {
        let mut lines = WireLines { limit, ..WireLines::new(input) };
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    fn whole(text: &str) -> WireLine {
        WireLine::Whole(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn blank_lines_are_passed_over_and_the_last_line_needs_no_end() {
        assert_eq!(lines(b"one\n\n \r\ntwo", 100).await, [whole("one"), whole("two")]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over_whole() {
        assert_eq!(lines(b"0123456789\nnext\n", 8).await, [WireLine::TooLong, whole("next")]);
        assert_eq!(lines(b"0123456789", 8).await, [WireLine::TooLong]);
    }

    #[test]
    fn oddities_are_counted_and_the_first_of_a_kind_is_shown() {
        let oddities = Oddities::default();
        oddities.note(Oddity::Garbage, "hello\tworld");
        oddities.note(Oddity::Unasked, "7");
        let before = oddities.count();
        assert_eq!(oddities.since(before), None);
        oddities.note(Oddity::Garbage, "again");
        assert_eq!(
            oddities.sentences(),
            [
                "2 times the system sent a line that is not a JSON object; the first: `hello world`",
                "the system sent an answer to a question that was not open: `7`",
            ]
        );
    }

    #[rstest]
    #[case::none(&[], None)]
    #[case::one(&["no id"], Some("1 announcement could not be read: no id"))]
    #[case::the_same_again(&["no id", "no id"], Some("2 announcements could not be read: no id"))]
    #[case::different_ones(&["no id", "odd", "no id"], Some("3 announcements could not be read: no id; odd"))]
    #[case::too_many_kinds(&["a", "b", "c", "d"], Some("4 announcements could not be read: a; b; c"))]
    fn what_could_not_be_read_is_counted_and_each_reason_is_told_once(#[case] reasons: &[&str], #[case] told: Option<&str>) {
        let oddities = Oddities::default();
        reasons.iter().for_each(|why| oddities.unreadable("{}", why));
        assert_eq!(oddities.unread().as_deref(), told);
        assert_eq!(oddities.count(), reasons.len() as u64);
    }

    #[test]
    fn an_excerpt_says_that_it_was_cut() {
        assert_eq!(excerpt(b" short "), "short");
        assert_eq!(excerpt("é".repeat(500).as_bytes()).chars().count(), 121);
    }
}
