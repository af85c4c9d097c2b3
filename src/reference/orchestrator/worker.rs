//! One worker on its way through the state machine: each state is one method, which comes back with what happened.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::contract::{Announcement, Args, ContractError, ErrorCode, SessionId, Status, TurnStatus};
use crate::trace::{Outcome, WorkerState};

use super::choices::{AtDeadline, EarlyAbsence, Ends, Hears, LostStart, Polls, Verification, WhenEndFails, WhenGone};
use super::machine::{Event, State, next};
use super::{Assignment, Orchestra, Report};

/// The pause before something that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a start, a read or a look at the list is tried.
const ATTEMPTS: u32 = 3;
/// How often a session is asked to end.
const ENDS: u32 = 4;
/// The least and the most that one call is given; between them, a quarter of the worker's deadline.
const CALL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// A worker.
pub(super) struct Worker {
    orchestra: Arc<Orchestra>,
    number: usize,
    task: Assignment,
    /// The session, once it has an id.
    session: Option<SessionId>,
    /// How far the news were read.
    read: usize,
    /// From the answer to its start on: the manager counts from when it was asked, which is not later.
    deadline: Instant,
    /// Whether the session can be observed.
    observable: bool,
    agent_died: bool,
    gone: bool,
    /// How often the session was asked to end.
    ends: u32,
    comes_out: WorkerState,
    why: String,
    text: Option<String>,
    truncated: bool,
}

impl Worker {
    pub(super) fn new(orchestra: Arc<Orchestra>, number: usize, task: Assignment) -> Self {
        Self {
            orchestra,
            number,
            task,
            session: None,
            read: 0,
            deadline: Instant::now(),
            observable: false,
            agent_died: false,
            gone: false,
            ends: 0,
            comes_out: WorkerState::Failed,
            why: String::new(),
            text: None,
            truncated: false,
        }
    }

    /// Goes through the machine to its end.
    pub(super) async fn run(mut self) -> Report {
        let mut state = State::Starting;
        while state != State::Over && !(state == State::Ending && self.leaves_it()) {
            let event = match state {
                State::Starting => self.start().await,
                State::Waiting => self.wait().await,
                State::Polling => self.poll().await,
                State::Inspecting => self.inspect().await,
                State::Reading => self.fetch().await,
                State::Ending => self.end().await,
                State::Verifying => self.verify().await,
                State::Over => break,
            };
            let transition = next(state, event).unwrap_or_else(|| panic!("the machine has no way on from {state:?} by {event:?}"));
            state = transition.to;
            self.comes_out = transition.comes_out.unwrap_or(self.comes_out);
        }
        let truncated = self.truncated && self.orchestra.choices.tells_truncation;
        let outcome = Outcome { worker: self.number, state: self.comes_out, truncated };
        Report { outcome, session: self.session, why: self.why, text: self.text }
    }

    // ---- starting ------------------------------------------------------------------------------------------------

    /// Starts the session. An answer that was lost is asked for again under the same request id, which starts nothing
    /// twice.
    async fn start(&mut self) -> Event {
        let mut request = uuid::Uuid::new_v4().to_string();
        for attempt in 0..ATTEMPTS {
            let args = json!({ "agent": self.task.agent, "cwd": self.task.cwd, "message": self.task.message, "request_id": request });
            let answer = self.call("start_session", args).await;
            if attempt == 0 {
                let patience = self.task.deadline().mul_f64(self.orchestra.choices.patience);
                self.deadline = Instant::now() + patience.min(self.orchestra.choices.longest);
            }
            match answer {
                Ok(answer) => return self.started(answer.get("session_id").and_then(Value::as_str)),
                Err(error) if error.code.spec().definite => {
                    self.why = format!("the start was refused: {error}");
                    return Event::Refused;
                }
                Err(error) => self.why = format!("nobody knows whether the session was started: {error}"),
            }
            match self.orchestra.choices.lost_start {
                LostStart::SameRequest => sleep(PAUSE).await,
                LostStart::NewRequest => request = uuid::Uuid::new_v4().to_string(),
                LostStart::GiveUp => return Event::Refused,
            }
        }
        self.look_up(&request).await
    }

    /// Looks in the list for the session of a request that was never answered.
    async fn look_up(&mut self, request: &str) -> Event {
        let listed = self.list().await.unwrap_or_default();
        let ours = |item: &&Value| item["request_id"] == request || (item["request_id"].is_null() && item["cwd"] == self.task.cwd);
        match listed.iter().find(ours).and_then(|item| item["session_id"].as_str()) {
            Some(id) => self.started(Some(id)),
            None => Event::Unclear,
        }
    }

    fn started(&mut self, id: Option<&str>) -> Event {
        let Some(id) = id else {
            self.why = "the answer to the start has no session_id".into();
            return Event::Unclear;
        };
        self.session = Some(id.into());
        self.observable = self.orchestra.observable_from_start(self.task.agent);
        let polled = self.observable || self.orchestra.choices.polls == Polls::All;
        if polled { Event::StartedObservable } else { Event::StartedUnobservable }
    }

    // ---- until the turn is over ----------------------------------------------------------------------------------

    /// Waits for the announcement, asking for nothing.
    async fn wait(&mut self) -> Event {
        if self.orchestra.choices.looks_in_list_early && !self.is_listed().await {
            return self.absent_early().await;
        }
        match timeout_at(self.deadline, self.announced()).await {
            Ok(event) => event,
            Err(_) => self.silent().await,
        }
    }

    /// Waits for the announcement and polls meanwhile, less and less often.
    async fn poll(&mut self) -> Event {
        let pace = self.orchestra.choices.pace;
        let mut interval = pace.first;
        loop {
            let due = Instant::now() + interval;
            let until = if pace.for_ever { due } else { due.min(self.deadline) };
            if let Ok(event) = timeout_at(until, self.announced()).await {
                return event;
            }
            if !pace.for_ever && Instant::now() >= self.deadline {
                return self.silent().await;
            }
            if let Some(event) = self.look().await {
                return event;
            }
            interval = interval.mul_f64(pace.growth).min(pace.most);
        }
    }

    /// One poll. That a session is not found says something only where it can be observed.
    async fn look(&mut self) -> Option<Event> {
        let error = self.get().await.err()?;
        match error.code {
            ErrorCode::SessionNotFound | ErrorCode::SessionPending | ErrorCode::SessionEnded if !self.observable => {
                match self.orchestra.choices.early_absence {
                    EarlyAbsence::Nothing => None,
                    _ => Some(self.absent_early().await),
                }
            }
            ErrorCode::SessionNotFound | ErrorCode::SessionEnded => {
                self.why = format!("the session is gone: {error}");
                self.gone = true;
                (self.orchestra.choices.when_gone != WhenGone::PollOn).then_some(Event::Gone)
            }
            // Pending, or the manager has other troubles: the next poll will tell.
            _ => None,
        }
    }

    /// Acts on an absence that means nothing: only a faulty orchestrator comes here.
    async fn absent_early(&mut self) -> Event {
        self.why = "the session is not there".into();
        if self.orchestra.choices.early_absence == EarlyAbsence::Replaced {
            let args = json!({ "agent": self.task.agent, "cwd": self.task.cwd, "message": self.task.message });
            let _ = self.call("start_session", args).await;
        }
        Event::Failed
    }

    /// Waits for what the manager announces of this session.
    async fn announced(&mut self) -> Event {
        let choices = &self.orchestra.choices;
        let session = self.session.clone();
        let heard = |said: &Announcement| {
            let ours = choices.hears == Hears::Anybodys || Some(said.session_id()) == session.as_ref();
            ours.then(|| match said {
                Announcement::TurnCompleted { status: None | Some(TurnStatus::Completed), .. } => (Event::Completed, String::new()),
                Announcement::TurnCompleted { .. } if !choices.tells_failed_turns => (Event::Completed, String::new()),
                Announcement::TurnCompleted { .. } => (Event::Failed, "the turn failed".into()),
                Announcement::SessionEnded { reason, .. } => {
                    (Event::Failed, format!("the session ended: {}", reason.as_deref().unwrap_or("no reason given")))
                }
                Announcement::NeedsInput { message, .. } => {
                    (Event::NeedsInput, format!("the agent asks: {}", message.as_deref().unwrap_or("it does not say what")))
                }
            })
        };
        let (event, why) = self.orchestra.news.next(&mut self.read, heard).await;
        self.observable |= event == Event::Completed;
        self.agent_died |= event == Event::Failed;
        self.why = why;
        event
    }

    // ---- the deadline --------------------------------------------------------------------------------------------

    /// Nothing was heard until the deadline.
    async fn silent(&mut self) -> Event {
        match self.orchestra.choices.at_deadline {
            AtDeadline::WaitOn => self.announced().await,
            AtDeadline::End => {
                self.why = "its time was over".into();
                Event::Failed
            }
            AtDeadline::TakeForDone => Event::Completed,
            AtDeadline::Inspect | AtDeadline::InspectAgain => Event::Deadline,
        }
    }

    /// Looks once: the announcement may have been lost. Data of a session that is not said to be at work, and that a turn
    /// must have made observable, are a turn's; anything else is for a person.
    async fn inspect(&mut self) -> Event {
        let status = self.status().await;
        let mut looks = if self.orchestra.choices.at_deadline == AtDeadline::InspectAgain { 5 } else { 1 };
        let data = loop {
            let data = self.get().await;
            looks -= 1;
            if data.is_ok() || looks == 0 {
                break data;
            }
            sleep(PAUSE).await;
        };
        let over = match status {
            Some(status) if !status.is_alive() => {
                self.why = format!("its session is {}", status.name());
                return Event::Failed;
            }
            Some(Status::Waiting) => true,
            Some(_) => false,
            None => !self.observable,
        };
        match data {
            Ok(()) if over && self.text.is_some() => Event::Read,
            _ => {
                self.why = "nothing was heard of it by its deadline, and its turn is not seen to be over".into();
                Event::StillOpen
            }
        }
    }

    // ---- reading -------------------------------------------------------------------------------------------------

    /// Reads what came of the turn.
    async fn fetch(&mut self) -> Event {
        for _ in 0..ATTEMPTS {
            match self.get().await {
                Ok(()) if self.text.is_some() => return Event::Read,
                Ok(()) => self.why = "its turn is over, and there is no text".into(),
                Err(error) => {
                    self.why = format!("its turn is over, and cannot be read: {error}");
                    if matches!(error.code, ErrorCode::SessionNotFound | ErrorCode::SessionEnded) {
                        return Event::Gone;
                    }
                }
            }
            sleep(PAUSE).await;
        }
        Event::GivenUp
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

    // ---- the end -------------------------------------------------------------------------------------------------

    /// Ends the session, whatever came of it. That it is not found, or ended already, is for the list to confirm.
    async fn end(&mut self) -> Event {
        while self.ends < ENDS {
            self.ends += 1;
            match self.call("end_session", json!({ "session_id": self.session })).await {
                Ok(_) => {
                    for _ in 0..self.orchestra.choices.extra_ends {
                        let _ = self.call("end_session", json!({ "session_id": self.session })).await;
                    }
                    return Event::Ended;
                }
                Err(error) if matches!(error.code, ErrorCode::SessionNotFound | ErrorCode::SessionEnded) => return Event::Ended,
                Err(error) => self.why = format!("its session could not be ended: {error}"),
            }
            match self.orchestra.choices.when_end_fails {
                WhenEndFails::TryAgain => sleep(PAUSE).await,
                WhenEndFails::GiveUp => break,
                WhenEndFails::Ignore => return Event::Ended,
            }
        }
        Event::GivenUp
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

    /// Looks whether the session is gone. Its process may take a moment.
    async fn verify(&mut self) -> Event {
        match self.orchestra.choices.verification {
            Verification::None => return Event::Absent,
            Verification::Ignored => {
                let _ = self.list().await;
                return Event::Absent;
            }
            Verification::List => {}
        }
        let mut seen = Event::GivenUp;
        for look in 0..ATTEMPTS {
            if look > 0 {
                sleep(PAUSE).await;
            }
            match self.list().await {
                Ok(listed) if !self.lives_in(&listed) => return Event::Absent,
                Ok(_) => seen = Event::StillListed,
                Err(error) => self.why = format!("its end could not be verified: {error}"),
            }
        }
        seen
    }

    // ---- asking --------------------------------------------------------------------------------------------------

    /// One call, within its limit.
    async fn call(&self, operation: &str, args: Value) -> Result<Args, ContractError> {
        let limit = (self.task.deadline() / 4).clamp(CALL.0, CALL.1);
        let Value::Object(args) = args else { unreachable!("arguments are written as objects") };
        match timeout(limit, self.orchestra.client.call(operation, args)).await {
            Ok(answer) => answer,
            Err(_) => Err(ContractError::new(ErrorCode::Timeout, format!("{operation}: no answer within {} s", limit.as_secs_f64()))),
        }
    }

    async fn list(&self) -> Result<Vec<Value>, ContractError> {
        let mut answer = self.call("list_sessions", json!({})).await?;
        Ok(answer.get_mut("sessions").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
    }

    fn entry<'a>(&self, listed: &'a [Value]) -> Option<&'a Value> {
        let session = self.session.as_ref()?;
        listed.iter().find(|item| item["session_id"] == session.as_str())
    }

    /// Whether the list has the session with a status that is alive, or with none.
    fn lives_in(&self, listed: &[Value]) -> bool {
        self.entry(listed).is_some_and(|item| item["status"].as_str().and_then(Status::from_name).is_none_or(Status::is_alive))
    }

    async fn is_listed(&self) -> bool {
        self.list().await.is_ok_and(|listed| self.entry(&listed).is_some())
    }

    /// The status that the list gives the session, where it has it and says one.
    async fn status(&self) -> Option<Status> {
        let listed = self.list().await.ok()?;
        Status::from_name(self.entry(&listed)?["status"].as_str()?)
    }
}
