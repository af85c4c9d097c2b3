//! Native files, read as transcripts.

use std::io::BufRead;

use jiff::Timestamp;
use serde_json::Value;

use crate::contract::{AgentKind, TEXT_LIMIT};
use crate::fakes::native;

/// One message of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TranscriptEntry {
    /// `user` or `assistant`.
    pub role: &'static str,
    /// What was said.
    pub text: String,
}

/// Reads an agent's native file. Lines that are torn or of other kinds are passed over.
pub(crate) fn read(agent: AgentKind, bytes: &[u8]) -> Vec<TranscriptEntry> {
    let mut said = Vec::new();
    lines(bytes).iter().for_each(|line| native::of(agent).read(line, &mut said));
    said.into_iter().map(|(role, text)| TranscriptEntry { role, text }).collect()
}

/// The JSON values of a file: one a line, or one that is the whole file.
fn lines(bytes: &[u8]) -> Vec<Value> {
    if let Ok(whole) = serde_json::from_slice(bytes) {
        return vec![whole];
    }
    each_line(bytes).flatten().collect()
}

/// What each line is, where it is JSON. Torn by lines, not as one text: a character that is cut at the end costs its own line.
fn each_line(bytes: &[u8]) -> impl Iterator<Item = Option<Value>> {
    BufRead::split(bytes, b'\n').map_while(Result::ok).map(|line| serde_json::from_slice(&line).ok())
}

/// The directory that a native file says its session works in, where the format says it.
pub(crate) fn cwd(bytes: &[u8]) -> Option<String> {
    head(bytes).into_iter().find_map(|line| Some(line["payload"]["cwd"].as_str().or(line["cwd"].as_str())?.to_owned()))
}

/// When the session of a native file began: the time that Codex and Gemini say, or of Claude's first line.
pub(crate) fn began(bytes: &[u8]) -> Option<Timestamp> {
    let said = |line: &Value| -> Option<Timestamp> {
        let time = line["payload"]["timestamp"].as_str().or(line["startTime"].as_str()).or(line["timestamp"].as_str())?;
        time.parse().ok()
    };
    head(bytes).iter().find_map(said)
}

/// The first lines of a file: they say whose it is.
fn head(bytes: &[u8]) -> Vec<Value> {
    let head: Vec<Value> = each_line(bytes).take(3).flatten().collect();
    // A document that is one value has no lines that are.
    if head.is_empty() { lines(bytes) } else { head }
}

/// A transcript as text: who said what, in order.
pub(crate) fn text(said: &[TranscriptEntry]) -> String {
    said.iter().map(|said| format!("{}: {}", said.role, said.text)).collect::<Vec<_>>().join("\n\n")
}

/// The last characters of a text: at most `tail_chars`, at most [`TEXT_LIMIT`]; zero and less mean the limit. Says
/// whether it was cut.
pub(crate) fn tail(text: &str, tail_chars: Option<i64>) -> (String, bool) {
    let wanted = tail_chars.filter(|tail| *tail > 0).map_or(TEXT_LIMIT, |tail| usize::try_from(tail).unwrap_or(TEXT_LIMIT).min(TEXT_LIMIT));
    match text.char_indices().rev().nth(wanted.saturating_sub(1)) {
        Some((start, _)) if start > 0 => (text[start..].to_owned(), true),
        _ => (text.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_counted_in_characters_and_is_the_end() {
        assert_eq!(tail("漢字かな", Some(2)), ("かな".into(), true));
        assert_eq!(tail("漢字かな", Some(4)), ("漢字かな".into(), false));
        assert_eq!(tail("abc", Some(0)), ("abc".into(), false));
        let (cut, was_cut) = tail(&"é".repeat(60_000), Some(-5));
        assert_eq!((cut.chars().count(), was_cut), (48_000, true));
    }

    #[test]
    fn gemini_takes_messages_back() {
        let lines = "{\"sessionId\":\"x\"}\n{\"type\":\"user\",\"content\":\"a\"}\n{\"$set\":{\"messages\":[]}}\n{\"type\":\"user\",\"content\":\"b\"}\n{\"torn";
        assert_eq!(read(AgentKind::GEMINI, lines.as_bytes()), [user("b")]);
    }

    #[test]
    fn a_gemini_document_is_read_as_a_whole() {
        let document = r#"{
            "sessionId": "x", "startTime": "2026-01-01T00:00:00Z",
            "messages": [{"type":"user","content":"a"},{"type":"info","content":"b"},{"type":"gemini","content":[{"text":"c"}]}]
        }"#;
        assert_eq!(text(&read(AgentKind::GEMINI, document.as_bytes())), "user: a\n\nassistant: c");
        assert_eq!(began(document.as_bytes()), Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_codex_turn_that_failed_shows_it() {
        let lines = r#"{"type":"session_meta","payload":{"timestamp":"2026-01-01T00:00:00.500Z","cwd":"/w"}}
{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]}}
{"type":"event_msg","payload":{"type":"error","message":"no model"}}"#;
        assert_eq!(text(&read(AgentKind::CODEX, lines.as_bytes())), "user: a\n\nassistant: error: no model");
        assert_eq!(cwd(lines.as_bytes()), Some("/w".into()));
        assert_eq!(began(lines.as_bytes()).unwrap().to_string(), "2026-01-01T00:00:00.5Z");
    }

    #[test]
    fn a_character_that_is_cut_costs_its_own_line_alone() {
        let mut bytes =
            b"{\"type\":\"user\",\"message\":{\"content\":\"a\"}}\n{\"type\":\"user\",\"message\":{\"content\":\"\xe6\xbc".to_vec();
        assert_eq!(read(AgentKind::CLAUDE, &bytes), [user("a")]);
        bytes.extend_from_slice(b"\xa2\"}}\n");
        assert_eq!(read(AgentKind::CLAUDE, &bytes), [user("a"), user("漢")]);
    }

    #[test]
    fn what_subagents_say_is_left_out() {
        let lines = r#"{"type":"user","isSidechain":true,"message":{"content":"a"}}
{"type":"user","message":{"content":"b"}}"#;
        assert_eq!(read(AgentKind::CLAUDE, lines.as_bytes()), [user("b")]);
    }

    fn user(text: &str) -> TranscriptEntry {
        TranscriptEntry { role: "user", text: text.into() }
    }
}
