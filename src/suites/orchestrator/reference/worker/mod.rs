//! One worker on its way through the state machine: each act is one method, which comes back with what happened.

pub(crate) mod asking;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::contract::worker_machine::{Act, FIRST, Happening, WorkerStage, next};
use crate::contract::{Announcement, ContractError, ErrorCode, SessionId, Status, TurnStatus, WorkerState};
use crate::trace::Outcome;

use super::{Assignment, Orchestra, WorkerReport};
use crate::suites::orchestrator::behavior::{
    AtDeadline, EarlyAbsence, Ends, Hears, LostStart, Polls, Verification, WhenEndFails, WhenGone,
};

/// The pause before something that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a start is tried.
const STARTS: u32 = 3;
/// How often a session is asked to end.
const ENDS: u32 = 4;
/// How often the list is looked at, one look after the other.
const LOOKS: u32 = 3;

/// A worker.
pub(crate) struct WorkerWalk {
    orchestra: Arc<Orchestra>,
    number: usize,
    task: Assignment,
    /// What its start is known by, however often it is asked for.
    request: String,
    /// The session, once it has an id.
    session: Option<SessionId>,
    /// How far the news were read.
    read: usize,
    /// Counted from the first answer: the manager counts from when it was asked, which is not later.
    deadline: Instant,
    /// When a session that cannot be observed is a day old.
    day: Instant,
    /// Whether the session can be observed.
    observable: bool,
    /// Whether its turn is known to be over.
    turn_over: bool,
    agent_died: bool,
    gone: bool,
    interval: Duration,
    starts: u32,
    ends: u32,
    looks: u32,
    comes_out: WorkerState,
    why: String,
    text: Option<String>,
    truncated: bool,
}

impl WorkerWalk {
    pub(crate) fn new(orchestra: Arc<Orchestra>, number: usize, task: Assignment) -> Self {
        let now = Instant::now();
        Self {
            number,
            task,
            request: uuid::Uuid::new_v4().to_string(),
            session: None,
            read: 0,
            deadline: now,
            day: now,
            observable: false,
            turn_over: false,
            agent_died: false,
            gone: false,
            interval: orchestra.choices.pace.first,
            starts: 0,
            ends: 0,
            looks: 0,
            comes_out: WorkerState::Failed,
            why: String::new(),
            text: None,
            truncated: false,
            orchestra,
        }
    }

    /// Goes through the machine to its end.
    pub(crate) async fn run(mut self) -> WorkerReport {
        let (mut stage, mut act) = (FIRST, Act::StartAgain);
        while stage != WorkerStage::Over && !(stage == WorkerStage::Ending && self.leaves_it()) {
            let happened = match act {
                Act::StartAgain => self.start().await,
                Act::Await => self.wait().await,
                Act::Poll => self.poll().await,
                Act::Read => self.fetch().await,
                Act::Inspect => self.inspect().await,
                Act::End | Act::EndAgain => self.end().await,
                Act::List | Act::ListAgain => self.verify().await,
                Act::Report => break,
            };
            // What has no row changes nothing: it goes on with what it was at.
            if let Some(row) = next(stage, happened) {
                (stage, act) = (row.to, row.act);
                self.comes_out = row.outcome.unwrap_or(self.comes_out);
            }
        }
        let truncated = self.truncated && self.orchestra.choices.tells_truncation;
        let outcome = Outcome { worker: self.number, state: self.comes_out, truncated };
        WorkerReport { outcome, session: self.session, why: self.why, text: self.text }
    }

    // ---- starting ------------------------------------------------------------------------------------------------

    /// Starts the session. An answer that was lost is asked for again under the same request id, which starts nothing
    /// twice; when that is in vain, the list is asked.
    async fn start(&mut self) -> Happening {
        if self.starts == STARTS {
            return self.look_up().await;
        }
        if self.starts > 0 {
            match self.orchestra.choices.lost_start {
                LostStart::SameRequest => {}
                LostStart::NewRequest => self.request = uuid::Uuid::new_v4().to_string(),
                LostStart::GiveUp => return Happening::StartRefused,
                LostStart::FirstListed => {
                    let listed = self.list().await.unwrap_or_default();
                    return self.started(listed.first().and_then(|item| item["session_id"].as_str()));
                }
            }
            sleep(PAUSE).await;
        }
        let args = json!({ "agent": self.task.agent, "cwd": self.task.cwd, "message": self.task.message, "request_id": self.request });
        let answer = self.call("start_session", args).await;
        if self.starts == 0 {
            self.deadline = Instant::now() + self.task.deadline().mul_f64(self.orchestra.choices.patience);
            self.day = Instant::now() + self.orchestra.choices.day;
        }
        self.starts += 1;
        match answer {
            Ok(answer) => self.started(answer.get("session_id").and_then(Value::as_str)),
            Err(error) if error.code.spec().definite => {
                self.why = format!("the start was refused: {error}");
                Happening::StartRefused
            }
            Err(error) => {
                self.why = format!("nobody knows whether the session was started: {error}");
                Happening::StartUnknown
            }
        }
    }

    /// Looks in the list for the session of a request that was never answered.
    async fn look_up(&mut self) -> Happening {
        let listed = self.list().await.unwrap_or_default();
        let ours = |item: &&Value| item["request_id"] == self.request || (item["request_id"].is_null() && item["cwd"] == self.task.cwd);
        match listed.iter().find(ours).and_then(|item| item["session_id"].as_str()) {
            Some(id) => self.started(Some(id)),
            None => Happening::Spent,
        }
    }

    fn started(&mut self, id: Option<&str>) -> Happening {
        let Some(id) = id else {
            self.why = "the answer to the start has no session_id".into();
            return Happening::StartUnknown;
        };
        self.session = Some(id.into());
        self.observable = self.orchestra.observable_from_start(self.task.agent);
        let polled = self.observable || self.orchestra.choices.polls == Polls::All;
        if polled { Happening::StartedSeen } else { Happening::StartedUnseen }
    }

    // ---- until the turn is over ----------------------------------------------------------------------------------

    /// Waits to be told, asking for nothing.
    async fn wait(&mut self) -> Happening {
        if self.orchestra.choices.looks_in_list_early && !self.is_listed().await {
            self.absent_early().await;
            return Happening::SaidOver;
        }
        match timeout_at(self.deadline.min(self.day), self.told()).await {
            Ok(happened) => happened,
            Err(_) if self.day < self.deadline => {
                self.why = "it cannot be observed after a whole day".into();
                Happening::Day
            }
            Err(_) => self.silent().await,
        }
    }

    /// Listens through one interval, each longer than the one before, then looks.
    async fn poll(&mut self) -> Happening {
        let pace = self.orchestra.choices.pace;
        let due = Instant::now() + self.interval;
        self.interval = self.interval.mul_f64(pace.growth).min(pace.most);
        let until = if pace.for_ever { due } else { due.min(self.deadline) };
        if let Ok(happened) = timeout_at(until, self.told()).await {
            return happened;
        }
        if !pace.for_ever && Instant::now() >= self.deadline {
            return self.silent().await;
        }
        self.fetch().await
    }

    /// Waits for what the manager announces of this session. Where the work is called off, its deadline is now.
    async fn told(&mut self) -> Happening {
        let stop = self.orchestra.stop.clone();
        tokio::select! {
            happened = self.announced() => happened,
            () = stop.cancelled() => {
                self.why = "the work was called off".into();
                Happening::Deadline
            }
        }
    }

    async fn announced(&mut self) -> Happening {
        let choices = &self.orchestra.choices;
        let session = self.session.clone();
        let heard = |said: &Announcement| {
            let ours = choices.hears == Hears::Anybodys || Some(said.session_id()) == session.as_ref();
            let heard = match said {
                Announcement::TurnCompleted { status: None | Some(TurnStatus::Completed), .. } => (Happening::Announced, String::new()),
                Announcement::TurnCompleted { .. } if !choices.tells_failed_turns => (Happening::Announced, String::new()),
                Announcement::TurnCompleted { .. } => (Happening::SaidOver, "its turn failed".to_owned()),
                Announcement::SessionEnded { reason, .. } => {
                    (Happening::SaidOver, format!("its session ended: {}", reason.as_deref().unwrap_or("no reason given")))
                }
                // It may be answered by a person at the terminal; the deadline holds.
                Announcement::NeedsInput { .. } => return None,
                // What a supervisor tells of its containers is no news of a turn.
                Announcement::StateChanged { .. }
                | Announcement::HealthFailed { .. }
                | Announcement::RestartScheduled { .. }
                | Announcement::Escalated { .. } => return None,
            };
            ours.then_some(heard)
        };
        let (happened, why) = self.orchestra.news.next(&mut self.read, heard).await;
        self.turn_over |= happened == Happening::Announced;
        self.agent_died |= happened == Happening::SaidOver;
        self.why = why;
        happened
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    /// Asks for the session's data, and says what they show. Data alone do not tell that a turn is over; where nobody told
    /// either, the work goes on.
    async fn fetch(&mut self) -> Happening {
        match self.get().await {
            Ok(()) if self.text.is_none() => Happening::Pending,
            Ok(()) if !self.turn_over => Happening::Unfinished,
            Ok(()) if self.truncated => Happening::Tail,
            Ok(()) => Happening::Whole,
            Err(error) => self.unread(error).await,
        }
    }

    /// What an error says. That a session ended is certain; that it is not found says something only where it could be
    /// observed.
    async fn unread(&mut self, error: ContractError) -> Happening {
        let choices = &self.orchestra.choices;
        let is_early = !self.observable && !self.turn_over;
        match error.code {
            ErrorCode::SessionNotFound | ErrorCode::SessionPending if is_early => match choices.early_absence {
                EarlyAbsence::Nothing => Happening::Pending,
                EarlyAbsence::Ended | EarlyAbsence::Replaced => {
                    self.absent_early().await;
                    Happening::NotFound
                }
            },
            ErrorCode::SessionPending => Happening::Pending,
            ErrorCode::SessionNotFound | ErrorCode::SessionEnded => {
                self.why = format!("its session is gone: {error}");
                self.gone = true;
                if choices.when_gone == WhenGone::PollOn { Happening::Pending } else { Happening::NotFound }
            }
            _ => {
                self.why = format!("it cannot be read: {error}");
                Happening::Unanswered
            }
        }
    }

    /// Acts on an absence that means nothing: only a faulty orchestrator comes here.
    async fn absent_early(&mut self) {
        self.why = "its session is not there".into();
        if self.orchestra.choices.early_absence == EarlyAbsence::Replaced {
            let args = json!({ "agent": self.task.agent, "cwd": self.task.cwd, "message": self.task.message });
            let _ = self.call("start_session", args).await;
        }
    }

    /// Asks for the session's data: everything that one answer can hold, so that a cut text could not be had longer.
    async fn get(&mut self) -> Result<(), ContractError> {
        let args = json!({ "session_id": self.session, "tail_chars": self.orchestra.choices.tail_chars });
        let answer = self.call("get_session_data", args).await?;
        let text = answer.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
        self.text = text.map(str::to_owned);
        self.truncated = answer.get("truncated").and_then(Value::as_bool).unwrap_or_default();
        Ok(())
    }

    // ---- the deadline --------------------------------------------------------------------------------------------

    /// Nothing was heard until the deadline.
    async fn silent(&mut self) -> Happening {
        self.why = "nothing was heard of it by its deadline".into();
        if self.orchestra.choices.at_deadline == AtDeadline::WaitOn { self.told().await } else { Happening::Deadline }
    }

    /// Looks once: the announcement may have been lost. The turn is over where the list says that the agent waits; where it
    /// says nothing, data of a session that only a turn makes observable are a turn's.
    async fn inspect(&mut self) -> Happening {
        match self.orchestra.choices.at_deadline {
            AtDeadline::End => return Happening::Unfinished,
            AtDeadline::TakeForDone => return Happening::Whole,
            AtDeadline::Inspect | AtDeadline::InspectAgain | AtDeadline::WaitOn => {}
        }
        let screen = self.call("capture_screen", json!({ "session_id": self.session })).await;
        self.turn_over |= match self.status().await {
            Some(status) => status == Status::Waiting,
            None => !self.observable,
        };
        let mut found = self.fetch().await;
        if self.orchestra.choices.at_deadline == AtDeadline::InspectAgain {
            for _ in 0..4 {
                sleep(PAUSE).await;
                found = self.fetch().await;
            }
        }
        if self.text.is_none() {
            self.text = screen.ok().and_then(|screen| Some(screen.get("text")?.as_str()?.to_owned()));
        }
        found
    }

    // ---- the end -------------------------------------------------------------------------------------------------

    /// Ends the session, whatever came of it. That it is not found, or ended already, is for the list to confirm.
    async fn end(&mut self) -> Happening {
        if self.ends == ENDS {
            return Happening::Spent;
        }
        if self.ends > 0 {
            sleep(PAUSE).await;
        }
        self.ends += 1;
        self.looks = 0;
        let choices = &self.orchestra.choices;
        match self.call("end_session", json!({ "session_id": self.session })).await {
            Ok(_) => {
                for _ in 0..choices.extra_ends {
                    let _ = self.call("end_session", json!({ "session_id": self.session })).await;
                }
                Happening::Ended
            }
            Err(error) if matches!(error.code, ErrorCode::SessionNotFound | ErrorCode::SessionEnded) => Happening::Ended,
            Err(error) => {
                let happened = match choices.when_end_fails {
                    WhenEndFails::TryAgain => Happening::EndFailed,
                    WhenEndFails::GiveUp => Happening::Spent,
                    WhenEndFails::Ignore => Happening::Ended,
                };
                self.why = format!("its session could not be ended: {error}");
                happened
            }
        }
    }

    /// Whether the session is left running: only a faulty orchestrator does that.
    fn leaves_it(&self) -> bool {
        match self.orchestra.choices.ends {
            Ends::All => self.gone && self.orchestra.choices.when_gone == WhenGone::Forget,
            Ends::None => true,
            Ends::OnlyDone => self.comes_out != WorkerState::Done,
            Ends::OnlyLiving => self.agent_died,
        }
    }

    /// Looks whether the session is gone.
    async fn verify(&mut self) -> Happening {
        let choice = self.orchestra.choices.verification;
        if choice == Verification::None {
            return Happening::Gone;
        }
        if self.looks == LOOKS {
            return Happening::Spent;
        }
        if self.looks > 0 {
            sleep(PAUSE).await;
        }
        self.looks += 1;
        match self.list().await {
            Ok(listed) if choice == Verification::List && self.lives_in(&listed) => Happening::StillThere,
            Ok(_) => Happening::Gone,
            Err(error) => {
                self.why = format!("its end could not be verified: {error}");
                Happening::Unanswered
            }
        }
    }
}
