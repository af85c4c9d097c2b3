//! What the engine does when an agent tells something: a hook ran, the process ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::contract::{AgentKind, Announcement, SessionId, TurnStatus};

use super::fault::Fault;
use super::host::Moment;
use super::manager::{Live, Manager, native_root};

/// How long a turn's end waits for the transcript that its hook promises; hooks run after the write.
const READABLE: Duration = Duration::from_secs(1);

impl Manager {
    /// A hook of a session's agent ran.
    pub(super) async fn hook(&self, id: &SessionId, moment: Moment, payload: &Value) {
        let Some(live) = self.sessions().get(id).cloned() else { return };
        let _changing = live.gate.lock().await;
        if !self.sessions().contains_key(id) {
            return;
        }
        if let Some(path) = self.native_of(&live, payload).await {
            live.record().native = Some(path);
        }
        self.touch(&live);
        if moment != Moment::Start {
            self.turn_ended(&live, moment, payload).await;
        }
        if let Err(error) = self.save(&live) {
            self.config.complaints.say(&error.to_string());
        }
    }

    async fn turn_ended(&self, live: &Live, moment: Moment, payload: &Value) {
        let turn_id = payload["turn-id"].as_str().map(str::to_owned);
        if turn_id.as_ref().is_some_and(|id| live.record().turn_ids.contains(id)) {
            return;
        }
        let status = match (live.record().agent, moment) {
            (_, Moment::TurnFailed) => TurnStatus::Failed,
            (AgentKind::Codex, _) if payload["last-assistant-message"].is_null() => TurnStatus::Failed,
            (AgentKind::Gemini, _) if payload["prompt_response"].as_str().is_none_or(str::is_empty) => TurnStatus::Failed,
            _ => TurnStatus::Completed,
        };
        // Whoever hears the announcement may read at once.
        let readable = async {
            while self.transcript(live).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if status == TurnStatus::Completed {
            let _ = tokio::time::timeout(READABLE, readable).await;
        }
        let (id, turn) = {
            let mut record = live.record();
            record.turns += 1;
            record.turn_ids.extend(turn_id);
            (record.id.clone(), record.turns)
        };
        if self.config.faults.has(Fault::AnnouncesEarly) {
            return;
        }
        self.announce_turn(&id, turn, status);
        if self.config.faults.has(Fault::AnnouncesTwice) {
            self.announce_turn(&id, turn, status);
        }
    }

    /// The native file that a hook's payload names: its path (Claude, Gemini), or its thread (Codex).
    async fn native_of(&self, live: &Live, payload: &Value) -> Option<PathBuf> {
        if let Some(path) = payload["transcript_path"].as_str() {
            return Some(path.into());
        }
        let thread = payload["thread-id"].as_str()?;
        let folder = self.host.home().join(native_root(live.record().agent));
        let suffix = format!("{thread}.jsonl");
        self.host.files_below(&folder).await.into_iter().find(|path| path.to_string_lossy().ends_with(&suffix))
    }

    /// A session's agent is over, by itself.
    pub(super) async fn exited(&self, id: &SessionId) {
        let Some(live) = self.sessions().get(id).cloned() else { return };
        let _changing = live.gate.lock().await;
        if !self.sessions().contains_key(id) {
            return;
        }
        let open = {
            let mut record = live.record();
            record.dead = true;
            let open = (record.messages > record.turns).then_some(record.turns + 1);
            record.turns = record.messages;
            open
        };
        self.touch(&live);
        if let Some(turn) = open {
            self.announce_turn(id, turn, TurnStatus::Failed);
        }
        self.announce_end(&live, "the agent exited");
        if let Err(error) = self.save(&live) {
            self.config.complaints.say(&error.to_string());
        }
    }

    pub(super) fn announce_turn(&self, id: &SessionId, turn: u64, status: TurnStatus) {
        self.events.announce(Announcement::TurnCompleted { session_id: id.clone(), turn: Some(turn), status: Some(status) });
    }

    pub(super) fn announce_end(&self, live: &Arc<Live>, reason: &str) {
        let mut record = live.record();
        if !std::mem::replace(&mut record.end_announced, true) {
            let announcement = Announcement::SessionEnded { session_id: record.id.clone(), reason: Some(reason.to_owned()) };
            drop(record);
            self.events.announce(announcement);
        }
    }
}
