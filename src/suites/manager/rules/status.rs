//! Status: nothing alive is called ended, nothing dead is called alive.

use crate::contract::AgentKind;

use super::Contradiction;
use crate::trace::history::History;
use crate::trace::settings::{Processes, Settings};

/// CX-2: during a Codex session's first turn every account that mentions it calls it alive. LC-OBS-7: so does every
/// account of any session whose agent lives and that nobody ended. (Reading a session that is not observable yet is
/// judged by LC-OBS-3, besides CX-2.)
pub(crate) fn called_ended(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let observable = history.observable(session, settings);
        for said in history.accounts(session) {
            if !said.calls_ended() || said.by == "end_session" || !history.surely_alive(session, &said, settings) {
                continue;
            }
            let unobservable = observable.is_none_or(|from| said.answered < from);
            let requirement = match session.agent {
                Some(AgentKind::CODEX) if history.in_first_turn(session, said.answered) => "CX-2",
                _ if said.is_read() && unobservable => continue,
                _ => "LC-OBS-7",
            };
            let message = format!("session `{}` is called ended while its agent runs", session.id);
            let truth = "its agent ran before and after, and nobody ended the session";
            found.push(
                Contradiction::of(requirement, Some(session), message)
                    .claims(said.words())
                    .truly(truth)
                    .shown_by([said.asked, said.answered]),
            );
        }
    }
    found
}

/// LC-OBS-7: a session whose agent died by itself is not listed as alive after the announce limit.
pub(crate) fn called_alive(history: &History, settings: &Settings) -> Vec<Contradiction> {
    if settings.processes != Processes::Session {
        return Vec::new();
    }
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(death) = history.own_death(session, settings) else { continue };
        for said in history.accounts(session) {
            let late = said.asked.ms > death.after(settings.limits.announce);
            if late && said.listed_alive() == Some(true) && !history.may_be_ended(session, said.answered, settings) {
                let message = format!("session `{}` is called alive though its agent died", session.id);
                let truth = format!("its agent died {} ms before the question", said.asked.ms - death.ms);
                found.push(Contradiction::of("LC-OBS-7", Some(session), message).claims(said.words()).truly(truth).shown_by([
                    death,
                    said.asked,
                    said.answered,
                ]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    #[rstest]
    #[case::in_its_first_turn("40 > list_sessions; 42 < listed s1=ended", &["CX-2"])]
    #[case::until_the_turn_is_released("40 > list_sessions; 42 < listed s1=ended; 43 * turn_released s1 turn=1", &["CX-2"])]
    #[case::once_it_is_released("43 * turn_released s1 turn=1; 50 > list_sessions; 52 < listed s1=ended", &["LC-OBS-7"])]
    #[case::once_it_is_complete("43 * turn_completed s1 turn=1; 50 > list_sessions; 52 < listed s1=ended", &["LC-OBS-7"])]
    #[case::in_its_second_turn(
        "43 * turn_completed s1 turn=1; 44 * turn_started s1 turn=2; 50 > list_sessions; 52 < listed s1=ended",
        &["LC-OBS-7"]
    )]
    #[case::by_a_read_in_its_first_turn("40 > get_session_data s1; 42 < session_ended", &["CX-2"])]
    #[case::by_a_read_once_it_is_complete("43 * turn_completed s1 turn=1; 50 > get_session_data s1; 52 < session_ended", &["LC-OBS-7"])]
    #[case::by_a_read_before_it_is_observable(
        "43 * turn_released s1 turn=1; 50 > get_session_data s1; 52 < session_ended; 53 * turn_completed s1 turn=1", &[]
    )]
    #[case::by_a_read_of_one_that_never_was(
        "43 * turn_completed s1 turn=1 status=failed; 50 > get_session_data s1; 52 < session_ended",
        &[]
    )]
    #[case::by_what_a_message_gets("43 * turn_released s1 turn=1; 50 > send_message s1 message=x; 52 < session_ended", &["LC-OBS-7"])]
    fn a_codex_session_is_called_ended_while_its_agent_runs(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(called_ended, &format!("0 start s1 codex; {then}")), expected);
    }

    #[rstest]
    #[case::at_the_settle_limit(242, &[])]
    #[case::past_it(243, &["CX-2"])]
    fn an_agent_that_dies_after_the_answer_had_lived_if_the_settle_limit_lies_between(#[case] death: u64, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; 40 > list_sessions; 42 < listed s1=ended; {death} * agent_gone s1");
        assert_eq!(found(called_ended, &trace), expected);
    }

    #[rstest]
    #[case::at_the_announce_limit(5040, &[])]
    #[case::past_it(5041, &["LC-OBS-7"])]
    fn a_dead_agent_may_be_listed_as_alive_until_the_announce_limit(#[case] asked: u64, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; 40 * agent_gone s1; {asked} > list_sessions; 6000 < listed s1=running");
        assert_eq!(found(called_alive, &trace), expected);
    }
}
