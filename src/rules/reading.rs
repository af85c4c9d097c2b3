//! Reading: it changes nothing, and what was read twice agrees.

use super::{Account, Call, Contradiction, History, Moment, Processes, Run, Says, Session, Settings};

/// The signals by which a manager may end or interrupt an agent.
const ENDING: [&str; 4] = ["TERM", "HUP", "INT", "QUIT"];

/// LC-OBS-6: reading changes nothing: the agent gets no signal by it, and repeated reads agree. LC-CLEAN-4: an error on
/// reading ended nothing either.
pub(super) fn pure(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        if settings.processes == Processes::Session {
            found.extend(signalled(history, session, settings));
        }
        found.extend(unlike(history, session, settings));
    }
    found
}

/// Signals to the session's agent while the session was read, with no other reason for them.
fn signalled(history: &History, session: &Session, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let signals = history.runs_of(session).flat_map(|run| run.signals.iter()).filter(|(_, signal)| ENDING.contains(signal));
    for (at, signal) in signals {
        let window = |call: &Call| {
            call.asked < *at && call.answer.is_none_or(|answer| answer.at > *at || at.ms <= answer.at.after(settings.limits.settle))
        };
        let acts = |call: &&Call| !matches!(call.op, "get_session_data" | "list_sessions" | "capture_screen" | "wait_events");
        // At the end of a scenario the harness closes everything: only while it goes on asking is the signal the manager's.
        let goes_on = history.calls.iter().any(|call| call.asked > *at);
        if !goes_on || history.may_be_ended(session, *at, settings) || history.calls.iter().filter(acts).any(window) {
            continue;
        }
        let Some(read) =
            session.calls.iter().filter(|call| matches!(call.op, "get_session_data" | "capture_screen")).find(|call| window(call))
        else {
            continue;
        };
        let requirement = if read.error().is_some() { "LC-CLEAN-4" } else { "LC-OBS-6" };
        let message = format!("the agent of session `{}` was signalled when the session was read", session.id);
        let wrong = Contradiction::of(requirement, Some(session), message).claims(format!("{}, nothing else was asked", read.op));
        found.push(wrong.truly(format!("SIG{signal}")).shown_by([read.asked, *at]));
    }
    found
}

/// Two reads alike that gave different texts, though nothing had happened since well before the first.
fn unlike(history: &History, session: &Session, settings: &Settings) -> Vec<Contradiction> {
    let reads: Vec<&Call> = session.asked("get_session_data").filter(|call| text(call).is_some()).collect();
    let mut found = Vec::new();
    for (nth, second) in reads.iter().enumerate() {
        let Some(first) = reads[..nth].iter().rev().find(|first| first.args == second.args) else { continue };
        let (one, two) = (text(first), text(second));
        let (Some((_, one)), Some((to, two))) = (one, two) else { continue };
        if one != two && is_quiet(history, session, first.asked, to, settings) {
            let message = format!("session `{}` was read twice with nothing in between, and the texts differ", session.id);
            let claimed = format!("{} characters, then {}", one.chars().count(), two.chars().count());
            let truth = "its agent did nothing, and nothing was sent";
            found.push(
                Contradiction::of("LC-OBS-6", Some(session), message).claims(claimed).truly(truth).shown_by([first.asked, second.asked]),
            );
        }
    }
    found
}

fn text<'a>(call: &Call<'a>) -> Option<(Moment, &'a str)> {
    let account = Account::of_call(call)?;
    match account.says {
        Says::Data(text) => Some((account.answered, text)),
        _ => None,
    }
}

/// Whether the session's agent is known and did nothing, and nothing was asked of it but reading, from the observe limit
/// before `from` until `to`.
fn is_quiet(history: &History, session: &Session, from: Moment, to: Moment, settings: &Settings) -> bool {
    let since = |at: Moment| at < to && at.after(settings.limits.observe) > from.ms;
    let busy = |run: &Run| run.facts.iter().any(|at| since(*at));
    let acts = |call: &Call| !matches!(call.op, "get_session_data" | "capture_screen");
    let acted =
        session.calls.iter().filter(|call| acts(call) && call.asked < to).any(|call| call.answer.is_none_or(|answer| since(answer.at)));
    !session.runs.is_empty()
        && !since(session.known)
        && !history.runs_of(session).any(busy)
        && !acted
        && !history.restarts.iter().any(|at| since(*at))
}
