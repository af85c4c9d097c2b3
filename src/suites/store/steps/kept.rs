//! Sessions that a store keeps, as a scenario of the suite `resumption` knows them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::contract::{Args, SessionId};
use crate::sut::recorder::Answered;

use crate::engine::steps::Common;
use crate::engine::vocabulary::StepTable;
use crate::engine::world::{self, Ground, State, Stop};

use super::{act_record, act_store, check_store};

/// What the steps act on.
pub(crate) type StoreWorld = world::World<StoreState>;

/// A session in a store.
#[derive(Debug, Clone)]
pub(crate) struct StoredSession {
    /// Its name in the scenario.
    pub label: String,
    /// Its id.
    pub id: String,
    /// Its record, when it was remembered.
    pub remembered: Option<Value>,
}

/// What a scenario knows of a store.
#[derive(Debug, Default)]
pub(crate) struct StoreState {
    /// The sessions that it knows by name.
    pub(crate) sessions: Vec<StoredSession>,
    /// A record's file, held open, and what was in it.
    pub(crate) held: Option<(std::fs::File, Vec<u8>)>,
    /// A file outside of the store that must stay.
    pub(crate) elsewhere: Option<PathBuf>,
    /// The updates that were killed, and the record that was read after each.
    pub(crate) killed: Vec<(Answered, Answered)>,
    /// The record's bytes when somebody spoilt it.
    pub(crate) spoilt: Option<(PathBuf, Vec<u8>)>,
}

impl State for StoreState {
    fn steps() -> &'static StepTable<StoreWorld> {
        static STEPS: LazyLock<StepTable<StoreWorld>> =
            LazyLock::new(|| StepTable::of([act_store::STEPS, act_record::STEPS, Common::<StoreState>::STEPS, check_store::STEPS]));
        &STEPS
    }
}

/// Arguments by name; what is null is left out.
pub(crate) fn args<const N: usize>(given: [(&str, Value); N]) -> Args {
    given.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A JSON value as a feature writes it: what is no JSON is a text.
pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

impl StoreWorld {
    /// The kept session of that label.
    pub(crate) fn kept(&self, label: &str) -> Result<&StoredSession, Stop> {
        let found = self.state.sessions.iter().find(|kept| kept.label == label);
        found.ok_or_else(|| Stop::Blocked(format!("the store gave no session \"{label}\" an id")))
    }

    pub(crate) fn kept_id(&self, label: &str) -> Result<String, Stop> {
        Ok(self.kept(label)?.id.clone())
    }

    /// The name of a kept session, for people; its id where it has none.
    pub(crate) fn label_of(&self, id: &str) -> String {
        self.state.sessions.iter().find(|kept| kept.id == id).map_or_else(|| id.to_owned(), |kept| kept.label.clone())
    }

    /// A text with `$A` replaced by the id of session "A".
    pub(crate) fn with_ids(&self, text: &str) -> String {
        self.state.sessions.iter().fold(text.to_owned(), |text, kept| text.replace(&format!("${}", kept.label), &kept.id))
    }

    /// Asks for a session's record without making that the last answer.
    pub(crate) async fn record_of(&mut self, label: &str) -> Result<Result<Value, Answered>, Stop> {
        let id = self.kept_id(label)?;
        let last = self.last.take();
        let answer = self.ask("get_session", args([("session_id", id.into())])).await;
        self.last = last;
        let answer = answer?;
        Ok(match answer.result.as_ref().ok().and_then(|result| result.get("session")) {
            Some(record) => Ok(record.clone()),
            None => Err(answer),
        })
    }

    /// Where a session's record is.
    pub(crate) fn record_path(&self, label: &str) -> Result<PathBuf, Stop> {
        let place = self.record.clone().ok_or_else(no_record)?;
        Ok(place(&SessionId(self.kept_id(label)?)))
    }

    /// The store's root, where the place of records is known: each has a folder of its own in it.
    pub(crate) fn store_root(&self) -> Result<PathBuf, Stop> {
        let place = self.record.clone().ok_or_else(no_record)?;
        let record = place(&SessionId("x".to_owned()));
        record.parent().and_then(Path::parent).map(Path::to_owned).ok_or_else(no_record)
    }

    /// Changes a record behind the store's back, as it lies there.
    pub(crate) fn rewrite(&self, label: &str, change: impl FnOnce(&mut Args)) -> Result<(), Stop> {
        let path = self.record_path(label)?;
        let broken = |why: String| Stop::CouldNotTest(format!("{}: {why}: check `[store] record`", path.display()));
        let bytes = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
        let Ok(Value::Object(mut record)) = serde_json::from_slice(&bytes) else { return Err(broken("is no JSON object".into())) };
        change(&mut record);
        std::fs::write(&path, Value::Object(record).to_string()).map_err(|error| broken(error.to_string()))
    }

    /// Lets time pass for every session: virtual time goes by; in real time the records are made older.
    pub(crate) async fn pass(&self, time: Duration) -> Result<(), Stop> {
        if self.is_virtual() {
            tokio::time::sleep(time).await;
            return Ok(());
        }
        for kept in &self.state.sessions {
            self.rewrite(&kept.label, |record| older(record, time))?;
        }
        Ok(())
    }

    /// Whether time is virtual.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.ground, Ground::Virtual(_))
    }
}

/// The reason to skip what needs a record's place.
pub(crate) fn no_record() -> Stop {
    Stop::Skipped("the manifest names no place of a session's record (`[store] record`)".into())
}

/// Moves every time of a record into the past.
fn older(record: &mut Args, by: Duration) {
    let shift = |value: &mut Value| {
        if let Some(time) = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
            *value = (time - by).to_string().into();
        }
    };
    for name in ["created_at", "last_updated", "finalized_at"] {
        record.get_mut(name).map(shift);
    }
    for entry in record.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
        entry.get_mut("timestamp").map(shift);
    }
}
