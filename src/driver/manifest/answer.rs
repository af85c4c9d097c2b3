//! From a system's own answer to the contract's: the order of judgement on a call.

use serde_json::{Map, Value};

use crate::contract::{Args, ContractError, ErrorCode, Field, Kind, OperationSpec};
use crate::driver::CallError;
use crate::driver::recorder::shortened;

use super::matcher::{Matcher, Seen, Source, plain};
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
    seen: &mut Seen,
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
    if step.empty.iter().any(|matcher| matcher.holds(seen, variables)) {
        return Ok(emptied(operation));
    }
    if seen.failed && !named_as_success(step, seen, variables) {
        return Err(CallError::Contract(canonical_error(seen)));
    }
    let value = match parsed {
        Ok(value) => value,
        // A boolean that names the exit status says all there is to say.
        Err(_) if seen.failed => Value::Null,
        Err(_) if operation.result.iter().all(|field| !field.required) => Value::Null,
        Err(what) => return Err(CallError::Malformed { what }),
    };
    let result = extract(step, operation, &value, seen, variables, words).map_err(|what| CallError::Malformed { what })?;
    if is_last {
        operation
            .conforms(&result)
            .map_err(|why| CallError::Malformed { what: format!("the result's {why}; answered: {}", shortened(&plain(&value))) })?;
    }
    Ok(result)
}

fn said(seen: &Seen) -> String {
    let first = |text: &str| text.trim().lines().next().unwrap_or_default().to_owned();
    let said =
        seen.message.clone().unwrap_or_else(|| if seen.stderr.trim().is_empty() { first(&seen.stdout) } else { first(&seen.stderr) });
    shortened(&said)
}

fn emptied(operation: &OperationSpec) -> Args {
    let empty =
        |field: &&Field| (field.name.to_owned(), if matches!(field.kind, Kind::Objects(_)) { Value::Array(Vec::new()) } else { "".into() });
    operation.result.iter().filter(|field| field.required).map(|field| empty(&field)).collect()
}

/// Whether a boolean of the result names this exit status: then it is a success.
fn named_as_success(step: &Step, seen: &Seen, variables: &Variables) -> bool {
    step.result.iter().any(|(_, source)| match source {
        Source::Holds(matchers) => matchers.iter().any(|matcher: &Matcher| matcher.exit.is_some() && matcher.holds(seen, variables)),
        _ => false,
    })
}

/// The error of a failed call: as the contract writes it, where it does; else `internal`.
fn canonical_error(seen: &Seen) -> ContractError {
    let in_lines = seen.stderr.lines().rev().find_map(|line| {
        let error = serde_json::from_str::<Value>(line.trim()).ok()?.get("error")?.clone();
        Some(ContractError::new(ErrorCode::from_name(error["code"].as_str()?)?, error["message"].as_str().unwrap_or_default()))
    });
    let code = seen.code.as_deref().and_then(|code| ErrorCode::from_name(code).or_else(|| ErrorCode::from_rpc(code.parse().ok()?)));
    let by_code = code.map(|code| ContractError::new(code, seen.message.clone().unwrap_or_default()));
    in_lines.or(by_code).unwrap_or_else(|| {
        let exit = seen.exit.map(|exit| format!("exit status {exit}: ")).unwrap_or_default();
        ContractError::new(ErrorCode::Internal, format!("{exit}{}", said(seen)))
    })
}

/// The value that a process's output is.
fn parse(output: &Output, seen: &Seen) -> Result<Value, String> {
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
    operation: &OperationSpec,
    value: &Value,
    seen: &Seen,
    variables: &Variables,
    words: &super::StatusWords,
) -> Result<Args, String> {
    let mut result = Args::new();
    for (name, source) in &step.result {
        let field = operation.result.iter().find(|field| field.name == name);
        let kind = field.map_or(Kind::Any, |field| field.kind);
        let found = match (source, kind) {
            (Source::Holds(matchers), _) => Some(matchers.iter().any(|matcher| matcher.holds(seen, variables)).into()),
            (Source::Text(template), kind) => converted(kind, vec![template.value(variables)?]),
            (Source::Paths(paths), Kind::Objects(fields)) => {
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
                let items: Vec<Value> =
                    items.into_iter().map(|item| each(step, fields, item, variables, words)).collect::<Result<_, _>>()?;
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

/// One item of a list, with the contract's names and statuses.
fn each(step: &Step, fields: &[Field], item: Value, variables: &Variables, words: &super::StatusWords) -> Result<Value, String> {
    let mut named = match &step.each {
        None => item,
        Some(sources) => {
            let mut named = Map::new();
            for (name, source) in sources {
                let kind = fields.iter().find(|field| field.name == name).map_or(Kind::Any, |field| field.kind);
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
                        let seen = Seen { value: item.clone(), ..Seen::default() };
                        Some(matchers.iter().any(|matcher| matcher.holds(&seen, variables)).into())
                    }
                };
                named.extend(found.map(|found| (name.clone(), found)));
            }
            Value::Object(named)
        }
    };
    if let Some(word) = named.get("status").and_then(Value::as_str)
        && let Some(status) = words.get(word)
    {
        named["status"] = status.name().into();
    }
    if let Some(id) = named.get("session_id").filter(|id| id.is_number()).cloned() {
        named["session_id"] = plain(&id).into();
    }
    Ok(named)
}

/// What was selected, as a field's type: texts are joined by newlines, digits become numbers. `None` for nothing.
fn converted(kind: Kind, found: Vec<Value>) -> Option<Value> {
    let found: Vec<Value> = found.into_iter().filter(|value| !value.is_null()).collect();
    let first = found.first()?.clone();
    Some(match kind {
        Kind::Text => found.iter().map(plain).collect::<Vec<_>>().join("\n").into(),
        Kind::Integer | Kind::Number if first.is_string() => {
            serde_json::from_str(first.as_str().unwrap_or_default().trim()).unwrap_or(first)
        }
        Kind::Boolean if first.is_string() => serde_json::from_str(first.as_str().unwrap_or_default().trim()).unwrap_or(first),
        _ => first,
    })
}
