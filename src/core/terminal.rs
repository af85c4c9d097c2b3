//! The terminal of an agent, as whoever holds it sees it: what was drawn last, and what the agent expects of a terminal.

/// How much of what an agent drew is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// What agents ask a terminal, and what ours answers: where its cursor is, what it is, whether it is well. Programs that
/// get no answer wait for it, or give up (Codex).
const QUESTIONS: [(&[u8], &[u8]); 3] = [(b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62c"), (b"\x1b[5n", b"\x1b[0n")];

/// How an agent says that it knows pastes from typing.
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// What was drawn, the end of it.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    drawn: Vec<u8>,
    knows_pastes: bool,
}

impl Terminal {
    /// Takes what the agent wrote; gives what the terminal has to answer.
    pub(crate) fn draw(&mut self, bytes: &[u8]) -> Vec<u8> {
        let before = self.drawn.len();
        self.drawn.extend_from_slice(bytes);
        let answers = QUESTIONS.iter().flat_map(|(question, answer)| answer.repeat(self.ends_since(before, question).len())).collect();
        let last = |sequence| self.ends_since(before, sequence).last().copied();
        let (on, off) = (last(PASTE_ON), last(PASTE_OFF));
        if on != off {
            self.knows_pastes = on > off;
        }
        let over = self.drawn.len().saturating_sub(KEPT);
        self.drawn.drain(..over);
        answers
    }

    /// Where a sequence ends that was completed after that place.
    fn ends_since(&self, before: usize, sequence: &[u8]) -> Vec<usize> {
        let from = before.saturating_sub(sequence.len() - 1);
        let starts = self.drawn[from..].windows(sequence.len()).enumerate().filter(|(_, window)| *window == sequence);
        starts.map(|(start, _)| from + start + sequence.len()).collect()
    }

    /// Whether the agent knows pastes from typing.
    pub(crate) fn knows_pastes(&self) -> bool {
        self.knows_pastes
    }

    /// The keys that give the agent a message: a paste where it knows pastes, then Enter.
    pub(crate) fn keys(&self, message: &str) -> Vec<u8> {
        // In a terminal a carriage return is a key; line breaks are what is meant.
        let message = message.replace("\r\n", "\n").replace('\r', "\n");
        let keys = if self.knows_pastes { format!("\x1b[200~{message}\x1b[201~\r") } else { format!("{message}\r") };
        keys.into_bytes()
    }

    /// What was drawn as text: escape sequences and control characters left out, lines kept.
    pub(crate) fn text(&self) -> String {
        plain(&self.drawn)
    }
}

/// What was drawn as text: escape sequences and control characters left out, lines kept.
pub(crate) fn plain(drawn: &[u8]) -> String {
    let drawn = String::from_utf8_lossy(drawn);
    let mut text = String::with_capacity(drawn.len());
    let mut chars = drawn.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\n' | '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_left_out() {
        let mut terminal = Terminal::default();
        terminal.draw(b"\x1b[?2004h\x1b[1mCodex\x1b[0m\r\n> \x1b]0;title\x07hi");
        assert_eq!(terminal.text(), "Codex\n> hi");
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut terminal = Terminal::default();
        for _ in 0..100 {
            terminal.draw(&[b'x'; 1000]);
        }
        terminal.draw(b"end");
        assert!(terminal.text().len() == KEPT && terminal.text().ends_with("xend"));
    }

    #[test]
    fn questions_are_answered_once_however_they_come() {
        let mut terminal = Terminal::default();
        assert_eq!(terminal.draw(b"a\x1b[6"), b"");
        assert_eq!(terminal.draw(b"n"), b"\x1b[1;1R");
        assert_eq!(terminal.draw(b"b\x1b[c\x1b[6n"), b"\x1b[1;1R\x1b[?62c");
    }

    #[test]
    fn a_message_is_a_paste_for_agents_that_know_pastes() {
        let mut terminal = Terminal::default();
        assert_eq!(terminal.keys("a\r\nb"), b"a\nb\r");
        terminal.draw(b"\x1b[?2004l\x1b[?20");
        terminal.draw(b"04h");
        assert_eq!(terminal.keys("a\nb"), b"\x1b[200~a\nb\x1b[201~\r");
        terminal.draw(b"\x1b[?2004h\x1b[?2004l");
        assert!(!terminal.knows_pastes());
    }
}
