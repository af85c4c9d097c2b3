//! OR-4, OR-5: every session is ended, once, and the list confirms it.

use crate::contract::WorkerState;

use super::session::{AssignedWorker, CONFIRM_MS, EndProgress, SessionState};
use super::{Moment, Occurrence, RuleOutcome};

/// OR-4: every session is ended, once.
pub(crate) fn ended_once(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::EndAsked { session, at, .. } => match session.ending {
            EndProgress::Done { at: done, late: false } if session.still_alive.is_none() => {
                RuleOutcome::broken("OR-4", session, format!("session {} is ended a second time", session.id))
                    .did("end_session after it had succeeded")
                    .known("no list showed the session alive since")
                    .shown_by([done, *at])
            }
            _ => RuleOutcome::Held,
        },
        Occurrence::EndedAgain { id, at } => RuleOutcome::broken_of("OR-4", id, format!("session {id} is ended a second time"))
            .did("end_session after it had succeeded and the session was gone")
            .known("nothing was left to end")
            .shown_by([*at]),
        Occurrence::Left { session, worker, at } => left(session, *worker, *at),
        _ => RuleOutcome::NotApplicable,
    }
}

/// How often an end may fail before somebody may be called instead.
const TRIES: u32 = 2;

fn left(session: &SessionState, worker: Option<&AssignedWorker>, at: Moment) -> RuleOutcome {
    let state = worker.and_then(|worker| worker.outcome.as_ref()).map(|(_, outcome)| outcome.state);
    let was_escalated = state.is_none_or(|state| state == WorkerState::Escalated);
    let (did, last) = match session.ending {
        EndProgress::Done { .. } => return RuleOutcome::Held,
        EndProgress::Failed(_) if session.end_failures >= TRIES && was_escalated => return RuleOutcome::Held,
        EndProgress::NotAsked => ("no end_session at all", session.known),
        EndProgress::Asked => ("an end_session that was never answered, and no other", session.end_asked.unwrap_or(session.known)),
        EndProgress::Failed(failed) => ("an end_session that failed, and no other after it", failed),
    };
    RuleOutcome::broken("OR-4", session, format!("session {} is left behind", session.id))
        .did(did)
        .known("the orchestrator is over; the session may live on")
        .shown_by([session.known, last, at])
}

/// OR-5: the list confirms the end.
pub(crate) fn end_is_confirmed(occurrence: &Occurrence) -> RuleOutcome {
    let (session, outcome, at) = match occurrence {
        Occurrence::Left { session, worker, at } => (session, worker.and_then(|worker| worker.outcome.as_ref()), Some(*at)),
        Occurrence::Unconfirmed { session } => (session, None, None),
        _ => return RuleOutcome::NotApplicable,
    };
    let EndProgress::Done { at: done, .. } = session.ending else { return RuleOutcome::NotApplicable };
    let Some(listed) = session.listed else {
        return RuleOutcome::broken("OR-5", session, format!("nobody looked whether session {} is gone", session.id))
            .did("end_session, and no list_sessions within a minute after it")
            .known("an end that did not work looks like one that did")
            .shown_by([done].into_iter().chain(at));
    };
    let waited_ms = listed.ms.saturating_sub(done.ms);
    if waited_ms > CONFIRM_MS {
        return RuleOutcome::broken("OR-5", session, format!("nobody looked within a minute whether session {} is gone", session.id))
            .did(format!("end_session, and the first list_sessions {waited_ms} ms after it"))
            .known("an end that did not work looks like one that did")
            .shown_by([done, listed].into_iter().chain(at));
    }
    let was_escalated = outcome.is_some_and(|(_, outcome)| outcome.state == WorkerState::Escalated);
    match (session.still_alive, at) {
        (Some(alive), Some(at)) if !was_escalated => RuleOutcome::broken(
            "OR-5",
            session,
            format!("session {} is still alive, and was neither ended again nor escalated", session.id),
        )
        .did("nothing after the list that showed it")
        .known("the list shows it alive after its end")
        .shown_by([done, alive, at]),
        _ => RuleOutcome::Held,
    }
}
