//! Steps that every suite has which asks a system for its operations.

use std::marker::PhantomData;

use crate::contract::{ContractError, DEFAULT_MESSAGE_CHARS, ErrorCode};
use crate::sut::CallError;
use crate::sut::recorder::Answered;

use super::vocabulary::{Arguments, Done, StepDef, step};
use super::world::{State, World};

/// The steps, whatever a suite's own know.
pub(crate) struct Common<S>(PhantomData<S>);

impl<S: State> Common<S> {
    pub(crate) const STEPS: &'static [StepDef<World<S>>] = &[step!(
        Check,
        "the answer is {string}",
        "the last answer is one of these, joined by `or`: success, data, pending, or an error's code",
        is
    )];
}

/// Whether a `get_session_data` result is data: a text that is not empty and not pending.
pub(crate) fn is_data(answer: &Answered) -> bool {
    answer.result.as_ref().is_ok_and(|result| {
        let pending = result.get("pending").and_then(|pending| pending.as_bool()).unwrap_or(false);
        !pending && result.get("text").and_then(|text| text.as_str()).is_some_and(|text| !text.trim().is_empty())
    })
}

/// The answer's kind: like [`Answered::word`], with `data`, `pending` and `empty` told apart for reads.
pub(crate) fn kind(answer: &Answered) -> &'static str {
    match &answer.result {
        Ok(_) if answer.operation == "get_session_data" && is_data(answer) => "data",
        Ok(result) if answer.operation == "get_session_data" => {
            if result.get("pending").and_then(|pending| pending.as_bool()).unwrap_or(false) { "pending" } else { "empty" }
        }
        _ => answer.word(),
    }
}

async fn is<S: State>(w: &mut World<S>, a: &Arguments) -> Done {
    let answer = w.last()?.clone();
    let right = a.text(0).split(" or ").any(|word| word == kind(&answer) || word == answer.word());
    if right {
        return Ok(());
    }
    let wants_an_error = a.text(0).split(" or ").any(|word| ErrorCode::from_name(word).is_some());
    let message = match &answer.result {
        Err(CallError::Contract(error)) if error.is_unnamed && wants_an_error => format!(
            "{} was refused, but by a code or text that the manifest does not map: `passmuster doctor` prints the lines that are missing",
            answer.operation
        ),
        _ => format!("{} was answered with `{}`", answer.operation, kind(&answer)),
    };
    let sent = answer.args.get("message").and_then(|message| message.as_str()).map_or(0, |message| message.chars().count());
    let limit = w.message_chars.unwrap_or(DEFAULT_MESSAGE_CHARS);
    let length = match sent > limit {
        true => format!("; the message has {sent} characters, the limit is {limit} ({})", limit_of(w.message_chars)),
        false => String::new(),
    };
    let truth = format!("wanted: {}{length}{}", a.text(0), mapping(&answer, a.text(0)));
    w.wrong(None, message, answer.claim(), truth)
}

/// Who says how long a message may be.
fn limit_of(message_chars: Option<usize>) -> &'static str {
    match message_chars {
        None => "the contract's, where `message_chars` in the manifest's [system] says no other",
        Some(_) => "`message_chars` in the manifest's [system]",
    }
}

/// How a refusal that neither the contract nor the manifest has a name for becomes the one that is wanted.
fn mapping(answer: &Answered, wanted: &str) -> String {
    let Err(CallError::Contract(ContractError { is_unnamed: true, message, .. })) = &answer.result else { return String::new() };
    let Some(meant) = wanted.split(" or ").find_map(ErrorCode::from_name) else { return String::new() };
    let said = |text: &str| format!("'{}'", regex::escape(text.trim()).replace('\'', "."));
    let matcher = match (message.strip_prefix("code "), message.strip_prefix("exit status ")) {
        (Some(coded), _) => format!("code = {}", said(coded.split(':').next().unwrap_or_default())),
        (_, Some(exit)) => format!("exit = {}", exit.split(':').next().unwrap_or_default()),
        _ => return String::new(),
    };
    let (name, rpc, operation) = (meant.name(), meant.spec().rpc_code, answer.operation);
    format!("; answer `{name}` ({rpc}), or map what you answer: `{name} = {{ {matcher} }}` under `[operations.{operation}.errors]`")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::contract::Args;

    #[rstest]
    #[case(
        ErrorCode::Internal,
        "code -32000: no such",
        "session_not_found or session_ended",
        "; answer `session_not_found` (-32001), or map what you answer: `session_not_found = { code = '\\-32000' }` under `[operations.end_session.errors]`"
    )]
    #[case(
        ErrorCode::Internal,
        "exit status 3: gone",
        "session_ended",
        "; answer `session_ended` (-32003), or map what you answer: `session_ended = { exit = 3 }` under `[operations.end_session.errors]`"
    )]
    #[case(ErrorCode::Internal, "boom", "session_ended", "")]
    #[case(ErrorCode::SessionNotFound, "code 1: x", "session_ended", "")]
    #[case(ErrorCode::Internal, "code -32000: no", "success", "")]
    fn a_refusal_without_a_name_is_told_with_how_to_name_it(
        #[case] code: ErrorCode,
        #[case] said: &str,
        #[case] wanted: &str,
        #[case] hint: &str,
    ) {
        let error = if code == ErrorCode::Internal { ContractError::unnamed(said) } else { ContractError::new(code, said) };
        let result = Err(CallError::Contract(error));
        assert_eq!(mapping(&Answered { operation: "end_session", args: Args::new(), result }, wanted), hint);
    }
}
