//! Coming back: what a manager does with the state that it finds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::contract::{SessionId, TurnStatus};

use super::host::{End, Signal};
use super::manager::{Manager, locked};
use super::session::{Live, SessionRecord};
use super::spool::Receipt;
use crate::suites::manager::behavior::{Adopting, ExtraAct, Numbers, started};
use crate::trace::settings::Processes;

impl Manager {
    /// Adopts the agents that still live; learns what happened while nobody listened, and only then that others died.
    pub(crate) async fn restore(self: &Arc<Self>) {
        let names = self.store.names("sessions");
        *locked(&self.next) = self.first_number(&names);
        let mut dead = Vec::new();
        for name in names {
            if let Some(live) = self.restore_one(&name).await {
                let alive = self.alive(&live).await;
                if !alive {
                    dead.push(live);
                }
            }
        }
        if self.behavior.adopting == Adopting::Deaf && !self.all().is_empty() {
            return;
        }
        let mut signals = self.host.signals();
        while let Ok(signal) = signals.try_recv() {
            let live = self.sessions().get(signal.session()).cloned();
            let _ = live.map(|live| live.tell.send(signal));
        }
        for live in dead {
            let _ = live.tell.send(Signal::Exited { session: live.id(), pid: None, receipt: Receipt::default() });
        }
        self.hear(signals);
    }

    /// Why a manager that was opened ends at once instead of working; none does that conforms.
    pub(crate) fn gives_up(&self) -> Option<&'static str> {
        let gives_up = self.broken.load(Ordering::Relaxed) && self.behavior.adopting == Adopting::GivesUp;
        gives_up.then_some("a session's record is unreadable")
    }

    /// The number after the last that was given. Records and the counter are asked: any of them may be damaged.
    fn first_number(&self, records: &[String]) -> u64 {
        if self.behavior.numbers == Numbers::Unkept {
            return 1;
        }
        let counted = self.store.load("next").and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()).unwrap_or(1);
        let named = records.iter().filter_map(|name| name.strip_prefix("sessions/s")?.strip_suffix(".json")?.parse::<u64>().ok());
        if self.behavior.numbers == Numbers::Recounted {
            return named.max().map_or(1, |last| last + 1);
        }
        let told = self.events.sessions().into_iter().filter_map(|id| id.as_str().strip_prefix('s')?.parse::<u64>().ok());
        named.chain(told).map(|number| number + 1).fold(counted, u64::max)
    }

    async fn restore_one(self: &Arc<Self>, name: &str) -> Option<Arc<Live>> {
        let bytes = self.store.load(name)?;
        match serde_json::from_slice(&bytes) {
            Ok(record) => self.adopt(record).await,
            Err(error) => {
                self.complain(format_args!("{name} is unreadable: {error}"));
                self.leave_out(name, error.is_data()).await;
                None
            }
        }
    }

    /// An unreadable record costs its session and no other. Its file stays, for whoever wants to mend it; an agent that
    /// can be found is ended, for nothing runs unlisted.
    async fn leave_out(&self, name: &str, is_json: bool) {
        if is_json || self.behavior.adopting != Adopting::StumblesOverJson {
            self.broken.store(true, Ordering::Relaxed);
        }
        match self.behavior.adopting {
            Adopting::AllOrNothing => self.sessions().clear(),
            Adopting::GivesUp => return,
            _ => {}
        }
        let Some(id) = name.strip_prefix("sessions/").and_then(|name| name.strip_suffix(".json")) else { return };
        if let Some(handle) = self.host.recover(&SessionId::from(id)).await
            && let Err(error) = self.host.end(&handle, End::Tree).await
        {
            self.complain(format_args!("the agent of `{id}` could not be ended: {error}"));
        }
    }

    async fn adopt(self: &Arc<Self>, mut record: SessionRecord) -> Option<Arc<Live>> {
        if record.handle.is_none() {
            record.handle = self.host.recover(&record.id).await;
        }
        let handle = record.handle.clone();
        if handle.is_none() && (self.behavior.processes != Processes::Turn || record.messages > 0) {
            // It was being started, and nothing of it came to run.
            self.store.remove(&SessionRecord::file(&record.id));
            return None;
        }
        match self.behavior.adopting {
            Adopting::Nothing => return None,
            Adopting::AllOrNothing if self.broken.load(Ordering::Relaxed) => return None,
            Adopting::CallsOver => record.dead = true,
            Adopting::LosesHold => record.handle = None,
            Adopting::Once if record.adopted => return None,
            Adopting::Once | Adopting::Unread => record.adopted = true,
            Adopting::ForgetsTimeouts => record.timeout_s = self.config.default_timeout_s,
            _ => {}
        }
        if let Some(request_id) = &record.request_id
            && self.requests.answer(request_id).is_none()
        {
            self.remember(request_id, &started(&record));
        }
        let (live, told) = Live::new(record);
        let live = Arc::new(live);
        self.keep(live.clone(), told);
        self.save_or_say(&live);
        let handle = match handle {
            Some(handle) => handle,
            None => return Some(live),
        };
        self.host.adopt(&handle).await;
        match self.behavior.adopting {
            Adopting::Ends => {
                let _ = self.end_live(&live, "the manager was restarted").await;
                return None;
            }
            Adopting::EndsGroups => {
                let _ = self.host.end(&handle, End::Group).await;
                self.forget(&live);
                return None;
            }
            Adopting::Launches => self.act(ExtraAct::Launch(1), &live).await,
            Adopting::LosesOne => live.mute.store(true, Ordering::Relaxed),
            Adopting::Retypes => {
                let message = live.record().message.clone().unwrap_or_default();
                let _ = self.host.deliver(&handle, &message).await;
            }
            Adopting::CallsTurnsComplete => {
                let open = {
                    let record = live.record();
                    record.is_busy().then_some(record.turns + 1)
                };
                if let Some(turn) = open {
                    self.announce_turn(&live.id(), turn, TurnStatus::Completed);
                }
            }
            Adopting::LaunchesIdle => {
                live.record().message = None;
                self.act(ExtraAct::Launch(1), &live).await;
            }
            _ => {}
        }
        Some(live)
    }
}
