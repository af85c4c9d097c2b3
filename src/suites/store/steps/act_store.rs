//! Acts on a store: its operations and its hooks.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::contract::Args;
use crate::sut::CallError;

use super::kept::StoreWorld;
use super::kept::{StoredSession, args, value};
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};

/// An id that no store gave.
const NEVER: &str = "agent-20200101-000000-00000000";
/// Whose sessions they are unless a step says otherwise.
const AGENT: &str = "terraform-architect";
/// How many characters a writer that will be killed has to write: the longer it writes, the likelier it is hit while it does.
const KILLED_PAD: usize = 60_000;
/// For how long writers are killed at most: a store whose updates take a second is killed less often.
const KILLED_FOR: Duration = Duration::from_secs(15);
/// Part of every id that must not get out of the store.
pub(crate) const OUTSIDER: &str = "outsider";
/// So many readings during updates are enough, however long a busy disk makes the updates take: all answers are kept.
const READINGS: usize = 1000;

pub(crate) const STEPS: &[StepDef<StoreWorld>] = &[
    step!(Act, "a stored session {string}", "create a session, of agent `terraform-architect`, for `approval_workflow`", create),
    step!(Act, "a stored session {string} with {string}", "create a session with this metadata (JSON)", create_with),
    step!(Act, "a stored session {string} of agent {string} with {string}", "create another agent's session", create_of),
    step!(Act, "a stored session with the id {string}", "create a session with one of the named ids", create_with_id),
    step!(Act, "session {string} is created again", "create a session with an id that is taken", create_again),
    step!(Act, "{int} sessions are created at once", "create sessions together, without ids", create_at_once),
    step!(Act, "{string} moves to {string}", "ask for `update_state` with this phase", moves),
    step!(Act, "{string} notes {string}", "ask for `update_state` with this metadata (JSON)", notes),
    step!(Act, "{string} notes the error {string}", "ask for `update_state` with this error", errs),
    step!(Act, "{string} moves to {string}, noting {string} and the error {string}", "ask for all three at once", all_three),
    step!(Act, "{int} updates of {string} are made at once", "update a session together; it is read over and over meanwhile", at_once),
    step!(
        Act,
        "{int} writers update {string} {int} times each",
        "each writer waits for its answers, none for the others; it is read over and over meanwhile",
        writers
    ),
    step!(
        Act,
        "{int} updates of {string} are killed",
        "one after the other for at most 15 seconds, each at another instant of what one takes; the record is read after each",
        killed
    ),
    step!(Act, "the decision on {string} is asked for", "ask for `should_resume`", decide),
    step!(
        Act,
        "the decision on a session that never was is asked for",
        "ask for `should_resume` with an id that nobody gave",
        decide_never
    ),
    step!(Act, "a session that never was moves to {string}", "ask for `update_state` with an id that nobody gave", move_never),
    step!(Act, "{string} is finalized as {string}", "ask for `finalize_session`", finalize),
    step!(Act, "{string} is finalized as {string} with the summary {string}", "ask for `finalize_session`", finalize_with),
    step!(Act, "the stored sessions are listed", "ask for `list_sessions`", list),
    step!(Act, "the active sessions are listed", "ask for `list_sessions` with `active_only`", list_active),
    step!(Act, "the sessions of agent {string} are listed", "ask for `list_sessions` with `agent_name`", list_of),
    step!(Act, "what is older than {int} hours is cleaned up", "ask for `cleanup_sessions`", clean),
    step!(Act, "what is older than {int} hours is cleaned up twice at once", "ask for `cleanup_sessions` together", clean_twice),
    step!(
        Act,
        "a delegation is about to happen: {string}",
        "run the hook `pre_delegate` on this input; `$A` is the id of session A",
        before
    ),
    step!(Act, "an agent has stopped: {string}", "run the hook `subagent_stop` on this input; `$A` is the id of session A", after),
    step!(Act, "{string} is remembered", "read a session's record, to be compared later", remember),
];

/// The ids that scenarios create sessions with, by name.
pub(crate) const IDS: &[(&str, &str)] = &[
    ("empty", ""),
    ("parent", "../outsider"),
    ("far parent", "a/../../outsider"),
    ("absolute", "/proc/outsider"),
    ("slash", "out/outsider"),
    ("backslash", "..\\outsider"),
    ("hidden", ".outsider"),
    ("dots", "outsider..x"),
    ("line break", "outsider\nx"),
    (
        "129 characters",
        concat!(
            "outsider-0123456789-0123456789-0123456789-0123456789-0123456789-",
            "outsider-0123456789-0123456789-0123456789-0123456789-0123456789-x"
        ),
    ),
];

fn fresh(agent: &str, metadata: &str) -> Args {
    args([("agent_name", agent.into()), ("purpose", "approval_workflow".into()), ("metadata", value(metadata))])
}

async fn created(w: &mut StoreWorld, label: &str, given: Args) -> Done {
    let answer = w.ask("create_session", given).await?;
    if let Some(id) = answer.result.as_ref().ok().and_then(|result| result.get("session_id")).and_then(Value::as_str) {
        w.state.sessions.push(StoredSession { label: label.to_owned(), id: id.to_owned(), remembered: None });
    }
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn create(w: &mut StoreWorld, a: &Arguments) -> Done {
    created(w, a.text(0), fresh(AGENT, "null")).await
}

async fn create_with(w: &mut StoreWorld, a: &Arguments) -> Done {
    created(w, a.text(0), fresh(AGENT, a.text(1))).await
}

async fn create_of(w: &mut StoreWorld, a: &Arguments) -> Done {
    created(w, a.text(0), fresh(a.text(1), a.text(2))).await
}

async fn create_with_id(w: &mut StoreWorld, a: &Arguments) -> Done {
    let mut id = IDS.iter().find(|(name, _)| *name == a.text(0)).map_or(a.text(0), |(_, id)| id).to_owned();
    // Where it is known, a place that could be written to: the store's own neighbourhood, which goes with the scenario.
    if let (true, Ok(root)) = (id.starts_with('/'), w.store_root()) {
        id = root.with_file_name(OUTSIDER).display().to_string();
    }
    let mut given = fresh(AGENT, "null");
    given.insert("session_id".into(), id.into());
    created(w, OUTSIDER, given).await
}

async fn create_again(w: &mut StoreWorld, a: &Arguments) -> Done {
    let mut given = fresh("somebody-else", "null");
    given.insert("session_id".into(), w.kept_id(a.text(0))?.into());
    w.ask("create_session", given).await?;
    Ok(())
}

async fn create_at_once(w: &mut StoreWorld, a: &Arguments) -> Done {
    let create = |n: usize| w.driver.call("create_session", fresh(&format!("agent-{n}"), "null"));
    w.earlier = join_all((0..a.number(0)).map(create)).await;
    Ok(())
}

async fn asked(w: &mut StoreWorld, operation: &'static str, given: Args) -> Done {
    let answer = w.ask(operation, given).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn update(w: &mut StoreWorld, label: &str, phase: Value, metadata: Value, error: Value) -> Done {
    let id = w.kept_id(label)?.into();
    asked(w, "update_state", args([("session_id", id), ("phase", phase), ("metadata", metadata), ("error", error)])).await
}

async fn moves(w: &mut StoreWorld, a: &Arguments) -> Done {
    update(w, a.text(0), a.text(1).into(), Value::Null, Value::Null).await
}

async fn notes(w: &mut StoreWorld, a: &Arguments) -> Done {
    update(w, a.text(0), Value::Null, value(a.text(1)), Value::Null).await
}

async fn errs(w: &mut StoreWorld, a: &Arguments) -> Done {
    update(w, a.text(0), Value::Null, Value::Null, a.text(1).into()).await
}

async fn all_three(w: &mut StoreWorld, a: &Arguments) -> Done {
    update(w, a.text(0), a.text(1).into(), value(a.text(2)), a.text(3).into()).await
}

async fn at_once(w: &mut StoreWorld, a: &Arguments) -> Done {
    update_beside(w, a.number(0), a.text(1), 1).await
}

async fn writers(w: &mut StoreWorld, a: &Arguments) -> Done {
    update_beside(w, a.number(0), a.text(1), a.number(2)).await
}

/// Each update names a phase and a key of its own: afterwards there is a trace of every one.
async fn update_beside(w: &mut StoreWorld, writers: usize, label: &str, times: usize) -> Done {
    let id = w.kept_id(label)?;
    let driver = w.driver.clone();
    let update = |n: usize| {
        let metadata = json!({ format!("update-{n}"): n });
        driver.call("update_state", args([("session_id", id.as_str().into()), ("phase", "investigating".into()), ("metadata", metadata)]))
    };
    let write = |writer: usize| async move {
        if writer > 0 {
            // The reader comes after the first and before the others: however fast they are, it reads during the updates.
            tokio::task::yield_now().await;
        }
        futures::stream::iter(writer * times..(writer + 1) * times).then(update).collect::<Vec<_>>().await
    };
    let done = Cell::new(false);
    let updates = async {
        let answers = join_all((0..writers).map(write)).await.concat();
        done.set(true);
        answers
    };
    let reads = async {
        let mut answers = Vec::new();
        while !done.get() && answers.len() < READINGS {
            answers.push(driver.call("get_session", args([("session_id", id.as_str().into())])).await);
        }
        answers
    };
    let (mut answers, read) = tokio::join!(biased; updates, reads);
    answers.extend(read);
    w.earlier = answers;
    Ok(())
}

/// The first is not killed, and shows how long an update takes. Golden-ratio steps through that time, and a little more, miss
/// no part of it.
async fn killed(w: &mut StoreWorld, a: &Arguments) -> Done {
    let id = w.kept_id(a.text(1))?;
    let update = |n: u64| {
        let metadata = json!({ "killed": n, "pad": "x".repeat(KILLED_PAD) });
        args([("session_id", id.as_str().into()), ("phase", "investigating".into()), ("metadata", metadata)])
    };
    let began = Instant::now();
    asked(w, "update_state", update(0)).await?;
    let mut takes = began.elapsed().mul_f64(1.2);
    for n in (1..=a.number(0)).take_while(|_| began.elapsed() < KILLED_FOR) {
        let after = takes.mul_f64((n as f64 * 0.618_033_988_749_895).fract());
        let asked = Instant::now();
        let answer = w.driver.call_killed("update_state", update(n), after).await;
        if !matches!(answer.result, Err(CallError::TimedOut { .. })) {
            // It was over before its instant: the first may have taken long for reasons of its own.
            takes = takes.min(asked.elapsed());
        }
        let read = w.driver.call("get_session", args([("session_id", id.as_str().into())])).await;
        w.state.killed.push((answer, read));
    }
    Ok(())
}

async fn decide(w: &mut StoreWorld, a: &Arguments) -> Done {
    let id = w.kept_id(a.text(0))?.into();
    asked(w, "should_resume", args([("session_id", id)])).await
}

async fn decide_never(w: &mut StoreWorld, _: &Arguments) -> Done {
    asked(w, "should_resume", args([("session_id", NEVER.into())])).await
}

async fn move_never(w: &mut StoreWorld, a: &Arguments) -> Done {
    asked(w, "update_state", args([("session_id", NEVER.into()), ("phase", a.text(0).into())])).await
}

async fn finalize(w: &mut StoreWorld, a: &Arguments) -> Done {
    let id = w.kept_id(a.text(0))?.into();
    asked(w, "finalize_session", args([("session_id", id), ("outcome", a.text(1).into())])).await
}

async fn finalize_with(w: &mut StoreWorld, a: &Arguments) -> Done {
    let id = w.kept_id(a.text(0))?.into();
    asked(w, "finalize_session", args([("session_id", id), ("outcome", a.text(1).into()), ("summary", a.text(2).into())])).await
}

async fn list(w: &mut StoreWorld, _: &Arguments) -> Done {
    asked(w, "list_sessions", Args::new()).await
}

async fn list_active(w: &mut StoreWorld, _: &Arguments) -> Done {
    asked(w, "list_sessions", args([("active_only", true.into())])).await
}

async fn list_of(w: &mut StoreWorld, a: &Arguments) -> Done {
    asked(w, "list_sessions", args([("agent_name", a.text(0).into())])).await
}

async fn clean(w: &mut StoreWorld, a: &Arguments) -> Done {
    asked(w, "cleanup_sessions", args([("hours", a.number::<i64>(0).into())])).await
}

async fn clean_twice(w: &mut StoreWorld, a: &Arguments) -> Done {
    let hours = a.number::<i64>(0);
    let clean = |_| w.driver.call("cleanup_sessions", args([("hours", hours.into())]));
    w.earlier = join_all((0..2).map(clean)).await;
    Ok(())
}

async fn before(w: &mut StoreWorld, a: &Arguments) -> Done {
    let input = w.with_ids(a.text(0)).into();
    asked(w, "pre_delegate", args([("input", input)])).await
}

async fn after(w: &mut StoreWorld, a: &Arguments) -> Done {
    let input = w.with_ids(a.text(0)).into();
    asked(w, "subagent_stop", args([("input", input)])).await
}

async fn remember(w: &mut StoreWorld, a: &Arguments) -> Done {
    let record = w.record_of(a.text(0)).await?.map_err(|answer| crate::engine::world::Stop::Blocked(answer.claim()))?;
    w.state.sessions.iter_mut().filter(|kept| kept.label == a.text(0)).for_each(|kept| kept.remembered = Some(record.clone()));
    Ok(())
}
