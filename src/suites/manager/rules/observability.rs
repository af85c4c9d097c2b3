//! Observability: what may be said of a session before and after the phase from which its profile makes it observable.

use crate::contract::{AgentKind, ErrorCode};

use super::Contradiction;
use crate::trace::history::{Account, History, Moment, Says, SessionHistory};
use crate::trace::settings::Settings;

/// LC-OBS-3: before a session is observable, reading it gives pending, data, `session_pending` or
/// `session_not_found`; never that it ended, never another error.
pub(crate) fn before(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(agent) = session.agent.filter(|agent| settings.observable.contains_key(agent)) else { continue };
        let observable = history.observable(session, settings);
        for said in history.accounts(session) {
            let wrong = said.is_read()
                && said
                    .code()
                    .is_some_and(|code| !matches!(code, ErrorCode::SessionNotFound | ErrorCode::SessionPending) && is_answer(code));
            if wrong && observable.is_none_or(|from| said.answered < from) && history.surely_alive(session, &said, settings) {
                let message = format!("session `{}` cannot be read before it is observable, and the error says something else", session.id);
                let truth = format!("its {agent} agent runs; the session is not observable yet");
                found.push(
                    Contradiction::of("LC-OBS-3", Some(session), message)
                        .claims(claim(&said))
                        .truly(truth)
                        .shown_by([said.asked, said.answered]),
                );
            }
        }
    }
    found
}

/// LC-OBS-2: a session that is observable and whose agent lives is never unknown and never missing from the list.
/// LC-OBS-1: reading it gives data. CX-4: both hold at once when a Codex session's turn is announced; otherwise from
/// the observe limit on.
pub(crate) fn after(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(observable) = history.observable(session, settings) else { continue };
        let first_data = history.first_completed(session);
        let announced = announced_completion(history, session);
        let limit = |from: Moment, said: &Account| from < said.asked && said.asked.ms >= from.after(settings.limits.observe);
        for said in history.accounts(session) {
            // An agent may take its own file away (Gemini): what then can be read is not the manager's doing.
            let removed = history.runs_of(session).any(|run| run.removed.is_some_and(|at| at < said.answered));
            let (lost, unread) = (is_lost(&said), is_unread(&said));
            if removed || !(lost || unread) {
                continue;
            }
            let (requirement, since) = if announced.is_some_and(|at| at < said.asked) && !limit(observable, &said) {
                ("CX-4", "its turn was announced as complete")
            } else if lost && limit(observable, &said) {
                ("LC-OBS-2", "the session has long been observable")
            } else if unread && limit(observable, &said) && first_data.is_some_and(|from| limit(from, &said)) {
                ("LC-OBS-1", "its first turn has long been complete")
            } else {
                continue;
            };
            if history.surely_alive(session, &said, settings) {
                let message =
                    format!("session `{}` is observable and alive, but {}", session.id, if lost { "unknown" } else { "has no data" });
                let truth = format!("its agent runs, and {since}");
                found.push(Contradiction::of(requirement, Some(session), message).claims(claim(&said)).truly(truth).shown_by([
                    observable,
                    said.asked,
                    said.answered,
                ]));
            }
        }
    }
    found
}

/// When the first true announcement of a Codex session's completed turn came.
fn announced_completion(history: &History, session: &SessionHistory) -> Option<Moment> {
    let completed = history.first_completed(session).filter(|_| session.agent == Some(AgentKind::CODEX))?;
    session.announced.iter().map(|announced| announced.at).find(|at| completed < *at)
}

fn is_lost(said: &Account) -> bool {
    said.says == Says::Missing || (said.is_read() && said.code() == Some(ErrorCode::SessionNotFound))
}

fn is_unread(said: &Account) -> bool {
    let no_data = matches!(said.says, Says::Pending | Says::Empty);
    let refused = said.code().is_some_and(|code| !matches!(code, ErrorCode::SessionNotFound | ErrorCode::SessionEnded) && is_answer(code));
    said.is_read() && (no_data || refused)
}

/// Whether an error says something of the session: not that no answer came, nor that the question was wrong.
fn is_answer(code: ErrorCode) -> bool {
    !matches!(code, ErrorCode::Timeout | ErrorCode::InvalidArgument)
}

fn claim(said: &Account) -> String {
    match said.says {
        Says::Error(error) if !error.message.is_empty() => format!("{} ({})", said.words(), error.message),
        _ => said.words(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    #[rstest]
    #[case::before_its_turn_is_complete("40 > get_session_data s1; 42 < internal; 50 * turn_completed s1 turn=1", &["LC-OBS-3"])]
    #[case::after_its_turn_is_complete("50 * turn_completed s1 turn=1; 60 > get_session_data s1; 62 < internal", &[])]
    #[case::while_its_turn_completes("40 > get_session_data s1; 50 * turn_completed s1 turn=1; 62 < internal", &[])]
    #[case::to_a_wrong_question("40 > get_session_data s1 tail_chars=many; 42 < internal; 50 * turn_completed s1 turn=1", &[])]
    #[case::not_at_all("40 > get_session_data s1; 62 < timeout; 70 * turn_completed s1 turn=1", &[])]
    fn an_error_on_reading_before_a_session_is_observable(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(before, &format!("0 start s1 codex; {then}")), expected);
    }

    /// A Claude session is observable from its start on; its first turn completes 1,000 ms later.
    #[rstest]
    #[case::at_the_observe_limit("3000 > get_session_data s1; 3001 < pending=true", &["LC-OBS-1"])]
    #[case::before_the_observe_limit("2999 > get_session_data s1; 3001 < pending=true", &[])]
    #[case::by_an_empty_text("4000 > get_session_data s1; 4001 < text=", &["LC-OBS-1"])]
    #[case::by_an_error("4000 > get_session_data s1; 4001 < internal", &["LC-OBS-1"])]
    #[case::by_no_answer("4000 > get_session_data s1; 4001 < timeout", &[])]
    #[case::by_its_end("4000 > get_session_data s1; 4001 < session_ended", &[])]
    #[case::by_a_message_that_fails("4000 > send_message s1 message=x; 4001 < internal", &[])]
    fn a_session_without_data(#[case] then: &str, #[case] expected: &[&str]) {
        let complete = "1000 * turn_completed s1 turn=1;";
        assert_eq!(found(after, &format!("0 start s1 claude; {complete} {then}")), expected);
        assert_eq!(found(after, &format!("0 start s1 claude; {then}")), [""; 0], "in its first turn there may be none");
    }

    #[rstest]
    #[case::at_the_observe_limit(2020, &["LC-OBS-2"])]
    #[case::before_the_observe_limit(2019, &[])]
    fn a_session_that_a_list_leaves_out(#[case] at: u64, #[case] expected: &[&str]) {
        assert_eq!(found(after, &format!("0 start s1 claude; {at} > list_sessions; {at} < listed")), expected);
    }

    #[rstest]
    #[case::before_it_is_complete("40 ! turn_completed s1; 50 * turn_completed s1 turn=1;", &[])]
    #[case::when_it_is_complete("50 * turn_completed s1 turn=1; 60 ! turn_completed s1;", &["CX-4"])]
    fn a_turn_that_is_announced_makes_a_codex_session_readable(#[case] announced: &str, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; {announced} 70 > get_session_data s1; 72 < session_pending");
        assert_eq!(found(after, &trace), expected);
    }

    #[rstest]
    #[case("", "get_session_data: `internal`")]
    #[case("no such file", "get_session_data: `internal` (no such file)")]
    fn a_claim_quotes_what_the_error_says(#[case] message: &str, #[case] expected: &str) {
        let error = crate::contract::ContractError::new(ErrorCode::Internal, message);
        let at = Moment { index: 0, ms: 0 };
        assert_eq!(claim(&Account { by: "get_session_data", asked: at, answered: at, says: Says::Error(&error) }), expected);
    }
}
