//! Scenarios on real processes, as many at a time as the machine bears. What came to nothing for want of time among others is
//! played once more, alone, before it is told.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::fakes::processes::{ProcFs, become_subreaper, starting};
use crate::profile::Profiles;
use crate::sut::running::ProcessExit;
use crate::sut::sandbox;

use super::Options;
use super::pace::PoolPace;
use super::plan::PlannedScenario;
use super::scenario::{ScenarioRun, Strain, Trouble, unplayed};
use super::target::Bounds;
use super::worker::{HALT, Job, WORKER};
use crate::results::model::{Event, Verdict, round_of};
use crate::results::verdict_of;
use crate::spec::Registry;

/// How long a worker may take to clean up after its scenario's time limit.
const GRACE: Duration = Duration::from_secs(15);

/// The most that is kept of the traces of what did not pass, in bytes of JSON.
const TRACES_LIMIT: usize = 64 << 20;

/// How many systems in a row that cannot be opened are enough: before any was.
const UNOPENED: usize = 3;

/// How many failures that stay failures when they are played alone are enough to believe the others.
const CONFIRMED: usize = 3;

/// A scenario and the system to play it on.
pub(crate) struct Task {
    pub(crate) planned: PlannedScenario,
    pub(crate) system: Value,
    pub(crate) bounds: Bounds,
}

/// What came of all tasks.
#[derive(Default)]
pub(crate) struct Played {
    /// Each with its place in the tasks, as they ended.
    pub(crate) runs: Vec<(usize, ScenarioRun)>,
    /// What is to be known of it, in sentences.
    pub(crate) notes: Vec<String>,
}

/// What is to be thought of failures for want of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failures {
    /// They are told when they fail alone, too, on a machine that has time.
    Doubted,
    /// They are what is looked for.
    Wanted,
}

/// Plays scenarios in worker processes, in the order of the plan as far as it goes.
pub(crate) fn run(tasks: Vec<Task>, failures: Failures, profiles: &Profiles, options: &Options, emit: &mut dyn FnMut(Event)) -> Played {
    become_subreaper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let played = runtime.block_on(Pool::new(&tasks, failures, profiles, options, emit).play());
    // What a worker that was killed left behind.
    ProcFs::end_descendants_of(std::process::id(), &[]);
    sandbox::sweep();
    played
}

/// The workers that live.
type Crew = Rc<RefCell<BTreeSet<u32>>>;

/// A run that is to be played again, and how many were played beside it at most.
type Again = (usize, ScenarioRun);

struct Pool<'a> {
    tasks: &'a [Task],
    failures: Failures,
    profiles: &'a Profiles,
    options: &'a Options,
    emit: &'a mut dyn FnMut(Event),
    pace: PoolPace,
    crew: Crew,
    halted: watch::Receiver<bool>,
    halt: watch::Sender<bool>,
    stop: bool,
    kept: usize,
    again: VecDeque<Again>,
    /// Whether any system was opened, and how many were not before that.
    opened: bool,
    unopened: usize,
    played: Played,
}

impl<'a> Pool<'a> {
    fn new(tasks: &'a [Task], failures: Failures, profiles: &'a Profiles, options: &'a Options, emit: &'a mut dyn FnMut(Event)) -> Self {
        let (halt, halted) = watch::channel(false);
        let start = tasks.iter().map(|task| task.bounds.start).min().unwrap_or_default();
        let stop = *options.interrupted.borrow();
        let (pace, played) = (PoolPace::new(options.jobs, start), Played::default());
        let (crew, again) = (Crew::default(), VecDeque::new());
        Self {
            tasks,
            failures,
            profiles,
            options,
            emit,
            pace,
            crew,
            halted,
            halt,
            stop,
            kept: 0,
            again,
            opened: false,
            unopened: 0,
            played,
        }
    }

    /// At most so many workers at a time; on an interruption no more, and those that run are told to end.
    async fn play(mut self) -> Played {
        let mut interrupted = self.options.interrupted.clone();
        let mut running = futures::stream::FuturesUnordered::new();
        let mut next = 0;
        let mut most = 0;
        loop {
            let is_stuck = !self.opened && self.unopened >= UNOPENED;
            while !self.stop && !is_stuck && next < self.tasks.len() && running.len() < self.pace.at_a_time(running.len()) {
                (self.emit)(Event::ScenarioStarted { key: self.tasks[next].planned.key.clone() });
                running.push(self.one(next));
                next += 1;
                most = most.max(running.len());
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                Some((at, done)) = running.next() => self.ended(at, done, most > 1),
                Ok(()) = interrupted.changed(), if !self.stop => {
                    self.stop = true;
                    self.halt.send_replace(true);
                }
            }
        }
        drop(running);
        let unplayed_from = next;
        self.play_again(&mut interrupted).await;
        if !self.stop && !self.opened && unplayed_from < self.tasks.len() {
            self.give_up(unplayed_from);
        } else if !self.stop && unplayed_from < self.tasks.len() {
            // It could be opened alone: the rest is played so.
            for at in unplayed_from..self.tasks.len() {
                if self.stop || *interrupted.borrow() {
                    break;
                }
                (self.emit)(Event::ScenarioStarted { key: self.tasks[at].planned.key.clone() });
                let (at, done) = self.one(at).await;
                self.ended(at, done, false);
            }
        }
        self.played
    }

    /// A task on its way; it borrows nothing.
    fn one(&self, at: usize) -> impl Future<Output = (usize, (ScenarioRun, usize))> + use<> {
        let Task { planned, system, bounds } = &self.tasks[at];
        let written = &planned.written;
        let job = Job {
            system: system.clone(),
            agents: planned.agents.clone(),
            profiles: self.profiles.clone(),
            feature: (written.file.clone(), written.text.clone(), written.nth),
            agent: planned.agent,
            // A repetition is the same scenario, by the same key.
            key: round_of(&planned.key).0.to_owned(),
            keep_sandbox: self.options.keep_sandbox,
            time_limit_s: self.options.time_limit.unwrap_or(bounds.scenario).as_secs().max(1),
        };
        let (planned, halted, crew) = (planned.clone(), self.halted.clone(), self.crew.clone());
        async move { (at, work(planned, job, halted, crew).await) }
    }

    /// Takes what came of a task: it is told, or played once more when nobody else is.
    fn ended(&mut self, at: usize, (done, size): (ScenarioRun, usize), among_others: bool) {
        self.pace.learn(&done.strain);
        match done.strain.trouble {
            Some(Trouble::NotOpened) => self.unopened += 1,
            _ => self.opened |= done.result.verdict != Verdict::CouldNotTest,
        }
        if among_others && !self.stop && self.wants_another(&done) {
            self.again.push_back((at, done));
            return;
        }
        self.tell(at, done, size);
    }

    fn wants_another(&self, done: &ScenarioRun) -> bool {
        let fell_short = !matches!(done.result.verdict, Verdict::Passed | Verdict::Skipped);
        let strain = &done.strain;
        let is_doubted = self.failures == Failures::Doubted && fell_short && strain.missed_ms.is_some();
        // What is found whatever the time is not to be lost because it does not happen again.
        let is_certain = verdict_of(&strain.timeless, Registry::embedded()) == Verdict::Failed;
        !is_certain && (strain.trouble.is_some() || (is_doubted && self.pace.is_strained(strain)))
    }

    async fn play_again(&mut self, interrupted: &mut watch::Receiver<bool>) {
        let (mut confirmed, mut mended, mut alone) = (0, 0, 0);
        while let Some((at, before)) = self.again.pop_front() {
            let was_unopened = before.strain.trouble == Some(Trouble::NotOpened);
            let is_stuck = was_unopened && !self.opened && alone > 0;
            if self.stop || *interrupted.borrow() || is_stuck || (mended == 0 && confirmed >= CONFIRMED) {
                self.tell(at, before, 0);
                continue;
            }
            let one = self.one(at);
            let done = tokio::select! {
                (_, done) = one => Some(done),
                _ = interrupted.changed() => None,
            };
            let Some((done, size)) = done else {
                self.stop = true;
                self.halt.send_replace(true);
                self.tell(at, before, 0);
                continue;
            };
            alone += 1;
            let is_mended = matches!(done.result.verdict, Verdict::Passed | Verdict::Skipped);
            self.opened |= done.strain.trouble != Some(Trouble::NotOpened);
            mended += usize::from(is_mended);
            confirmed += usize::from(!is_mended);
            self.tell(at, done, size);
        }
        if alone > 0 {
            let again = if alone == 1 { "1 scenario".to_owned() } else { format!("{alone} scenarios") };
            self.played.notes.push(format!(
                "{again} came to nothing or missed a limit among others and ran once more, alone: {mended} of them passed then"
            ));
        }
    }

    fn tell(&mut self, at: usize, mut done: ScenarioRun, size: usize) {
        self.pace.explain(&mut done, self.failures == Failures::Doubted);
        if matches!(done.result.verdict, Verdict::Passed | Verdict::Skipped) {
            // Nobody looks at it.
            done.trace = Vec::new();
        } else if self.kept + size > TRACES_LIMIT {
            done.trace.truncate(1);
        } else {
            self.kept += size;
        }
        (self.emit)(Event::ScenarioFinished { result: Box::new(done.result.clone()) });
        self.stop |= self.options.fail_fast && done.result.verdict == Verdict::Failed;
        self.played.runs.push((at, done));
    }

    /// Nothing can be opened: what is left is not even tried.
    fn give_up(&mut self, from: usize) {
        for at in from..self.tasks.len() {
            let why = format!("not tried: the system could not be opened, {} times in a row and at last alone", self.unopened);
            let result = unplayed(&self.tasks[at].planned, Verdict::NotExercised, Some(why), Vec::new());
            (self.emit)(Event::ScenarioFinished { result: Box::new(result.clone()) });
            self.played.runs.push((at, ScenarioRun { result, trace: Vec::new(), strain: Strain::default() }));
        }
    }
}

/// One scenario in one worker process. Gives what came of it, and how long the worker's answer was.
async fn work(planned: PlannedScenario, job: Job, mut halted: watch::Receiver<bool>, crew: Crew) -> (ScenarioRun, usize) {
    let broken = |why: String| {
        (
            ScenarioRun {
                result: unplayed(&planned, Verdict::CouldNotTest, Some(why), Vec::new()),
                trace: Vec::new(),
                strain: Strain::default(),
            },
            0,
        )
    };
    let limit = Duration::from_secs(job.time_limit_s) + GRACE;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return broken(format!("the harness cannot find its own program: {error}")),
    };
    let mut command = tokio::process::Command::new(program);
    command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut worker = match starting().and_then(|_allowed| command.spawn()) {
        Ok(worker) => worker,
        Err(error) => return broken(format!("no worker process could be started: {error}")),
    };
    let pid = worker.id().expect("it was not waited for");
    crew.borrow_mut().insert(pid);
    let (mut stdin, mut stdout, mut stderr) = match (worker.stdin.take(), worker.stdout.take(), worker.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => (Some(stdin), stdout, stderr),
        _ => return broken("a worker process without pipes".into()),
    };
    let mut line = serde_json::to_vec(&job).expect("a job is plain data");
    line.push(b'\n');
    if let Some(stdin) = stdin.as_mut() {
        let _ = stdin.write_all(&line).await;
    }
    let mut listen = Box::pin(async move {
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        // What could not be read is missing, and said so below.
        let _ = tokio::join!(stdout.read_to_end(&mut answer), stderr.read_to_end(&mut complaint));
        (answer, complaint)
    });
    let heard = tokio::select! {
        heard = &mut listen => Some(heard),
        _ = halted.wait_for(|halted| *halted) => {
            // The worker ends everything and answers nothing.
            if let Some(mut stdin) = stdin.take() {
                let _ = stdin.write_all(HALT).await;
            }
            tokio::time::timeout(GRACE, &mut listen).await.ok()
        }
        () = tokio::time::sleep(limit) => None,
    };
    drop(stdin);
    let mut exit = None;
    if heard.is_some() {
        exit = tokio::time::timeout(GRACE, worker.wait()).await.ok().and_then(Result::ok).map(ProcessExit::from);
    }
    if exit.is_none() {
        let _ = worker.kill().await;
    }
    crew.borrow_mut().remove(&pid);
    if exit != Some(ProcessExit::Code(0)) {
        // Whatever the worker had under it fell to this process, a subreaper too.
        let others: Vec<u32> = crew.borrow().iter().copied().collect();
        ProcFs::end_descendants_of(std::process::id(), &others);
    }
    let Some((answer, complaint)) = heard else {
        return broken(format!("the scenario did not end within {} s", limit.as_secs()));
    };
    match (serde_json::from_slice::<ScenarioRun>(&answer), exit) {
        (Ok(mut played), _) => {
            played.result.key = planned.key;
            (played, answer.len())
        }
        (Err(_), _) if *halted.borrow() => broken("interrupted".into()),
        (Err(_), Some(exit)) if exit != ProcessExit::Code(0) => {
            let complaint = String::from_utf8_lossy(&complaint);
            broken(format!("the scenario's worker process {exit}. {}", complaint.trim()).trim_end().to_owned())
        }
        (Err(error), _) => broken(format!("the scenario's worker process answered garbage: {error}")),
    }
}
