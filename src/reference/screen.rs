//! What a terminal shows, without what only a terminal understands.

/// The text of a terminal's output: escape sequences and control characters left out, lines kept.
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
                _ => {}
            },
            '\n' | '\t' => shown.push(c),
            c if c.is_control() => {}
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #[test]
    fn escape_sequences_are_left_out() {
        assert_eq!(super::plain(b"\x1b[?2004h\x1b[1mCodex\x1b[0m\r\n> \x1b]0;title\x07hi"), "Codex\n> hi");
    }
}
