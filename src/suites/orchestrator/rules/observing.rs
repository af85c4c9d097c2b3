//! OR-1, OR-2, OR-3, OR-6: what may be concluded from what is, and is not, to be seen.

use crate::contract::WorkerState;

use super::session::{DAY_MS, Observable, SessionState};
use super::{Moment, Occurrence, Read, RuleOutcome};

/// OR-1: the first turn is not polled.
pub(crate) fn first_turn_unpolled(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::ReadAnswered { session, asked, at, read } = occurrence else { return RuleOutcome::NotApplicable };
    if session.observable != Observable::Late {
        return RuleOutcome::NotApplicable;
    }
    let was_reasonable = session.told.or(session.announced).or(session.data).is_some();
    let Some(nothing) = read.found_nothing().filter(|_| !was_reasonable) else { return RuleOutcome::Held };
    let when = asked.ms.saturating_sub(session.asked.ms);
    if asked.ms < session.deadline.earliest() && session.age(asked.ms) < DAY_MS {
        return RuleOutcome::broken(
            "OR-1",
            session,
            format!("session {} is read {when} ms after its start, in its first turn", session.id),
        )
        .did("get_session_data before any announcement")
        .known(format!("{nothing}; {}", session.deadline.words()))
        .shown_by([session.known, *asked, *at]);
    }
    let allowed = 1 + u32::from(session.age(asked.ms) >= DAY_MS);
    if session.inspections < allowed {
        return RuleOutcome::Held;
    }
    RuleOutcome::broken("OR-1", session, format!("session {} is inspected again and again, though nothing announced it", session.id))
        .did(format!("read number {} after its deadline", session.inspections + 1))
        .known(nothing)
        .shown_by(session.looked.into_iter().chain([*asked, *at]))
}

/// OR-2: not found is not ended.
pub(crate) fn not_found_is_not_ended(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::EndAsked { session, nothing, at } if session.is_in_the_dark(*at) => {
            let Some(nothing) = nothing else { return RuleOutcome::Held };
            RuleOutcome::broken("OR-2", session, format!("session {} is ended in its first turn, after it was not to be seen", session.id))
                .did("end_session, as if not-found meant ended")
                .known(format!("nobody said that it is over; {}", session.deadline.words()))
                .shown_by([*nothing, *at])
        }
        Occurrence::StartAsked { beside: Some((session, nothing)), at, .. } if session.is_in_the_dark(*at) => {
            let Some(nothing) = nothing else { return RuleOutcome::Held };
            RuleOutcome::broken(
                "OR-2",
                session,
                format!("session {} gets a replacement in its first turn, after it was not to be seen", session.id),
            )
            .did("start_session for the same work")
            .known(format!("nobody said that it is over; {}", session.deadline.words()))
            .shown_by([*nothing, *at])
        }
        Occurrence::WorkerOver { worker, sessions, at, .. } => {
            let Some((told, outcome)) = &worker.outcome else { return RuleOutcome::NotApplicable };
            let given_up =
                |session: &&&SessionState| session.end_asked.is_none() && session.is_in_the_dark(*at) && session.nothing.is_some();
            match sessions.iter().find(given_up) {
                Some(session) if outcome.state == WorkerState::Failed => {
                    let message =
                        format!("worker {} is reported as failed while session {} is in its first turn", worker.index, session.id);
                    RuleOutcome::broken("OR-2", session, message)
                        .did("a failure reported after not-found")
                        .known(format!("nobody said that it is over; {}", session.deadline.words()))
                        .shown_by(session.nothing.into_iter().chain([*told]))
                }
                _ => RuleOutcome::Held,
            }
        }
        _ => RuleOutcome::NotApplicable,
    }
}

/// OR-3: completion is announced.
pub(crate) fn completion_is_announced(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::WorkerOver { worker, sessions, .. } = occurrence else { return RuleOutcome::NotApplicable };
    if sessions.is_empty() || sessions.iter().any(|session| session.observable != Observable::Late) {
        return RuleOutcome::NotApplicable;
    }
    let state = worker.outcome.as_ref().map(|(_, outcome)| outcome.state);
    if let Some((session, end)) = ended_unseen(sessions)
        && !matches!(state, Some(WorkerState::Failed | WorkerState::Escalated))
    {
        return RuleOutcome::broken(
            "OR-3",
            session,
            format!("session {} is ended in its first turn, which nobody announced as complete", session.id),
        )
        .did("end_session before any announcement, any data and the deadline")
        .known(session.deadline.words())
        .shown_by([session.known, end]);
    }
    let was_told = |session: &&SessionState| session.told.is_some_and(|told| session.end_asked.is_none_or(|end| told < end));
    let was_seen = sessions.iter().any(|session| was_told(session) || session.data.is_some());
    match (&worker.outcome, sessions.last()) {
        (Some((told, outcome)), Some(session)) if outcome.state == WorkerState::Done && !was_seen => RuleOutcome::broken(
            "OR-3",
            session,
            format!("worker {} is reported as done, though nobody heard or read anything of it", worker.index),
        )
        .did("done")
        .known("no announcement, no data")
        .shown_by([session.known, *told]),
        _ => RuleOutcome::Held,
    }
}

/// The session that was ended in its first turn though nothing was known of it, and when that was asked for. Where it had
/// not been to be seen, that is OR-2.
pub(crate) fn ended_unseen<'a>(sessions: &[&'a SessionState]) -> Option<(&'a SessionState, Moment)> {
    let ended = |session: &&'a SessionState| {
        let end = session.end_asked.filter(|end| session.is_in_the_dark(*end))?;
        session.nothing.is_none_or(|nothing| nothing > end).then_some((*session, end))
    };
    sessions.iter().find_map(ended)
}

/// OR-6: afterwards, not found ends the polling.
pub(crate) fn gone_is_not_polled(occurrence: &Occurrence) -> RuleOutcome {
    let (session, at) = match occurrence {
        Occurrence::ReadAsked { session, at } => (session, at),
        Occurrence::EndAsked { session, .. } if session.gone.is_some() => return RuleOutcome::Held,
        _ => return RuleOutcome::NotApplicable,
    };
    let Some(gone) = session.gone else { return RuleOutcome::NotApplicable };
    RuleOutcome::broken("OR-6", session, format!("session {} is read again after it was gone", session.id))
        .did("get_session_data")
        .known("it had been observable, and was not found or said to be ended")
        .shown_by([gone, *at])
}

impl Read {
    /// Where there was nothing to see, that in words.
    fn found_nothing(self) -> Option<&'static str> {
        match self {
            Read::NotFound => Some("it was not found"),
            Read::Pending => Some("there was nothing to read yet"),
            Read::Data | Read::Over | Read::Failed => None,
        }
    }
}
