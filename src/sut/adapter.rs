//! A manifest's system behind the [`Driver`]'s face: operations become calls, answers become results.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::contract::{Announcement, Args, OperationSpec};

use super::announced::announcement;
use super::events::{IsReady, Subscription, Take, follow, follow_sse, tail_file};
use super::ground::SandboxedSystem;
use super::manifest::{AnswerSeen, EventMap, Manifest, Matcher, Step, Stream, Variables, judge};
use super::recorder::shortened;
use super::sandbox::Sandbox;
use super::serve::ServedProcess;
use super::{Announces, CallError, Driver, Offer, Tail};
use crate::sut::transports::transport::{Connected, Ears};
use crate::sut::transports::wire::Oddities;
use crate::sut::transports::wire_log;

/// How much of a system's standard error is kept, in bytes.
const STDERR_TAIL: usize = 16 << 10;

/// How often a call with a `wait` is made: systems without events have to be asked.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Opens a manifest's system in a sandbox: runs its set-up, starts its server, connects and shakes hands.
///
/// # Errors
/// `Broken`, saying which of these failed and how. What was started is ended.
pub async fn open(manifest: &Manifest, sandbox: Rc<Sandbox>) -> Result<Box<dyn Driver>, CallError> {
    let mut opening = AdapterOpening::new(manifest.clone(), sandbox)?;
    let opened = async {
        opening.set_up().await?;
        opening.serve().await?;
        opening.connect().await
    };
    match opened.await {
        Ok(adapter) => Ok(Box::new(adapter)),
        Err(error) => {
            let complaints = opening.tail.text();
            // A set-up that came half-way may have left a daemon behind.
            let _ = opening.ground.tear_down(&opening.tail).await;
            Err(match (error, complaints.trim()) {
                (CallError::Broken { what }, complaints) if !complaints.is_empty() => {
                    CallError::Broken { what: format!("{what}\nits standard error ended with: {complaints}") }
                }
                (error, _) => error,
            })
        }
    }
}

/// A system on its way to being open, step by step.
pub(crate) struct AdapterOpening {
    ground: SandboxedSystem,
    tail: Tail,
    served: Option<ServedProcess>,
}

impl AdapterOpening {
    /// Fills in the manifest. Nothing is started.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn new(manifest: Manifest, sandbox: Rc<Sandbox>) -> Result<Self, CallError> {
        let tail = Tail::new(STDERR_TAIL).logged_to(&sandbox.log_path("stderr"));
        Ok(Self { ground: SandboxedSystem::new(manifest, sandbox)?, tail, served: None })
    }

    /// Writes the files of `[setup]` and runs its command.
    ///
    /// # Errors
    /// `Broken`, saying what failed.
    pub(crate) async fn set_up(&self) -> Result<(), CallError> {
        self.ground.set_up(&self.tail).await
    }

    /// Starts `[serve]`, where there is one, and waits until it is ready.
    ///
    /// # Errors
    /// `Broken`, saying why it is not.
    pub(crate) async fn serve(&mut self) -> Result<(), CallError> {
        if let Some(plan) = self.ground.serve_plan()? {
            self.served = Some(ServedProcess::start(plan, self.tail.clone()).await?);
        }
        Ok(())
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// `Broken`, saying why it did not come to that.
    pub(crate) async fn connect(&mut self) -> Result<Adapter, CallError> {
        let into: Into = Arc::default();
        let oddities = Oddities::default();
        let ears = ears(&self.ground, into.clone(), oddities.clone());
        let limit = self.ground.start_limit();
        let transport = Connected::connect(self.ground.route()?, limit, ears, oddities.clone(), self.tail.clone()).await?;
        Ok(Adapter {
            ground: self.ground.clone(),
            transport,
            served: self.served.take(),
            into,
            subscriptions: RefCell::default(),
            oddities,
            tail: self.tail.clone(),
            came: RefCell::default(),
        })
    }

    /// The last lines that the system wrote to its standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        self.tail.text()
    }
}

/// Where announcements go, once somebody has subscribed.
type Into = Arc<Mutex<Option<mpsc::UnboundedSender<Announcement>>>>;

/// An open system.
pub(crate) struct Adapter {
    ground: SandboxedSystem,
    transport: Connected,
    served: Option<ServedProcess>,
    into: Into,
    /// Each with the mapping that makes it anew, where a restart ends it.
    subscriptions: RefCell<Vec<(Option<EventMap>, Subscription)>>,
    oddities: Oddities,
    tail: Tail,
    /// What the last call was answered with, as it came.
    came: RefCell<AnswerSeen>,
}

impl Adapter {
    /// What the last call was answered with, as it came.
    pub(crate) fn came(&self) -> AnswerSeen {
        self.came.borrow().clone()
    }

    fn manifest(&self) -> &Manifest {
        self.ground.manifest()
    }

    /// The limit of a call: the manifest's, and what the call itself asks to wait.
    fn limit(&self, operation: &OperationSpec, args: &Args) -> Duration {
        let asked = match operation.name {
            "wait_events" => args.get("timeout_s").and_then(Value::as_f64),
            _ => None,
        };
        self.manifest().limits.call + asked.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default()
    }

    /// Makes the calls of an operation in order. The first that fails ends it; what the ones before it want undone is then
    /// undone, last first.
    async fn operate(&self, operation: &'static OperationSpec, args: &Args, limit: Duration) -> Result<Args, CallError> {
        let steps = self.manifest().operations.get(operation.name).map(Vec::as_slice).unwrap_or_default();
        if steps.is_empty() {
            return Err(CallError::Broken { what: format!("the manifest maps no `{}`", operation.name) });
        }
        let mut variables = self.ground.variables(args);
        let deadline = Instant::now() + limit;
        let mut done: Vec<&Step> = Vec::new();
        let mut result = Args::new();
        for (at, step) in steps.iter().enumerate() {
            if !is_wanted(step, &variables) {
                continue;
            }
            let is_last = !steps[at + 1..].iter().any(|later| is_wanted(later, &variables));
            match self.step(step, operation, is_last, &variables, Within { deadline, limit }).await {
                Ok(given) => {
                    variables.extend(given.clone());
                    result = given;
                    done.push(step);
                }
                Err(error) => {
                    self.undo(&done, operation, &variables).await;
                    return Err(error);
                }
            }
        }
        Ok(result)
    }

    async fn undo(&self, done: &[&Step], operation: &'static OperationSpec, variables: &Variables) {
        let limit = self.manifest().limits.call;
        for step in done.iter().rev().flat_map(|step| &step.undo).filter(|step| is_wanted(step, variables)) {
            let within = Within { deadline: Instant::now() + limit, limit };
            // The first failure is the answer; one more would only hide it.
            let _ = self.step(step, operation, false, variables, within).await;
        }
    }

    /// One call, made again and again where the manifest says what to wait for.
    async fn step(
        &self,
        step: &Step,
        operation: &'static OperationSpec,
        is_last: bool,
        variables: &Variables,
        within: Within,
    ) -> Result<Args, CallError> {
        let call = self.ground.call(step, operation, variables)?;
        let within = match &step.wait {
            Some((_, timeout)) if Instant::now() + *timeout < within.deadline => {
                Within { deadline: Instant::now() + *timeout, limit: *timeout }
            }
            _ => within,
        };
        // What the last answer was, where it is not what is waited for.
        let mut last: Option<AnswerSeen> = None;
        loop {
            let left = within.deadline.saturating_duration_since(Instant::now());
            let answer = self.transport.exchange(call.clone(), left).await.map_err(|error| within.stated(error));
            if let (Err(CallError::TimedOut { .. }), Some((until, _)), Some(seen)) = (&answer, &step.wait, &last) {
                return Err(within.not_seen(until, seen));
            }
            wire_log::note(&call, &answer);
            let raw = answer?;
            let mut seen = raw.seen();
            let judged = judge(step, operation, is_last, &mut seen, variables, &self.manifest().status);
            self.came.replace(seen.clone());
            let Some((until, _)) = &step.wait else { return judged };
            if until.iter().any(|matcher| matcher.holds(&seen, variables)) || is_known_error(&judged) {
                return judged;
            }
            if Instant::now() + ASK_EVERY >= within.deadline {
                return Err(within.not_seen(until, &seen));
            }
            last = Some(seen);
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn take(&self, map: &EventMap) -> Take {
        take(&self.ground, map.clone(), self.into.clone(), self.oddities.clone())
    }

    async fn stream(&self, map: &EventMap) -> Result<Option<Subscription>, CallError> {
        let variables = self.ground.fixed();
        Ok(match &map.stream {
            Stream::Method(_) => None,
            Stream::File(path) => {
                let path = path.text(variables).map_err(|what| CallError::Broken { what })?;
                Some(tail_file(path.into(), self.take(map), self.oddities.clone()))
            }
            Stream::Sse(path) => {
                let path = path.text(variables).map_err(|what| CallError::Broken { what })?;
                let (url, headers) = self.ground.stream_place(&path)?;
                Some(follow_sse(url, headers, self.ground.start_limit(), self.take(map), self.oddities.clone()).await?)
            }
            Stream::Command(command) => {
                let launch = self.ground.launch(command, variables)?;
                let is_ready = (!map.ready.is_empty()).then(|| is_ready(map, variables.clone()));
                let limit = self.ground.start_limit();
                Some(follow(&launch, is_ready, limit, self.take(map), self.oddities.clone(), self.tail.clone()).await?)
            }
        })
    }
}

/// An operation's limit, and when it is reached.
#[derive(Debug, Clone, Copy)]
struct Within {
    deadline: Instant,
    limit: Duration,
}

impl Within {
    fn timed_out(self) -> CallError {
        CallError::TimedOut { limit_ms: self.limit.as_millis() as u64 }
    }

    /// What a manifest's own `wait` waited for in vain, and what was answered last.
    fn not_seen(self, until: &[Matcher], seen: &AnswerSeen) -> CallError {
        let wanted: Vec<String> = until.iter().map(ToString::to_string).collect();
        let what = format!("{} (the manifest's `wait`), saw {}", wanted.join(" or "), shortened(&seen.told()));
        CallError::NotSeen { waited_s: self.limit.as_secs_f64(), what }
    }

    /// The limit of the whole, where a call had only what was left of it.
    fn stated(self, error: CallError) -> CallError {
        match error {
            CallError::TimedOut { .. } => self.timed_out(),
            error => error,
        }
    }
}

fn is_wanted(step: &Step, variables: &Variables) -> bool {
    step.when_given.as_ref().is_none_or(|name| variables.get(name).is_some_and(|value| !value.is_null()))
}

/// Whether an answer is an error that the manifest or the contract names: waiting on would be in vain.
fn is_known_error(judged: &Result<Args, CallError>) -> bool {
    matches!(judged, Err(CallError::Contract(error)) if error.code != crate::contract::ErrorCode::Internal)
}

/// Gives what comes by notification to the announcements that the manifest says come that way.
fn ears(ground: &SandboxedSystem, into: Into, oddities: Oddities) -> Ears {
    let by_method: Vec<(String, Take)> = ground
        .manifest()
        .events
        .iter()
        .filter_map(|map| match &map.stream {
            Stream::Method(method) => Some((method.clone(), take(ground, map.clone(), into.clone(), oddities.clone()))),
            Stream::Command(_) | Stream::File(_) | Stream::Sse(_) => None,
        })
        .collect();
    Arc::new(move |method, params| by_method.iter().filter(|(known, _)| known == method).for_each(|(_, take)| take(params)))
}

fn take(ground: &SandboxedSystem, map: EventMap, into: Into, oddities: Oddities) -> Take {
    let variables = ground.fixed().clone();
    Box::new(move |value| {
        let into = into.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let (Some(into), Some(announcement)) = (into.as_ref(), announcement(&map, value, &variables, &oddities)) {
            // A subscriber that is gone wants nothing more.
            let _ = into.send(announcement);
        }
    })
}

fn is_ready(map: &EventMap, variables: Variables) -> IsReady {
    let ready = map.ready.clone();
    Box::new(move |line| {
        let value = serde_json::from_str(line).unwrap_or_else(|_| line.into());
        let seen = AnswerSeen { stdout: line.to_owned(), value, ..AnswerSeen::default() };
        ready.iter().any(|matcher| matcher.holds(&seen, &variables))
    })
}

#[async_trait(?Send)]
impl Driver for Adapter {
    async fn call(&self, operation: &'static OperationSpec, args: &Args) -> Result<Args, CallError> {
        let answer = self.operate(operation, args, self.limit(operation, args)).await;
        if let (Err(CallError::Broken { what }), Some(served)) = (&answer, &self.served)
            && let Some(obituary) = served.obituary().await
        {
            return Err(CallError::Broken { what: format!("{what}; {obituary}") });
        }
        answer
    }

    async fn call_killed(&self, operation: &'static OperationSpec, args: &Args, after: Duration) -> Result<Args, CallError> {
        let answer = self.operate(operation, args, after).await;
        if matches!(answer, Err(CallError::TimedOut { .. } | CallError::NotSeen { .. })) {
            // A process for the call alone was killed when its limit was reached.
            match &self.served {
                Some(_) => self.restart().await?,
                None => self.transport.kill().await?,
            }
        }
        answer
    }

    fn offer(&self, operation: &'static OperationSpec) -> Offer {
        self.manifest().offer(operation)
    }

    fn announcements(&self) -> Announces {
        let comes = |map: &EventMap| !matches!(map.stream, Stream::Method(_)) || self.transport.hears();
        let announces = self.manifest().announces();
        Announces { by_stream: announces.by_stream && self.manifest().events.iter().any(comes), ..announces }
    }

    async fn subscribe(&self, into: mpsc::UnboundedSender<Announcement>) -> Result<(), CallError> {
        *self.into.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(into);
        self.transport.listen().await?;
        for map in &self.manifest().events {
            if let Some(subscription) = self.stream(map).await? {
                let ends_with_the_server = matches!(map.stream, Stream::Command(_) | Stream::Sse(_));
                self.subscriptions.borrow_mut().push((ends_with_the_server.then(|| map.clone()), subscription));
            }
        }
        Ok(())
    }

    fn unread(&self) -> Option<String> {
        self.oddities.unread()
    }

    async fn restart(&self) -> Result<(), CallError> {
        let served = self.served.as_ref().filter(|_| self.can_restart());
        let served = served
            .ok_or_else(|| CallError::Broken { what: "the manifest has no `[serve]` that could be killed and started again".to_owned() })?;
        served.restart().await?;
        self.transport.reconnect().await?;
        if self.into.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_none() {
            return Ok(());
        }
        self.transport.listen().await?;
        // A stream that the killed process fed is dead; a file goes on where it was.
        let streams = std::mem::take(&mut *self.subscriptions.borrow_mut());
        for (command, subscription) in streams {
            let renewed = match &command {
                Some(map) => {
                    drop(subscription);
                    self.stream(map).await?.expect("it made a stream before")
                }
                None => subscription,
            };
            self.subscriptions.borrow_mut().push((command, renewed));
        }
        Ok(())
    }

    fn can_restart(&self) -> bool {
        self.manifest().serve.is_some()
    }

    async fn close(&self) -> Vec<String> {
        self.into.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let streams = std::mem::take(&mut *self.subscriptions.borrow_mut());
        let mut remarks: Vec<String> = streams.iter().filter_map(|(_, stream)| stream.ended()).collect();
        drop(streams);
        remarks.extend(self.transport.close(self.manifest().limits.end).await);
        remarks.extend(self.ground.tear_down(&self.tail).await.err().map(|error| error.to_string()));
        if let Some(served) = &self.served {
            remarks.extend(served.stop().await);
        }
        remarks
    }

    fn stderr_tail(&self) -> String {
        self.tail.text()
    }
}
