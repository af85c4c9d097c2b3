use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use cucumber::gherkin::StepType;

use crate::contract::{AgentKind, Args, SessionId};
use crate::core::canary;
use crate::fakes::processes::LiveProcesses;
use crate::fakes::registry::AgentRegistry;
use crate::fakes::sim::SimWorld;
use crate::profile::Profiles;
use crate::spec::RequirementId;
use crate::sut::recorder::{Answered, Recorder};
use crate::sut::sandbox::Sandbox;
use crate::trace::settings::{Limits, Processes, Settings};
use crate::trace::{Contradiction, Entry, FINDING, Log, Record};

use super::vocabulary::StepTable;

/// How often something that announces nothing is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a scenario stops before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A Given or When could not be reached.
    Blocked(String),
    /// Something that the scenario needs is not offered.
    Skipped(String),
    /// The adapter or the harness broke.
    CouldNotTest(String),
}

/// What a step gives.
pub(crate) type StepResult = Result<(), Stop>;

/// Where a session's record is, by its id.
pub(crate) type RecordPlace = Rc<dyn Fn(&SessionId) -> PathBuf>;

/// Where the scenario's folders, files and processes are.
pub(crate) enum Ground {
    /// In memory.
    Virtual(SimWorld),
    /// On this machine.
    Real(Rc<Sandbox>),
}

/// What a world is made of.
pub(crate) struct WorldOptions {
    /// The trace.
    pub log: Log,
    /// The stand-ins.
    pub registry: AgentRegistry,
    /// The system under test.
    pub driver: Rc<Recorder>,
    /// Folders and files.
    pub ground: Ground,
    /// What is alive.
    pub processes: Rc<dyn LiveProcesses>,
    /// What the system has one agent process for.
    pub process_per: Processes,
    /// The agents' profiles.
    pub profiles: Rc<Profiles>,
    /// The limits.
    pub limits: Limits,
    /// The agents that the system manages, the scenario's own first.
    pub agents: Vec<AgentKind>,
    /// The longest message that the system states it takes, in characters, where it states one.
    pub message_chars: Option<usize>,
    /// The timeout that the system states outside of results, in seconds.
    pub default_timeout_s: Option<f64>,
    /// How to make a session's record unreadable, where the manifest names its place.
    pub record: Option<RecordPlace>,
    /// The scenario's first requirement: what its steps judge unless they name another.
    pub requirement: RequirementId,
}

/// The step that runs.
#[derive(Debug, Clone)]
struct RunningStep {
    text: String,
    requirement: RequirementId,
    place: StepType,
}

/// What a suite's steps know besides the run.
pub(crate) trait State: Default + fmt::Debug + 'static {
    /// The suite's steps.
    fn steps() -> &'static StepTable<World<Self>>;

    /// The id of the session that a label names, where it has one.
    fn session_id(&self, _label: &str) -> Option<SessionId> {
        None
    }

    /// Looks at what is true when the steps are over, so that it is on record.
    fn look_at_the_end(_world: &mut World<Self>) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Judges the whole trace, whatever the scenario asked.
    fn standing(_trace: &[Record], _settings: &Settings) -> Vec<StandingFinding> {
        Vec::new()
    }
}

/// What a step found.
#[derive(Debug, Clone)]
pub(crate) struct StepFinding {
    /// The step's text.
    pub(crate) step: String,
    pub(crate) what: Contradiction,
    /// Whether nothing had missed a limit before, so that it rests on none.
    pub(crate) is_timeless: bool,
}

/// What judged a whole trace, by its name, and what it found.
pub(crate) type StandingFinding = (&'static str, Contradiction);

/// What the steps of one scenario act on: the run, and what the suite's steps know of it.
pub(crate) struct World<S> {
    pub(crate) log: Log,
    pub(crate) registry: AgentRegistry,
    pub(crate) driver: Rc<Recorder>,
    pub(crate) ground: Ground,
    pub(crate) processes: Rc<dyn LiveProcesses>,
    pub(crate) process_per: Processes,
    pub(crate) profiles: Rc<Profiles>,
    pub(crate) limits: Limits,
    pub(crate) agents: Vec<AgentKind>,
    pub(crate) message_chars: Option<usize>,
    pub(crate) default_timeout_s: Option<f64>,
    pub(crate) record: Option<RecordPlace>,
    pub(crate) last: Option<Answered>,
    pub(crate) earlier: Vec<Answered>,
    /// What the suite's steps know.
    pub(crate) state: S,
    requirement: RequirementId,
    step: Option<RunningStep>,
    found: Vec<StepFinding>,
    stop: Option<Stop>,
}

impl<S: State> World<S> {
    /// A world in which nothing has happened yet.
    pub(crate) fn new(options: WorldOptions) -> Self {
        Self {
            log: options.log,
            registry: options.registry,
            driver: options.driver,
            ground: options.ground,
            processes: options.processes,
            process_per: options.process_per,
            profiles: options.profiles,
            limits: options.limits,
            agents: options.agents,
            message_chars: options.message_chars,
            default_timeout_s: options.default_timeout_s,
            record: options.record,
            last: None,
            earlier: Vec::new(),
            state: S::default(),
            requirement: options.requirement,
            step: None,
            found: Vec::new(),
            stop: None,
        }
    }

    /// Says which step comes next: its text, the requirement it names (if it names one), and its place.
    pub(crate) fn begin_step(&mut self, text: &str, names: Option<RequirementId>, place: StepType) {
        let requirement = names.unwrap_or_else(|| self.requirement.clone());
        self.step = Some(RunningStep { text: text.to_owned(), requirement, place });
        self.log.push(Entry::Step { text: text.to_owned() });
    }

    pub(crate) fn ended_with(&mut self, result: StepResult) {
        self.stop = result.err();
    }

    /// Why the step that just ran stopped the scenario, if it did.
    pub(crate) fn stopped(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// What the steps found so far.
    pub(crate) fn found(&self) -> &[StepFinding] {
        &self.found
    }

    /// Makes one finding of those since then, which are of one cause: the first, with the labels of all that it befell.
    pub(crate) fn as_one_finding(&mut self, since: usize, labels: &[String]) {
        self.found.truncate(since + 1);
        if let (Some(first), [_, others @ ..]) = (self.found.get_mut(since), labels)
            && !others.is_empty()
        {
            first.what.message += &format!(" (so were \"{}\")", others.join("\", \""));
        }
    }

    // ---- judging -------------------------------------------------------------------------------------------------

    /// Notes what is wrong; in a Given or When that only waits, blocks instead.
    pub(crate) fn wrong(&mut self, label: Option<&str>, message: String, claimed: String, truth: String) -> StepResult {
        let requirement = self.step.as_ref().expect("a step is running").requirement.clone();
        self.wrong_of(requirement.as_str(), label, message, claimed, truth)
    }

    /// The same, of another requirement than the step judges.
    pub(crate) fn wrong_of(
        &mut self,
        requirement: &str,
        label: Option<&str>,
        message: String,
        claimed: String,
        truth: String,
    ) -> StepResult {
        if self.step.as_ref().expect("a step is running").place != StepType::Then {
            return Err(Stop::Blocked(format!("{message} (claimed: {claimed}; true: {truth})")));
        }
        self.found_in_passing(requirement, label, message, claimed, truth);
        Ok(())
    }

    /// Notes what is wrong whatever step runs: what nobody has to ask for to be owed it.
    pub(crate) fn found_in_passing(&mut self, requirement: &str, label: Option<&str>, message: String, claimed: String, truth: String) {
        let step = self.step.as_ref().expect("a step is running").text.clone();
        let requirement = requirement.parse().expect("steps name requirements by their ids");
        let session = label.and_then(|label| self.state.session_id(label));
        // What is true was seen now, whenever what was asked and answered before it was recorded.
        let seen = if truth.is_empty() { &message } else { &truth };
        let note = Entry::Note { text: format!("seen: {seen}") };
        let mut found = Contradiction { requirement, session, message, claimed, truth, records: Vec::new() };
        // Whoever reads the trace alone is told, too.
        let told = serde_json::to_value(&found).expect("a contradiction is plain data");
        found.records.push(self.log.push_with(note, Args::from_iter([(FINDING.to_owned(), told)])));
        self.found.push(StepFinding { step, what: found, is_timeless: self.driver.missed_ms().is_none() });
    }

    /// Notes what is wrong, where `right` is false.
    pub(crate) fn expect(&mut self, right: bool, label: &str, message: &str, claimed: &str, truth: &str) -> StepResult {
        if right { Ok(()) } else { self.wrong(Some(label), message.to_owned(), claimed.to_owned(), truth.to_owned()) }
    }

    /// Whether the running step is a Given.
    pub(crate) fn is_given(&self) -> bool {
        self.step.as_ref().is_some_and(|step| step.place == StepType::Given)
    }

    /// Looks again and again, at most `limit` long (longer where the machine is too busy for that), until `look` finds nothing wrong;
    /// gives what was wrong last.
    pub(crate) async fn within(&mut self, limit: Duration, mut look: impl AsyncFnMut(&mut Self) -> Option<String>) -> Option<String> {
        let began = tokio::time::Instant::now();
        loop {
            let last_chance = tokio::time::Instant::now() >= began + canary::stretched(limit);
            match look(self).await {
                Some(wrong) if last_chance => {
                    if !limit.is_zero() {
                        self.driver.note_missed(limit);
                    }
                    return Some(wrong);
                }
                Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
                None => return None,
            }
        }
    }

    // ---- asking --------------------------------------------------------------------------------------------------

    /// Asks for an operation; the answer becomes the last one. A system that never answered anything could not be tested.
    pub(crate) async fn ask(&mut self, operation: &'static str, args: Args) -> Result<Answered, Stop> {
        let offer = self.driver.offer(operation);
        if !offer.offered {
            return Err(Stop::Skipped(format!("the manifest maps no `{operation}`")));
        }
        // What an operation cannot do without has its place, under whatever name (an agent's as `agent_command`, say).
        let fields = self.driver.operation(operation).args;
        let optional = |name: &&String| fields.iter().any(|field| field.name == **name && !field.required);
        if let Some(missing) = args.keys().filter(optional).find(|name| !offer.args.contains(&name.as_str())) {
            return Err(Stop::Skipped(format!("the manifest maps no place for `{missing}` of `{operation}`")));
        }
        let answered = self.driver.call(operation, args).await;
        if let Err(crate::sut::CallError::Unmapped { what }) = &answered.result {
            return Err(Stop::CouldNotTest(format!("{operation}: {what}")));
        }
        if let Err(crate::sut::CallError::Broken { what }) = &answered.result
            && !self.log.read(|records| records.iter().any(|record| matches!(record.entry, Entry::Reply { ok: Some(_), .. })))
        {
            return Err(Stop::CouldNotTest(format!("{operation}: {what}")));
        }
        self.last = Some(answered.clone());
        Ok(answered)
    }

    /// An act's answer: in a Given it must be a success; in a When it is kept to be judged.
    pub(crate) fn granted(&self, answered: &Answered, given: bool) -> StepResult {
        match (&answered.result, given) {
            (Err(_), true) => Err(Stop::Blocked(answered.claim())),
            _ => Ok(()),
        }
    }

    /// The last answer.
    pub(crate) fn last(&self) -> Result<&Answered, Stop> {
        self.last.as_ref().ok_or_else(|| Stop::CouldNotTest("nothing was asked yet".into()))
    }
}

impl<S: fmt::Debug> fmt::Debug for World<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("state", &self.state).field("found", &self.found).finish_non_exhaustive()
    }
}
