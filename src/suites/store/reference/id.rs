//! Sessions' ids: how ours look, and which we take from others. An id is a folder's name.

use jiff::Timestamp;

/// The longest id, in characters.
const LONGEST: usize = 128;

/// A new id: `agent-20260108-180530-abc12345`.
pub(crate) fn new(now: Timestamp) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("agent-{}-{}", now.strftime("%Y%m%d-%H%M%S"), &random[..8])
}

/// Refuses an id that is no plain name.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn check(id: &str) -> Result<(), String> {
    let odd = id.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
    let wrong = match odd {
        _ if id.is_empty() => "is empty".to_owned(),
        _ if id.len() > LONGEST => format!("has {} characters, at most {LONGEST} are taken", id.chars().count()),
        Some(odd) => format!("holds {odd:?}; letters, digits, `.`, `_` and `-` are taken"),
        None if id.starts_with('.') => "begins with a dot".to_owned(),
        None if id.contains("..") => "holds `..`".to_owned(),
        None => return Ok(()),
    };
    Err(format!("the id {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_ours_tells_its_time_and_is_taken_back() {
        let id = new("2026-01-08T18:05:30.9Z".parse().unwrap());
        assert!(id.starts_with("agent-20260108-180530-") && id.len() == 30, "{id}");
        check(&id).unwrap();
    }

    #[rstest::rstest]
    fn what_is_no_plain_name_is_refused(
        #[values("", ".", "..", ".hidden", "a/b", "../a", "/a", "a\\b", "a..b", "a\0b", "a\nb", "ä", "a b")] id: &str,
    ) {
        check(id).unwrap_err();
    }

    #[test]
    fn the_longest_id_has_128_characters() {
        check(&"a".repeat(128)).unwrap();
        check(&"a".repeat(129)).unwrap_err();
    }
}
