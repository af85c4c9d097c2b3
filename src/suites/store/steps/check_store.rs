//! Checks of a store: its records, its decisions, its lists, its files.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Number, Value};

use crate::sut::CallError;
use crate::sut::recorder::{Answered, shortened};

use super::act_store::OUTSIDER;
use super::kept::StoreWorld;
use super::kept::value;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

/// How much longer than in virtual time something may seem to have taken in real time, in seconds.
const SLACK_S: f64 = 60.0;

pub(crate) const STEPS: &[StepDef<StoreWorld>] = &[
    step!(Check, "{string} of {string} is {string}", "a field of the record, as `get_session` answers it (JSON); absent is null", field),
    step!(Check, "{string} of {string} is a time", "a field of the record is a time of RFC 3339 in UTC", time),
    step!(Check, "{string} of {string} is about {int}", "a number of the record: exact in virtual time", about),
    step!(Check, "the history of {string} is {string}", "the phases in order, joined by ` > `, and times that do not go back", history),
    step!(Check, "{string} is as it was", "the record is the one that was remembered", as_it_was),
    step!(Check, "it is resumed", "the last decision is to resume", resumed),
    step!(Check, "it is not resumed", "the last decision is not to resume, and it is an answer", not_resumed),
    step!(Check, "the reason is {string}", "the last decision's reason", reason),
    step!(Check, "the list is {string}", "exactly these sessions are listed, in this order", list),
    step!(Check, "{int} were removed", "what the last clean-up counted", removed),
    step!(Check, "{int} were removed by both together", "what the clean-ups at once counted, and that both succeeded", both_removed),
    step!(Check, "{string} is gone", "`get_session` does not find it", gone),
    step!(Check, "{string} is there", "`get_session` answers", there),
    step!(Check, "the file of {string} is gone", "no record lies there any more", file_gone),
    step!(Check, "the file of {string} is there", "a record lies there", file_there),
    step!(Check, "every one of them has an id and a record of its own", "of the sessions that were created at once", own_records),
    step!(Check, "all {int} updates of {string} are in its record", "of the updates that were made at once", all_there),
    step!(Check, "each reading found a whole record", "of the readings during the updates that were made at once", whole),
    step!(
        Check,
        "each kill left the record of before or of after",
        "of the updates that were killed; and none kept those after it from being made",
        old_or_new
    ),
    step!(Check, "what was held open is the whole record of before", "a record is replaced, not overwritten", held_whole),
    step!(Check, "the spoilt record is as it was spoilt", "nobody wrote over it", still_spoilt),
    step!(Check, "the file of {string} is its owner's alone", "no permission for anybody else", private),
    step!(Check, "nothing of it is outside of the store", "no file of that name near the store; where its place is known", inside),
    step!(Check, "what lies elsewhere is untouched", "the file behind the link is there", untouched),
    step!(Check, "{string} is nowhere in the record of {string}", "neither in the answer nor in the file", nowhere),
    step!(Check, "{string} of the answer is {string}", "a field of the last answer, by its path `a/b` (JSON); `$A` is an id", answered),
];

/// The record, or a finding that there is none.
async fn read(w: &mut StoreWorld, label: &str) -> Result<Option<Value>, Stop> {
    match w.record_of(label).await? {
        Ok(record) => Ok(Some(record)),
        Err(answer) => {
            w.wrong(None, format!("the record of \"{label}\" cannot be read"), answer.claim(), "the session was created".into())?;
            Ok(None)
        }
    }
}

/// Whether two JSON values say the same: numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other)),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// Whether two numbers are one: `2` and `2.0` are, an integer and what is left of it as a float are not.
fn same_number(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        (Some(whole), None) | (None, Some(whole)) => {
            let float = if one.is_f64() { one.as_f64() } else { other.as_f64() };
            float.is_some_and(|float| float.fract() == 0.0 && float as i128 == whole)
        }
    }
}

fn said(value: &Value) -> String {
    shortened(&value.to_string())
}

async fn field(w: &mut StoreWorld, a: &Arguments) -> Done {
    let Some(record) = read(w, a.text(1)).await? else { return Ok(()) };
    let (found, wanted) = (record.get(a.text(0)).cloned().unwrap_or_default(), value(&w.with_ids(a.text(2))));
    match same(&found, &wanted) {
        true => Ok(()),
        false => {
            w.wrong(None, format!("`{}` of \"{}\" is wrong", a.text(0), a.text(1)), said(&found), format!("wanted: {}", said(&wanted)))
        }
    }
}

async fn time(w: &mut StoreWorld, a: &Arguments) -> Done {
    let Some(record) = read(w, a.text(1)).await? else { return Ok(()) };
    let found = record.get(a.text(0)).cloned().unwrap_or_default();
    let is_time = found.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok());
    match is_time {
        true => Ok(()),
        false => w.wrong(None, format!("`{}` of \"{}\" is no time in UTC", a.text(0), a.text(1)), said(&found), "it happened".into()),
    }
}

async fn about(w: &mut StoreWorld, a: &Arguments) -> Done {
    let Some(record) = read(w, a.text(1)).await? else { return Ok(()) };
    let (found, wanted) = (record.get(a.text(0)).cloned().unwrap_or_default(), a.number::<u32>(2));
    let slack = if w.is_virtual() { 0.0 } else { SLACK_S };
    let range = f64::from(wanted)..=f64::from(wanted) + slack;
    match found.as_f64().is_some_and(|found| range.contains(&found)) {
        true => Ok(()),
        false => w.wrong(None, format!("`{}` of \"{}\" is wrong", a.text(0), a.text(1)), said(&found), format!("wanted: {wanted}")),
    }
}

async fn history(w: &mut StoreWorld, a: &Arguments) -> Done {
    let Some(record) = read(w, a.text(0)).await? else { return Ok(()) };
    let found = record.get("history").cloned().unwrap_or_default();
    let phases: Vec<&str> = a.text(1).split(" > ").collect();
    let entries = found.as_array().map(Vec::as_slice).unwrap_or_default();
    let right = entries.len() + 1 == phases.len()
        && entries.iter().zip(phases.windows(2)).all(|(entry, step)| entry["from_phase"] == step[0] && entry["to_phase"] == step[1]);
    let times: Vec<Option<jiff::Timestamp>> = entries.iter().map(|entry| entry["timestamp"].as_str()?.parse().ok()).collect();
    if right && times.iter().all(Option::is_some) && times.is_sorted() {
        return Ok(());
    }
    w.wrong(None, format!("the history of \"{}\" is wrong", a.text(0)), said(&found), format!("its phases were {}", a.text(1)))
}

async fn as_it_was(w: &mut StoreWorld, a: &Arguments) -> Done {
    let before = w.kept(a.text(0))?.remembered.clone().ok_or_else(|| Stop::CouldNotTest("nothing was remembered".into()))?;
    let Some(now) = read(w, a.text(0)).await? else { return Ok(()) };
    match same(&now, &before) {
        true => Ok(()),
        false => w.wrong(None, format!("the record of \"{}\" was changed", a.text(0)), said(&now), format!("it was {}", said(&before))),
    }
}

/// What the last decision says: whether to resume, and why.
fn decision(answer: &Answered) -> Option<(bool, &str)> {
    let result = answer.result.as_ref().ok()?;
    let resume = result.get("resume").or_else(|| result.get("should_resume")).or_else(|| result.get("finalized"))?;
    Some((resume.as_bool()?, result.get("reason").and_then(Value::as_str).unwrap_or_default()))
}

async fn decided(w: &mut StoreWorld, wanted: bool) -> Done {
    let answer = w.last()?.clone();
    if decision(&answer).is_some_and(|(resume, _)| resume == wanted) {
        return Ok(());
    }
    let message = if wanted { "a session that can be resumed is not" } else { "a session that cannot be resumed is not refused" };
    w.wrong(None, message.into(), answer.claim(), format!("wanted: {wanted}"))
}

async fn resumed(w: &mut StoreWorld, _: &Arguments) -> Done {
    decided(w, true).await
}

async fn not_resumed(w: &mut StoreWorld, _: &Arguments) -> Done {
    decided(w, false).await
}

async fn reason(w: &mut StoreWorld, a: &Arguments) -> Done {
    let answer = w.last()?.clone();
    match decision(&answer) {
        Some((_, reason)) if a.text(0).split(" or ").any(|word| word == reason) => Ok(()),
        _ => w.wrong(None, "the reason is another".into(), answer.claim(), format!("wanted: {}", a.text(0))),
    }
}

/// The ids of a list, in its order.
fn listed(answer: &Answered) -> Option<Vec<String>> {
    let sessions = answer.result.as_ref().ok()?.get("sessions")?.as_array()?;
    Some(sessions.iter().filter_map(|item| item.get("session_id")?.as_str().map(str::to_owned)).collect())
}

async fn list(w: &mut StoreWorld, a: &Arguments) -> Done {
    let answer = w.last()?.clone();
    let wanted: Vec<&str> = a.text(0).split(", ").filter(|label| !label.is_empty()).collect();
    let found: Option<Vec<String>> = listed(&answer).map(|ids| ids.iter().map(|id| w.label_of(id)).collect());
    if found.as_ref().is_some_and(|found| found.iter().eq(wanted.iter())) {
        return Ok(());
    }
    let claimed = found.map_or_else(|| answer.claim(), |found| format!("listed: {}", found.join(", ")));
    w.wrong(None, "the list is wrong".into(), claimed, format!("wanted: {}", a.text(0)))
}

async fn removed(w: &mut StoreWorld, a: &Arguments) -> Done {
    let answer = w.last()?.clone();
    let count = answer.result.as_ref().ok().and_then(|result| result.get("removed")).and_then(Value::as_u64);
    match count == Some(a.number(0)) {
        true => Ok(()),
        false => w.wrong(None, "the count is wrong".into(), answer.claim(), format!("removed were {}", a.text(0))),
    }
}

async fn both_removed(w: &mut StoreWorld, a: &Arguments) -> Done {
    let counts: Option<Vec<u64>> = w.earlier.iter().map(|answer| answer.result.as_ref().ok()?.get("removed")?.as_u64()).collect();
    if counts.is_some_and(|counts| counts.iter().sum::<u64>() == a.number::<u64>(0)) {
        return Ok(());
    }
    let claimed = w.earlier.iter().map(Answered::claim).collect::<Vec<_>>().join("; ");
    w.wrong(None, "two clean-ups at once do not count what they removed".into(), claimed, format!("removed were {}", a.text(0)))
}

async fn gone(w: &mut StoreWorld, a: &Arguments) -> Done {
    match w.record_of(a.text(0)).await? {
        Err(answer) if answer.word() == "session_not_found" => Ok(()),
        Err(answer) => w.wrong(None, format!("\"{}\" is not gone", a.text(0)), answer.claim(), "wanted: session_not_found".into()),
        Ok(record) => w.wrong(None, format!("\"{}\" is still there", a.text(0)), said(&record), "it was to be removed".into()),
    }
}

async fn there(w: &mut StoreWorld, a: &Arguments) -> Done {
    read(w, a.text(0)).await.map(drop)
}

async fn file_gone(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    match path.exists() {
        false => Ok(()),
        true => w.wrong(None, format!("the corrupt record of \"{}\" stays", a.text(0)), path.display().to_string(), "it is older".into()),
    }
}

async fn file_there(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    match path.exists() {
        true => Ok(()),
        false => {
            w.wrong(None, format!("the corrupt record of \"{}\" is gone", a.text(0)), path.display().to_string(), "it is younger".into())
        }
    }
}

async fn own_records(w: &mut StoreWorld, _: &Arguments) -> Done {
    let answers = w.earlier.clone();
    let mut ids = BTreeSet::new();
    for answer in &answers {
        let id = answer.result.as_ref().ok().and_then(|result| result.get("session_id")).and_then(Value::as_str).unwrap_or_default();
        let of_agent = answer.args.get("agent_name").cloned().unwrap_or_default();
        let read = w.ask("get_session", super::kept::args([("session_id", id.into())])).await?;
        let is_its_own =
            read.result.as_ref().is_ok_and(|result| result.get("session").is_some_and(|record| record["agent_name"] == of_agent));
        if !ids.insert(id.to_owned()) || !is_its_own {
            let message = format!("the session that was created for {of_agent} has no record of its own");
            return w.wrong(
                None,
                message,
                format!("{}; {}", answer.claim(), read.claim()),
                format!("{} were created at once", answers.len()),
            );
        }
    }
    Ok(())
}

async fn all_there(w: &mut StoreWorld, a: &Arguments) -> Done {
    let updates = w.earlier.iter().filter(|answer| answer.operation == "update_state");
    if let Some(failed) = updates.clone().find(|answer| answer.result.is_err()) {
        return w.wrong(None, "an update failed because of others".into(), failed.claim(), "nobody ended the session".into());
    }
    let Some(record) = read(w, a.text(1)).await? else { return Ok(()) };
    let count = a.number::<usize>(0);
    let noted = (0..count).filter(|n| record["metadata"].get(format!("update-{n}")).is_some()).count();
    let told = record["history"].as_array().map_or(0, Vec::len);
    if (noted, told) == (count, count) {
        return Ok(());
    }
    let claimed = format!("{noted} of them are in the metadata, {told} in the history");
    w.wrong(None, "updates were lost".into(), claimed, format!("{count} updates succeeded"))
}

async fn whole(w: &mut StoreWorld, _: &Arguments) -> Done {
    let torn = |answer: &&Answered| {
        answer.operation == "get_session"
            && !answer.result.as_ref().is_ok_and(|result| result.get("session").is_some_and(|record| record["phase"].is_string()))
    };
    if !w.earlier.iter().any(|answer| answer.operation == "get_session") {
        return Err(Stop::CouldNotTest("nobody read during the updates".into()));
    }
    match w.earlier.iter().find(torn).map(Answered::claim) {
        None => Ok(()),
        Some(claimed) => w.wrong(None, "a reader found no whole record".into(), claimed, "the session was being updated".into()),
    }
}

/// What a record of killed updates says: the last that it has, and how often its phase changed.
fn last_killed(read: &Answered) -> Option<(u64, usize)> {
    let record = read.result.as_ref().ok()?.get("session")?;
    Some((record["metadata"]["killed"].as_u64()?, record["history"].as_array()?.len()))
}

async fn old_or_new(w: &mut StoreWorld, _: &Arguments) -> Done {
    let killed = std::mem::take(&mut w.state.killed);
    // Before the first kill one update was made.
    let (mut last, mut changes) = (0, 1);
    for (n, (update, read)) in (1..).zip(&killed) {
        let (before, after) = ((last, changes), (n, changes + 1));
        let said = || format!("{}; {}", update.claim(), read.claim());
        let (found, was_killed) = (last_killed(read), matches!(update.result, Err(CallError::TimedOut { .. })));
        let (problem, fact) = match &update.result {
            Err(_) if !was_killed => ("an update fails after a writer was killed", format!("{} were killed before it", n - 1)),
            _ if found != Some(before) && found != Some(after) => (
                "a killed writer left neither the record of before nor that of after",
                format!("update {n} was killed, {last} was the last before"),
            ),
            Ok(_) if found != Some(after) => ("an update that was answered is not in the record", format!("update {n} was not killed")),
            _ => {
                (last, changes) = found.unwrap_or(before);
                continue;
            }
        };
        return w.wrong(None, problem.into(), said(), fact);
    }
    if !killed.iter().any(|(update, _)| matches!(update.result, Err(CallError::TimedOut { .. }))) {
        return Err(Stop::CouldNotTest("no update could be killed: each was over before its instant".into()));
    }
    Ok(())
}

async fn held_whole(w: &mut StoreWorld, _: &Arguments) -> Done {
    let (mut file, before) = w.state.held.take().ok_or_else(|| Stop::CouldNotTest("nothing was held open".into()))?;
    let mut now = Vec::new();
    match file.read_to_end(&mut now) {
        Ok(_) if now == before => Ok(()),
        _ => {
            let claimed = shortened(&String::from_utf8_lossy(&now));
            w.wrong(
                None,
                "a record was overwritten where it lay".into(),
                claimed,
                "a writer that is killed meanwhile leaves half of it".into(),
            )
        }
    }
}

async fn still_spoilt(w: &mut StoreWorld, _: &Arguments) -> Done {
    let (path, before) = w.state.spoilt.clone().ok_or_else(|| Stop::CouldNotTest("nothing was spoilt".into()))?;
    match std::fs::read(&path) {
        Ok(now) if now == before => Ok(()),
        Ok(now) => w.wrong(
            None,
            "a corrupt record was written over".into(),
            shortened(&String::from_utf8_lossy(&now)),
            "it was left to be looked at".into(),
        ),
        Err(error) => w.wrong(None, "a corrupt record was removed".into(), error.to_string(), "it was left to be looked at".into()),
    }
}

async fn private(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let file = path.metadata().map_err(|error| Stop::CouldNotTest(format!("{}: {error}: check `[store] record`", path.display())))?;
    let mode = file.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => w.wrong(None, "others can get at a record".into(), format!("its mode is {mode:o}"), "wanted: 600".into()),
    }
}

/// Whether something below a folder has the outsider's name; not below the store itself.
fn outsider(folder: &Path, store: &Path) -> Option<String> {
    std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).filter(|path| path != store).find_map(|path| {
        let is_one = path.file_name().is_some_and(|name| name.to_string_lossy().contains(OUTSIDER));
        if is_one {
            Some(path.display().to_string())
        } else if path.is_symlink() {
            None
        } else {
            outsider(&path, store)
        }
    })
}

async fn inside(w: &mut StoreWorld, _: &Arguments) -> Done {
    let Ok(root) = w.store_root() else { return Ok(()) };
    let near = root.parent().and_then(|near| outsider(near, &root));
    match near {
        None => Ok(()),
        Some(path) => w.wrong(None, "a session was written outside of the store".into(), path, format!("the store is {}", root.display())),
    }
}

async fn untouched(w: &mut StoreWorld, _: &Arguments) -> Done {
    let file = w.state.elsewhere.clone().ok_or_else(|| Stop::CouldNotTest("nothing lies elsewhere".into()))?;
    match file.exists() {
        true => Ok(()),
        false => w.wrong(
            None,
            "a clean-up removed what lies outside of the store".into(),
            format!("{} is gone", file.display()),
            "a link led there".into(),
        ),
    }
}

async fn nowhere(w: &mut StoreWorld, a: &Arguments) -> Done {
    let Some(record) = read(w, a.text(1)).await? else { return Ok(()) };
    let file = w.record_path(a.text(1)).ok().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    match record.to_string().contains(a.text(0)) || file.contains(a.text(0)) {
        false => Ok(()),
        true => w.wrong(
            None,
            "a secret was stored".into(),
            said(&record["metadata"]),
            format!("`{}` stood under a key that means a secret", a.text(0)),
        ),
    }
}

async fn answered(w: &mut StoreWorld, a: &Arguments) -> Done {
    let answer = w.last()?.clone();
    let found = answer.result.as_ref().ok().map(|result| Value::Object(result.clone()));
    let found = found.as_ref().and_then(|result| result.pointer(&format!("/{}", a.text(0)))).cloned().unwrap_or_default();
    let wanted = value(&w.with_ids(a.text(1)));
    match same(&found, &wanted) {
        true => Ok(()),
        false => w.wrong(None, format!("`{}` of the answer is wrong", a.text(0)), answer.claim(), format!("wanted: {}", said(&wanted))),
    }
}
