//! Reading: it changes nothing, and what was read twice agrees.

use super::Contradiction;
use crate::trace::history::{Account, AgentRunHistory, CallHistory, History, Moment, Says, SessionHistory};
use crate::trace::settings::{Processes, Settings};

/// The signals by which a manager may end or interrupt an agent.
const ENDING: [&str; 4] = ["TERM", "HUP", "INT", "QUIT"];

/// LC-OBS-6: reading changes nothing: the agent gets no signal by it, and repeated reads agree. LC-CLEAN-4: an error on
/// reading ended nothing either.
pub(crate) fn pure(history: &History, settings: &Settings) -> Vec<Contradiction> {
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
fn signalled(history: &History, session: &SessionHistory, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let signals = history.runs_of(session).flat_map(|run| run.signals.iter()).filter(|(_, signal)| ENDING.contains(signal));
    for (at, signal) in signals {
        let window =
            |call: &CallHistory| call.asked < *at && call.answer.is_none_or(|answer| at.ms <= answer.at.after(settings.limits.settle));
        let acts = |call: &&CallHistory| !matches!(call.op, "get_session_data" | "list_sessions" | "capture_screen" | "wait_events");
        // At the end of a scenario the harness closes everything: only while it goes on asking is the signal the manager's.
        let goes_on = history.calls.iter().any(|call| *at < call.asked);
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
fn unlike(history: &History, session: &SessionHistory, settings: &Settings) -> Vec<Contradiction> {
    let reads: Vec<&CallHistory> = session.asked("get_session_data").filter(|call| text(call).is_some()).collect();
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

fn text<'a>(call: &CallHistory<'a>) -> Option<(Moment, &'a str)> {
    let account = Account::of_call(call)?;
    match account.says {
        Says::Data(text) => Some((account.answered, text)),
        _ => None,
    }
}

/// Whether the session's agent is known and did nothing, and nothing was asked of it but reading, from the observe limit
/// before `from` until `to`.
fn is_quiet(history: &History, session: &SessionHistory, from: Moment, to: Moment, settings: &Settings) -> bool {
    let lately = |at: Moment| at.after(settings.limits.observe) > from.ms;
    let since = |at: Moment| at < to && lately(at);
    let busy = |run: &AgentRunHistory| run.facts.iter().any(|at| since(*at));
    let acts = |call: &CallHistory| !matches!(call.op, "get_session_data" | "capture_screen");
    let in_between = |call: &CallHistory| call.asked < to && call.answer.is_none_or(|answer| lately(answer.at));
    let acted = session.calls.iter().any(|call| acts(call) && in_between(call));
    !session.runs.is_empty()
        && !since(session.known)
        && !history.runs_of(session).any(busy)
        && !acted
        && !history.restarts.iter().any(|at| since(*at))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    #[rstest]
    #[case::while_it_is_read("401 * agent_signalled s1 signal=TERM; 402 < text=go; 900 > list_sessions", &["LC-OBS-6"])]
    #[case::soon_after("402 < text=go; 602 * agent_signalled s1 signal=TERM; 900 > list_sessions", &["LC-OBS-6"])]
    #[case::later("402 < text=go; 603 * agent_signalled s1 signal=TERM; 900 > list_sessions", &[])]
    #[case::when_the_scenario_is_over("402 < text=go; 403 * agent_signalled s1 signal=TERM", &[])]
    #[case::after_a_restart("402 < text=go; 403 restart; 404 * agent_signalled s1 signal=TERM; 900 > list_sessions", &[])]
    #[case::while_another_starts("402 > start_session cwd=/w/x; 403 * agent_signalled s1 signal=TERM; 404 < ok; 900 > list_sessions", &[])]
    #[case::past_the_settle_limit_of_anothers_end(
        "402 < text=go; 410 > end_session s2; 412 < ok; 613 > get_session_data s1; 614 * agent_signalled s1 signal=INT; 615 < text=go; 900 > list_sessions",
        &["LC-OBS-6"]
    )]
    fn a_reading_session_is_signalled(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(pure, &format!("0 start s1 codex; 400 > get_session_data s1; {then}")), expected);
    }

    /// What happens about two reads that give different texts; the first is asked for at 5,000 ms.
    #[rstest]
    #[case::nothing("", "", "", &["LC-OBS-6"])]
    #[case::its_agent_was_done_the_observe_limit_before("3000 * turn_completed s1 turn=1;", "", "", &["LC-OBS-6"])]
    #[case::its_agent_was_done_later("3001 * turn_completed s1 turn=1;", "", "", &[])]
    #[case::its_agent_works_in_between("", "5005 * turn_started s1 turn=2;", "", &[])]
    #[case::its_agent_works_afterwards("", "", "5020 * turn_started s1 turn=2", &["LC-OBS-6"])]
    #[case::a_message_was_taken_the_observe_limit_before("2990 > send_message s1 message=x; 3000 < ok;", "", "", &["LC-OBS-6"])]
    #[case::a_message_was_taken_later("2990 > send_message s1 message=x; 3001 < ok;", "", "", &[])]
    #[case::a_message_was_never_answered("2000 > send_message s1 message=x;", "", "", &[])]
    #[case::a_message_is_sent_in_between("", "5005 > send_message s1 message=x; 5006 < ok;", "", &[])]
    #[case::a_message_is_sent_in_between_and_taken_afterwards("", "5005 > send_message s1 message=x;", "5020 < ok", &[])]
    #[case::a_message_is_sent_afterwards("", "", "5020 > send_message s1 message=x", &["LC-OBS-6"])]
    #[case::another_session_is_sent_one("", "5005 > send_message s2 message=x; 5006 < ok;", "", &["LC-OBS-6"])]
    #[case::the_manager_is_restarted_in_between("", "5005 restart;", "", &[])]
    #[case::the_manager_is_restarted_afterwards("", "", "5020 restart", &["LC-OBS-6"])]
    fn two_reads_differ(#[case] before: &str, #[case] between: &str, #[case] after: &str, #[case] expected: &[&str]) {
        let reads = format!(
            "0 start s1 codex; {before} 5000 > get_session_data s1; 5001 < text=go; {between} 5010 > get_session_data s1; \
             5011 < text=went; {after}"
        );
        assert_eq!(found(pure, &reads), expected);
    }
}
