//! Steps that every suite has which asks a system for its operations.

use std::marker::PhantomData;

use crate::contract::ErrorCode;
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
    w.wrong(None, message, answer.claim(), format!("wanted: {}", a.text(0)))
}
