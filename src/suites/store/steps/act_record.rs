//! What happens to a store behind its back: time passes, records are spoilt, others' things lie among the sessions.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kept::StoreWorld;
use super::kept::{no_record, value};
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

/// How much less than a limit passes where it is to be just under it, in virtual time and in real time: there, the answer
/// comes a while after the record was made older.
const JUST_UNDER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(15)];

pub(crate) const STEPS: &[StepDef<StoreWorld>] = &[
    step!(Act, "{int} seconds pass", "virtual time goes by; in real time every record is made older", seconds),
    step!(Act, "{int} minutes pass", "the same", minutes),
    step!(Act, "{int} hours pass", "the same", hours),
    step!(Act, "just under {int} minutes pass", "one second less in virtual time, 15 in real time", just_under),
    step!(Act, "the last activity of {string} lies {int} seconds ahead", "rewrite the record: the clock was wrong", ahead),
    step!(Act, "the record of {string} says that its {string} is {string}", "rewrite one field of the record (JSON)", says),
    step!(
        Act,
        "the record of {string} is {string}",
        "spoil the record: `empty`, `torn`, `no JSON`, `no object`, `without a phase`, `of an unknown phase`, `without a time`",
        spoilt
    ),
    step!(Act, "the file of {string} was written {int} hours ago", "set the time of the record's file", written),
    step!(Act, "another tool writes the record of {string}", "other times, absent fields, fields of its own", foreign_record),
    step!(Act, "{string} lies among the sessions", "put `an empty folder`, `a file`, `a link`, `a folder of somebody else` there", lies),
    step!(Act, "the record of {string} is held open", "open the record's file as a reader does", held),
];

async fn seconds(w: &mut StoreWorld, a: &Arguments) -> Done {
    w.pass(Duration::from_secs(a.number(0))).await
}

async fn minutes(w: &mut StoreWorld, a: &Arguments) -> Done {
    w.pass(Duration::from_secs(60 * a.number::<u64>(0))).await
}

async fn hours(w: &mut StoreWorld, a: &Arguments) -> Done {
    w.pass(Duration::from_secs(3_600 * a.number::<u64>(0))).await
}

async fn just_under(w: &mut StoreWorld, a: &Arguments) -> Done {
    let less = JUST_UNDER[usize::from(!w.is_virtual())];
    w.pass(Duration::from_secs(60 * a.number::<u64>(0)) - less).await
}

async fn ahead(w: &mut StoreWorld, a: &Arguments) -> Done {
    let time = w.log.clock().now() + SignedDuration::from_secs(a.number(1));
    w.rewrite(a.text(0), |record| drop(record.insert("last_updated".into(), json!(time))))
}

async fn says(w: &mut StoreWorld, a: &Arguments) -> Done {
    w.rewrite(a.text(0), |record| drop(record.insert(a.text(1).to_owned(), value(a.text(2)))))
}

async fn spoilt(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let whole = std::fs::read(&path).map_err(|error| Stop::CouldNotTest(format!("{}: {error}: check `[store] record`", path.display())))?;
    let without = |name: &str, instead: Option<Value>| {
        let mut record: serde_json::Map<String, Value> = serde_json::from_slice(&whole).unwrap_or_default();
        record.remove(name);
        record.extend(instead.map(|value| (name.to_owned(), value)));
        Value::Object(record).to_string().into_bytes()
    };
    let bytes = match a.text(1) {
        "empty" => Vec::new(),
        "torn" => whole[..whole.len() / 2].to_vec(),
        "no JSON" => b"{ not a record".to_vec(),
        "no object" => b"[]".to_vec(),
        "without a phase" => without("phase", None),
        "of an unknown phase" => without("phase", Some("pondering".into())),
        "without a time" => without("last_updated", None),
        other => return Err(Stop::CouldNotTest(format!("there is no way to spoil a record that is called `{other}`"))),
    };
    put(&path, &bytes)?;
    w.state.spoilt = Some((path, bytes));
    Ok(())
}

async fn written(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let time = w.log.clock().now() - SignedDuration::from_hours(a.number(1));
    aged(&path, time)
}

async fn foreign_record(w: &mut StoreWorld, a: &Arguments) -> Done {
    let now = w.log.clock().now();
    let elsewhere = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
    w.rewrite(a.text(0), |record| {
        let micros = now.strftime("%Y-%m-%dT%H:%M:%S.123456+00:00").to_string();
        let offset = now.to_zoned(elsewhere).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        record.insert("created_at".into(), micros.into());
        record.insert("last_updated".into(), offset.into());
        record.insert("x_other_tool".into(), json!({ "kept": [1, 2.5, null] }));
        for optional in ["metadata", "last_error", "finalized_at", "duration_seconds", "summary", "error_count"] {
            record.remove(optional);
        }
    })
}

async fn lies(w: &mut StoreWorld, a: &Arguments) -> Done {
    let root = w.store_root()?;
    let failed = |error: std::io::Error| Stop::CouldNotTest(format!("{}: {error}", root.display()));
    let long_ago = Timestamp::UNIX_EPOCH;
    match a.text(0) {
        "an empty folder" => std::fs::create_dir_all(root.join("agent-20200101-000000-0000e317")).map_err(failed)?,
        "a file" => std::fs::write(root.join("notes.txt"), "mine").map_err(failed)?,
        "a folder of somebody else" => {
            std::fs::create_dir_all(root.join("somebody-else")).map_err(failed)?;
            put(&root.join("somebody-else/notes.txt"), b"mine")?;
        }
        "a link" => {
            let elsewhere = root.parent().ok_or_else(no_record)?.join("elsewhere");
            std::fs::create_dir_all(&elsewhere).map_err(failed)?;
            let file = elsewhere.join("state.json");
            let record = json!({
                "agent_id": "agent-20200101-000000-0000a11e", "agent_name": "somebody-else", "purpose": "p", "phase": "approval",
                "created_at": "2020-01-01T00:00:00Z", "last_updated": "2020-01-01T00:00:00Z", "resume_ready": true,
            });
            put(&file, record.to_string().as_bytes())?;
            aged(&file, long_ago)?;
            std::os::unix::fs::symlink(&elsewhere, root.join("agent-20200101-000000-0000a11e")).map_err(failed)?;
            w.state.elsewhere = Some(file);
        }
        other => return Err(Stop::CouldNotTest(format!("nothing is called `{other}`"))),
    }
    Ok(())
}

async fn held(w: &mut StoreWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let open = || Ok((std::fs::File::open(&path)?, std::fs::read(&path)?));
    w.state.held = Some(open().map_err(|error: std::io::Error| Stop::CouldNotTest(format!("{}: {error}", path.display())))?);
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Done {
    std::fs::write(path, bytes).map_err(|error| Stop::CouldNotTest(format!("{}: {error}", path.display())))
}

/// Sets the time at which a file was written.
fn aged(path: &Path, time: Timestamp) -> Done {
    let set = || std::fs::File::options().write(true).open(path)?.set_modified(SystemTime::from(time));
    set().map_err(|error| Stop::CouldNotTest(format!("{}: {error}", path.display())))
}
