//! What is typed at a stand-in, or comes down its pipe, as prompts.

use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::mpsc::Sender;

use super::StandInEvent;

/// Decodes a terminal's bytes: CR submits, LF is a newline, in a bracketed paste CR equals LF; other escape sequences are
/// passed over.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    line: Vec<u8>,
    escape: Option<Vec<u8>>,
    pasting: bool,
}

/// What a byte brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// A prompt.
    Prompt(String),
    /// The wish to end.
    Quit,
}

impl Typed {
    /// Takes a byte.
    pub(crate) fn take(&mut self, byte: u8) -> Option<Submitted> {
        if let Some(escape) = &mut self.escape {
            escape.push(byte);
            self.end_of_escape();
            return None;
        }
        match byte {
            0x1b => self.escape = Some(Vec::new()),
            b'\r' if self.pasting => self.line.push(b'\n'),
            b'\r' => {
                let line = std::mem::take(&mut self.line);
                return (!line.is_empty()).then(|| Submitted::Prompt(String::from_utf8_lossy(&line).into_owned()));
            }
            // Ctrl-C clears the line, and on an empty one asks for the end, as Ctrl-D does.
            0x03 if !self.pasting && !self.line.is_empty() => self.line.clear(),
            0x03 | 0x04 if !self.pasting && self.line.is_empty() => return Some(Submitted::Quit),
            0x7f | 0x08 if !self.pasting => while self.line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {},
            _ => self.line.push(byte),
        }
        None
    }

    fn end_of_escape(&mut self) {
        let escape = self.escape.as_deref().unwrap_or_default();
        let over = match escape {
            [b'['] => false,
            [b'[', .., last] => (0x40..=0x7e).contains(last),
            [b'O', _] => true,
            [b'O'] => false,
            _ => true,
        };
        if !over {
            return;
        }
        match escape {
            b"[200~" => self.pasting = true,
            b"[201~" => self.pasting = false,
            _ => {}
        }
        self.escape = None;
    }
}

/// Reads a terminal for ever.
pub(crate) fn read_terminal(events: &Sender<StandInEvent>) {
    let mut typed = Typed::default();
    let mut bytes = [0; 4096];
    let mut stdin = std::io::stdin().lock();
    loop {
        // A terminal that was hung up gives end of file, or an error.
        let count = stdin.read(&mut bytes).unwrap_or(0);
        if count == 0 {
            let _ = events.send(StandInEvent::InputOver);
            return;
        }
        for submitted in bytes[..count].iter().filter_map(|byte| typed.take(*byte)) {
            let event = match submitted {
                Submitted::Prompt(text) => StandInEvent::Prompt(text),
                Submitted::Quit => StandInEvent::Quit,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    }
}

/// Reads a pipe to its end: a line is a prompt.
pub(crate) fn read_pipe(events: &Sender<StandInEvent>) {
    let mut lines = BufReader::new(std::io::stdin());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let prompt = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
        if !prompt.is_empty() && events.send(StandInEvent::Prompt(prompt)).is_err() {
            return;
        }
        line.clear();
    }
    let _ = events.send(StandInEvent::InputOver);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Submitted> {
        let mut typed = Typed::default();
        bytes.iter().filter_map(|byte| typed.take(*byte)).collect()
    }

    fn prompts(texts: &[&str]) -> Vec<Submitted> {
        texts.iter().map(|text| Submitted::Prompt((*text).to_owned())).collect()
    }

    #[test]
    fn cr_submits_and_lf_is_a_newline() {
        assert_eq!(typed(b"a\nb\rc\r\r"), prompts(&["a\nb", "c"]));
    }

    #[test]
    fn a_paste_is_taken_as_it_is() {
        assert_eq!(typed("\x1b[200~eins\rzwei\n\x03ß\x1b[201~!\r".as_bytes()), prompts(&["eins\nzwei\n\u{3}ß!"]));
    }

    #[test]
    fn other_escape_sequences_are_passed_over() {
        assert_eq!(typed(b"\x1b[A\x1bOPx\x1b[1;5Cy\r"), prompts(&["xy"]));
    }

    #[test]
    fn a_backspace_takes_a_whole_character() {
        assert_eq!(typed("aß\x7fb\r".as_bytes()), prompts(&["ab"]));
        assert_eq!(typed(b"a\x03\x03"), [Submitted::Quit]);
    }
}
