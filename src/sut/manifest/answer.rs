//! From a system's own answer to the contract's: the order of judgement on a call.

use serde_json::{Map, Value};

use crate::contract::{Args, ContractError, ErrorCode, Field, FieldKind, OperationSpec, Status};
use crate::sut::CallError;
use crate::sut::recorder::shortened;

use super::matcher::{AnswerSeen, Matcher, Source, plain};
use super::template::Variables;
use super::{Output, Step};

/// Judges an answer: `errors` in their order, then `empty`, then whether it failed, then the result.
///
/// # Errors
/// The contract's error that the answer is, or what is wrong with it as an answer.
pub fn judge(
    step: &Step,
    operation: &OperationSpec,
    is_last: bool,
    seen: &mut AnswerSeen,
    variables: &Variables,
    words: &super::StatusWords,
) -> Result<Args, CallError> {
    let parsed = parse(&step.output, seen);
    if let Ok(value) = &parsed {
        seen.value = value.clone();
    }
    for (code, matchers) in &step.errors {
        if matchers.iter().any(|matcher| matcher.holds(seen, variables)) {
            return Err(CallError::Contract(ContractError::new(*code, said(seen))));
        }
    }
    let of_the_operation = step.as_last.iter().filter(|_| is_last && step.empty.is_empty()).flat_map(|last| &last.empty);
    if step.empty.iter().chain(of_the_operation).any(|matcher| matcher.holds(seen, variables)) {
        return Ok(emptied(operation));
    }
    if seen.failed && !named_as_success(step, is_last, seen, variables) {
        return Err(CallError::Contract(canonical_error(seen)));
    }
    let value = match parsed {
        Ok(value) => value,
        // A boolean that names the exit status says all there is to say.
        Err(_) if seen.failed => Value::Null,
        Err(_) if operation.result.iter().all(|field| !field.required) => Value::Null,
        Err(what) => return Err(unreadable(step, seen, what)),
    };
    let result = extract(step, is_last, operation, &value, seen, variables).map_err(|what| unreadable(step, seen, what))?;
    if is_last {
        operation
            .conforms(&result)
            .map_err(|why| unreadable(step, seen, format!("the result's {why}; answered: {}", shortened(&plain(&value)))))?;
    }
    with_the_contracts_words(result, operation, words)
}

/// What cannot be read: by a mapping that somebody wrote, that mapping is wrong; by the canonical one, the answer is. So it is where the
/// exit status says that it failed, which the mapping took for an answer: a program that dies may have that status, too.
fn unreadable(step: &Step, seen: &AnswerSeen, what: String) -> CallError {
    if step.is_own && !seen.failed { CallError::Unmapped { what } } else { CallError::Malformed { what } }
}

/// The statuses of the sessions in a list in the contract's words. Whose items are no sessions, theirs are other words.
fn with_the_contracts_words(mut result: Args, operation: &OperationSpec, words: &super::StatusWords) -> Result<Args, CallError> {
    if operation.name != "list_sessions" {
        return Ok(result);
    }
    for item in result.get_mut("sessions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(word) = item.get("status").and_then(Value::as_str) else { continue };
        match words.get(word).copied().or_else(|| Status::from_name(word)) {
            Some(status) => item["status"] = status.name().into(),
            None => return Err(CallError::Unmapped { what: unmapped_status(word) }),
        }
    }
    Ok(result)
}

/// What to do about a status word that stands in no list.
fn unmapped_status(word: &str) -> String {
    let names = |alive: bool| {
        let names: Vec<String> =
            Status::ALL.into_iter().filter(|status| status.is_alive() == alive).map(|status| format!("`{}`", status.name())).collect();
        names.join(", ")
    };
    let word = shortened(word);
    format!(
        "status `{word}` stands in no list of `[status]`; add it to one of {} if the agent then lives, else to one of {}: stopped = [{word:?}]",
        names(true),
        names(false)
    )
}

fn said(seen: &AnswerSeen) -> String {
    let first = |text: &str| text.trim().lines().next().unwrap_or_default().to_owned();
    let said =
        seen.message.clone().unwrap_or_else(|| if seen.stderr.trim().is_empty() { first(&seen.stdout) } else { first(&seen.stderr) });
    shortened(&said)
}

fn emptied(operation: &OperationSpec) -> Args {
    let empty = |field: &&Field| {
        (field.name.to_owned(), if matches!(field.kind, FieldKind::Objects(_)) { Value::Array(Vec::new()) } else { "".into() })
    };
    operation.result.iter().filter(|field| field.required).map(|field| empty(&field)).collect()
}

/// Whether a boolean of the result names this exit status: then it is a success.
fn named_as_success(step: &Step, is_last: bool, seen: &AnswerSeen, variables: &Variables) -> bool {
    let of_the_operation = step.as_last.as_ref().filter(|_| is_last).and_then(|last| last.result.as_ref());
    of_the_operation.unwrap_or(&step.result).iter().any(|(_, source)| match source {
        Source::Holds(matchers) => matchers.iter().any(|matcher: &Matcher| matcher.exit.is_some() && matcher.holds(seen, variables)),
        _ => false,
    })
}

/// The error of a failed call: as the contract writes it, where it does; else `internal`.
fn canonical_error(seen: &AnswerSeen) -> ContractError {
    let in_lines = seen.stderr.lines().rev().find_map(|line| {
        let error = serde_json::from_str::<Value>(line.trim()).ok()?.get("error")?.clone();
        Some(ContractError::new(ErrorCode::from_name(error["code"].as_str()?)?, error["message"].as_str().unwrap_or_default()))
    });
    let code = seen.code.as_deref().and_then(|code| ErrorCode::from_name(code).or_else(|| ErrorCode::from_rpc(code.parse().ok()?)));
    let by_code = code.map(|code| ContractError::new(code, seen.message.clone().unwrap_or_default()));
    in_lines.or(by_code).unwrap_or_else(|| {
        // What it was on the wire: whoever maps it has to know.
        let exit = seen.exit.map(|exit| format!("exit status {exit}: "));
        let status = seen.status.map(|status| format!("status {status}: "));
        let wire = exit.or(status).or_else(|| seen.code.as_ref().map(|code| format!("code {code}: "))).unwrap_or_default();
        ContractError::unnamed(format!("{wire}{}", said(seen)))
    })
}

/// The value that a process's output is.
fn parse(output: &Output, seen: &AnswerSeen) -> Result<Value, String> {
    if seen.exit.is_none() {
        return Ok(seen.value.clone());
    }
    let text = seen.stdout.strip_suffix('\n').unwrap_or(&seen.stdout);
    match output {
        Output::Json => serde_json::from_str(text.trim()).map_err(|error| format!("the output is not JSON ({error}): {}", shortened(text))),
        Output::Text => Ok(text.into()),
        Output::Lines => Ok(text.lines().map(Value::from).collect::<Vec<_>>().into()),
        Output::Match(regex) => {
            let names: Vec<&str> = regex.capture_names().flatten().collect();
            let object = |found: regex::Captures<'_>| {
                let group = |name: &&str| Some(((*name).to_owned(), found.name(name)?.as_str().into()));
                Value::Object(names.iter().filter_map(group).collect::<Map<_, _>>())
            };
            Ok(regex.captures_iter(text).map(object).collect::<Vec<_>>().into())
        }
    }
}

fn extract(
    step: &Step,
    is_last: bool,
    operation: &OperationSpec,
    value: &Value,
    seen: &AnswerSeen,
    variables: &Variables,
) -> Result<Args, String> {
    let mut result = Args::new();
    let of_the_operation = step.as_last.as_ref().filter(|_| is_last);
    let sources = of_the_operation.and_then(|last| last.result.as_ref()).unwrap_or(&step.result);
    let each_of = of_the_operation.and_then(|last| last.each.as_ref()).or(step.each.as_ref());
    for (name, source) in sources {
        let field = operation.result.iter().find(|field| field.name == name);
        let kind = field.map_or(FieldKind::Any, |field| field.kind);
        let found = match (source, kind) {
            (Source::Holds(matchers), _) => Some(matchers.iter().any(|matcher| matcher.holds(seen, variables)).into()),
            (Source::Text(template), kind) => converted(kind, vec![template.value(variables)?]),
            (Source::Paths(paths), FieldKind::Objects(fields)) => {
                let mut items = Vec::new();
                for path in paths {
                    for found in path.select(value, variables)? {
                        match found {
                            Value::Array(inner) => items.extend(inner),
                            Value::Null => {}
                            other => items.push(other),
                        }
                    }
                }
                let items: Vec<Value> = items.into_iter().map(|item| each(each_of, fields, item, variables)).collect::<Result<_, _>>()?;
                Some(items.into())
            }
            (Source::Paths(paths), kind) => {
                let mut found = Vec::new();
                for path in paths {
                    found.extend(path.select(value, variables)?);
                }
                converted(kind, found)
            }
        };
        if let Some(found) = found {
            result.insert(name.clone(), found);
        }
    }
    Ok(result)
}

/// One item of a list, with the contract's names.
fn each(sources: Option<&Vec<(String, Source)>>, fields: &[Field], item: Value, variables: &Variables) -> Result<Value, String> {
    let mut named = match sources {
        None => item,
        Some(sources) => {
            let mut named = Map::new();
            for (name, source) in sources {
                let kind = fields.iter().find(|field| field.name == name).map_or(FieldKind::Any, |field| field.kind);
                let found = match source {
                    Source::Paths(paths) => {
                        let mut found = Vec::new();
                        for path in paths {
                            found.extend(path.select(&item, variables)?);
                        }
                        converted(kind, found)
                    }
                    Source::Text(template) => converted(kind, vec![template.value(variables)?]),
                    Source::Holds(matchers) => {
                        let seen = AnswerSeen { value: item.clone(), ..AnswerSeen::default() };
                        Some(matchers.iter().any(|matcher| matcher.holds(&seen, variables)).into())
                    }
                };
                named.extend(found.map(|found| (name.clone(), found)));
            }
            Value::Object(named)
        }
    };
    if let Some(id) = named.get("session_id").filter(|id| id.is_number()).cloned() {
        named["session_id"] = plain(&id).into();
    }
    Ok(named)
}

/// What was selected, as a field's type: texts are joined by newlines, digits become numbers. `None` for nothing.
fn converted(kind: FieldKind, found: Vec<Value>) -> Option<Value> {
    let found: Vec<Value> = found.into_iter().filter(|value| !value.is_null()).collect();
    let first = found.first()?.clone();
    Some(match kind {
        FieldKind::Text => found.iter().map(plain).collect::<Vec<_>>().join("\n").into(),
        FieldKind::Integer | FieldKind::Number | FieldKind::Boolean => {
            first.as_str().and_then(|digits| serde_json::from_str(digits.trim()).ok()).unwrap_or(first)
        }
        _ => first,
    })
}

#[cfg(test)]
mod tests {
    use crate::contract::Claim;
    use std::path::Path;

    use rstest::rstest;

    use super::*;
    use crate::contract::{SESSION_OPERATIONS, STORE_OPERATIONS};
    use crate::sut::manifest::Manifest;

    /// What an answer comes to where a manifest says this of the operation; `store` makes it one of a store.
    fn judged(operation: &str, says: &str, mut seen: AnswerSeen) -> String {
        let (suite, table) = match operation.strip_prefix("store ") {
            Some(_) => ("resumption", STORE_OPERATIONS),
            None => ("lifecycle", SESSION_OPERATIONS),
        };
        let operation = operation.trim_start_matches("store ");
        let record = if suite == "resumption" { "[store]\nrecord = \"{{ sandbox }}/x\"\n" } else { "[status]\nrunning = [\"busy\"]\n" };
        let text = format!(
            "[system]\nname = \"m\"\nsuites = [\"{suite}\"]\n[transport]\nkind = \"cli\"\ncommand = [\"m\"]\n{record}\
             [operations.{operation}]\ncommand = [\"m\"]\n{says}\n"
        );
        let manifest = Manifest::parse(Path::new("m.toml"), &text, &[Claim { name: suite, operations: table }])
            .unwrap_or_else(|diagnostics| panic!("{diagnostics:?}"));
        let spec = OperationSpec::find(table, operation).unwrap();
        match judge(&manifest.operations[operation][0], spec, true, &mut seen, &Variables::new(), &manifest.status) {
            Ok(result) => Value::Object(result).to_string(),
            Err(CallError::Contract(error)) => format!("{}: {}", error.code, error.message),
            Err(error) => error.to_string(),
        }
    }

    fn process(exit: i32, stdout: &str, stderr: &str) -> AnswerSeen {
        AnswerSeen { exit: Some(exit), failed: exit != 0, stdout: stdout.into(), stderr: stderr.into(), ..AnswerSeen::default() }
    }

    const TEXT: &str = "output = \"text\"\nresult = { text = \"$\" }";
    const DECISION: &str = "output = \"text\"\nresult = { resume = { exit = 0 }, refused = { exit = 1 }, reason = \"$\" }";
    const BY_EXIT: &str = "result = { resume = { exit = 0 }, refused = { exit = 1 }, reason = \"no word\" }";
    const BY_OUTPUT: &str = "output = \"text\"\nresult = { resume = { stdout = \"yes\" }, reason = \"$\" }";
    const NOT_FOUND: &str = "errors = { session_not_found = { stderr = \"no such\" } }";
    const EMPTY: &str = "empty = { exit = 3 }";
    const ITEMS: &str = "result = { sessions = \"$.items[*]\" }\neach = { session_id = \"$.id\", status = \"$.state\", live = { path = \"$.up\" }, cwd = \"$.n\" }";

    #[rstest]
    #[case::as_it_is("get_session_data", TEXT, process(0, "hello\n", ""), r#"{"text":"hello"}"#)]
    #[case::a_failure_by_its_first_line("get_session_data", TEXT, process(1, "out", "\nboom\nmore"), "internal: exit status 1: boom")]
    #[case::or_by_what_it_put_out("get_session_data", TEXT, process(1, "bad", " "), "internal: exit status 1: bad")]
    #[case::an_error_that_is_named("get_session_data", NOT_FOUND, process(1, "", "no such thing"), "session_not_found: no such thing")]
    #[case::a_code_that_nobody_knows(
        "get_session_data",
        NOT_FOUND,
        AnswerSeen { failed: true, code: Some("-32000".into()), message: Some("no such".into()), ..AnswerSeen::default() },
        "internal: code -32000: no such"
    )]
    #[case::empty("get_session_data", EMPTY, process(3, "", ""), r#"{"text":""}"#)]
    #[case::an_empty_list("list_sessions", EMPTY, process(3, "", ""), r#"{"sessions":[]}"#)]
    #[case::no_json("capture_screen", "", process(0, "what", ""), "the output is not JSON (expected value at line 1 column 1): what")]
    #[case::nothing_was_to_be_said("send_message", "", process(0, "sent", ""), "{}")]
    #[case::a_status_that_is_an_answer(
        "store should_resume",
        DECISION,
        process(1, "done", ""),
        r#"{"reason":"done","refused":true,"resume":false}"#
    )]
    #[case::a_status_that_says_all(
        "store should_resume",
        BY_EXIT,
        process(1, "-", ""),
        r#"{"reason":"no word","refused":true,"resume":false}"#
    )]
    #[case::a_status_that_nothing_names("store should_resume", DECISION, process(2, "", "boom"), "internal: exit status 2: boom")]
    #[case::output_names_no_status("store should_resume", BY_OUTPUT, process(1, "yes", ""), "internal: exit status 1: yes")]
    #[case::a_missing_field("list_sessions", "", process(0, "{}", ""), "the result's `sessions` is missing; answered: {}")]
    #[case::texts_are_joined("get_session_data", "result = { text = \"$[*]\" }", process(0, r#"["a",null,"b"]"#, ""), r#"{"text":"a\nb"}"#)]
    #[case::digits_are_numbers(
        "start_session",
        "result = { session_id = \"$.id\", timeout_s = \"$.t\" }",
        process(0, r#"{"id":7,"t":" 5 "}"#, ""),
        r#"{"session_id":"7","timeout_s":5}"#
    )]
    #[case::words_are_booleans(
        "get_session_data",
        "result = { text = \"$.t\", pending = \"$.p\", truncated = \"$.c\" }",
        process(0, r#"{"t":"x","p":"true","c":false}"#, ""),
        r#"{"pending":true,"text":"x","truncated":false}"#
    )]
    #[case::items_have_the_contracts_words(
        "list_sessions",
        "result = { sessions = \"$.all\" }",
        process(0, r#"{"all":[{"session_id":7,"status":"busy"},{"session_id":"b","status":"waiting"}]}"#, ""),
        r#"{"sessions":[{"session_id":"7","status":"running"},{"session_id":"b","status":"waiting"}]}"#
    )]
    #[case::a_status_that_stands_in_no_list(
        "list_sessions",
        "result = { sessions = \"$.all\" }",
        process(0, r#"{"all":[{"session_id":"a","status":"exited"}]}"#, ""),
        "status `exited` stands in no list of `[status]`; add it to one of `starting`, `running`, `waiting`, `paused` if the agent \
         then lives, else to one of `error`, `stopped`, `ended`: stopped = [\"exited\"]"
    )]
    #[case::items_have_the_contracts_names(
        "list_sessions",
        ITEMS,
        process(0, r#"{"items":[{"id":"a","state":"busy","up":1,"n":5},null,{"id":"b"}]}"#, ""),
        r#"{"sessions":[{"cwd":"5","live":true,"session_id":"a","status":"running"},{"live":false,"session_id":"b"}]}"#
    )]
    fn an_answer_comes_to(#[case] operation: &str, #[case] says: &str, #[case] seen: AnswerSeen, #[case] expected: &str) {
        assert_eq!(judged(operation, says, seen), expected);
    }
}
