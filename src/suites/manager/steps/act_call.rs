//! Acts of the caller: the operations besides starting.

use futures::future::join_all;

use crate::contract::{Args, Status, TurnStatus};

use super::act_agent::end_all;
use super::act_start::{named, plain_start, was_started};
use super::sessions::ManagerWorld;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::sut::recorder::Answered;

/// An id that no manager gave.
const NEVER: &str = "never-was-0000";

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Act, "the sessions are listed", "ask for `list_sessions`", list),
    step!(Act, "session {string} is read", "ask for `get_session_data`", read),
    step!(Act, "session {string} is read {int} times", "ask for `get_session_data` again and again", read_times),
    step!(
        Act,
        "session {string} is read {int} times with a tail that is no number",
        "ask for `get_session_data` with a `tail_chars` of a wrong type",
        read_wrongly
    ),
    step!(Act, "a session that never was is read {int} times", "ask for `get_session_data` with an id that nobody gave", read_never),
    step!(
        Act,
        "the status of {string} is noted",
        "list until its status is what its agent does (announce limit), or stays; nothing is read",
        note_status
    ),
    step!(Act, "the last {int} characters of {string} are read", "ask for `get_session_data` with `tail_chars`", read_tail),
    step!(Act, "the screen of {string} is captured", "ask for `capture_screen`", capture),
    step!(Act, "the message {string} is sent to {string}", "ask for `send_message` with one of the named messages", send),
    step!(Act, "the first message is sent to {string} again", "word for word", send_first_again),
    step!(
        Act,
        "{int} messages are sent to {string} at once",
        "all in flight together; they count in the order in which its agent takes them",
        send_at_once
    ),
    step!(Act, "a message is sent to a session that never was", "ask for `send_message` with an id that nobody gave", send_never),
    step!(
        Act,
        "a message is sent to each session's id without its last character, where that is no id",
        "ask for `send_message` with parts of ids",
        send_prefixes
    ),
    step!(
        Act,
        "each session's id without its last character is read, where that is no id",
        "ask for `get_session_data` with parts of ids",
        read_prefixes
    ),
    step!(Act, "{int} messages are sent to {string}, each in its turn", "send one, wait for its turn, let that end; and so on", send_many),
    step!(
        Act,
        "session {string} is ended while session {string} is started",
        "`end_session` of the one and `start_session` of the other, both in flight together",
        end_while_starting
    ),
    step!(Act, "session {string} is ended", "ask for `end_session`", end),
    step!(
        Act,
        "session {string} is ended twice at once",
        "two `end_session`, both in flight together; of two answers the one that is an error is kept",
        end_twice
    ),
    step!(Act, "all sessions are ended at once", "ask for every `end_session` together", end_every),
    step!(Act, "a session that never was is ended", "ask for `end_session` with an id that nobody gave", end_never),
    step!(
        Act,
        "what is nearly the id of {string} is ended",
        "ask for `end_session` with patterns that match the id, and paths that end with it",
        end_nearly
    ),
    step!(
        Act,
        "a message is sent to what is nearly the id of {string}",
        "ask for `send_message` with patterns that match the id, and paths that end with it",
        send_nearly
    ),
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

async fn read_wrongly(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.mark_quiet();
    let mut args = of(w.id(a.text(0))?.as_str());
    args.insert("tail_chars".into(), "many".into());
    for _ in 0..a.number::<usize>(1) {
        w.ask("get_session_data", args.clone()).await?;
    }
    Ok(())
}

async fn read_never(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for _ in 0..a.number::<usize>(0) {
        w.ask("get_session_data", of(NEVER)).await?;
    }
    Ok(())
}

/// The status word of a session in the list; none where it is not listed, or without a word.
pub(crate) async fn status_word(w: &mut ManagerWorld, label: &str) -> Result<Option<String>, Stop> {
    let id = w.id(label)?;
    let listed = w.list().await?.map_err(Stop::Blocked)?;
    let own = listed.iter().find(|item| item.get("session_id").is_some_and(|it| *it == *id.as_str()));
    Ok(own.and_then(|item| item.get("status")?.as_str()).map(str::to_owned))
}

/// The status of a session whose agent lives, by what that does.
pub(crate) async fn true_status(w: &mut ManagerWorld, label: &str) -> Result<Status, Stop> {
    w.run_of(label).await?;
    Ok(if w.turns(label)?.last().is_some_and(|turn| !turn.is_complete) { Status::Running } else { Status::Waiting })
}

async fn note_status(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.limits.announce);
    let truth = true_status(w, label).await?;
    let mut word = Ok(None);
    w.within(limit, async |w| {
        word = status_word(w, label).await;
        (!matches!(&word, Err(_) | Ok(None)) && word.as_ref().is_ok_and(|word| word.as_deref() != Some(truth.name()))).then(String::new)
    })
    .await;
    match word? {
        None => Err(Stop::Skipped("the list gives the session no status".into())),
        Some(word) => {
            w.state.noted.insert(label.to_owned(), word);
            Ok(())
        }
    }
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

/// Sends a text to a session, which counts where it is taken.
async fn say(w: &mut ManagerWorld, label: &str, text: String) -> Result<Answered, Stop> {
    let mut args = of(w.id(label)?.as_str());
    args.insert("message".into(), text.clone().into());
    let answer = w.ask("send_message", args).await?;
    if answer.result.is_ok() && !text.is_empty() {
        w.session_mut(label)?.messages.push(text);
    }
    Ok(answer)
}

async fn send(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let text = named(w, a.text(0), a.text(1))?;
    let answer = say(w, a.text(1), text).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn send_first_again(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let first = w.session(label)?.messages.first().cloned();
    let text = first.ok_or_else(|| Stop::CouldNotTest(format!("session \"{label}\" was given no message before")))?;
    let answer = say(w, label, text).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn send_at_once(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, before) = (a.text(1), w.session(a.text(1))?.messages.len());
    let mut requests = Vec::new();
    for _ in 0..a.number::<usize>(0) {
        let text = named(w, "plain", label)?;
        let mut args = of(w.id(label)?.as_str());
        args.insert("message".into(), text.clone().into());
        w.session_mut(label)?.messages.push(text);
        requests.push(args);
    }
    let driver = w.driver.clone();
    let answers = join_all(requests.into_iter().map(|args| driver.call("send_message", args))).await;
    let sent = w.session_mut(label)?.messages.split_off(before);
    let mut sent: Vec<String> = sent.into_iter().zip(&answers).filter(|(_, answer)| answer.result.is_ok()).map(|(text, _)| text).collect();
    // Which of them is first is the manager's choice.
    if w.turn_open(label, before as u64 + 1).await.is_ok()
        && let Some(taken) = w.turns(label)?.get(before).map(|turn| turn.text.clone())
        && let Some(first) = sent.iter().position(|text| text.trim_end() == taken.trim_end())
    {
        sent.swap(0, first);
    }
    w.session_mut(label)?.messages.extend(sent);
    w.last = answers.into_iter().max_by_key(|answer| answer.result.is_err());
    Ok(())
}

async fn send_never(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.remember_list().await?;
    w.mark_quiet();
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

async fn end_twice(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let id = w.id(a.text(0))?;
    w.mark_quiet();
    let driver = w.driver.clone();
    let (one, other) = tokio::join!(driver.call("end_session", of(id.as_str())), driver.call("end_session", of(id.as_str())));
    w.session_mut(a.text(0))?.ended |= one.result.is_ok() || other.result.is_ok();
    w.last = Some(if one.result.is_err() { one } else { other });
    Ok(())
}

async fn end_every(w: &mut ManagerWorld, _: &Arguments) -> Done {
    end_all(w).await
}

async fn end_never(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.mark_quiet();
    w.ask("end_session", of(NEVER)).await?;
    Ok(())
}

/// Ends what has no such id.
async fn end_each(w: &mut ManagerWorld, ids: &[String]) -> Done {
    w.mark_quiet();
    for id in ids {
        w.ask("end_session", of(id)).await?;
    }
    Ok(())
}

/// Sends a message to what has no such id.
async fn send_each(w: &mut ManagerWorld, ids: &[String]) -> Done {
    w.mark_quiet();
    for id in ids {
        let mut args = of(id);
        args.insert("message".into(), "ask-nobody-1. Please answer.".into());
        w.ask("send_message", args).await?;
    }
    Ok(())
}

async fn end_prefixes(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let parts = parts(w)?;
    end_each(w, &parts).await
}

async fn send_prefixes(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let parts = parts(w)?;
    send_each(w, &parts).await
}

async fn end_nearly(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let near = nearly(w.id(a.text(0))?.as_str());
    end_each(w, &near).await
}

async fn send_nearly(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let near = nearly(w.id(a.text(0))?.as_str());
    send_each(w, &near).await
}

/// What is no id, and is taken for one by whoever matches patterns or cuts paths.
fn nearly(id: &str) -> [String; 3] {
    let behind: String = id.chars().skip(1).collect();
    [format!("{id}*"), format!("?{behind}"), format!("x/../{id}")]
}

async fn read_prefixes(w: &mut ManagerWorld, _: &Arguments) -> Done {
    w.mark_quiet();
    w.earlier.clear();
    for part in parts(w)? {
        let answer = w.ask("get_session_data", of(&part)).await?;
        w.earlier.push(answer);
    }
    Ok(())
}

async fn send_many(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for _ in 0..a.number::<usize>(0) {
        let (label, turn) = (a.text(1), w.session(a.text(1))?.messages.len() as u64 + 1);
        let text = named(w, "plain", label)?;
        if say(w, label, text).await?.result.is_err() {
            break;
        }
        // A message that never arrives is for a check to find.
        if w.turn_open(label, turn).await.is_ok() {
            w.release(label, None, TurnStatus::Completed).await?;
        }
    }
    Ok(())
}

async fn end_while_starting(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (ended, started) = (a.text(0), a.text(1));
    let (id, args) = (w.id(ended)?, plain_start(w, started).await?);
    let driver = w.driver.clone();
    let (end, start) = tokio::join!(driver.call("end_session", of(id.as_str())), driver.call("start_session", args));
    w.session_mut(ended)?.ended |= end.result.is_ok();
    was_started(w, started, &start).await?;
    w.last = Some(end);
    Ok(())
}

/// The beginnings of the sessions' ids that are no ids themselves.
fn parts(w: &ManagerWorld) -> Result<Vec<String>, Stop> {
    let ids: Vec<_> = w.labels().iter().map(|label| w.id(label)).collect::<Result<_, Stop>>()?;
    let mut prefixes: Vec<String> = ids
        .iter()
        .filter_map(|id| id.as_str().char_indices().next_back().map(|(end, _)| id.as_str()[..end].to_owned()))
        .filter(|part| !part.is_empty() && !ids.iter().any(|id| id.as_str() == part))
        .collect();
    prefixes.sort();
    prefixes.dedup();
    Ok(prefixes)
}
