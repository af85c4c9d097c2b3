//! A system's own answer, laid out for a manifest's matchers and paths.

use serde_json::{Map, Value};

use super::manifest::AnswerSeen;
use crate::sut::transports::mcp::connection::ToolAnswer;
use crate::sut::transports::rest::HttpAnswer;
use crate::sut::transports::rpc::peer::PeerAnswer;
use crate::sut::transports::transport::Raw;

impl Raw {
    /// The answer as matchers and paths look at it. Roots of paths: a process's output (parsed later, as the manifest
    /// says), `result`, `structuredContent` or else the first text, a response's body; of an error the error itself.
    pub fn seen(self) -> AnswerSeen {
        match self {
            Raw::Cli(output) => {
                let exit = output.exit.code();
                AnswerSeen { exit: Some(exit), failed: exit != 0, stdout: output.stdout, stderr: output.stderr, ..AnswerSeen::default() }
            }
            Raw::Rpc(PeerAnswer::Result(value)) => AnswerSeen { value, ..AnswerSeen::default() },
            Raw::Rpc(PeerAnswer::Error { code, message, data }) => error(code, message, data),
            Raw::Mcp(ToolAnswer::Error { code, message, data }) => error(Some(code), message, data),
            Raw::Mcp(ToolAnswer::Result(result)) => tool_result(&result),
            Raw::Http(answer) => response(answer),
        }
    }
}

/// A JSON-RPC error. Where its number says nothing, `data.code` may.
fn error(code: Option<i64>, message: String, data: Option<Value>) -> AnswerSeen {
    let named = data.as_ref().and_then(|data| data.get("code")).and_then(Value::as_str).map(str::to_owned);
    let mut value = Map::new();
    value.extend(code.map(|code| ("code".to_owned(), code.into())));
    value.insert("message".to_owned(), message.clone().into());
    value.extend(data.map(|data| ("data".to_owned(), data)));
    AnswerSeen {
        code: code.map(|code| code.to_string()).or(named),
        message: Some(message),
        value: Value::Object(value),
        failed: true,
        ..AnswerSeen::default()
    }
}

fn tool_result(result: &Map<String, Value>) -> AnswerSeen {
    let text =
        result.get("content").and_then(Value::as_array).and_then(|content| content.iter().find_map(|block| block.get("text")?.as_str()));
    let value = match result.get("structuredContent").filter(|value| !value.is_null()) {
        Some(value) => value.clone(),
        None => text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.into())),
    };
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or_default();
    if !failed {
        return AnswerSeen { value, ..AnswerSeen::default() };
    }
    let said = |key: &str| value.pointer(&format!("/error/{key}")).and_then(Value::as_str).map(str::to_owned);
    AnswerSeen { code: said("code"), message: said("message").or_else(|| text.map(str::to_owned)), failed, value, ..AnswerSeen::default() }
}

/// A response: a success by its status. What went wrong is said at `error` or at the top, as servers do.
fn response(HttpAnswer { status, value }: HttpAnswer) -> AnswerSeen {
    if (200..300).contains(&status) {
        return AnswerSeen { status: Some(status), value, ..AnswerSeen::default() };
    }
    let said = |places: &[&str]| places.iter().find_map(|place| value.pointer(place)?.as_str().map(str::to_owned));
    let code = said(&["/error/code", "/code"]);
    let message = said(&["/error/message", "/message", "/error", "/detail"]).or_else(|| value.as_str().map(str::to_owned));
    AnswerSeen { status: Some(status), code, message, failed: true, value, ..AnswerSeen::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(result: Value) -> AnswerSeen {
        Raw::Mcp(ToolAnswer::Result(result.as_object().unwrap().clone())).seen()
    }

    #[test]
    fn a_tools_value_is_its_structure_else_its_text_read_as_json_else_its_text() {
        let text = |text: &str| json!([{"type":"text","text":text}]);
        assert_eq!(tool(json!({"structuredContent":{"a":1},"content":text("b")})).value, json!({"a":1}));
        assert_eq!(tool(json!({"content":text("{\"a\":1}")})).value, json!({"a":1}));
        assert_eq!(tool(json!({"content":text("plain")})).value, json!("plain"));
    }

    #[test]
    fn a_failed_tool_tells_its_code_and_its_words() {
        let seen = tool(json!({"isError":true,"structuredContent":{"error":{"code":"session_not_found","message":"no"}},"content":[]}));
        assert_eq!((seen.failed, seen.code.as_deref(), seen.message.as_deref()), (true, Some("session_not_found"), Some("no")));
        let seen = tool(json!({"isError":true,"content":[{"type":"text","text":"Error: nope"}]}));
        assert_eq!((seen.code, seen.message.as_deref()), (None, Some("Error: nope")));
    }

    #[test]
    fn a_response_is_known_by_its_status_and_tells_its_code_and_its_words() {
        let seen = |status, value| Raw::Http(HttpAnswer { status, value }).seen();
        let good = seen(201, json!({"id":"s"}));
        assert_eq!((good.failed, good.status, good.value), (false, Some(201), json!({"id":"s"})));
        let gone = seen(404, json!({"error":{"code":"session_not_found","message":"no"}}));
        assert_eq!((gone.failed, gone.code.as_deref(), gone.message.as_deref()), (true, Some("session_not_found"), Some("no")));
        assert_eq!(seen(422, json!({"detail":"no such folder"})).message.as_deref(), Some("no such folder"));
        assert_eq!(seen(500, json!("oops")).message.as_deref(), Some("oops"));
    }

    #[test]
    fn an_rpc_error_is_known_by_its_number_else_by_its_word() {
        let seen =
            |code| Raw::Rpc(PeerAnswer::Error { code, message: "no".to_owned(), data: Some(json!({"code":"session_ended"})) }).seen();
        assert_eq!(seen(Some(-32003)).code.as_deref(), Some("-32003"));
        assert_eq!(seen(None).code.as_deref(), Some("session_ended"));
        assert_eq!(seen(Some(1)).value, json!({"code":1,"message":"no","data":{"code":"session_ended"}}));
    }
}
