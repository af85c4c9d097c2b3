//! Making texts from outside harmless, once, at the edge.

use serde_json::Value;

use crate::results::model::Report;

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
pub(super) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A report all of whose texts are harmless.
pub(super) fn sanitised(report: &Report) -> Report {
    let mut value = serde_json::to_value(report).expect("a report is JSON");
    walk(&mut value);
    serde_json::from_value(value).expect("a report whose texts changed is a report")
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitise(text),
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(key, mut value)| {
                    walk(&mut value);
                    (sanitise(&key), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
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

    #[test]
    fn a_harmless_report_stays_as_it_is() {
        let report = crate::results::example::report();
        assert_eq!(sanitised(&report), report);
    }
}
