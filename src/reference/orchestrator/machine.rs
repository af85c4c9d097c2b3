//! The worker state machine `next-work`: states, events and transitions as one table.

use crate::trace::WorkerState;

/// What a worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its session is being started.
    Starting,
    /// Its session cannot be observed yet: it waits for the announcement.
    Waiting,
    /// Its session can be observed: it listens, and polls meanwhile.
    Polling,
    /// Its deadline passed: it looks once.
    Inspecting,
    /// Its turn is over: it reads what came of it.
    Reading,
    /// Its session is being ended.
    Ending,
    /// It looks whether the session is gone.
    Verifying,
    /// Nothing is left to do.
    Over,
}

/// What happens to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The session is there and cannot be observed yet.
    StartedUnobservable,
    /// The session is there and can be observed.
    StartedObservable,
    /// There is no session: the start was refused.
    Refused,
    /// Nobody could tell whether there is a session.
    Unclear,
    /// The turn was announced as completed.
    Completed,
    /// The turn was announced as failed, or the session as over.
    Failed,
    /// A person is asked for.
    NeedsInput,
    /// An observable session was not found.
    Gone,
    /// The deadline passed.
    Deadline,
    /// What was looked at is an open turn, or says nothing.
    StillOpen,
    /// The transcript was read.
    Read,
    /// The session was ended.
    Ended,
    /// The list has it no more.
    Absent,
    /// It is listed, alive.
    StillListed,
    /// It was tried often enough.
    GivenUp,
}

/// One transition, and what the worker comes out as from then on.
#[derive(Debug, Clone, Copy)]
pub struct Transition {
    /// In this state …
    pub from: State,
    /// … this event …
    pub on: Event,
    /// … leads there.
    pub to: State,
    /// What the worker comes out as, where this decides it.
    pub comes_out: Option<WorkerState>,
}

const fn row(from: State, on: Event, to: State, comes_out: Option<WorkerState>) -> Transition {
    Transition { from, on, to, comes_out }
}

const DONE: Option<WorkerState> = Some(WorkerState::Done);
const FAILED: Option<WorkerState> = Some(WorkerState::Failed);
const ESCALATED: Option<WorkerState> = Some(WorkerState::Escalated);

/// The transitions, in the order of a worker's life.
pub const TRANSITIONS: &[Transition] = &[
    row(State::Starting, Event::StartedUnobservable, State::Waiting, None),
    row(State::Starting, Event::StartedObservable, State::Polling, None),
    row(State::Starting, Event::Refused, State::Over, FAILED),
    row(State::Starting, Event::Unclear, State::Over, ESCALATED),
    row(State::Waiting, Event::Completed, State::Reading, None),
    row(State::Waiting, Event::Failed, State::Ending, FAILED),
    row(State::Waiting, Event::NeedsInput, State::Ending, ESCALATED),
    row(State::Waiting, Event::Deadline, State::Inspecting, None),
    row(State::Polling, Event::Completed, State::Reading, None),
    row(State::Polling, Event::Failed, State::Ending, FAILED),
    row(State::Polling, Event::NeedsInput, State::Ending, ESCALATED),
    row(State::Polling, Event::Gone, State::Ending, FAILED),
    row(State::Polling, Event::Deadline, State::Inspecting, None),
    row(State::Inspecting, Event::Read, State::Ending, DONE),
    row(State::Inspecting, Event::Failed, State::Ending, FAILED),
    row(State::Inspecting, Event::StillOpen, State::Ending, ESCALATED),
    row(State::Reading, Event::Read, State::Ending, DONE),
    row(State::Reading, Event::Gone, State::Ending, FAILED),
    row(State::Reading, Event::GivenUp, State::Ending, ESCALATED),
    row(State::Ending, Event::Ended, State::Verifying, None),
    row(State::Ending, Event::GivenUp, State::Over, ESCALATED),
    row(State::Verifying, Event::Absent, State::Over, None),
    row(State::Verifying, Event::StillListed, State::Ending, None),
    row(State::Verifying, Event::GivenUp, State::Over, ESCALATED),
];

/// Where an event leads.
pub fn next(state: State, event: Event) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.from == state && row.on == event)
}
