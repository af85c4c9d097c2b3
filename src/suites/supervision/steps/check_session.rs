//! Checks of what a supervisor answers and records.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::contract::Args;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::sut::recorder::shortened;

use super::act_session::OUTSIDER;
use super::sessions::{BRANCH, SupervisionWorld, args, head_file};
use crate::suites::supervision::in_memory::SECRET;

/// The fields that every record has.
const FIELDS: [&str; 17] = [
    "session_id",
    "role",
    "agent",
    "state",
    "reason",
    "health",
    "container_id",
    "engine",
    "image",
    "workspace",
    "branch",
    "started_at",
    "updated_at",
    "transcripts",
    "auto_restart",
    "failures",
    "restarts",
];

pub(crate) const STEPS: &[StepDef<SupervisionWorld>] = &[
    step!(Check, "{string} is {string}", "within the health limit: listed so, inspected so, recorded so", is),
    step!(Check, "{string} is {string} at once", "without waiting", is_at_once),
    step!(Check, "{string} is healthy", "within the health limit, as it is recorded", healthy),
    step!(Check, "{string} is unhealthy", "within the health limit, as it is recorded, and in the state it was in", unhealthy),
    step!(
        Check,
        "the record of {string} is there, and whole",
        "every field, right after the answer; its session, container, agent and branch",
        whole
    ),
    step!(Check, "the record of {string} names its branch", "the one that it was started on, and that its workspace is on", names_branch),
    step!(Check, "the record of {string} is its owner's alone", "no permission for anybody else", private),
    step!(Check, "what was held open is the record of before", "a record is replaced, not overwritten", held_whole),
    step!(Check, "no value of the supervisor's environment is in the record of {string}", "nor its key", no_secret),
    step!(Check, "nothing lies outside of the registry", "no file or folder of that name", inside),
    step!(
        Check,
        "the record of {string} names the container that runs",
        "the id of the container in which its agent lives",
        names_container
    ),
    step!(Check, "nothing was torn, and nothing was left", "of what was tried over and over", nothing_tried),
    step!(Check, "there is no live record", "no session is recorded as alive", no_live_record),
    step!(Check, "the record that cannot be read is told of", "the list names its path and why", told_of),
    step!(Check, "{string} is listed as {string}", "an id, and the state that the list shows", listed_as),
    step!(Check, "the text of {string} has {string} once", "`get_session_data`, within the observation limit", text_has_once),
    step!(Check, "the text of {string} has no {string}", "`get_session_data`", text_has_no),
    step!(Check, "the health of {string} is told", "the last answer names it, its failures, and whether it is well", health_told),
    step!(Check, "the workspace of {string} is on the branch {string}", "nothing was checked out over its work", is_on),
    step!(Check, "the second supervisor was refused", "it says that there is another one on the registry", refused),
];

/// What the list, the record that is answered and the one that lies there say of a session's state.
async fn states(w: &mut SupervisionWorld, label: &str) -> Result<[String; 3], Stop> {
    let id = w.id(label)?;
    let listed = w.ask_aside("list_sessions", Args::new()).await?;
    let entries = listed.result.as_ref().ok().and_then(|result| result.get("sessions")?.as_array().cloned()).unwrap_or_default();
    let entry = entries.into_iter().find(|entry| entry["session_id"] == id.as_str()).unwrap_or_default();
    let inspected = w.ask_aside("inspect_session", args([("session_id", id.as_str().into())])).await?;
    let record = inspected.result.ok().and_then(|result| result.get("session").cloned()).unwrap_or_default();
    let file = w.record_file(label)?.unwrap_or_default();
    let word = |value: &Value| value["state"].as_str().unwrap_or("absent").to_owned();
    Ok([word(&entry), word(&record), word(&file)])
}

fn differs(states: &[String; 3], wanted: &str) -> Option<String> {
    let [listed, inspected, recorded] = states;
    let right = states.iter().all(|state| state == wanted);
    (!right).then(|| format!("listed as `{listed}`, inspected as `{inspected}`, recorded as `{recorded}`"))
}

async fn is(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let limit = w.health_limit()?;
    let wrong = w.in_time(limit, async |w| Ok(differs(&states(w, a.text(0)).await?, a.text(1)))).await?;
    is_wrong(w, a, wrong)
}

async fn is_at_once(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let wrong = differs(&states(w, a.text(0)).await?, a.text(1));
    is_wrong(w, a, wrong)
}

fn is_wrong(w: &mut SupervisionWorld, a: &Arguments, wrong: Option<String>) -> Done {
    match wrong {
        None => Ok(()),
        Some(claim) => {
            w.wrong(Some(a.text(0)), format!("session \"{}\" is not `{}`", a.text(0), a.text(1)), claim, format!("wanted: {}", a.text(1)))
        }
    }
}

async fn recorded_health(w: &mut SupervisionWorld, label: &str, wanted: &str, state_too: bool) -> Done {
    let limit = w.health_limit()?;
    let wrong = w
        .in_time(limit, async |w| {
            let record = w.record_file(label)?.unwrap_or_default();
            let right = record["health"] == wanted && (!state_too || record["state"] == "running");
            Ok((!right).then(|| format!("health {}, state {}", record["health"], record["state"])))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(claim) => w.wrong(Some(label), format!("the health of \"{label}\" is not `{wanted}`"), claim, format!("wanted: {wanted}")),
    }
}

async fn healthy(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    recorded_health(w, a.text(0), "ok", false).await
}

async fn unhealthy(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    recorded_health(w, a.text(0), "failed", true).await
}

async fn whole(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, file) = (a.text(0), w.record_file(a.text(0))?);
    let Some(record) = file else {
        return w.wrong(
            Some(label),
            format!("there is no record of \"{label}\""),
            "the session was started".into(),
            "nothing lies there".into(),
        );
    };
    let missing: Vec<&str> = FIELDS.into_iter().filter(|field| record.get(field).is_none()).collect();
    let agent = w.agents[0].name();
    let container = w.container(label)?.id;
    let right = record["session_id"] == w.id(label)?.as_str()
        && record["agent"] == agent
        && record["state"] == "running"
        && record["container_id"] == container.as_str()
        && record["workspace"] == w.one(label)?.workspace.display().to_string();
    w.expect(
        missing.is_empty() && right,
        label,
        &format!("the record of \"{label}\" is not whole"),
        &shortened(&record.to_string()),
        &format!("missing: {missing:?}; it runs {agent} in {container}"),
    )
}

async fn names_branch(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let record = w.record_file(label)?.unwrap_or_default();
    let head = std::fs::read_to_string(head_file(&w.one(label)?.workspace)).unwrap_or_default();
    let right = record["branch"] == BRANCH && head.trim() == format!("ref: refs/heads/{BRANCH}");
    w.expect(right, label, &format!("the record of \"{label}\" names another branch"), &record["branch"].to_string(), head.trim())
}

async fn private(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let mode = std::fs::metadata(&path).map(|file| file.permissions().mode() & 0o777).unwrap_or(0o777);
    let message = format!("the record of \"{}\" is open to others", a.text(0));
    w.expect(mode & 0o077 == 0, a.text(0), &message, &format!("mode {mode:o}"), "wanted: 600")
}

async fn held_whole(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let (mut file, before) = w.state.held.take().ok_or_else(|| Stop::CouldNotTest("no record is held open".into()))?;
    let mut now = Vec::new();
    let read = file.read_to_end(&mut now);
    let (claim, truth) = (shortened(&String::from_utf8_lossy(&now)), shortened(&String::from_utf8_lossy(&before)));
    match read.is_ok() && now == before {
        true => Ok(()),
        false => w.wrong(None, "a record was written over where it lies".into(), claim, truth),
    }
}

async fn no_secret(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let text = std::fs::read_to_string(w.record_path(a.text(0))?).unwrap_or_default();
    let message = format!("the record of \"{}\" holds a value of the supervisor's environment", a.text(0));
    let held = text.contains(SECRET.1) || text.contains(SECRET.0);
    w.expect(!text.is_empty() && !held, a.text(0), &message, SECRET.0, "no key and no value of the environment belongs into a record")
}

/// Whether a file or folder of an outsider lies below a folder, that of the registry's own records left out.
fn outsiders(below: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(below).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().contains(OUTSIDER) {
            found.insert(path.display().to_string());
        } else if path.is_dir() {
            outsiders(&path, found);
        }
    }
}

async fn inside(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let mut found = BTreeSet::new();
    outsiders(&w.scene()?.folder(), &mut found);
    match found.is_empty() {
        true => Ok(()),
        false => w.wrong(
            None,
            "something lies where no session of that name may put it".into(),
            format!("{found:?}"),
            "the name was refused".into(),
        ),
    }
}

async fn names_container(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let record = w.record_file(label)?.unwrap_or_default();
    let living: Vec<String> = w.containers(label)?.into_iter().filter(|it| it.agent.is_some()).map(|it| it.id).collect();
    let right = living.len() == 1 && record["container_id"] == living[0].as_str();
    w.expect(
        right,
        label,
        &format!("the record of \"{label}\" names another container"),
        &record["container_id"].to_string(),
        &living.join(", "),
    )
}

async fn nothing_tried(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    match w.state.tried.clone() {
        wrong if wrong.is_empty() => Ok(()),
        wrong => {
            w.wrong(None, "what a killed supervisor left is not what it owes".into(), wrong[0].clone(), format!("{} times", wrong.len()))
        }
    }
}

async fn no_live_record(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let mut live = Vec::new();
    let agents = w.scene()?.registry();
    let agents =
        agents.ok_or_else(|| Stop::Skipped("the manifest names no place of a session's record (`[supervision] record`)".into()))?;
    for role in std::fs::read_dir(&agents).into_iter().flatten().filter_map(Result::ok) {
        for session in std::fs::read_dir(role.path()).into_iter().flatten().filter_map(Result::ok) {
            let text = std::fs::read_to_string(session.path().join("state.json")).unwrap_or_default();
            let record: Value = serde_json::from_str(&text).unwrap_or_default();
            if ["starting", "running", "paused"].iter().any(|state| record["state"] == *state) {
                live.push(format!("{}: {}", session.path().display(), record["state"]));
            }
        }
    }
    match live.is_empty() {
        true => Ok(()),
        false => w.wrong(None, "a session that never was is recorded as alive".into(), live.join("; "), "its start failed".into()),
    }
}

async fn told_of(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let wanted = w.state.unreadable.clone().ok_or_else(|| Stop::CouldNotTest("no record was made unreadable".into()))?;
    let answer = w.ask_aside("list_sessions", Args::new()).await?;
    let skipped = answer.result.as_ref().ok().and_then(|result| result.get("skipped")?.as_array().cloned()).unwrap_or_default();
    let told = skipped.iter().any(|it| {
        it["path"].as_str().is_some_and(|path| path.ends_with(&wanted)) && it["reason"].as_str().is_some_and(|why| !why.is_empty())
    });
    match told {
        true => Ok(()),
        false => w.wrong(
            None,
            "a record that cannot be read is passed over in silence".into(),
            answer.claim(),
            format!("{wanted} cannot be read"),
        ),
    }
}

async fn listed_as(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let answer = w.ask_aside("list_sessions", Args::new()).await?;
    let entries = answer.result.as_ref().ok().and_then(|result| result.get("sessions")?.as_array().cloned()).unwrap_or_default();
    let right = entries.iter().any(|entry| entry["session_id"] == a.text(0) && entry["state"] == a.text(1));
    match right {
        true => Ok(()),
        false => w.wrong(
            None,
            format!("the session {:?} is not listed as `{}`", a.text(0), a.text(1)),
            answer.claim(),
            "its record lies there".into(),
        ),
    }
}

async fn text(w: &mut SupervisionWorld, label: &str) -> Result<String, Stop> {
    let id = w.id(label)?;
    let answer = w.ask_aside("get_session_data", args([("session_id", id.into())])).await?;
    Ok(answer.result.ok().and_then(|result| Some(result.get("text")?.as_str()?.to_owned())).unwrap_or_default())
}

async fn text_has_once(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, wanted, limit) = (a.text(0), a.text(1), w.limits.observe);
    let wrong = w
        .in_time(limit, async |w| {
            let text = text(w, label).await?;
            let count = text.matches(wanted).count();
            Ok((count != 1).then(|| format!("{count} times in {:?}", shortened(&text))))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(claim) => {
            w.wrong(Some(label), format!("the text of \"{label}\" has not {wanted:?} once"), claim, "its agent wrote it once".into())
        }
    }
}

async fn text_has_no(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let text = text(w, a.text(0)).await?;
    let message = format!("the text of \"{}\" has {:?}", a.text(0), a.text(1));
    w.expect(!text.contains(a.text(1)), a.text(0), &message, &shortened(&text), "nobody wrote that to be read")
}

async fn health_told(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (id, answer) = (w.id(a.text(0))?, w.last()?.clone());
    let checks = answer.result.as_ref().ok().and_then(|result| result.get("checks")?.as_array().cloned()).unwrap_or_default();
    let told = checks.iter().any(|check| check["session_id"] == id.as_str() && check["healthy"] == true && check["failures"] == 0);
    w.expect(told, a.text(0), "the answer does not say that the session is well", &answer.claim(), "its agent answers")
}

async fn is_on(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let head = std::fs::read_to_string(head_file(&w.one(a.text(0))?.workspace)).unwrap_or_default();
    let right = head.trim() == format!("ref: refs/heads/{}", a.text(1));
    let message = format!("the workspace of \"{}\" was put on another branch", a.text(0));
    w.expect(right, a.text(0), &message, head.trim(), &format!("it was on `{}`", a.text(1)))
}

async fn refused(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    match w.state.second.clone() {
        Some(Err(why)) if why.contains("another") => Ok(()),
        Some(said) => w.wrong(None, "two supervisors are on one registry".into(), format!("{said:?}"), "the first one runs".into()),
        None => Err(Stop::CouldNotTest("no second supervisor was started".into())),
    }
}
