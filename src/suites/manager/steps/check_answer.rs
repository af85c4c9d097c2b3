//! Checks of answers, as they came.

use crate::sut::recorder::Answered;

use super::act_agent::is_back;
use super::act_call::{status_word, true_status};
use super::check_truth::{given_one, none_started_for};
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
    step!(Check, "none of the answers is data", "what was read repeatedly is no session: each answer is an error", no_data),
    step!(Check, "the answers agree", "the answers of the repeated reads are the same", agree),
    step!(Check, "the status of {string} is as it was noted", "the list's word for it is the same, or has become true", as_noted),
    step!(
        Check,
        "the message of {string} is refused, or where no limit is stated delivered whole",
        "`invalid_argument`, and nothing was started or given; or where the manifest states no `message_chars`, all of it arrived",
        beyond_the_limit
    ),
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

async fn no_data(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answers = w.earlier.clone();
    match answers.iter().find(|answer| answer.result.is_ok()) {
        Some(answer) => {
            let message = format!("an id that no session has was read, and answered with `{}`", kind(answer));
            w.wrong(None, message, answer.claim(), "it is the beginning of another session's id".into())
        }
        None => Ok(()),
    }
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

async fn as_noted(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let noted = w.state.noted.get(label).cloned().ok_or_else(|| Stop::CouldNotTest(format!("no status of \"{label}\" was noted")))?;
    let now = status_word(w, label).await?.unwrap_or_else(|| "no status".into());
    let truth = true_status(w, label).await?;
    // One that came late to what is true has not changed by being read.
    let right = now == noted || now == truth.name();
    let claimed = format!("`{noted}`, then `{now}`");
    w.expect(right, label, &format!("the status of session \"{label}\" changed when it was read"), &claimed, "its agent did nothing")
}

async fn beyond_the_limit(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, answer) = (a.text(0), w.last()?.clone());
    let length = answer.args.get("message").and_then(|message| message.as_str()).map_or(0, |message| message.chars().count());
    let limit = match w.message_chars {
        Some(limit) => format!("the manifest states `message_chars = {limit}`"),
        None => format!("the manifest states no `message_chars`; {} is what is taken then", w.longest()),
    };
    match answer.word() {
        "invalid_argument" => nothing_came_of_it(w, label).await,
        "success" if w.message_chars.is_none() => given_one(w, label).await,
        word => {
            let what = if word == "success" { "was taken".to_owned() } else { format!("was answered with `{word}`") };
            let message = format!("a message of {length} characters {what}, which is more than the limit");
            w.wrong(Some(label), message, answer.claim(), format!("{limit}; wanted `invalid_argument`"))
        }
    }
}

/// After a refusal: no agent was started for it, and none was given anything of it.
async fn nothing_came_of_it(w: &mut ManagerWorld, label: &str) -> Done {
    none_started_for(w, label).await?;
    let answer = w.last()?.clone();
    // The first word of a message is its session's and its turn's alone.
    let word = answer.args.get("message").and_then(|message| message.as_str()?.split_whitespace().next());
    let given = w.turns(label)?.into_iter().find(|turn| word.is_some_and(|word| turn.text.contains(word)));
    let truth = given.as_ref().map(|turn| format!("given: {} characters of it", turn.text.chars().count())).unwrap_or_default();
    w.expect(given.is_none(), label, "a message that was refused was given to the agent", &answer.claim(), &truth)
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
