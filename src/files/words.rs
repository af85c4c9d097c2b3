//! Words that may stand at a place of a session file.

use super::matter::{AGENT_STATUSES, PARTS, STATUSES};
use super::rules::REQUIRED_SECTIONS;
use super::session_file::SessionFile;

/// The words that a line which begins so may go on with.
pub(crate) fn words_for(file: &SessionFile, before: &str, at: usize) -> Vec<String> {
    let typed = before.trim_start();
    if at >= file.matter.body && !file.matter.body.eq(&0) {
        let missing = REQUIRED_SECTIONS.iter().chain(&["Session Log"]).filter(|title| file.outline.section(title).is_none());
        return if typed.starts_with('#') { missing.map(|title| format!("## {title}")).collect() } else { Vec::new() };
    }
    if let Some(value) = typed.trim_start_matches("- ").strip_prefix("status:") {
        // An agent's lies deeper than the session's.
        let deep = before.len() - typed.len() > 2;
        let words = if deep { AGENT_STATUSES } else { STATUSES };
        return words.iter().filter(|word| word.starts_with(value.trim())).map(|word| (*word).to_owned()).collect();
    }
    if typed.contains(':') {
        return Vec::new();
    }
    let keys = |(part, keys): &(&'static str, &'static [&'static str])| {
        let missing = keys.iter().filter(|key| file.matter.value(part, key).is_none()).map(|key| format!("{key}: "));
        missing.collect::<Vec<_>>()
    };
    PARTS.iter().flat_map(keys).filter(|key| key.starts_with(typed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_values_and_sections_are_offered_where_they_belong() {
        let text = "---\nsession:\n  title: T\n  sta\n  status: p\norchestration:\n  current_task: c\n---\n\n## Context\n\nx\n\n#\n";
        let file = SessionFile::read("", text.as_bytes());
        let words = |before: &str| words_for(&file, before, text.find(before).unwrap() + before.len());
        assert_eq!(words("  status: p"), ["paused"]);
        assert_eq!(words_for(&file, "#", text.len() - 1), ["## Current State", "## Next Steps", "## Session Log"]);
        let broken = SessionFile::read("", b"---\nsession:\n  title: T\n---\n");
        assert_eq!(words_for(&broken, "  cr", 20), ["created: "]);
    }
}
