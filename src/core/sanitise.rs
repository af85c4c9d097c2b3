//! Making texts from outside harmless, once, at the edge.

/// A text in which nothing acts: control characters become their pictures (`␛` for ESC), characters that turn the
/// direction of writing and those that XML cannot hold become `�`. Newlines stay; `\r\n` is one; tabs are two spaces.
pub fn sanitise(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' => safe.push('\n'),
            '\t' => safe.push_str("  "),
            '\0'..='\u{1f}' => safe.push(char::from_u32(0x2400 + c as u32).expect("every C0 control has a picture")),
            '\u{7f}' => safe.push('\u{2421}'),
            c if is_harmful(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character must not reach a terminal, a page or a CI log.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain text, ünïcödé 好 🦀", "plain text, ünïcödé 好 🦀")]
    #[case("\u{1b}[31mred\u{1b}[0m", "␛[31mred␛[0m")]
    #[case("a\r\nb\rc\n", "a\nb␍c\n")]
    #[case("\0\u{7}\u{7f}\t|", "␀␇␡  |")]
    #[case("\u{9b}31m \u{202e}evil \u{ffff}", "�31m �evil �")]
    fn nothing_acts(#[case] text: &str, #[case] safe: &str) {
        assert_eq!(sanitise(text), safe);
        assert_eq!(sanitise(safe), safe);
    }
}
