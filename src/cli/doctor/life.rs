use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::contract::{AgentKind, Announcement, Args, ErrorCode, OperationSpec, SESSION_OPERATIONS, Status, TurnStatus};
use crate::fakes::processes::{LiveProcesses as _, ProcFs};
use crate::fakes::registry::{AgentRegistry, FakeRun};
use crate::sut::adapter::Adapter;
use crate::sut::manifest::plain;
use crate::sut::recorder::shortened;
use crate::sut::sandbox::Sandbox;
use crate::sut::transports::wire::Oddities;
use crate::sut::{CallError, Driver};

use super::examination::{DoctorLook, DoctorStep, Examination, L};

/// How often the system is asked again for what takes time.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What announcements come by.
enum AnnouncementSource {
    Nothing,
    Stream(mpsc::UnboundedReceiver<Announcement>),
    Waiting(Value),
}

/// A session under examination.
pub(super) struct ExaminedSession {
    pub(super) id: String,
    pub(super) cwd: PathBuf,
    nonce: String,
}

/// One session's life, from the empty list to the empty list.
impl Examination {
    pub(crate) async fn live(&mut self, driver: &Adapter, sandbox: &Sandbox, registry: &AgentRegistry) -> DoctorStep {
        self.list_is_empty(driver).await?;
        let mut follow = self.follow(driver).await?;
        let session = self.start(driver, sandbox).await?;
        let run = self.agent(registry, &session).await?;
        let reply = format!("REPLY-{}", &session.nonce[6..]);
        registry.release(&run.id, 1, &reply, TurnStatus::Completed);
        self.announced(driver, &mut follow, &session).await;
        self.data(driver, &session, &reply).await?;
        self.listed(driver, &session).await?;
        self.empty_message(driver, &session).await;
        self.end(driver, &session, &run).await?;
        self.idle(driver, sandbox).await?;
        self.refusals(driver, sandbox, &session).await;
        Ok(())
    }

    async fn list_is_empty(&mut self, driver: &Adapter) -> DoctorStep {
        match ask(driver, "list_sessions", json!({})).await {
            Ok(answer) => {
                let count = sessions(&answer).count();
                match count {
                    0 => self.fine(L::List, "no sessions yet"),
                    _ => {
                        let advice = "the system keeps its state outside its sandbox: point it there in [transport] env";
                        self.odd(L::List, format!("in a new sandbox it lists {count} sessions"), advice);
                    }
                }
                Ok(())
            }
            Err(error) => self.unanswered(L::List, &error),
        }
    }

    async fn follow(&mut self, driver: &Adapter) -> DoctorStep<AnnouncementSource> {
        let announces = driver.announcements();
        let mut refused = String::new();
        if announces.by_waiting {
            match ask(driver, "wait_events", json!({ "timeout_s": 0 })).await {
                Ok(answer) => {
                    self.fine(L::Subscription, "by wait_events");
                    return Ok(AnnouncementSource::Waiting(answer["cursor"].clone()));
                }
                Err(error) => refused = format!("wait_events: {error}"),
            }
        }
        if announces.by_stream {
            let (into, announced) = mpsc::unbounded_channel();
            match driver.subscribe(into).await {
                Ok(()) => {
                    self.fine(L::Subscription, "by a stream");
                    return Ok(AnnouncementSource::Stream(announced));
                }
                // What the manifest itself says of events must hold; what only the canonical form says may be missing.
                Err(error) if self.manifest.events.iter().any(|map| !map.result.is_empty()) => {
                    return self.broken(L::Subscription, error, "see [events], its `ready` above all");
                }
                Err(error) => refused = [refused, error.to_string()].join("\n"),
            }
        }
        if refused.is_empty() {
            self.skipped(L::Subscription, "the manifest maps none");
        } else {
            let advice = "a system need not announce, but the suite codex-observability needs it";
            self.odd(L::Subscription, refused.trim(), advice);
        }
        Ok(AnnouncementSource::Nothing)
    }

    async fn start(&mut self, driver: &Adapter, sandbox: &Sandbox) -> DoctorStep<ExaminedSession> {
        let agent = self.manifest.agents.first().copied().unwrap_or(AgentKind::CODEX);
        let cwd = match sandbox.work_folder(1) {
            Ok(cwd) => cwd,
            Err(error) => return self.broken(L::Start, error, "see the sandbox's folder"),
        };
        let nonce = format!("NONCE-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let args = json!({ "agent": agent.name(), "cwd": cwd.display().to_string(), "message": format!("say {nonce}") });
        match ask(driver, "start_session", args).await {
            Ok(answer) => {
                let id = answer["session_id"].as_str().unwrap_or_default().to_owned();
                self.fine(L::Start, format!("{agent} in session {id}"));
                Ok(ExaminedSession { id, cwd, nonce })
            }
            Err(error) => self.unanswered(L::Start, &error),
        }
    }

    async fn agent(&mut self, registry: &AgentRegistry, session: &ExaminedSession) -> DoctorStep<FakeRun> {
        let cwd = std::fs::canonicalize(&session.cwd).unwrap_or_else(|_| session.cwd.clone());
        let limit = self.manifest.limits.start;
        let in_cwd = |run: &FakeRun| std::fs::canonicalize(&run.cwd).is_ok_and(|found| found == cwd);
        let Ok(run) = timeout(limit, registry.until(|runs| runs.iter().find(|run| in_cwd(run)).cloned())).await else {
            let elsewhere: Vec<String> = registry.runs().iter().map(|run| format!("{} in {}", run.agent, run.cwd)).collect();
            let within = format!("within {} s", limit.as_secs_f64());
            return if elsewhere.is_empty() {
                let advice = "the system must find its agents by name on the PATH it is given, or take `{{ agent_command }}`";
                self.broken(L::Agent, format!("no stand-in reported itself {within}"), advice)
            } else {
                self.broken(
                    L::Agent,
                    format!("it runs elsewhere: {}", elsewhere.join(", ")),
                    "pass `{{ cwd }}` to the system: sessions are told apart by it",
                )
            };
        };
        self.fine(L::Agent, format!("{} as process {}", run.agent, run.pid));
        let prompted = |runs: &[FakeRun]| runs.iter().find(|known| known.id == run.id && !known.prompts.is_empty()).cloned();
        match timeout(limit, registry.until(prompted)).await {
            Ok(run) if run.prompts[0].1.contains(&session.nonce) => {
                self.fine(L::Message, "");
                Ok(run)
            }
            Ok(run) => {
                self.odd(L::Message, format!("it was given another one: {:?}", run.prompts[0].1), "see where `{{ message }}` goes");
                Ok(run)
            }
            Err(_) => {
                let why = format!("none within {} s; the agent's arguments were {:?}", limit.as_secs_f64(), run.args);
                self.broken(L::Message, why, "see where `{{ message }}` goes: as an argument, or typed once the agent is ready")
            }
        }
    }

    async fn announced(&mut self, driver: &Adapter, follow: &mut AnnouncementSource, session: &ExaminedSession) {
        let limit = self.manifest.limits.announce;
        let unread = Oddities::default();
        let told = match follow {
            AnnouncementSource::Nothing => return self.skipped(L::Announcement, "announcements cannot be followed"),
            AnnouncementSource::Stream(announced) => timeout(limit, async {
                while let Some(announcement) = announced.recv().await {
                    if is_turn_of(&announcement, session) {
                        return;
                    }
                }
                std::future::pending().await
            })
            .await
            .is_ok(),
            AnnouncementSource::Waiting(cursor) => timeout(limit, wait_for_turn(driver, cursor, session, &unread)).await.is_ok(),
        };
        if told {
            return self.fine(L::Announcement, "");
        }
        let names = format!("names session {} within {} s", session.id, limit.as_secs_f64());
        match unread.unread().or_else(|| driver.unread()) {
            None => self.odd(
                L::Announcement,
                format!("nothing {names}"),
                "see [events]: does the announcement carry the id that start_session gave?",
            ),
            Some(unread) => {
                let advice = "an announcement names itself and its `session_id`; a `status` is a word of the contract, or left out";
                self.odd(L::Announcement, format!("nothing that can be read {names}; {unread}"), advice);
            }
        }
    }

    async fn data(&mut self, driver: &Adapter, session: &ExaminedSession, reply: &str) -> DoctorStep {
        let limit = self.manifest.limits.observe;
        let deadline = Instant::now() + limit;
        loop {
            let answer = ask(driver, "get_session_data", json!({ "session_id": session.id })).await;
            let late = Instant::now() >= deadline;
            let why = match answer {
                Ok(answer) if answer["text"].as_str().is_some_and(|text| text.contains(reply)) => {
                    self.fine(L::Data, "");
                    return Ok(());
                }
                Ok(answer) if late => {
                    format!("its text lacks the agent's reply: {}", shortened(&answer.to_string()))
                }
                Err(CallError::Contract(error)) if error.code != ErrorCode::Internal && late => {
                    format!("its turn is over, and still: {error}")
                }
                Err(error) if !matches!(&error, CallError::Contract(error) if error.code != ErrorCode::Internal) => {
                    return self.unanswered(L::Data, &error);
                }
                _ => {
                    sleep(ASK_EVERY).await;
                    continue;
                }
            };
            self.odd(L::Data, why, "verify judges that; if the text is elsewhere in the answer, map it in `result`");
            return Ok(());
        }
    }

    /// It lives, and every phase from which it can be seen has passed.
    async fn listed(&mut self, driver: &Adapter, session: &ExaminedSession) -> DoctorStep {
        let deadline = Instant::now() + self.manifest.limits.observe;
        loop {
            let answer = match ask(driver, "list_sessions", json!({})).await {
                Ok(answer) => answer,
                Err(error) => return self.unanswered(L::Listed, &error),
            };
            match sessions(&answer).find(|one| one["session_id"] == session.id.as_str()) {
                Some(listed) => {
                    match listed["status"].as_str() {
                        None => self.fine(L::Listed, "without a status"),
                        Some(word) if Status::from_name(word).is_some_and(Status::is_alive) => self.fine(L::Listed, format!("as `{word}`")),
                        Some(word) => {
                            let advice = "if its own word for that means that the agent lives, map it so in [status]";
                            self.odd(L::Listed, format!("its agent runs, and the list calls it `{word}`: {listed}"), advice);
                        }
                    }
                    return Ok(());
                }
                None if Instant::now() < deadline => sleep(ASK_EVERY).await,
                None => {
                    let count = sessions(&answer).count();
                    let came = shortened(&plain(&driver.came().value));
                    let why = format!(
                        "session {} lives and is not among the {count} that the mapping finds in the list; answered: {came}",
                        session.id
                    );
                    let advice = "see `result` and `each` of list_sessions; where the system itself leaves it out, LC-OBS-1 says so";
                    return self.broken(L::Listed, why, advice);
                }
            }
        }
    }

    /// The same start without its optional argument: another step may then be the operation's last.
    async fn idle(&mut self, driver: &Adapter, sandbox: &Sandbox) -> DoctorStep {
        let agent = self.manifest.agents.first().copied().unwrap_or(AgentKind::CODEX);
        let Ok(cwd) = sandbox.work_folder(2) else { return Ok(()) };
        match ask(driver, "start_session", json!({ "agent": agent.name(), "cwd": cwd.display().to_string() })).await {
            Ok(answer) => {
                let id = answer["session_id"].as_str().unwrap_or_default().to_owned();
                self.fine(L::Idle, format!("{agent} in session {id}"));
                match ask(driver, "end_session", json!({ "session_id": id })).await {
                    Ok(_) => Ok(()),
                    Err(error) => self.unanswered(L::Idle, &error),
                }
            }
            Err(CallError::Contract(error)) => {
                self.odd(L::Idle, error.to_string(), "a message is optional at a start: where the system needs one, verify judges that");
                Ok(())
            }
            Err(error) => self.unanswered(L::Idle, &error),
        }
    }

    async fn end(&mut self, driver: &Adapter, session: &ExaminedSession, run: &FakeRun) -> DoctorStep {
        if let Err(error) = ask(driver, "end_session", json!({ "session_id": session.id })).await {
            return self.unanswered(L::End, &error);
        }
        self.fine(L::End, "");
        let deadline = Instant::now() + self.manifest.limits.end;
        while ProcFs.alive(run.pid, run.started_ticks) && Instant::now() < deadline {
            sleep(ASK_EVERY).await;
        }
        match ProcFs.alive(run.pid, run.started_ticks) {
            false => self.fine(L::Gone, ""),
            true => {
                let why = format!("process {} still runs after {} s", run.pid, self.manifest.limits.end.as_secs_f64());
                self.odd(L::Gone, why, "verify will fail LC-CLEAN-1; see whether end_session calls the right thing");
            }
        }
        match ask(driver, "list_sessions", json!({})).await {
            Ok(answer) => {
                let alive = |status: &Value| status.as_str().and_then(Status::from_name).is_none_or(Status::is_alive);
                let listed = sessions(&answer).find(|one| one["session_id"] == session.id.as_str()).filter(|one| alive(&one["status"]));
                match listed {
                    None => self.fine(L::Unlisted, ""),
                    Some(listed) => self.odd(L::Unlisted, listed.to_string(), "if a word says that it is over, map it in [status]"),
                }
                Ok(())
            }
            Err(error) => self.unanswered(L::Unlisted, &error),
        }
    }

    /// An operation that must be answered was not.
    fn unanswered<T>(&mut self, look: DoctorLook, error: &CallError) -> DoctorStep<T> {
        let advice = match error {
            CallError::Contract(error) if error.code == ErrorCode::Internal => {
                "a failure that the manifest does not name: map it in `errors` or `empty`, or see why it fails"
            }
            CallError::Contract(_) => "the request was sound: see what the system is given",
            CallError::TimedOut { .. } => "see why it hangs; if it is only slow, raise [limits] call",
            CallError::NotSeen { .. } => "see what is answered, and what `wait` waits for",
            CallError::Malformed { .. } | CallError::Unmapped { .. } => "compare `output`, `result` and `each` with what is answered",
            CallError::Broken { .. } => "see [transport], and what the system says",
        };
        self.broken(look, error, advice)
    }
}

pub(super) async fn ask(driver: &Adapter, name: &str, args: Value) -> Result<Value, CallError> {
    let operation = OperationSpec::find(SESSION_OPERATIONS, name).expect("an operation of the contract");
    let Value::Object(args) = args else { unreachable!("arguments are an object") };
    let answer: Args = driver.call(operation, &args).await?;
    Ok(Value::Object(answer))
}

fn sessions(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["sessions"].as_array().into_iter().flatten()
}

fn is_turn_of(announcement: &Announcement, session: &ExaminedSession) -> bool {
    matches!(announcement, Announcement::TurnCompleted { session_id, .. } if session_id.as_str() == session.id)
}

async fn wait_for_turn(driver: &Adapter, cursor: &mut Value, session: &ExaminedSession, unread: &Oddities) {
    loop {
        match ask(driver, "wait_events", json!({ "after": cursor, "timeout_s": 1 })).await {
            Ok(answer) => {
                *cursor = answer["cursor"].clone();
                for event in answer["events"].as_array().into_iter().flatten() {
                    match Announcement::heard(event.clone()) {
                        Ok(announcement) if is_turn_of(&announcement, session) => return,
                        Ok(_) => {}
                        Err(why) => unread.unreadable(event.to_string(), why),
                    }
                }
            }
            Err(_) => sleep(ASK_EVERY).await,
        }
    }
}
