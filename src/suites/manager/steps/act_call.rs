//! Acts of the caller: the operations besides starting.

use crate::contract::Args;

use super::act_agent::end_all;
use super::act_start::named;
use super::sessions::ManagerWorld;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

/// An id that no manager gave.
const NEVER: &str = "never-was-0000";

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Act, "the sessions are listed", "ask for `list_sessions`", list),
    step!(Act, "session {string} is read", "ask for `get_session_data`", read),
    step!(Act, "session {string} is read {int} times", "ask for `get_session_data` again and again", read_times),
    step!(Act, "the last {int} characters of {string} are read", "ask for `get_session_data` with `tail_chars`", read_tail),
    step!(Act, "the screen of {string} is captured", "ask for `capture_screen`", capture),
    step!(Act, "the message {string} is sent to {string}", "ask for `send_message` with one of the named messages", send),
    step!(Act, "a message is sent to a session that never was", "ask for `send_message` with an id that nobody gave", send_never),
    step!(Act, "session {string} is ended", "ask for `end_session`", end),
    step!(Act, "all sessions are ended at once", "ask for every `end_session` together", end_every),
    step!(Act, "a session that never was is ended", "ask for `end_session` with an id that nobody gave", end_never),
    step!(
        Act,
        "each session's id without its last character is ended, where that is no id",
        "ask for `end_session` with parts of ids",
        end_prefixes
    ),
];

pub(crate) fn of(id: &str) -> Args {
    Args::from_iter([("session_id".to_owned(), id.into())])
}

async fn list(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answer = w.ask("list_sessions", Args::new()).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn read(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let answer = w.read(a.text(0), None).await?;
    w.earlier = vec![answer];
    Ok(())
}

async fn read_times(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.earlier.clear();
    w.mark_quiet();
    for _ in 0..a.number::<usize>(1) {
        let answer = w.read(a.text(0), None).await?;
        w.earlier.push(answer);
    }
    Ok(())
}

async fn read_tail(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.read(a.text(1), Some(a.number(0))).await?;
    Ok(())
}

async fn capture(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let id = w.id(a.text(0))?;
    w.ask("capture_screen", of(id.as_str())).await?;
    Ok(())
}

async fn send(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (text, id) = (named(w, a.text(0), a.text(1))?, w.id(a.text(1))?);
    let mut args = of(id.as_str());
    args.insert("message".into(), text.clone().into());
    let answer = w.ask("send_message", args).await?;
    if answer.result.is_ok() && !text.is_empty() {
        w.session_mut(a.text(1))?.messages.push(text);
    }
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn send_never(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.remember_list().await?;
    let mut args = of(NEVER);
    args.insert("message".into(), "ask-nobody-1. Please answer.".into());
    w.ask("send_message", args).await?;
    Ok(())
}

async fn end(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let id = w.id(a.text(0))?;
    w.mark_quiet();
    let answer = w.ask("end_session", of(id.as_str())).await?;
    w.session_mut(a.text(0))?.ended |= answer.result.is_ok();
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn end_every(w: &mut ManagerWorld, _: &Arguments) -> Done {
    end_all(w).await
}

async fn end_never(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.mark_quiet();
    w.ask("end_session", of(NEVER)).await?;
    Ok(())
}

async fn end_prefixes(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.mark_quiet();
    let ids: Vec<_> = w.labels().iter().map(|label| w.id(label)).collect::<Result<_, Stop>>()?;
    let mut prefixes: Vec<String> = ids
        .iter()
        .filter_map(|id| id.as_str().char_indices().next_back().map(|(end, _)| id.as_str()[..end].to_owned()))
        .filter(|part| !part.is_empty() && !ids.iter().any(|id| id.as_str() == part))
        .collect();
    prefixes.sort();
    prefixes.dedup();
    for part in prefixes {
        w.ask("end_session", of(&part)).await?;
    }
    Ok(())
}
