//! What the engine does when an agent tells something: a hook ran, the process ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::contract::{AgentKind, Announcement, SessionId, TurnStatus};
use crate::fakes::native;

use super::host::{HookTime, Signal};
use super::manager::{Manager, locked};
use super::session::Live;
use crate::suites::manager::behavior::{Announcing, Exits, Occasion, Owner};

/// How long a turn's end waits for the transcript that its hook promises; hooks run after the write.
const READABLE: Duration = Duration::from_secs(1);
/// How often a transcript that is to come is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Manager {
    /// Does what a signal of a session's agent asks for.
    pub(crate) async fn heard(self: &Arc<Self>, live: &Arc<Live>, signal: Signal) {
        match signal {
            Signal::Hook { moment, payload, .. } => {
                let live = self.owner(live, &payload);
                self.hook(&live, moment, &payload).await;
            }
            Signal::Exited { pid, .. } => {
                self.exited(live, pid).await;
                self.besides(Occasion::Exited, live).await;
            }
        }
    }

    async fn hook(self: &Arc<Self>, live: &Arc<Live>, moment: HookTime, payload: &Value) {
        if moment == HookTime::Start {
            self.note_file(live, payload);
            return self.changed(live).await;
        }
        if self.behavior.found_after.is_zero() {
            self.note_file(live, payload);
        } else {
            let (manager, live, payload) = (self.clone(), live.clone(), payload.clone());
            self.spawn(async move {
                tokio::time::sleep(manager.behavior.found_after).await;
                manager.note_file(&live, &payload);
            });
        }
        let status = turn_status(live.record().agent, moment, payload);
        if status == TurnStatus::Completed && self.behavior.found_after.is_zero() {
            self.until_readable(live).await;
        }
        self.turn_ended(live, status, payload["turn-id"].as_str()).await;
        self.besides(Occasion::TurnEnded, live).await;
    }

    /// Notes what a hook tells of the session's file: its path (Claude, Gemini), or the thread in its name (Codex).
    fn note_file(&self, live: &Live, payload: &Value) {
        let mut record = live.record();
        if let Some(path) = payload["transcript_path"].as_str() {
            record.native = Some(path.into());
        }
        if let Some(thread) = payload["thread-id"].as_str() {
            record.thread = Some(thread.to_owned());
        }
        if let Some(id) = payload["thread-id"].as_str().or(payload["session_id"].as_str()) {
            record.resumes = Some(id.to_owned());
        }
    }

    /// Whoever hears that a turn is over may read it at once.
    async fn until_readable(&self, live: &Live) {
        let readable = async {
            while self.transcript(live).await.is_empty() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // One that never comes is no reason for silence.
        let _ = tokio::time::timeout(READABLE, readable).await;
    }

    async fn turn_ended(self: &Arc<Self>, live: &Arc<Live>, status: TurnStatus, turn_id: Option<&str>) {
        let _changing = live.gate.lock().await;
        let view = self.view(live).await;
        let again = turn_id.is_some_and(|id| view.record.turn_ids.iter().any(|known| known == id));
        // An agent's death has told already how its last turn ended.
        if !self.has(live) || again || view.record.dead || !(self.behavior.counts)(&view, status) {
            return;
        }
        let turn = {
            let mut record = live.record();
            record.turns += 1;
            record.turn_ids.extend(turn_id.map(str::to_owned));
            record.turns
        };
        self.changed(live).await;
        self.announce_turn_end(&view.record.id, turn, status);
    }

    /// Notes that something happened to a session: that is activity, and is kept.
    async fn changed(&self, live: &Live) {
        let record = live.record().clone();
        if let Some(path) = self.named(&record).await {
            live.record().native = Some(path);
        }
        let bytes = self.native_bytes(live).await;
        live.record().native_bytes = bytes;
        self.touch(live);
        self.save_or_say(live);
    }

    /// A session's agent is over, by itself: that process, or whichever the session had.
    pub(crate) async fn exited(self: &Arc<Self>, live: &Arc<Live>, pid: Option<u32>) {
        let _changing = live.gate.lock().await;
        if !self.has(live) || live.record().dead || self.behavior.exits == Exits::Ignored || self.goes_on(live, pid).await {
            return;
        }
        let is_unseen = self.behavior.exits == Exits::NotedAtFirst && live.record().turns > 0;
        if is_unseen {
            return;
        }
        if self.behavior.exits == Exits::Forgotten {
            return self.forget(live);
        }
        let open = {
            let mut record = live.record();
            record.dead = true;
            let open = (record.messages > record.turns).then_some(record.turns + 1);
            record.turns = record.messages;
            open
        };
        self.changed(live).await;
        if self.behavior.exits == Exits::Silent {
            return;
        }
        if let Some(turn) = open {
            self.announce_turn(&live.id(), turn, TurnStatus::Failed);
        }
        self.announce_end(live, "the agent exited");
    }

    /// The session that a hook belongs to.
    fn owner(&self, live: &Arc<Live>, payload: &Value) -> Arc<Live> {
        let all = self.all();
        let other = match self.behavior.owner {
            Owner::Named => None,
            Owner::Newest => all.last(),
            Owner::ByFolder => all.iter().find(|other| payload["cwd"].as_str().is_some_and(|cwd| other.record().cwd.as_os_str() == cwd)),
        };
        other.unwrap_or(live).clone()
    }

    // ---- announcing ----------------------------------------------------------------------------------------------

    fn announce_turn_end(self: &Arc<Self>, id: &SessionId, turn: u64, status: TurnStatus) {
        let id = id.clone();
        match self.behavior.announcing {
            Announcing::AtItsEnd => self.announce_turn(&id, turn, status),
            Announcing::AtDelivery => {}
            Announcing::WithNextMessage => locked(&self.held).push(self.turn_completed(&id, turn, status)),
            Announcing::Later(delay) => {
                let manager = self.clone();
                self.spawn(async move {
                    tokio::time::sleep(delay).await;
                    manager.announce_turn(&id, turn, status);
                });
            }
            Announcing::Gathered(quiet) => {
                *locked(&self.held) = vec![self.turn_completed(&id, turn, status)];
                let manager = self.clone();
                self.spawn(async move {
                    tokio::time::sleep(quiet).await;
                    if locked(&manager.held).iter().any(|held| *held.session_id() == id) {
                        locked(&manager.held).clear();
                        manager.announce_turn(&id, turn, status);
                    }
                });
            }
        }
    }

    pub(crate) fn announce_turn(&self, id: &SessionId, turn: u64, status: TurnStatus) {
        for _ in 0..(self.behavior.times)(turn, status) {
            self.announce(self.turn_completed(id, turn, status));
        }
    }

    fn turn_completed(&self, id: &SessionId, turn: u64, status: TurnStatus) -> Announcement {
        Announcement::TurnCompleted { session_id: id.clone(), turn: self.behavior.numbered.then_some(turn), status: Some(status) }
    }

    /// Announces a session's end, once.
    pub(crate) fn announce_end(&self, live: &Live, reason: &str) {
        let first = !std::mem::replace(&mut live.record().end_announced, true);
        if first && (self.behavior.ends_told)(reason) {
            self.announce(Announcement::SessionEnded { session_id: live.id(), reason: Some(reason.to_owned()) });
        }
    }
}

/// How a turn ended, by the hook that told it.
fn turn_status(agent: AgentKind, moment: HookTime, payload: &Value) -> TurnStatus {
    let is_completed = moment != HookTime::TurnFailed && native::of(agent).is_completed(payload);
    if is_completed { TurnStatus::Completed } else { TurnStatus::Failed }
}
