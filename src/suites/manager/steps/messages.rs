//! The messages that scenarios send, by name. Each carries its session's marker, so that it is known wherever it shows up.

/// One named kind of message.
pub(crate) struct MessageKind {
    /// The name in the features.
    pub name: &'static str,
    /// What it is for, as `passmuster steps` shows it.
    pub about: &'static str,
    text: fn(marker: &str, limit: usize) -> String,
}

/// Every kind, in the order `passmuster steps` shows them.
pub(crate) const MESSAGES: &[MessageKind] = &[
    MessageKind { name: "plain", about: "one short line", text: |marker, _| format!("{marker} Please answer.") },
    MessageKind { name: "empty", about: "no characters at all", text: |_, _| String::new() },
    MessageKind {
        name: "multi-line",
        about: "three lines, one of them empty, one indented",
        text: |marker, _| format!("{marker} first line\n\n    indented third line"),
    },
    MessageKind {
        name: "quotes",
        about: "single, double and typographic quotes, backslashes",
        text: |marker, _| format!(r#"{marker} it's "quoted" 'twice' \"escaped\" \n \\ ’so’ “be it”"#),
    },
    MessageKind {
        name: "shell",
        about: "what a shell or a template would expand",
        text: |marker, _| format!("{marker} $HOME ${{PATH}} $(id) `id` ; rm x && y | z > f < g & * ? [a] ~ ! # {{{{ cwd }}}} %s #{{x}}"),
    },
    MessageKind {
        name: "unicode",
        about: "combining marks, right-to-left, CJK, emoji with joiners",
        text: |marker, _| format!("{marker} e\u{301}té שלום 漢字かな 👩\u{200d}👩\u{200d}👧 🇪🇺 ß"),
    },
    MessageKind { name: "leading dash", about: "starts like a flag", text: |marker, _| format!("--{marker} -rf --help") },
    MessageKind {
        name: "command",
        about: "what a shell would carry out: it makes a file in the working directory",
        text: |marker, _| format!("touch made-by-{marker}"),
    },
    MessageKind { name: "spaces", about: "inner runs of spaces", text: |marker, _| format!("{marker} a  b   c    d") },
    MessageKind { name: "tabs", about: "tabs between words", text: |marker, _| format!("{marker}\ta\tb\t\tc") },
    MessageKind { name: "blanks around", about: "blanks before and behind", text: |marker, _| format!("  {marker} in between  ") },
    MessageKind { name: "4000 characters", about: "4,000 characters in lines of 80", text: |marker, _| padded(marker, 4_000) },
    MessageKind {
        name: "longest of CJK",
        about: "as long as the manager states it takes, nearly all of it characters of three bytes",
        text: |marker, limit| marker.chars().chain([' ']).chain("漢字かな".chars().cycle()).take(limit).collect(),
    },
    MessageKind { name: "longest", about: "as long as the manager states it takes", text: padded },
    MessageKind {
        name: "too long",
        about: "one character longer than the manager states",
        text: |marker, limit| padded(marker, limit + 1),
    },
];

/// The text of a named message; `None` for an unknown name. `limit` is the manager's stated limit, in characters.
pub(crate) fn message(name: &str, marker: &str, limit: usize) -> Option<String> {
    MESSAGES.iter().find(|kind| kind.name == name).map(|kind| (kind.text)(marker, limit))
}

/// The marker, then numbered words in lines of 80, cut at exactly `length` characters; ends with a full stop.
fn padded(marker: &str, length: usize) -> String {
    let mut text = format!("{marker} ");
    let mut word = 0;
    let mut line = text.len();
    while text.len() < length {
        word += 1;
        let next = format!("word{word} ");
        if line + next.len() > 80 {
            text.truncate(text.trim_end().len());
            text.push('\n');
            line = 0;
        }
        line += next.len();
        text.push_str(&next);
    }
    text.truncate(length.saturating_sub(1));
    if text.ends_with(['\n', ' ']) {
        text.pop();
        text.push('x');
    }
    text.push('.');
    text
}

/// A reply of exactly `length` characters of a kind that begins with `first` and ends with `last`. Of each kind the characters have
/// as many bytes: `ASCII` 1, `Cyrillic` 2, `CJK` 3, `emoji` 4; `combining` are letters with marks behind them, of 1 to 3.
pub(crate) fn long_reply(kind: &str, first: &str, last: &str, length: usize) -> Option<String> {
    let alphabet: &[char] = match kind {
        "ASCII" => &['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j'],
        "Cyrillic" => &['ж', 'щ', 'ю', 'я', 'ф', 'ц'],
        "combining" => &['e', '\u{301}', 'n', '\u{303}', 'क', '\u{94d}', 'ष', '\u{93f}'],
        "CJK" => &['漢', '字', '仮', '名', '交', '文'],
        "emoji" => &['🦀', '🐙', '🦊', '🐢', '🦉'],
        _ => return None,
    };
    let mut text = format!("{first} ");
    let room = length.checked_sub(text.chars().count() + last.chars().count() + 1)?;
    text.extend((0..room).map(|at| if at % 80 == 79 { '\n' } else { alphabet[at % alphabet.len()] }));
    text.push(' ');
    text.push_str(last);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_carries_its_marker_or_is_empty() {
        for kind in MESSAGES {
            let text = (kind.text)("ask-A-1.", 20_000);
            assert!(text.is_empty() || text.contains("ask-A-1."), "{}", kind.name);
        }
    }

    #[test]
    fn lengths_are_exact() {
        assert_eq!(message("4000 characters", "m", 9).unwrap().chars().count(), 4_000);
        assert_eq!(message("longest", "m", 20_000).unwrap().chars().count(), 20_000);
        assert_eq!(message("too long", "m", 20_000).unwrap().chars().count(), 20_001);
        assert_eq!(long_reply("CJK", "first", "last", 60_000).unwrap().chars().count(), 60_000);
    }
}
