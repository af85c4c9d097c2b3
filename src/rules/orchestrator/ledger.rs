//! The ledger: follows a trace, keeps what is known of each open session, and tells the rules what occurs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::contract::{AgentKind, ErrorCode, Status, TurnStatus};
use crate::rules::{Moment, Settings};
use crate::spec::RequirementId;
use crate::trace::{Answered, Asked, Glance, Listed, News, Turned, What};

use super::closed::{Closed, Fast, hash, shard};
use super::session::{DAY_MS, Deadline, Ending, Listing, Observable, Session, Start, Unverified, Worker};
use super::unjudged::{Seen, unjudged};
use super::{Court, Occurrence, Read};

/// How long after its end a session may wait for a list, in milliseconds: OR-5.
const CONFIRM_MS: u64 = 60_000;

/// An `end_session` that took longer may have been given up by who asked, in milliseconds.
const GIVEN_UP_MS: u64 = 5000;

/// From here on milliseconds are of a wall clock, counted since 1970: they are told from the trace's first record on.
const WALL_TIME_MS: u64 = 100_000_000_000;

/// From so many unanswered calls on, and four for each open session, those are forgotten that nobody waits for any more.
const MANY_PENDING: usize = 4096;

/// A call that waits for its answer.
struct Pending {
    asked: Moment,
    call: Call,
}

enum Call {
    Start(Box<Start>),
    List { verifies: bool },
    Read(Arc<str>),
    End(Arc<str>),
    About(Arc<str>),
}

/// An agent's run, as far as the truth tells.
#[derive(Default)]
struct Run {
    folder: u64,
    session: Option<Arc<str>>,
    open: bool,
    completed: bool,
}

/// Which sessions are judged.
#[derive(Clone, Copy)]
enum Part {
    All,
    Shard { k: u64, of: u64 },
    None,
}

/// What is known, as a trace goes by.
pub(super) struct Ledger {
    part: Part,
    origin: Option<u64>,
    opened: u64,
    observable: HashMap<AgentKind, Observable>,
    observe_ms: u64,
    sessions: HashMap<Arc<str>, Session, Fast>,
    closed: Closed,
    pending: HashMap<u64, Pending, Fast>,
    /// The open session that works on something.
    works: HashMap<u64, Arc<str>, Fast>,
    unverified: Unverified,
    unsettled: Vec<Start>,
    workers: Vec<Worker>,
    runs: HashMap<String, Run, Fast>,
    listing: Option<Listing>,
    now: Moment,
    seen: Seen,
}

impl Ledger {
    pub(super) fn new(settings: &Settings) -> Self {
        let observable = |agent: AgentKind| (agent, Observable::from_phase(settings.observable.get(&agent).copied()));
        Self {
            part: Part::All,
            origin: None,
            opened: 0,
            observable: AgentKind::ALL.into_iter().map(observable).collect(),
            observe_ms: u64::try_from(settings.limits.observe.as_millis()).unwrap_or(u64::MAX),
            sessions: HashMap::default(),
            closed: Closed::default(),
            pending: HashMap::default(),
            works: HashMap::default(),
            unverified: Unverified::new(),
            unsettled: Vec::new(),
            workers: Vec::new(),
            runs: HashMap::default(),
            listing: None,
            now: Moment { index: 0, ms: 0 },
            seen: Seen::default(),
        }
    }

    pub(super) fn divide(&mut self, k: u64, of: u64) {
        self.part = Part::Shard { k, of };
    }

    fn is_ours(&self, id: &str) -> bool {
        match self.part {
            Part::All => true,
            Part::Shard { k, of } => shard(id, of) == k,
            Part::None => false,
        }
    }

    pub(super) fn sessions_seen(&self) -> u64 {
        self.opened
    }

    pub(super) fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn unjudged(&self) -> Vec<(RequirementId, String)> {
        unjudged(&self.seen)
    }

    pub(super) fn see(&mut self, index: usize, glance: &Glance, court: &mut Court) {
        // A record without a time is of the time before it; clocks that step back are not followed.
        let origin = *self.origin.get_or_insert_with(|| glance.ms.filter(|ms| *ms >= WALL_TIME_MS).unwrap_or_default());
        self.now = Moment { index, ms: glance.ms.unwrap_or_default().saturating_sub(origin).max(self.now.ms) };
        match &glance.what {
            What::Asked { id, op, args } => self.asked(*id, op, args, court),
            What::Answered { id, said } => self.answered(*id, said.as_ref(), court),
            What::Told { session, news } => self.told(session, *news),
            What::Truth { run, fact } => self.truth(run, fact),
            What::Bound { session, run } => self.bind(session, run),
            What::Worker(worker) => {
                self.seen.workers = true;
                if let Part::Shard { k, .. } = self.part {
                    self.part = if k == 1 { Part::All } else { Part::None };
                }
                self.workers.push(Worker {
                    index: worker.worker,
                    cwd: worker.cwd.as_str().into(),
                    deadline_s: worker.deadline_s,
                    began: None,
                    sessions: Vec::new(),
                    outcome: None,
                });
            }
            What::Outcome(outcome) => {
                self.seen.outcomes = true;
                let now = self.now;
                if let Some(worker) = self.workers.iter_mut().find(|worker| worker.index == outcome.worker) {
                    worker.outcome = Some((now, outcome.clone()));
                }
            }
            What::Exited { code, overdue } => self.exited(*code, *overdue, court),
            What::Restarted | What::Other | What::Unknown => {}
        }
        self.confirm_overdue(court);
    }

    // ---- what is asked -----------------------------------------------------------------------------------------------

    fn asked(&mut self, id: u64, op: &str, args: &Asked, court: &mut Court) {
        let call = match (op, args.session.get()) {
            ("start_session", _) => self.start_asked(args, court),
            ("list_sessions", _) => Call::List { verifies: !self.unverified.is_empty() },
            (_, Some(session)) => match self.about_asked(op, session, court) {
                Some(call) => call,
                None => return,
            },
            _ => return,
        };
        self.pending.insert(id, Pending { asked: self.now, call });
        if self.pending.len() > MANY_PENDING + 4 * self.sessions.len() {
            let oldest = self.now.ms.saturating_sub(DAY_MS);
            self.pending.retain(|_, pending| match &pending.call {
                Call::Start(_) | Call::List { .. } => pending.asked.ms >= oldest,
                Call::Read(id) | Call::End(id) | Call::About(id) => self.sessions.contains_key(id),
            });
        }
    }

    fn start_asked(&mut self, args: &Asked, court: &mut Court) -> Call {
        let at = self.now;
        let worker = self.worker_of(args.cwd.get());
        if let Some(worker) = worker {
            self.workers[worker].began.get_or_insert(at);
        }
        let work = match worker {
            Some(worker) => hash(("worker", worker)),
            None => hash((args.agent.get(), args.cwd.get(), args.message.get())),
        };
        let request = args.request.get();
        let beside = self.works.get(&work).and_then(|id| self.sessions.get(id));
        let beside = beside.filter(|session| request.is_none() || session.request.as_deref() != request);
        let beside = beside.filter(|session| session.end_asked.is_none()).map(|session| (session, self.nothing_of(session)));
        let unsettled = self.unsettled.iter().find(|start| start.work == work);
        court.hear(&Occurrence::StartAsked { beside, unsettled, request, at });
        self.unsettled.retain(|start| start.work != work);
        Call::Start(Box::new(Start {
            asked: at,
            failed: at,
            request: request.map(Into::into),
            cwd: args.cwd.get().map(Into::into),
            agent: args.agent_kind(),
            work,
            looked: false,
        }))
    }

    fn worker_of(&self, cwd: Option<&str>) -> Option<usize> {
        let cwd = cwd?;
        self.workers.iter().position(|worker| &*worker.cwd == cwd)
    }

    /// When a session was not to be seen: by a read of it, or by a list that nobody needed for verifying.
    fn nothing_of(&self, session: &Session) -> Option<Moment> {
        let absent = self.listing.as_ref().filter(|list| list.asked > session.known && !list.ids.contains(&hash(&*session.id)));
        session.nothing.max(absent.map(|list| list.at))
    }

    fn about_asked(&mut self, op: &str, id: &str, court: &mut Court) -> Option<Call> {
        let at = self.now;
        let Some(session) = self.sessions.get_mut(id) else {
            match self.closed.contains(id) {
                true if op == "end_session" => court.hear(&Occurrence::EndedAgain { id, at }),
                false if self.is_ours(id) => self.seen.strangers += 1,
                _ => {}
            }
            return None;
        };
        session.pace.count(at);
        let id = Arc::clone(&session.id);
        let session = &self.sessions[&id];
        court.hear(&Occurrence::CalledAbout { session, at });
        match op {
            "get_session_data" => self.read_asked(id, court),
            "end_session" => self.end_asked(id, court),
            "capture_screen" => {
                self.sessions.get_mut(&id)?.looked = Some(at);
                Some(Call::About(id))
            }
            "send_message" => {
                self.sessions.get_mut(&id)?.pace.prompt();
                Some(Call::About(id))
            }
            _ => None,
        }
    }

    fn read_asked(&mut self, id: Arc<str>, court: &mut Court) -> Option<Call> {
        let at = self.now;
        let session = self.sessions.get_mut(&id)?;
        let deadline = session.deadline.earliest();
        let last_look = session.looked.map_or(session.asked.ms, |look| look.ms);
        if (last_look..=at.ms).contains(&deadline) && last_look < deadline {
            session.pace.prompt();
        }
        court.hear(&Occurrence::ReadAsked { session, at });
        session.pace.read(at);
        session.looked = Some(at);
        if session.age(at.ms) >= DAY_MS {
            session.looked_at_day.get_or_insert(at);
        }
        Some(Call::Read(id))
    }

    fn end_asked(&mut self, id: Arc<str>, court: &mut Court) -> Option<Call> {
        let at = self.now;
        let nothing = self.nothing_of(self.sessions.get(&id)?);
        let session = self.sessions.get_mut(&id)?;
        court.hear(&Occurrence::EndAsked { session, nothing, at });
        session.nothing = nothing;
        session.end_asked.get_or_insert(at);
        if !matches!(session.ending, Ending::Done { .. }) {
            session.ending = Ending::Asked;
        }
        Some(Call::End(id))
    }

    // ---- what is answered --------------------------------------------------------------------------------------------

    fn answered(&mut self, id: u64, said: Option<&Result<Answered, ErrorCode>>, court: &mut Court) {
        let Some(Pending { asked, call }) = self.pending.remove(&id) else { return };
        let result = match said {
            Some(Ok(answered)) => Ok(answered),
            Some(Err(code)) => Err(*code),
            None => Err(ErrorCode::Timeout),
        };
        match call {
            Call::Start(start) => self.started(*start, result),
            Call::List { verifies } => self.listed(asked, verifies, result, court),
            Call::Read(session) => self.read(asked, &session, result, court),
            Call::End(session) => self.ended(asked, &session, result),
            Call::About(session) => {
                if let (Err(code), Some(session)) = (result, self.sessions.get_mut(&session)) {
                    prompt_after(session, code);
                    if code == ErrorCode::SessionEnded {
                        session.told.get_or_insert(self.now);
                    }
                }
            }
        }
    }

    fn started(&mut self, mut start: Start, result: Result<&Answered, ErrorCode>) {
        match result.map(|answered| answered.session.get()) {
            Ok(Some(id)) if !self.sessions.contains_key(id) => self.open(id, &start),
            Ok(_) => {}
            // Of a start without a session, the folder stands for it.
            Err(_) if !self.is_ours(start.cwd.as_deref().unwrap_or_default()) => {}
            Err(code) if code.spec().definite => {}
            Err(_) => {
                start.failed = self.now;
                self.unsettled.push(start);
            }
        }
    }

    fn open(&mut self, id: &str, start: &Start) {
        if !self.is_ours(id) {
            return;
        }
        self.opened += 1;
        let id: Arc<str> = id.into();
        let worker = self.worker_of(start.cwd.as_deref());
        let deadline = match worker {
            Some(at) => {
                self.workers[at].sessions.push(Arc::clone(&id));
                Deadline::stated(self.workers[at].began.unwrap_or(start.asked).ms, self.workers[at].deadline_s)
            }
            None => Deadline::unstated(start.asked.ms),
        };
        let observable = start.agent.and_then(|agent| self.observable.get(&agent).copied()).unwrap_or(Observable::Unknown);
        self.seen.unknown_agents += u64::from(observable == Observable::Unknown);
        let session = Session {
            id: Arc::clone(&id),
            agent: start.agent,
            observable,
            worker,
            work: start.work,
            request: start.request.clone(),
            asked: start.asked,
            known: self.now,
            deadline,
            told: None,
            announced: None,
            turn_failed: None,
            data: None,
            cut: None,
            nothing: None,
            gone: None,
            inspections: 0,
            looked: None,
            looked_at_day: None,
            not_found_at_day: None,
            pace: Default::default(),
            turn_open: None,
            turn_completed: false,
            end_asked: None,
            ending: Ending::NotAsked,
            end_failures: 0,
            listed_after: false,
            still_alive: None,
            found: Default::default(),
        };
        self.works.insert(start.work, Arc::clone(&id));
        self.sessions.insert(Arc::clone(&id), session);
        if !self.runs.is_empty() {
            self.bind_by_folder(&id, start.cwd.as_deref());
        }
    }

    fn read(&mut self, asked: Moment, id: &str, result: Result<&Answered, ErrorCode>, court: &mut Court) {
        let at = self.now;
        let observe_ms = self.observe_ms;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let read = match result {
            Ok(answered) if answered.pending.0 || answered.text.0.unwrap_or_default() == 0 => Read::Pending,
            Ok(_) => Read::Data,
            Err(ErrorCode::SessionPending) => Read::Pending,
            Err(ErrorCode::SessionNotFound) => Read::NotFound,
            Err(ErrorCode::SessionEnded) => Read::Over,
            Err(code) if code.spec().definite => Read::Refused,
            Err(_) => Read::Indefinite,
        };
        court.hear(&Occurrence::ReadAnswered { session, asked, at, read });
        let was_observable = match session.observable {
            Observable::AtOnce => session.data.is_some() || asked.ms >= session.known.ms.saturating_add(observe_ms),
            _ => session.data.is_some(),
        };
        match (read, result) {
            (Read::Data, Ok(answered)) => {
                session.data.get_or_insert(at);
                session.cut = answered.truncated.0.then_some(at);
                session.pace.saw(answered.text.0.unwrap_or_default());
                if answered.truncated.0 {
                    session.pace.prompt();
                }
            }
            (Read::NotFound | Read::Pending, _) => {
                session.nothing = Some(at);
                session.inspections += u32::from(asked.ms >= session.deadline.earliest());
                if read == Read::NotFound && session.age(asked.ms) >= DAY_MS && session.told.is_none() {
                    session.not_found_at_day.get_or_insert(at);
                }
            }
            (Read::Over, _) => drop(session.told.get_or_insert(at)),
            (_, Err(code)) => prompt_after(session, code),
            _ => {}
        }
        let is_gone = read == Read::Over || (read == Read::NotFound && (was_observable || session.told.is_some()));
        if is_gone && session.end_asked.is_none() {
            session.gone.get_or_insert(at);
        }
    }

    fn ended(&mut self, asked: Moment, id: &str, result: Result<&Answered, ErrorCode>) {
        let at = self.now;
        let Some(session) = self.sessions.get_mut(id) else { return };
        match result {
            Ok(_) | Err(ErrorCode::SessionNotFound | ErrorCode::SessionEnded) => {
                let was_done = matches!(session.ending, Ending::Done { .. });
                if was_done && session.still_alive.is_none() {
                    return;
                }
                session.ending = Ending::Done { at, late: at.ms.saturating_sub(asked.ms) >= GIVEN_UP_MS };
                session.listed_after = false;
                self.unverified.retain(|other| **other != *session.id);
                self.unverified.push_back(Arc::clone(&session.id));
            }
            Err(_) if matches!(session.ending, Ending::Done { .. }) => {}
            Err(_) => {
                session.end_failures += 1;
                session.ending = Ending::Failed(at);
            }
        }
    }

    // ---- lists -------------------------------------------------------------------------------------------------------

    fn listed(&mut self, asked: Moment, verifies: bool, result: Result<&Answered, ErrorCode>, court: &mut Court) {
        let items = result.ok().and_then(|answered| answered.sessions.as_deref());
        if let Some(items) = items {
            self.learn(items);
            self.settle(asked, items);
            if !verifies {
                let ids = items.iter().filter_map(|item| item.session.get()).map(hash).collect();
                self.listing = Some(Listing { asked, at: self.now, ids });
            }
        }
        self.verify(asked, items, court);
    }

    /// What a list says of sessions for certain.
    fn learn(&mut self, items: &[Listed]) {
        for item in items {
            let dead = item.status.get().and_then(Status::from_name).is_some_and(|status| !status.is_alive());
            let Some(session) = item.session.get().filter(|_| dead).and_then(|id| self.sessions.get_mut(id)) else { continue };
            session.told.get_or_insert(self.now);
        }
    }

    /// Starts of which nobody knew, found in a list or not.
    fn settle(&mut self, asked: Moment, items: &[Listed]) {
        let mut found = Vec::new();
        for start in self.unsettled.iter_mut().filter(|start| start.failed < asked) {
            start.looked = true;
            let is_it = |item: &&Listed| match (item.request.get(), &start.request) {
                (Some(listed), Some(own)) => listed == &**own,
                _ => item.cwd.get().is_some() && item.cwd.get() == start.cwd.as_deref(),
            };
            let known = |item: &&Listed| item.session.get().is_some_and(|id| !self.sessions.contains_key(id));
            if let Some(id) = items.iter().filter(is_it).find(known).and_then(|item| item.session.get()) {
                found.push((start.asked, id));
            }
        }
        for (asked, id) in found {
            let at = self.unsettled.iter().position(|start| start.asked == asked).expect("it was just found");
            let start = self.unsettled.swap_remove(at);
            self.open(id, &start);
        }
    }

    /// Looks in a list for the sessions that were ended before it was asked for. One that failed has been tried, at least.
    fn verify(&mut self, asked: Moment, items: Option<&[Listed]>, court: &mut Court) {
        let now = self.now;
        let mut gone = Vec::new();
        let sessions = &mut self.sessions;
        self.unverified.retain(|id| {
            let Some(session) = sessions.get_mut(id) else { return false };
            let Ending::Done { at, .. } = session.ending else { return false };
            if at > asked {
                return true;
            }
            session.listed_after = true;
            let Some(items) = items else { return true };
            match items.iter().find(|item| item.session.get() == Some(id)) {
                Some(item) if item.status.get().is_none_or(|word| Status::from_name(word).is_some_and(Status::is_alive)) => {
                    session.still_alive = Some(now);
                    true
                }
                _ => {
                    gone.push(Arc::clone(id));
                    false
                }
            }
        });
        for id in gone {
            self.close(&id, court);
        }
    }

    /// A session is over and seen to be; what belongs to a worker is kept until the worker is judged.
    fn close(&mut self, id: &Arc<str>, court: &mut Court) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.still_alive = None;
        if session.worker.is_some() {
            return;
        }
        court.hear(&Occurrence::Unconfirmed { session });
        self.forget(id);
    }

    fn forget(&mut self, id: &Arc<str>) {
        let Some(session) = self.sessions.remove(id) else { return };
        if self.works.get(&session.work).is_some_and(|other| other == id) {
            self.works.remove(&session.work);
        }
        if !self.runs.is_empty() {
            self.runs.retain(|_, run| run.session.as_ref() != Some(id));
        }
        self.closed.insert(id);
    }

    /// Sessions that were ended a minute ago: who wanted to look has looked.
    fn confirm_overdue(&mut self, court: &mut Court) {
        while let Some(id) = self.unverified.front() {
            let session = self.sessions.get(id).filter(|session| session.worker.is_none());
            let Some(Ending::Done { at, .. }) = session.map(|session| session.ending) else { return };
            if self.now.ms.saturating_sub(at.ms) <= CONFIRM_MS {
                return;
            }
            let id = self.unverified.pop_front().expect("it has a front");
            court.hear(&Occurrence::Unconfirmed { session: &self.sessions[&id] });
            self.forget(&id);
        }
    }

    // ---- announcements and truth -------------------------------------------------------------------------------------

    fn told(&mut self, id: &str, news: News) {
        let at = self.now;
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.announced.get_or_insert(at);
        session.pace.prompt();
        match news {
            News::TurnCompleted(status) => {
                session.told.get_or_insert(at);
                session.turn_failed = (status != TurnStatus::Completed).then_some(at);
            }
            News::SessionEnded => drop(session.told.get_or_insert(at)),
            News::NeedsInput => {}
        }
    }

    fn truth(&mut self, id: &str, fact: &Turned) {
        self.seen.truth = true;
        if *fact == Turned::Else {
            return;
        }
        if !self.runs.contains_key(id) {
            self.runs.insert(id.to_owned(), Run::default());
        }
        let run = self.runs.get_mut(id).expect("it was just made");
        match fact {
            Turned::Up(cwd) => run.folder = hash(&**cwd),
            Turned::Open => run.open = true,
            Turned::Complete(status) => {
                run.open = false;
                run.completed |= *status == TurnStatus::Completed;
            }
            Turned::Gone => run.open = false,
            Turned::Else => {}
        }
        if let Some(session) = run.session.as_ref().and_then(|id| self.sessions.get_mut(id)) {
            session.turn_open = Some(run.open);
            session.turn_completed |= run.completed;
        }
    }

    /// Finds the run of a new session by its folder, where that is the only one there.
    fn bind_by_folder(&mut self, session: &Arc<str>, cwd: Option<&str>) {
        let Some(cwd) = cwd.map(hash) else { return };
        let mut there = self.runs.iter().filter(|(_, run)| run.folder == cwd && run.session.is_none());
        if let (Some((run, _)), None) = (there.next(), there.next()) {
            let run = run.clone();
            self.bind(session, &run);
        }
    }

    fn bind(&mut self, session: &str, run: &str) {
        let (Some(session), Some(run)) = (self.sessions.get_mut(session), self.runs.get_mut(run)) else { return };
        run.session = Some(Arc::clone(&session.id));
        session.turn_open = Some(run.open);
        session.turn_completed |= run.completed;
    }

    // ---- the end -----------------------------------------------------------------------------------------------------

    fn exited(&mut self, code: Option<i32>, overdue: bool, court: &mut Court) {
        self.seen.exit = true;
        if matches!(self.part, Part::None) {
            return;
        }
        let at = self.now;
        let mut left: Vec<&Session> = self.sessions.values().collect();
        left.sort_by_key(|session| session.known);
        for session in left {
            let worker = session.worker.map(|worker| &self.workers[worker]);
            court.hear(&Occurrence::Left { session, worker, at });
        }
        let unanswered = self.pending.values().filter_map(|pending| match &pending.call {
            Call::Start(start) => Some(&**start),
            _ => None,
        });
        let mut starts: Vec<&Start> = self.unsettled.iter().chain(unanswered).collect();
        starts.sort_by_key(|start| start.asked);
        for start in starts {
            court.hear(&Occurrence::StartLeft { start, at });
        }
        let of_worker = |worker: &Worker| -> Vec<&Session> { worker.sessions.iter().filter_map(|id| self.sessions.get(id)).collect() };
        let workers: Vec<(&Worker, Vec<&Session>)> = self.workers.iter().map(|worker| (worker, of_worker(worker))).collect();
        for (worker, sessions) in &workers {
            court.hear(&Occurrence::WorkerOver { worker, sessions, at });
        }
        court.hear(&Occurrence::Exited { code, overdue, workers: &workers, at });
        self.sessions.clear();
        self.unsettled.clear();
        self.pending.clear();
        self.works.clear();
        self.unverified.clear();
    }

    /// The trace is over. What is open then is not judged: it may have gone on.
    pub(super) fn finish(&mut self, _: &mut Court) {
        let is_open = |session: &&Session| !matches!(session.ending, Ending::Done { .. });
        self.seen.open = self.sessions.values().filter(is_open).count() as u64;
        let unanswered = self.pending.values().filter(|pending| matches!(pending.call, Call::Start(_))).count();
        self.seen.unsettled = (self.unsettled.len() + unanswered) as u64;
    }
}

/// An indefinite error is a reason to ask again.
fn prompt_after(session: &mut Session, code: ErrorCode) {
    if !code.spec().definite {
        session.pace.prompt();
    }
}
