//! From a value of a stream to an announcement of the contract.

use serde_json::{Map, Value};

use crate::contract::{ANNOUNCEMENTS, Announcement};

use super::manifest::{AnswerSeen, EventMap, Path, Source, Stream, Variables, plain};
use crate::sut::transports::wire::Oddities;

/// Reads what came as the announcement that the manifest says it is. What it leaves out is no announcement; what it does
/// not leave out and cannot be read is odd.
pub(crate) fn announcement(map: &EventMap, value: &Value, variables: &Variables, oddities: &Oddities) -> Option<Announcement> {
    if map.when.as_ref().is_some_and(|when| !selects(when, value, variables)) {
        return None;
    }
    let fields = match map.name {
        Some(name) => {
            let mut fields =
                if map.result.is_empty() { value.as_object().cloned().unwrap_or_default() } else { fields(map, value, variables) };
            fields.insert("event".to_owned(), name.into());
            fields
        }
        // What names itself with a word that the contract does not know is somebody else's.
        None => {
            let value = if carries_data(map) { value.get("data")? } else { value };
            let fields = value.as_object()?;
            let name = fields.get("event")?.as_str()?;
            ANNOUNCEMENTS.iter().find(|spec| spec.name == name)?;
            fields.clone()
        }
    };
    Announcement::heard(Value::Object(fields)).inspect_err(|why| oddities.unreadable(value.to_string(), why)).ok()
}

/// Whether the canonical form wraps the announcement: MCP's log messages do.
fn carries_data(map: &EventMap) -> bool {
    matches!(&map.stream, Stream::Method(method) if method == "notifications/message")
}

/// Whether a path selects anything. A filter (`$[?…]`) looks at the items of an array: the value is taken for one, too.
fn selects(path: &Path, value: &Value, variables: &Variables) -> bool {
    let some = |value: &Value| path.select(value, variables).is_ok_and(|found| !found.is_empty());
    some(value) || some(&Value::Array(vec![value.clone()]))
}

fn fields(map: &EventMap, value: &Value, variables: &Variables) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, source) in &map.result {
        let found = match source {
            Source::Paths(paths) => {
                paths.iter().find_map(|path| path.select(value, variables).ok()?.into_iter().find(|found| !found.is_null()))
            }
            Source::Text(template) => template.value(variables).ok(),
            Source::Holds(matchers) => {
                let seen = AnswerSeen { value: value.clone(), ..AnswerSeen::default() };
                Some(matchers.iter().any(|matcher| matcher.holds(&seen, variables)).into())
            }
        };
        if let Some(found) = found {
            let is_text = name != "turn";
            fields.insert(name.clone(), if is_text { plain(&found).into() } else { found });
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sut::manifest::Manifest;
    use rstest::rstest;
    use serde_json::json;

    fn maps(kind: &str, events: &str) -> Vec<EventMap> {
        let text = format!("[system]\nname = \"m\"\n[transport]\nkind = \"{kind}\"\ncommand = [\"m\"]\n{events}");
        Manifest::parse(std::path::Path::new("m.toml"), &text, &[]).unwrap().events
    }

    fn read(map: &EventMap, value: &Value) -> (Option<Value>, Vec<String>) {
        let oddities = Oddities::default();
        let read = announcement(map, value, &Variables::new(), &oddities);
        (read.map(|read| serde_json::to_value(read).unwrap()), oddities.sentences())
    }

    #[rstest]
    #[case::a_notification_names_itself("rpc", json!({"session_id":"s","turn":1}), Some(json!({"event":"turn_completed","session_id":"s","turn":1})))]
    #[case::a_log_message_carries_one("mcp", json!({"level":"info","data":{"event":"turn_completed","session_id":"s"}}), Some(json!({"event":"turn_completed","session_id":"s"})))]
    #[case::other_fields_may_be_anything("cli", json!({"event":"turn_completed","session_id":"s","turn":"t-1"}), Some(json!({"event":"turn_completed","session_id":"s"})))]
    #[case::chatter_is_none("mcp", json!({"level":"info","data":"hello"}), None)]
    #[case::other_events_are_none("cli", json!({"event":"ready"}), None)]
    #[case::a_line_is_one("cli", json!({"event":"session_ended","session_id":"s"}), Some(json!({"event":"session_ended","session_id":"s"})))]
    fn canonical_announcements(#[case] kind: &str, #[case] value: Value, #[case] wanted: Option<Value>) {
        assert_eq!(read(&maps(kind, "")[0], &value), (wanted, Vec::new()));
    }

    const MAPPED: &str = r#"
[events.turn_completed]
file = "{{ sandbox }}/events.jsonl"
when = "$[?@.type == 'turn_done']"
result = { session_id = "$.id", turn = "$.n" }
"#;

    #[test]
    fn a_mapped_announcement_is_filtered_and_translated() {
        let map = &maps("cli", MAPPED)[0];
        let (read_one, odd) = read(map, &json!({"type":"turn_done","id":7,"n":2}));
        assert_eq!((read_one, odd.len()), (Some(json!({"event":"turn_completed","session_id":"7","turn":2})), 0));
        assert_eq!(read(map, &json!({"type":"other","id":7})), (None, Vec::new()));
    }

    #[rstest]
    #[case::a_whole_number(json!(2.0), Some(2))]
    #[case::an_id(json!("turn-2"), None)]
    fn a_mapped_turn_is_its_number_or_none(#[case] turn: Value, #[case] wanted: Option<u64>) {
        let (read_one, odd) = read(&maps("cli", MAPPED)[0], &json!({"type":"turn_done","id":7,"n":turn}));
        assert_eq!((read_one.unwrap().get("turn").and_then(Value::as_u64), odd.len()), (wanted, 0));
    }

    #[test]
    fn an_unknown_status_is_named() {
        let oddities = Oddities::default();
        let said = json!({"event":"turn_completed","session_id":"s","status":"success"});
        assert_eq!(announcement(&maps("cli", "")[0], &said, &Variables::new(), &oddities), None);
        let why = "unknown variant `success`, expected one of `completed`, `interrupted`, `failed`";
        assert_eq!(oddities.unread(), Some(format!("1 announcement could not be read: {why}")));
    }

    #[test]
    fn an_announcement_without_its_session_is_odd() {
        let (none, odd) = read(&maps("cli", MAPPED)[0], &json!({"type":"turn_done"}));
        assert_eq!(none, None);
        assert_eq!(odd, [r#"the system sent an announcement that cannot be read: `{"type":"turn_done"}`"#]);
    }
}
