//! Checks of what the manager says of a session, in its list and on reading.

use crate::contract::{Args, Status};

use super::check_truth::{noticed_nothing, settle};
use super::sessions::ManagerWorld;
use crate::engine::steps::{is_data, kind};
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::trace::settings::Processes;

/// How many looks "at every look" takes.
const LOOKS: usize = 5;

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Check, "session {string} has an id of its own", "its id is not empty and nobody else's in this scenario", own_id),
    step!(Check, "all sessions are distinct", "ids, agents' processes and files: none is shared", distinct),
    step!(Check, "session {string} is observable", "bring it to its observable phase and wait until it is listed and readable", observable),
    step!(Check, "every session is observable", "the same for every session", every_observable),
    step!(
        Check,
        "session {string} is listed and readable within the observe limit",
        "list and data come within the observe limit",
        readable
    ),
    step!(Check, "session {string} is listed and readable at the first look", "list and data are there at once", readable_now),
    step!(Check, "session {string} is listed and readable at every look", "five looks in a row all find it", readable_always),
    step!(Check, "every other session than {string} is listed and readable", "list and data come for all others", others_readable),
    step!(Check, "session {string} is listed with its agent", "the list's `agent` is the session's", with_agent),
    step!(
        Check,
        "session {string} is not called ended",
        "no account says that it is over: neither the list's status nor the answer to a read",
        not_ended
    ),
    step!(Check, "session {string} is not listed as alive", "the list leaves it out, or its status is not alive", not_listed_alive),
    step!(Check, "session {string} is not listed", "the list leaves it out", not_listed),
    step!(Check, "no session is listed as alive", "the same for every session", none_listed_alive),
    step!(
        Check,
        "session {string} is not called alive within the announce limit",
        "its status is not alive, it is not listed, or it was announced as ended",
        not_alive
    ),
    step!(
        Check,
        "the start of {string} failed, or {string} is not called alive",
        "`agent_failed`, or a session whose status is not alive",
        failed_start
    ),
    step!(Check, "session {string} is reported until it is ended", "it is listed (as not alive), or a read still knows it", reported),
    step!(Check, "session {string} is listed as alive, or nothing of it is alive", "nothing runs unlisted", listed_or_gone),
    step!(
        Check,
        "session {string} can be read, or nothing of it is alive",
        "it is listed and readable within the observe limit; of one that was lost nothing runs",
        readable_or_gone
    ),
    step!(Check, "session {string} is unharmed", "its agent lives and noticed nothing, and it is not called ended", unharmed),
    step!(Check, "every session is unharmed", "the same for every session", all_unharmed),
    step!(Check, "every other session than {string} is unharmed", "the same for all others", others_unharmed),
    step!(
        Check,
        "the timeout of {string} is stated",
        "`start_session` answers `timeout_s`, or the manifest states a default",
        timeout_stated
    ),
    step!(
        Check,
        "session {string} times out within {int} s",
        "it is over after its timeout, at most that much later (plus the end limit)",
        times_out
    ),
];

/// What the list says of a session: absent, or its status word (if it gives one).
async fn listed(w: &mut ManagerWorld, label: &str) -> Result<Result<Option<Args>, String>, Stop> {
    let id = w.id(label)?;
    Ok(w.list().await?.map(|items| items.into_iter().find(|item| item.get("session_id").is_some_and(|it| *it == *id.as_str()))))
}

/// The contract's status of a list item; `None` for no or an unknown word.
fn status(item: &Args) -> Option<Status> {
    item.get("status").and_then(|word| word.as_str()).and_then(Status::from_name)
}

fn says_alive(item: &Args) -> bool {
    status(item).is_none_or(Status::is_alive)
}

async fn own_id(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let session = w.session(label)?.clone();
    let claimed = session.started.as_ref().map(|started| started.claim()).unwrap_or_default();
    let Some(id) = session.id else {
        return w.wrong(Some(label), "no session id came back".into(), claimed, "the session was asked for".into());
    };
    if id.as_str().is_empty() {
        return w.wrong(Some(label), "the session id is empty".into(), claimed, "an id must not be empty".into());
    }
    let holder = w.state.all.iter().find(|other| other.label != label && other.id.as_ref() == Some(&id)).map(|other| other.label.clone());
    match holder {
        None => Ok(()),
        Some(other) => {
            let truth = format!("session \"{other}\" was given the id `{id}` before");
            w.wrong(Some(label), "a session id was used twice".into(), claimed, truth)
        }
    }
}

async fn distinct(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let labels: Vec<String> = w.state.all.iter().map(|session| session.label.clone()).collect();
    for (at, label) in labels.iter().enumerate() {
        let session = w.session(label)?.clone();
        let Some(id) = &session.id else {
            let claimed = session.started.as_ref().map(|started| started.claim()).unwrap_or_default();
            w.wrong(Some(label), format!("session \"{label}\" was not started"), claimed, "all were asked for at once".into())?;
            continue;
        };
        if w.bind(label).await?.is_none() {
            let truth = "fewer agents run than sessions were started".to_owned();
            w.wrong(Some(label), format!("session \"{label}\" has no agent of its own"), format!("started as `{id}`"), truth)?;
        }
        for other in &labels[..at] {
            if w.session(other)?.id.as_ref() == Some(id) {
                w.wrong(
                    Some(label),
                    format!("sessions \"{other}\" and \"{label}\" share an id"),
                    format!("both are `{id}`"),
                    "two were started".into(),
                )?;
            }
        }
    }
    Ok(())
}

/// What is wrong with the list or the data of a session that must be observable; `None` when both are right.
async fn look(w: &mut ManagerWorld, label: &str) -> Result<Option<(String, String)>, Stop> {
    match listed(w, label).await? {
        Err(claimed) => return Ok(Some(("the list could not be had".into(), claimed))),
        Ok(None) => return Ok(Some(("it is missing from the list".into(), "list_sessions: without it".into()))),
        Ok(Some(item)) if !says_alive(&item) => {
            return Ok(Some(("the list does not call it alive".into(), format!("list_sessions: {}", serde_json::Value::from(item)))));
        }
        Ok(Some(_)) => {}
    }
    let answer = w.read(label, None).await?;
    Ok((!is_data(&answer)).then(|| (format!("reading it gives `{}`, not data", kind(&answer)), answer.claim())))
}

async fn look_within(w: &mut ManagerWorld, label: &str, limit: std::time::Duration) -> Done {
    let mut stop = None;
    let mut claimed = String::new();
    let wrong = w
        .within(limit, async |w| match look(w, label).await {
            Err(stopped) => {
                stop = Some(stopped);
                None
            }
            Ok(None) => None,
            Ok(Some((wrong, said))) => {
                claimed = said;
                Some(wrong)
            }
        })
        .await;
    if let Some(stopped) = stop {
        return Err(stopped);
    }
    match wrong {
        None => {
            w.state.seen_observable.insert(label.to_owned());
            Ok(())
        }
        Some(wrong) => {
            let truth = format!("its agent lives and has passed the phase from which it is observable; limit {} ms", limit.as_millis());
            w.wrong(Some(label), format!("session \"{label}\" is not observable: {wrong}"), claimed, truth)
        }
    }
}

async fn observable(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.reach_phase(a.text(0)).await?;
    readable(w, a).await
}

async fn every_observable(w: &mut ManagerWorld, _: &Arguments) -> Done {
    for label in w.labels() {
        w.reach_phase(&label).await?;
        look_within(w, &label, w.limits.observe).await?;
    }
    Ok(())
}

async fn readable(w: &mut ManagerWorld, a: &Arguments) -> Done {
    look_within(w, a.text(0), w.limits.observe).await
}

async fn readable_now(w: &mut ManagerWorld, a: &Arguments) -> Done {
    look_within(w, a.text(0), std::time::Duration::ZERO).await
}

async fn readable_always(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for _ in 0..LOOKS {
        look_within(w, a.text(0), std::time::Duration::ZERO).await?;
    }
    Ok(())
}

async fn readable_or_gone(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let is_listed = matches!(listed(w, a.text(0)).await?, Ok(Some(_)));
    if is_listed || !w.alive(a.text(0))?.is_empty() { readable(w, a).await } else { Ok(()) }
}

fn others(w: &ManagerWorld, label: &str) -> Vec<String> {
    w.labels().into_iter().filter(|other| other != label).collect()
}

async fn others_readable(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for label in others(w, a.text(0)) {
        look_within(w, &label, w.limits.observe).await?;
    }
    Ok(())
}

async fn with_agent(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let agent = w.session(a.text(0))?.agent;
    let item = listed(w, a.text(0)).await?.map_err(Stop::Blocked)?;
    let right = item.as_ref().is_some_and(|item| item.get("agent").is_some_and(|it| *it == *agent.name()));
    let claimed = item.map_or_else(|| "not listed".into(), |item| serde_json::Value::from(item).to_string());
    w.expect(right, a.text(0), "the list does not tell the session's agent", &claimed, agent.name())
}

async fn not_ended(w: &mut ManagerWorld, a: &Arguments) -> Done {
    alive_by_all_accounts(w, a.text(0)).await
}

/// Every account of a session whose agent lives: never ended; and once observable neither missing nor unknown.
async fn alive_by_all_accounts(w: &mut ManagerWorld, label: &str) -> Done {
    if w.bind(label).await?.is_none() && w.is_to_run(label)? {
        return Err(Stop::Blocked(format!("no agent was ever started for session \"{label}\"")));
    }
    let truth = match w.lives(label)? {
        Ok(truth) => truth,
        Err(dead) => {
            let claimed = w.session(label)?.started.as_ref().map(|started| started.claim()).unwrap_or_default();
            let message = format!("the agent of session \"{label}\" {dead}");
            return w.wrong(Some(label), message, claimed, "nothing asked for its end".into());
        }
    };
    let seen = w.state.seen_observable.contains(label);
    match listed(w, label).await? {
        Ok(Some(item)) if !says_alive(&item) => {
            let claimed = serde_json::Value::from(item).to_string();
            w.wrong(Some(label), format!("the list calls session \"{label}\" ended"), claimed, truth.clone())?;
        }
        Ok(None) if seen => {
            w.wrong(Some(label), format!("observable session \"{label}\" is missing from the list"), "absent".into(), truth.clone())?;
        }
        Err(claimed) => w.wrong(Some(label), "the list could not be had".into(), claimed, truth.clone())?,
        Ok(_) => {}
    }
    let answer = w.read(label, None).await?;
    // Whatever else is wrong with an answer, it does not say that the session is over: LC-OBS-2 and LC-OBS-3 judge it.
    let right = match kind(&answer) {
        "session_ended" => false,
        "session_not_found" => !seen,
        _ => true,
    };
    w.expect(right, label, &format!("reading session \"{label}\" gives `{}`", kind(&answer)), &answer.claim(), &truth)
}

async fn not_listed_alive(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let item = listed(w, a.text(0)).await?.map_err(Stop::Blocked)?;
    let right = item.as_ref().is_none_or(|item| !says_alive(item));
    let claimed = item.map_or_else(String::new, |item| serde_json::Value::from(item).to_string());
    let truth = match w.alive(a.text(0))?.as_slice() {
        [] => "it is over".to_owned(),
        alive => format!("it was to be over; alive: {}", alive.join(", ")),
    };
    w.expect(right, a.text(0), &format!("session \"{}\" is listed as alive", a.text(0)), &claimed, &truth)
}

async fn not_listed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let item = listed(w, a.text(0)).await?.map_err(Stop::Blocked)?;
    let claimed = item.as_ref().map_or_else(String::new, |item| serde_json::Value::from(item.clone()).to_string());
    w.expect(item.is_none(), a.text(0), &format!("session \"{}\" is still listed", a.text(0)), &claimed, "it was ended")
}

async fn none_listed_alive(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let ids: Vec<_> = w.state.all.iter().filter_map(|session| session.id.clone()).collect();
    let items = w.list().await?.map_err(Stop::Blocked)?;
    for item in items.iter().filter(|item| says_alive(item)) {
        if ids.iter().any(|id| item.get("session_id").is_some_and(|it| *it == *id.as_str())) {
            let claimed = serde_json::Value::from(item.clone()).to_string();
            w.wrong(None, "an ended session is listed as alive".into(), claimed, "every session was ended".into())?;
        }
    }
    Ok(())
}

/// Whether some account still calls a session alive; says which.
async fn called_alive(w: &mut ManagerWorld, label: &str) -> Result<Option<String>, Stop> {
    Ok(match listed(w, label).await? {
        Ok(Some(item)) if says_alive(&item) => Some(format!("list_sessions: {}", serde_json::Value::from(item))),
        Ok(_) => None,
        Err(claimed) => Some(claimed),
    })
}

/// Waits until no account calls a session alive.
pub(crate) async fn not_alive_within(w: &mut ManagerWorld, label: &str, limit: std::time::Duration) -> Result<Option<String>, Stop> {
    let mut stop = None;
    let wrong = w
        .within(limit, async |w| match called_alive(w, label).await {
            Ok(said) => said,
            Err(stopped) => {
                stop = Some(stopped);
                None
            }
        })
        .await;
    stop.map_or(Ok(wrong), Err)
}

async fn not_alive(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let limit = w.limits.announce;
    match not_alive_within(w, a.text(0), limit).await? {
        None => Ok(()),
        Some(claimed) => {
            let truth = format!("its agent has been dead for {} ms", limit.as_millis());
            w.wrong(Some(a.text(0)), format!("session \"{}\" is called alive, but its agent is dead", a.text(0)), claimed, truth)
        }
    }
}

async fn failed_start(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let started = w.session(label)?.started.clone().ok_or_else(|| Stop::CouldNotTest("nothing was started".into()))?;
    match started.word() {
        "agent_failed" => {
            let limit = w.limits.start;
            match nothing_left_within(w, label, limit).await? {
                None => Ok(()),
                Some(claimed) => {
                    let truth = format!("the agent never ran; limit {} ms", limit.as_millis());
                    w.wrong(Some(label), "a failed start left a session that is called alive".into(), claimed, truth)
                }
            }
        }
        "success" => {
            let limit = w.limits.start;
            match not_alive_within(w, label, limit).await? {
                None => Ok(()),
                // Where each turn has a process of its own, what failed is a turn: the session may wait for the next.
                Some(_) if w.process_per == Processes::Turn && waits(w, label).await? => Ok(()),
                Some(claimed) => w.wrong(
                    Some(label),
                    "a session is called alive, but its agent never came up".into(),
                    claimed,
                    "the agent exited at once".into(),
                ),
            }
        }
        word => w.wrong(
            Some(label),
            format!("a start whose agent fails was answered with `{word}`"),
            started.claim(),
            "the agent exited at once".into(),
        ),
    }
}

/// Whether the list says that a session waits to be asked.
async fn waits(w: &mut ManagerWorld, label: &str) -> Result<bool, Stop> {
    Ok(listed(w, label).await?.is_ok_and(|item| item.as_ref().and_then(status) == Some(Status::Waiting)))
}

/// Waits until nothing of a failed start is called alive in the list: nothing in its folder, nothing that was not listed before.
async fn nothing_left_within(w: &mut ManagerWorld, label: &str, limit: std::time::Duration) -> Result<Option<String>, Stop> {
    let cwd = w.session(label)?.cwd.to_string_lossy().into_owned();
    let mut stop = None;
    let left = w
        .within(limit, async |w| match w.list().await {
            Err(stopped) => {
                stop = Some(stopped);
                None
            }
            Ok(Err(claimed)) => Some(claimed),
            Ok(Ok(items)) => {
                let is_new = |item: &Args| {
                    let id = item.get("session_id").and_then(|id| id.as_str());
                    id.is_some_and(|id| !w.state.listed_before.iter().any(|before| before.as_str() == id))
                };
                let left = |item: &&Args| says_alive(item) && (item.get("cwd").is_some_and(|it| *it == *cwd) || is_new(item));
                items.iter().find(left).map(|item| format!("list_sessions: {}", serde_json::Value::from(item.clone())))
            }
        })
        .await;
    stop.map_or(Ok(left), Err)
}

async fn reported(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    if listed(w, label).await?.map_err(Stop::Blocked)?.is_some() {
        return Ok(());
    }
    let answer = w.read(label, None).await?;
    let right = matches!(kind(&answer), "data" | "session_ended");
    w.expect(right, label, &format!("session \"{label}\" vanished before it was ended"), &answer.claim(), "nobody asked for its end")
}

async fn listed_or_gone(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    match listed(w, label).await? {
        Ok(Some(item)) if says_alive(&item) => return Ok(()),
        Ok(_) => {}
        Err(claimed) => return w.wrong(Some(label), "the list could not be had".into(), claimed, "the manager is up again".into()),
    }
    let mut alive = Vec::new();
    let limit = w.limits.end;
    let wrong = w
        .within(limit, async |w| {
            alive = w.alive(label).unwrap_or_default();
            (!alive.is_empty()).then(String::new)
        })
        .await;
    match wrong {
        None => Ok(()),
        Some(_) => w.wrong(
            Some(label),
            format!("session \"{label}\" runs unlisted"),
            "list_sessions: not alive or absent".into(),
            format!("alive: {}", alive.join(", ")),
        ),
    }
}

/// What was harmed is told once, however many there are and however often it is looked at.
async fn unharmed_all(w: &mut ManagerWorld, labels: Vec<String>) -> Done {
    settle(w).await;
    let before = w.found().len();
    let mut harmed = Vec::new();
    for label in labels.into_iter().filter(|label| !w.state.harmed.contains(label)).collect::<Vec<_>>() {
        let found = w.found().len();
        noticed_nothing(w, &label).await?;
        if w.found().len() == found {
            alive_by_all_accounts(w, &label).await?;
        }
        if w.found().len() > found {
            harmed.push(label);
        }
    }
    w.as_one_finding(before, &harmed);
    w.state.harmed.extend(harmed);
    Ok(())
}

async fn unharmed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    unharmed_all(w, vec![a.text(0).to_owned()]).await
}

async fn all_unharmed(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let labels = w.labels();
    unharmed_all(w, labels).await
}

async fn others_unharmed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let labels = others(w, a.text(0));
    unharmed_all(w, labels).await
}

async fn timeout_stated(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let started = w.session(a.text(0))?.started.clone().ok_or_else(|| Stop::CouldNotTest("nothing was started".into()))?;
    let stated = started.result.as_ref().is_ok_and(|result| result.get("timeout_s").is_some_and(|t| t.as_f64().is_some_and(|t| t > 0.0)));
    let is_other = |result: &Args| Some(result.get("timeout_s")?.as_f64()? != w.session(a.text(0)).ok()?.timeout_s? as f64);
    if started.result.as_ref().is_ok_and(|result| is_other(result) == Some(true)) {
        let truth = "the start named the timeout".to_owned();
        return w.wrong(Some(a.text(0)), "another timeout is stated than was asked for".into(), started.claim(), truth);
    }
    let right = stated || w.default_timeout_s.is_some_and(|t| t > 0.0);
    w.expect(
        right,
        a.text(0),
        "the session timeout is stated nowhere",
        &started.claim(),
        "neither the answer nor the manifest's `default_timeout_s` says it",
    )
}

async fn times_out(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let limit = std::time::Duration::from_secs(a.number::<u64>(1) * w.state.stretch) + w.limits.end;
    match not_alive_within(w, label, limit).await? {
        None => Ok(()),
        Some(claimed) => {
            let truth = format!("its timeout was {} s", w.session(label)?.timeout_s.unwrap_or_default());
            w.wrong(Some(label), format!("session \"{label}\" did not time out"), claimed, truth)
        }
    }
}
