//! Observing sessions: the list, the data, the screen. Nothing here changes a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::time::Instant;

use crate::contract::{Args, ContractError, ErrorCode};

use super::attending::since;
use super::manager::{Manager, locked, not_found, text};
use super::session::{Live, View};
use crate::suites::manager::behavior::{Adopting, Launching, Occasion, Pending, Probe};
use crate::trace::settings::Processes;

impl Manager {
    pub(crate) async fn list(self: &Arc<Self>) -> Result<Args, ContractError> {
        if self.broken.load(Ordering::Relaxed) && matches!(self.behavior.adopting, Adopting::Stumbles | Adopting::StumblesOverJson) {
            return Err(ContractError::new(ErrorCode::Internal, "a session's record is unreadable"));
        }
        let kept = locked(&self.listed).clone().filter(|(made, _)| made.elapsed() < self.behavior.list_kept);
        let entries = match kept {
            Some((_, entries)) => entries,
            None => self.entries().await,
        };
        let sessions: Vec<Value> = entries.into_iter().map(Value::from).collect();
        Ok(Args::from_iter([("sessions".to_owned(), sessions.into())]))
    }

    async fn entries(self: &Arc<Self>) -> Vec<Args> {
        let mut entries = Vec::new();
        for live in self.all() {
            self.besides(Occasion::Listed, &live).await;
            if live.overdue.load(Ordering::Relaxed) {
                let _ = self.end_live(&live, "timeout").await;
                continue;
            }
            let view = self.view(&live).await;
            let is_homeless = !self.behavior.lists_the_homeless && !self.host.is_folder(&view.record.cwd).await;
            if (self.behavior.listed)(&view) && !is_homeless {
                entries.push(entry(&view, (self.behavior.status)(&view)));
            }
        }
        if let Some(status) = self.behavior.afterwards.listed {
            let gone: Vec<Arc<Live>> = self.gone().values().cloned().collect();
            for live in gone {
                entries.push(entry(&self.view(&live).await, status));
            }
        }
        (self.behavior.list)(&mut entries);
        *locked(&self.listed) = Some((Instant::now(), entries.clone()));
        entries
    }

    pub(crate) async fn get(self: &Arc<Self>, args: &Args) -> Result<Args, ContractError> {
        const OP: &str = "get_session_data";
        let live = match self.session(OP, args) {
            Ok(live) => live,
            Err(error) => return self.late(args, self.behavior.afterwards.read, error).await,
        };
        if self.behavior.launching == Launching::WhenRead && live.record().handle.is_none() {
            let _ = self.launch(&live).await;
        }
        live.asked.fetch_add(1, Ordering::Relaxed);
        self.besides(Occasion::Read, &live).await;
        let view = self.view(&live).await;
        let text = if (self.behavior.readable)(&view) { self.text_of(&live).await } else { String::new() };
        if !text.is_empty() {
            return self.data(&text, args);
        }
        self.besides(Occasion::Unreadable, &live).await;
        self.besides(Occasion::UnreadableAgain(live.unreadable.fetch_add(1, Ordering::Relaxed) + 1), &live).await;
        if self.behavior.pending == Pending::NoEnd && args.contains_key("tail_chars") {
            return Err(ContractError::new(ErrorCode::Internal, "byte index is out of bounds"));
        }
        if view.alive { self.pending(&live).await } else { Err(ended("the session's agent died, and left nothing to read")) }
    }

    pub(crate) fn data(&self, text: &str, args: &Args) -> Result<Args, ContractError> {
        let (text, truncated) = (self.behavior.cut)(text, args.get("tail_chars").and_then(tail_chars))?;
        let mut data = Args::from_iter([("text".to_owned(), text.into()), ("truncated".to_owned(), truncated.into())]);
        (self.behavior.data)(&mut data);
        Ok(data)
    }

    /// What is answered of a session that cannot be read yet. It exists; that it lives has been found out.
    async fn pending(&self, live: &Live) -> Result<Args, ContractError> {
        let text = match self.behavior.pending {
            Pending::Result | Pending::NoEnd => {
                return Ok(Args::from_iter([("text".to_owned(), "".into()), ("pending".to_owned(), true.into())]));
            }
            Pending::Code(code) => return Err(ContractError::new(code, format!("session `{}` has no file yet", live.id()))),
            Pending::Empty => String::new(),
            Pending::Screen => {
                let handle = live.record().handle.clone();
                match handle {
                    Some(handle) => self.host.screen(&handle).await.unwrap_or_default(),
                    None => String::new(),
                }
            }
        };
        Ok(Args::from_iter([("text".to_owned(), text.into())]))
    }

    /// A session's transcript as text; empty while there is none.
    pub(crate) async fn text_of(&self, live: &Live) -> String {
        let kept = locked(&live.remembered).filter(|(at, _)| at.elapsed() < self.behavior.absence_kept);
        if kept.is_some_and(|(_, found)| !found) {
            return String::new();
        }
        let said = self.transcript(live).await;
        if !self.behavior.absence_kept.is_zero() {
            *locked(&live.remembered) = Some((Instant::now(), !said.is_empty()));
        }
        if said.is_empty() {
            return String::new();
        }
        let text = (self.behavior.text)(&said, live.reads.fetch_add(1, Ordering::Relaxed) + 1);
        if self.behavior.text_stays { locked(&live.shown).get_or_insert(text).clone() } else { text }
    }

    pub(crate) async fn screen(&self, args: &Args) -> Result<Args, ContractError> {
        let live = self.session("capture_screen", args)?;
        if live.record().handle.is_none() {
            // Whose agent is being launched has a screen when that is done.
            drop(live.gate.lock().await);
        }
        let handle = live.record().handle.clone();
        let handle = handle.ok_or_else(|| not_found(&text(args, "session_id").unwrap_or_default()))?;
        let text = (self.behavior.screen)(self.host.screen(&handle).await.unwrap_or_default());
        Ok(Args::from_iter([("text".to_owned(), text.into())]))
    }

    // ---- what is known of a session ------------------------------------------------------------------------------

    /// What is known of a session now.
    pub(crate) async fn view(&self, live: &Live) -> View {
        let alive = self.alive(live).await;
        let (record, now) = (live.record().clone(), self.config.clock.now());
        let asked = live.asked.load(Ordering::Relaxed);
        View { alive, age: since(record.started, now), idle: since(record.last_activity, now), asked, record }
    }

    /// Whether a session's agent lives, now; one that is being started does.
    pub(crate) async fn alive(&self, live: &Live) -> bool {
        let (handle, dead) = {
            let record = live.record();
            (record.handle.clone(), record.dead)
        };
        // Where each turn has a process of its own, a session lives between them.
        let Some(handle) = handle.filter(|_| self.behavior.processes != Processes::Turn) else { return !dead };
        match self.behavior.probe {
            Probe::Process => !dead && self.host.alive(&handle).await,
            Probe::None => true,
            Probe::UntilATurn => live.record().turns > 0 || self.host.alive(&handle).await,
            Probe::Screen => !dead && self.host.screen(&handle).await.is_ok_and(|screen| !screen.is_empty()),
            Probe::Quiet(bytes) => !dead && self.host.screen(&handle).await.is_ok_and(|screen| screen.len() < bytes),
            Probe::Seldom(every) => {
                let kept = locked(&live.remembered).filter(|(at, _)| at.elapsed() < every);
                let alive = match kept {
                    Some((_, alive)) => return alive,
                    None => self.host.alive(&handle).await,
                };
                *locked(&live.remembered) = Some((Instant::now(), alive));
                alive
            }
        }
    }
}

/// A list's entry; what a session has not is left out.
fn entry(view: &View, status: &str) -> Args {
    let record = &view.record;
    let fields = [
        ("session_id", Some(record.id.0.clone())),
        ("agent", Some(record.agent.name().to_owned())),
        ("status", Some(status.to_owned())),
        ("title", record.title.clone()),
        ("request_id", record.request_id.clone()),
        ("cwd", Some(record.cwd.to_string_lossy().into_owned())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// `tail_chars` as a number; one that is too large for any text stands for all of it.
fn tail_chars(value: &Value) -> Option<i64> {
    value.as_i64().or(value.as_u64().map(|_| i64::MAX))
}

pub(crate) fn ended(why: &str) -> ContractError {
    ContractError::new(ErrorCode::SessionEnded, why)
}
