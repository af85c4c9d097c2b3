//! Native files, read as transcripts.

use serde_json::Value;

use crate::contract::{AgentKind, TEXT_LIMIT};

/// One message of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `user` or `assistant`.
    pub role: &'static str,
    /// What was said.
    pub text: String,
}

/// Reads an agent's native file. Lines that are torn or of other kinds are passed over.
pub fn read(agent: AgentKind, bytes: &[u8]) -> Vec<Said> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    match agent {
        AgentKind::Codex => lines.filter_map(|line| codex(&line)).collect(),
        AgentKind::Claude => lines.filter_map(|line| claude(&line)).collect(),
        AgentKind::Gemini => {
            let mut said = Vec::new();
            for line in lines {
                if let Some(messages) = line["$set"]["messages"].as_array() {
                    said = messages.iter().filter_map(gemini).collect();
                } else {
                    said.extend(gemini(&line));
                }
            }
            said
        }
    }
}

fn codex(line: &Value) -> Option<Said> {
    let payload = &line["payload"];
    match (line["type"].as_str()?, payload["type"].as_str()?) {
        ("response_item", "message") => {
            let text = payload["content"].as_array()?.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n");
            Some(Said { role: role(payload["role"].as_str()?)?, text })
        }
        ("event_msg", "error") => Some(Said { role: "assistant", text: format!("error: {}", payload["message"].as_str()?) }),
        _ => None,
    }
}

fn claude(line: &Value) -> Option<Said> {
    let role = role(line["type"].as_str()?)?;
    let content = &line["message"]["content"];
    let text = match content {
        Value::String(text) => text.clone(),
        parts => parts.as_array()?.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
    };
    Some(Said { role, text })
}

fn gemini(line: &Value) -> Option<Said> {
    let role = match line["type"].as_str()? {
        "user" => "user",
        "gemini" => "assistant",
        _ => return None,
    };
    Some(Said { role, text: line["content"].as_str()?.to_owned() })
}

fn role(word: &str) -> Option<&'static str> {
    match word {
        "user" => Some("user"),
        "assistant" => Some("assistant"),
        _ => None,
    }
}

/// The directory that a native file says its session works in, where the format says it.
pub fn cwd(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().take(3).filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|line| {
        let said = line["payload"]["cwd"].as_str().or(line["cwd"].as_str())?;
        Some(said.to_owned())
    })
}

/// A transcript as text: who said what, in order.
pub fn text(said: &[Said]) -> String {
    said.iter().map(|said| format!("{}: {}", said.role, said.text)).collect::<Vec<_>>().join("\n\n")
}

/// The last characters of a text: at most `tail_chars`, at most [`TEXT_LIMIT`]; zero and less mean the limit. Says
/// whether it was cut.
pub fn tail(text: &str, tail_chars: Option<i64>) -> (String, bool) {
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
        assert_eq!(read(AgentKind::Gemini, lines.as_bytes()), [Said { role: "user", text: "b".into() }]);
    }
}
