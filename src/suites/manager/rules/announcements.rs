//! Announcements: each completed turn once, and never before it is complete.

use std::collections::BTreeMap;

use super::Contradiction;
use crate::trace::history::{AgentRunHistory, Announced, History, Moment, SessionHistory, TurnHistory};
use crate::trace::settings::{Processes, Settings};

/// CX-3: `turn_completed` comes once for a turn, and not before the turn was released. Where the manager numbers no
/// turns, there are never more announcements than turns that are over.
///
/// The trace must hold the announcements of one channel only; a manager may announce the same on two.
pub(crate) fn once_not_early(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let turns = history.turns_of(session);
        let mut numbered: BTreeMap<u64, Moment> = BTreeMap::new();
        let mut count = 0;
        for announced in &session.announced {
            let first = announced.turn.and_then(|turn| numbered.get(&turn).copied().map(|first| (turn, first)));
            if let Some((turn, first)) = first {
                // A manager that comes back may repeat what it cannot know to have been heard.
                if !history.restarts.iter().any(|restart| (first..announced.at).contains(restart)) {
                    let message = format!("turn {turn} of session `{}` was announced twice", session.id);
                    let wrong = Contradiction::of("CX-3", Some(session), message).claims("turn_completed, twice");
                    found.push(wrong.truly("a turn completes once").shown_by([first, announced.at]));
                }
                continue;
            }
            count += 1;
            if let Some(turn) = announced.turn {
                numbered.insert(turn, announced.at);
            }
            found.extend(early(history, session, &turns, announced, count, settings));
        }
    }
    found
}

/// The announcement, where fewer turns were over then than were announced.
fn early(
    history: &History,
    session: &SessionHistory,
    turns: &[&TurnHistory],
    said: &Announced,
    count: usize,
    settings: &Settings,
) -> Option<Contradiction> {
    if session.runs.is_empty() || cut_short(history, session, said.at, settings) {
        return None;
    }
    // Where nobody releases a turn, the agent's own word for its end and the manager's come by different ways.
    let over = |turn: &&&TurnHistory| turn.released.map_or(turn.completed.is_some(), |released| released < said.at);
    let over_then = turns.iter().filter(over).count();
    if count <= over_then {
        return None;
    }
    let message = match said.turn {
        Some(turn) => format!("turn {turn} of session `{}` was announced before it was complete", session.id),
        None => format!("session `{}` was announced {count} times when {over_then} of its turns were over", session.id),
    };
    let open = turns.get(over_then).map_or("no turn was open".to_owned(), |turn| match turn.accepted {
        Some(at) => format!("the turn that began at {} ms was still open", at.ms),
        None => "the turn was still open".to_owned(),
    });
    Some(Contradiction::of("CX-3", Some(session), message).claims("turn_completed").truly(open).shown_by([said.at]))
}

/// Whether a turn may have been over without a release: the agent died or was interrupted, or the session was ended.
fn cut_short(history: &History, session: &SessionHistory, then: Moment, settings: &Settings) -> bool {
    let latest = then.after(settings.limits.settle);
    let own_end = |at: Moment| at.ms <= latest && !history.may_be_ended(session, at, settings);
    // A process that was run for one turn is over when that is.
    let is_done = |run: &AgentRunHistory| settings.processes == Processes::Turn && run.turns.values().all(|turn| turn.over().is_some());
    history.may_be_ended(session, then, settings)
        || history
            .runs_of(session)
            .any(|run| (run.over.is_some_and(own_end) && !is_done(run)) || run.signals.iter().any(|(at, _)| own_end(*at)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    #[rstest]
    #[case::before_it_is_released("40 ! turn_completed s1; 41 * turn_released s1 turn=1", &["CX-3"])]
    #[case::once_it_is_released("40 * turn_released s1 turn=1; 41 ! turn_completed s1", &[])]
    #[case::when_its_agent_died("40 * agent_gone s1; 41 ! turn_completed s1", &[])]
    #[case::when_its_agent_dies_soon("40 ! turn_completed s1; 240 * agent_gone s1", &[])]
    #[case::when_its_agent_dies_later("40 ! turn_completed s1; 241 * agent_gone s1", &["CX-3"])]
    #[case::when_its_agent_was_interrupted("40 * agent_signalled s1 signal=INT; 41 ! turn_completed s1", &[])]
    #[case::when_its_agent_dies_soon_because_it_is_ended(
        "40 ! turn_completed s1; 41 > end_session s1; 42 * agent_gone s1; 43 < ok",
        &["CX-3"]
    )]
    #[case::when_it_is_being_ended("40 > end_session s1; 41 ! turn_completed s1; 42 < ok", &[])]
    fn a_turn_is_announced(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(once_not_early, &format!("0 start s1 codex; {then}")), expected);
    }
}
