//! Checks of answers, as they came.

use crate::sut::recorder::Answered;

use super::act_agent::is_back;
use super::sessions::ManagerWorld;
use crate::engine::steps::kind;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(
        Check,
        "the answer is that of an ended session",
        "`session_not_found` or `session_ended`, or data of a session that is listed as ended",
        of_ended
    ),
    step!(Check, "the answer names session {string}", "the last answer's `session_id` is that session's", names),
    step!(Check, "the answers agree", "the answers of the repeated reads are the same", agree),
    step!(Check, "the manager came back", "it was ready again when it was started again; where not, nothing else is asked", came_back),
    step!(Check, "the sessions can be listed", "`list_sessions` answers", can_list),
    step!(Check, "nothing new is listed", "the list has no session that it had not before the refused request", nothing_new),
];

async fn of_ended(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answer = w.last()?.clone();
    if matches!(answer.word(), "session_not_found" | "session_ended") {
        return Ok(());
    }
    let id = answer.args.get("session_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let listed = w.list().await?;
    let listed_as_ended = answer.result.is_ok()
        && listed.as_ref().is_ok_and(|items| {
            items.iter().any(|item| item.get("session_id").is_some_and(|it| *it == *id) && item.get("status").is_some_and(|s| s == "ended"))
        });
    if listed_as_ended {
        return Ok(());
    }
    let truth = "the session was ended, and is not listed as ended".to_owned();
    w.wrong(None, format!("reading an ended session was answered with `{}`", kind(&answer)), answer.claim(), truth)
}

async fn names(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (answer, id) = (w.last()?.clone(), w.id(a.text(0))?);
    let named = answer.result.as_ref().ok().and_then(|result| result.get("session_id")).and_then(|id| id.as_str());
    if named == Some(id.as_str()) {
        return Ok(());
    }
    w.wrong(Some(a.text(0)), "a repeated request made another session".into(), answer.claim(), format!("the request's session is `{id}`"))
}

async fn agree(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answers = w.earlier.clone();
    let Some(first) = answers.first() else {
        return Err(Stop::CouldNotTest("nothing was read repeatedly".into()));
    };
    let text = |answer: &Answered| answer.result.as_ref().ok().and_then(|result| result.get("text").cloned());
    match answers.iter().find(|other| kind(other) != kind(first) || text(other) != text(first)) {
        None => Ok(()),
        Some(other) => {
            let claimed = format!("first {}, then {}", first.claim(), other.claim());
            w.wrong(None, "repeated reads disagree".into(), claimed, "nothing happened between the reads".into())
        }
    }
}

async fn came_back(w: &mut ManagerWorld, _: &Arguments) -> Done {
    if let Some(gone) = w.state.gone.clone() {
        let truth = "one session's record was overwritten with garbage, and nothing else";
        w.wrong(None, "the manager did not come back with one unreadable record".into(), gone, truth.into())?;
    }
    is_back(w)
}

async fn can_list(w: &mut ManagerWorld, _: &Arguments) -> Done {
    match w.list().await? {
        Ok(_) => Ok(()),
        Err(claimed) => {
            w.wrong(None, "the sessions cannot be listed".into(), claimed, "one record is unreadable, the others are not".into())
        }
    }
}

async fn nothing_new(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let listed = w.list().await?.map_err(Stop::Blocked)?;
    let new: Vec<_> = listed
        .iter()
        .filter_map(|item| item.get("session_id")?.as_str())
        .filter(|id| !w.state.listed_before.iter().any(|before| before.as_str() == *id))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    w.wrong(
        None,
        "a refused request left a session in the list".into(),
        format!("listed: {}", new.join(", ")),
        "nothing was started".into(),
    )
}
