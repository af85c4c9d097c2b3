//! OR-8, OR-9, OR-10, OR-12, OR-15: what is reported of whom, and when a worker is given up.

use crate::contract::WorkerState;

use super::observing::ended_unseen;
use super::session::{AssignedWorker, DAY_MS, DAY_SLACK_MS, Deadline, EndProgress, Observable, SessionState};
use super::{Moment, Occurrence, RuleOutcome};

/// OR-8: a tail is not the whole.
pub(crate) fn tail_is_told(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::WorkerOver { worker, sessions, .. } = occurrence else { return RuleOutcome::NotApplicable };
    let Some((told, outcome)) = worker.outcome.as_ref().filter(|(_, outcome)| outcome.state == WorkerState::Done) else {
        return RuleOutcome::NotApplicable;
    };
    let Some(session) = sessions.iter().rev().find(|session| session.data.is_some()) else { return RuleOutcome::NotApplicable };
    match session.cut {
        Some(cut) if !outcome.truncated => {
            RuleOutcome::broken("OR-8", session, format!("worker {} reports a truncated answer as the whole", worker.index))
                .did("done, not truncated")
                .known(format!("the last that was read of session {} was truncated", session.id))
                .shown_by([cut, *told])
        }
        _ => RuleOutcome::Held,
    }
}

/// OR-9: look before the kill.
pub(crate) fn looked_before_the_kill(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::EndAsked { session, at, .. } if session.end_asked.is_none() => {
            let nothing_said = session.told.or(session.announced).or(session.gone).is_none();
            let early = at.ms < session.deadline.earliest() && session.has_deadline();
            match (session.observable, session.turn_open) {
                (Observable::AtOnce | Observable::Soon, Some(true)) if early && nothing_said => {
                    RuleOutcome::broken("OR-9", session, format!("session {} is ended at work, before its time is up", session.id))
                        .did("end_session")
                        .known(format!("its turn is open, {}", session.deadline.words()))
                        .shown_by([session.asked, *at])
                }
                _ => RuleOutcome::NotApplicable,
            }
        }
        Occurrence::WorkerOver { worker, sessions, .. } => {
            let state = worker.outcome.as_ref().map(|(_, outcome)| outcome.state);
            if let Some((session, end)) = ended_unseen(sessions)
                && matches!(state, Some(WorkerState::Failed | WorkerState::Escalated))
            {
                return RuleOutcome::broken(
                    "OR-9",
                    session,
                    format!("session {} is given up in its first turn, before its time is up", session.id),
                )
                .did("end_session before any announcement, any data and the deadline")
                .known(session.deadline.words())
                .shown_by([session.asked, end]);
            }
            let killed = sessions.iter().find_map(|session| Some((session, killed_unseen(session)?)));
            match killed {
                Some((session, end)) if state != Some(WorkerState::Escalated) => {
                    RuleOutcome::broken("OR-9", session, format!("session {} is ended at its deadline without a look at it", session.id))
                        .did("end_session, and no get_session_data or capture_screen before it")
                        .known(format!("nothing had been heard of it; {}", session.deadline.words()))
                        .shown_by([session.asked, end])
                }
                _ if sessions.is_empty() => RuleOutcome::NotApplicable,
                _ => RuleOutcome::Held,
            }
        }
        _ => RuleOutcome::NotApplicable,
    }
}

/// When a session was ended past its deadline, silent and uninspected. A poll in the second half of an observable session's
/// time counts as a look.
fn killed_unseen(session: &SessionState) -> Option<Moment> {
    let Deadline::At { ms, .. } = session.deadline else { return None };
    let end = session.end_asked.filter(|end| end.ms >= session.deadline.earliest())?;
    let before_the_end = |moment: Option<Moment>| moment.is_some_and(|moment| moment < end);
    let said = before_the_end(session.told) || before_the_end(session.announced) || before_the_end(session.gone);
    let from = match session.observable {
        Observable::Late => session.deadline.earliest(),
        _ => session.asked.ms + ms.saturating_sub(session.asked.ms) / 2,
    };
    let looked = session.looked.is_some_and(|look| look.ms >= from);
    (!said && !looked && session.observable != Observable::Unknown).then_some(end)
}

/// OR-10: a day is too long.
pub(crate) fn a_day_is_too_long(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::ReadAsked { session, at } => match session.not_found_at_day {
            Some(not_found) if session.told.is_none() && session.ending == EndProgress::NotAsked => {
                RuleOutcome::broken("OR-10", session, format!("session {} was not found after a day, and is waited for still", session.id))
                    .did("another get_session_data")
                    .known(format!("it is {} hours old", session.age(at.ms) / 3_600_000))
                    .shown_by([session.asked, not_found, *at])
            }
            _ => RuleOutcome::NotApplicable,
        },
        Occurrence::WorkerOver { worker, sessions, at, .. } => {
            let old = |session: &&&SessionState| {
                session.observable == Observable::Late && session.age(session.end_asked.unwrap_or(*at).ms) >= DAY_MS
            };
            let Some(session) = sessions.iter().find(old) else { return RuleOutcome::NotApplicable };
            let state = worker.outcome.as_ref().map(|(_, outcome)| outcome.state);
            if let Some(not_found) = session.not_found_at_day
                && state.is_some_and(|state| state != WorkerState::Escalated)
            {
                return RuleOutcome::broken(
                    "OR-10",
                    session,
                    format!("session {} was not found after a day, and nobody was called", session.id),
                )
                .did("an outcome that is not `escalated`")
                .known(format!("it is {} hours old", session.age(at.ms) / 3_600_000))
                .shown_by([session.asked, not_found, *at]);
            }
            waited_out(session, *at)
        }
        _ => RuleOutcome::NotApplicable,
    }
}

/// Whether a session's first day went by, and nobody looked, was told or ended it.
fn waited_out(session: &SessionState, at: Moment) -> RuleOutcome {
    let limit = session.asked.ms + DAY_MS + DAY_SLACK_MS;
    let by_then = |moment: Option<Moment>| moment.is_some_and(|moment| moment.ms <= limit);
    let noticed = by_then(session.told) || by_then(session.data) || by_then(session.looked_at_day) || by_then(session.end_asked);
    if noticed || at.ms <= limit {
        return RuleOutcome::Held;
    }
    RuleOutcome::broken("OR-10", session, format!("session {} is waited for longer than a day", session.id))
        .did("neither a look at it nor an end")
        .known("nobody had told of it, and it could not be observed")
        .shown_by([session.asked, session.end_asked.unwrap_or(at)])
}

/// OR-12: the exit status is true.
pub(crate) fn exit_status_is_true(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::Exited { code, overdue, workers, strays, at, .. } = occurrence else { return RuleOutcome::NotApplicable };
    let shown =
        |worker: Option<&AssignedWorker>| worker.and_then(|worker| worker.outcome.as_ref()).map(|(told, _)| *told).into_iter().chain([*at]);
    if *overdue {
        return RuleOutcome::broken_of("OR-12", "", "the orchestrator hangs past every deadline".to_owned())
            .did("it had to be ended")
            .known("its last deadline had passed long before")
            .shown_by([*at]);
    }
    let state = |worker: &AssignedWorker| worker.outcome.as_ref().map(|(_, outcome)| outcome.state);
    let undone = |(worker, sessions): &&(&AssignedWorker, Vec<&SessionState>)| -> Option<String> {
        match state(worker) {
            Some(state @ (WorkerState::Failed | WorkerState::Escalated)) => Some(format!("it is reported as {}", state.name())),
            _ if sessions.is_empty() => (!strays).then(|| "no session was ever started for it".to_owned()),
            _ => surely_undone(sessions).map(str::to_owned),
        }
    };
    let left = workers.iter().find_map(|worker| Some((worker.0, undone(&worker)?)));
    match (code, left) {
        (Some(0), Some((worker, why))) => {
            RuleOutcome::broken_of("OR-12", "", format!("the exit status is 0, though the work of worker {} is not done", worker.index))
                .did("exit status 0")
                .known(why)
                .shown_by(shown(Some(worker)))
        }
        (Some(0), None) => RuleOutcome::Held,
        (code, None) if !workers.is_empty() && workers.iter().all(|(worker, _)| state(worker) == Some(WorkerState::Done)) => {
            let how = code.map_or_else(|| "an end by a signal".to_owned(), |code| format!("exit status {code}"));
            RuleOutcome::broken_of("OR-12", "", "the exit status says failure, though every worker is reported as done".to_owned())
                .did(how)
                .known("every outcome is `done`")
                .shown_by(shown(workers.first().map(|(worker, _)| *worker)))
        }
        _ => RuleOutcome::Held,
    }
}

/// Why the work of a worker that has these sessions is surely not done, where it is not.
fn surely_undone(sessions: &[&SessionState]) -> Option<&'static str> {
    if sessions.is_empty() {
        return None;
    }
    if sessions.iter().all(|session| session.turn_failed.is_some()) {
        return Some("its turn was announced as failed");
    }
    let is_undone = sessions.iter().all(|session| session.turn_open.is_some() && !session.turn_completed);
    is_undone.then_some("its agent completed no turn")
}

/// Whether the work of a worker is surely done, and was seen to be: its one session's turn was completed, told of and read.
fn surely_done(sessions: &[&SessionState]) -> bool {
    let [session] = sessions else { return false };
    session.turn_completed
        && session.turn_failed.is_none()
        && session.told.is_some()
        && session.data.is_some()
        && session.gone.is_none()
        && session.end_failures == 0
}

/// OR-15: each its own. What others have started is left alone; of each worker its own outcome is told.
pub(crate) fn own_and_no_others(occurrence: &Occurrence) -> RuleOutcome {
    match occurrence {
        Occurrence::OfOthersAsked { id, op, listed, at } => {
            RuleOutcome::broken_of("OR-15", id, format!("session {id} is somebody else's, and {op} is asked for it"))
                .did(*op)
                .known("a list showed it; none of the orchestrator's starts made it")
                .shown_by([*listed, *at])
        }
        Occurrence::Exited { workers, others, at, .. } => {
            let told = |worker: &AssignedWorker| worker.outcome.as_ref().map(|(told, outcome)| (*told, outcome.state));
            let reported = |done: bool, (worker, sessions): &(&AssignedWorker, Vec<&SessionState>)| {
                told(worker).is_some_and(|(_, state)| (state == WorkerState::Done) == done)
                    && if done { surely_undone(sessions).is_some() } else { surely_done(sessions) }
            };
            let undone = workers.iter().find(|worker| reported(true, worker));
            let done = workers.iter().find(|worker| reported(false, worker));
            match (undone, done) {
                (Some((undone, sessions)), Some((done, _))) => {
                    let state = told(done).map_or("failed", |(_, state)| state.name());
                    let message = format!(
                        "worker {} is reported as done, and worker {} as {state}: it is the other way round",
                        undone.index, done.index
                    );
                    let cited = [told(undone), told(done)].into_iter().flatten().map(|(told, _)| told);
                    RuleOutcome::broken_of("OR-15", "", message)
                        .did("one worker's outcome told of another")
                        .known(format!("of worker {} {}", undone.index, surely_undone(sessions).unwrap_or_default()))
                        .shown_by(cited.chain([*at]))
                }
                _ if *others || workers.iter().filter(|(worker, _)| worker.outcome.is_some()).count() > 1 => RuleOutcome::Held,
                _ => RuleOutcome::NotApplicable,
            }
        }
        _ => RuleOutcome::NotApplicable,
    }
}
