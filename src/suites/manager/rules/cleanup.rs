//! Cleanup: what was ended is gone, and nobody else is.

use crate::contract::ErrorCode;

use super::Contradiction;
use crate::trace::history::{Account, AgentRunHistory, CallHistory, History, Moment, Says, SessionHistory};
use crate::trace::settings::{Processes, Settings};

/// LC-CLEAN-1: past the end limit nothing of an ended session runs; LC-CLEAN-1b: nor what left its parent before.
/// LC-CLEAN-10: no agent comes up for a session that was ended.
pub(crate) fn leftovers(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let (end, limit_ms) = (settings.limits.end, settings.limits.end.as_millis());
    for (at, run) in history.runs.iter().enumerate() {
        let Some((session, ended)) = last_ended(history, at, run) else { continue };
        let wrong = |requirement, message: String, truth: String, shown: Moment| {
            let claimed = "end_session: success";
            Contradiction::of(requirement, Some(session), message).claims(claimed).truly(truth).shown_by([ended, shown])
        };
        for survivor in run.survivors.iter().filter(|survivor| ended < survivor.at) {
            let requirement = if survivor.reparented { "LC-CLEAN-1b" } else { "LC-CLEAN-1" };
            let message = format!("session `{}` was ended, but something of it is alive", session.id);
            found.push(wrong(requirement, message, format!("{} (pid {})", survivor.command, survivor.pid), survivor.at));
        }
        if settings.processes == Processes::Shared {
            continue;
        }
        if run.started.ms > ended.after(end) {
            let message = format!("session `{}` was ended, and an agent came up for it", session.id);
            found.push(wrong("LC-CLEAN-10", message, format!("{} ms after", run.started.ms - ended.ms), run.started));
        } else if run.lived_at(ended.max(run.started).after(end), history.last()) {
            let message = format!("session `{}` was ended, but its agent runs", session.id);
            found.push(wrong("LC-CLEAN-1", message, format!("it ran {limit_ms} ms later"), run.over.unwrap_or(history.last())));
        }
    }
    found
}

/// Of the sessions that a run can belong to, the one that was ended last; `None` unless all of them were. Those are the
/// sessions it serves, or where it serves none those of its folder, if no other start there is open.
fn last_ended<'h, 'a>(history: &'h History<'a>, at: usize, run: &AgentRunHistory<'a>) -> Option<(&'h SessionHistory<'a>, Moment)> {
    let mut owners: Vec<&SessionHistory> = history.served_by(at).collect();
    if owners.is_empty() {
        let folder = Some(run.cwd?);
        let mut starts = history.calls.iter().filter(|call| call.op == "start_session" && call.text("cwd") == folder);
        if starts.any(|start| start.ok().is_none() && start.may_have_happened()) {
            return None;
        }
        owners = history.sessions.iter().filter(|session| session.cwd == folder).collect();
    }
    let ended: Option<Vec<_>> = owners.into_iter().map(|owner| Some((owner, owner.ended().filter(|_| !owner.id_reused)?))).collect();
    ended?.into_iter().max_by_key(|(_, ended)| *ended)
}

/// LC-CLEAN-2: past the end limit an ended session is not listed as alive. LC-CLEAN-3: reading it gives
/// `session_not_found` or `session_ended`, or the transcript of a session that is listed as not alive; sending fails
/// (LC-SEND-2). LC-CLEAN-10: what a list showed as gone does not come back.
pub(crate) fn answers(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(ended) = session.ended() else { continue };
        let later: Vec<Account> = history.accounts(session).into_iter().filter(|said| ended < said.asked).collect();
        for said in &later {
            let settled = said.asked.ms >= ended.after(settings.limits.end);
            let gone_before = later.iter().any(|list| shows_gone(list) && list.answered < said.asked);
            let requirement = match said.says {
                Says::Listed(_) if shows_alive(said) && gone_before => "LC-CLEAN-10",
                Says::Listed(_) if shows_alive(said) && settled => "LC-CLEAN-2",
                Says::Data(_) if settled && listed_otherwise(&later) => "LC-CLEAN-3",
                Says::Pending if settled => "LC-CLEAN-3",
                Says::Error(error) if said.is_read() && settled && is_wrong_afterwards(error.code) && history.restarts.is_empty() => {
                    "LC-CLEAN-3"
                }
                Says::Done if said.by == "send_message" => "LC-SEND-2",
                _ => continue,
            };
            let message = format!("session `{}` was ended, and is answered for as if it were not", session.id);
            let truth = format!("end_session had succeeded {} ms before", said.asked.ms - ended.ms);
            found.push(Contradiction::of(requirement, Some(session), message).claims(said.words()).truly(truth).shown_by([
                ended,
                said.asked,
                said.answered,
            ]));
        }
    }
    found
}

/// Whether a list calls the session alive: by its status word, or by having it without one.
fn shows_alive(list: &Account) -> bool {
    list.says == Says::Listed(None) || list.listed_alive() == Some(true)
}

fn shows_gone(list: &Account) -> bool {
    list.says == Says::Missing || list.listed_alive() == Some(false)
}

/// Whether lists were asked for after the end, and none of them says in any word that the session is over.
fn listed_otherwise(later: &[Account]) -> bool {
    let mut lists = later.iter().filter(|said| matches!(said.says, Says::Listed(_) | Says::Missing)).peekable();
    lists.peek().is_some() && lists.all(|list| list.says == Says::Missing || shows_alive(list))
}

fn is_wrong_afterwards(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::SessionPending | ErrorCode::Internal)
}

/// LC-CLEAN-9: ending one session leaves every other's agent alone. LC-CLEAN-5: so does ending an id that is nobody's.
pub(crate) fn harm(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for call in history.calls.iter().filter(|call| call.op == "end_session") {
        let (Some(id), Some(answer)) = (call.text("session_id"), call.answer) else { continue };
        let owners: Vec<usize> =
            history.sessions.iter().filter(|session| session.id == id).flat_map(|session| session.runs.clone()).collect();
        let known = history.sessions.iter().any(|session| session.id == id);
        // At the end of a scenario the harness closes everything: past the answer, only while it goes on asking.
        let goes_on = |at: Moment| history.calls.iter().any(|later| at < later.asked);
        let soon = |at: Moment| at < answer.at || (at.ms <= answer.at.after(settings.limits.settle) && goes_on(at));
        for other in history.sessions().filter(|other| !other.runs.iter().any(|run| owners.contains(run))) {
            // Of several calls that may be to blame, the last one is: another end, a list, whatever asked about that session.
            let may =
                |later: &&CallHistory| matches!(later.op, "end_session" | "list_sessions") || later.text("session_id") == Some(other.id);
            let blamed = |at: Moment| !history.calls.iter().filter(may).any(|later| later.asked > call.asked && later.asked < at);
            let struck = |at: Moment| call.asked < at && soon(at) && blamed(at);
            let hit = history.runs_of(other).find_map(|run| {
                let signal = run.signals.iter().find(|(at, _)| struck(*at)).map(|(at, signal)| (*at, format!("its agent got SIG{signal}")));
                let gone =
                    run.over.filter(|at| run.gone && struck(*at) && *at < answer.at).map(|at| (at, "its agent was killed".to_owned()));
                signal.or(gone)
            });
            let Some((at, truth)) = hit.filter(|(at, _)| !history.may_be_ended(other, *at, settings)) else { continue };
            let requirement = if known { "LC-CLEAN-9" } else { "LC-CLEAN-5" };
            let message = format!("ending `{id}` harmed session `{}`", other.id);
            found.push(
                Contradiction::of(requirement, Some(other), message)
                    .claims(format!("end_session of `{id}`"))
                    .truly(truth)
                    .shown_by([call.asked, at]),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    /// A session that was ended: its agent stopped in time.
    const ENDED: &str = "0 start s1 codex; 100 > end_session s1; 102 < ok; 110 * agent_exited s1;";

    #[rstest]
    #[case::within_the_limit("5102 * agent_started late cwd=/w/s1; 5103 * agent_exited late", &[])]
    #[case::past_it("5103 * agent_started late cwd=/w/s1; 5104 * agent_exited late", &["LC-CLEAN-10"])]
    #[case::within_it_and_for_too_long("5102 * agent_started late cwd=/w/s1; 10103 * agent_exited late", &["LC-CLEAN-1"])]
    fn an_agent_that_comes_up_for_an_ended_session(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(leftovers, &format!("{ENDED} {then}")), expected);
    }

    #[rstest]
    #[case::at_the_limit(5102, &[])]
    #[case::past_it(5103, &["LC-CLEAN-1"])]
    fn an_ended_agent_may_run_until_the_limit(#[case] exit: u64, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; 100 > end_session s1; 102 < ok; {exit} * agent_exited s1");
        assert_eq!(found(leftovers, &trace), expected);
    }

    #[rstest]
    #[case::while_every_session_there_was_ended("", &["LC-CLEAN-10"])]
    #[case::while_one_there_runs("200 > start_session cwd=/w/s1; 210 < session_id=s3;", &[])]
    #[case::while_nobody_knows_whether_one_there_began("200 > start_session cwd=/w/s1; 210 < timeout;", &[])]
    #[case::after_another_start_there_was_refused("200 > start_session cwd=/w/s1; 210 < invalid_argument;", &["LC-CLEAN-10"])]
    #[case::while_nobody_knows_whether_one_elsewhere_began("200 > start_session cwd=/w/x; 210 < timeout;", &["LC-CLEAN-10"])]
    #[case::while_another_question_there_is_open("200 > search cwd=/w/s1;", &["LC-CLEAN-10"])]
    #[case::while_a_session_elsewhere_runs("200 > start_session cwd=/w/x; 210 < session_id=s3;", &["LC-CLEAN-10"])]
    fn an_agent_that_comes_up_where_two_sessions_were(#[case] then: &str, #[case] expected: &[&str]) {
        let trace = format!(
            "{ENDED} 120 > start_session cwd=/w/s1; 130 < session_id=s2; 140 > end_session s2; 142 < ok; {then} \
             9000 * agent_started late cwd=/w/s1; 9001 * agent_exited late"
        );
        assert_eq!(found(leftovers, &trace), expected);
    }

    #[test]
    fn a_run_whose_start_was_not_seen_is_nobodys() {
        let trace = "0 > start_session agent=codex; 1 < session_id=s1; 2 > start_session agent=codex; 3 < session_id=s2; 4 > end_session s1; \
                     5 < ok; 6 > end_session s2; 7 < ok; 9000 * turn_started late turn=1; 20000 # the end";
        assert_eq!(found(leftovers, trace), [""; 0]);
    }

    #[rstest]
    #[case::pending_before_the_limit("5101 > get_session_data s1; 5103 < pending=true", &[])]
    #[case::pending_at_the_limit("5102 > get_session_data s1; 5103 < pending=true", &["LC-CLEAN-3"])]
    #[case::internal_before_the_limit("5101 > get_session_data s1; 5103 < internal", &[])]
    #[case::internal_at_the_limit("5102 > get_session_data s1; 5103 < internal", &["LC-CLEAN-3"])]
    #[case::session_pending("9000 > get_session_data s1; 9001 < session_pending", &["LC-CLEAN-3"])]
    #[case::session_not_found("9000 > get_session_data s1; 9001 < session_not_found", &[])]
    #[case::no_answer("9000 > get_session_data s1; 9001 < timeout", &[])]
    #[case::internal_to_a_message("9000 > send_message s1 message=more; 9001 < internal", &[])]
    #[case::internal_after_a_restart("8000 restart; 9000 > get_session_data s1; 9001 < internal", &[])]
    #[case::a_message_that_is_taken("103 > send_message s1 message=more; 104 < ok", &["LC-SEND-2"])]
    #[case::a_second_end("9000 > end_session s1; 9001 < ok", &[])]
    #[case::alive_before_the_limit("5101 > list_sessions; 5103 < listed s1=running", &[])]
    #[case::alive_at_the_limit("5102 > list_sessions; 5103 < listed s1=running", &["LC-CLEAN-2"])]
    #[case::back_again("200 > list_sessions; 201 < listed; 202 > list_sessions; 203 < listed s1=running", &["LC-CLEAN-10"])]
    #[case::two_lists_at_once("200 > list_sessions; 201 > list_sessions; 202 < listed; 203 < listed s1=running", &[])]
    fn an_ended_session_is_answered_for(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(answers, &format!("{ENDED} {then}")), expected);
    }

    /// Two sessions; the first is being ended.
    const ENDING: &str = "0 start s1 codex; 100 start s2 codex; 200 > end_session s1;";

    #[rstest]
    #[case::while_it_is_ended("201 * agent_signalled s2 signal=TERM; 202 < ok", &["LC-CLEAN-9"])]
    #[case::soon_after("202 < ok; 402 * agent_signalled s2 signal=TERM; 500 > list_sessions", &["LC-CLEAN-9"])]
    #[case::later("202 < ok; 403 * agent_signalled s2 signal=TERM; 500 > list_sessions", &[])]
    #[case::soon_after_when_the_scenario_is_over("202 < ok; 402 * agent_signalled s2 signal=TERM", &[])]
    #[case::who_is_ended_itself("202 * agent_signalled s1 signal=TERM; 203 < ok; 500 > list_sessions", &[])]
    #[case::when_it_was_being_read("201 > get_session_data s2; 202 * agent_signalled s2 signal=TERM; 203 < internal; 204 < ok", &[])]
    #[case::when_another_was_being_read(
        "201 > get_session_data s3; 202 * agent_signalled s2 signal=TERM; 203 < internal; 204 < ok",
        &["LC-CLEAN-9"]
    )]
    #[case::by_its_death("201 * agent_gone s2; 202 < ok", &["LC-CLEAN-9"])]
    #[case::by_its_death_soon_after("202 < ok; 203 * agent_gone s2; 500 > list_sessions", &[])]
    fn a_neighbour_is_harmed(#[case] then: &str, #[case] expected: &[&str]) {
        assert_eq!(found(harm, &format!("{ENDING} {then}")), expected);
    }

    #[test]
    fn who_shares_the_ended_sessions_process_is_not_harmed_by_its_end() {
        let shared = "0 start s1 codex; 100 > start_session cwd=/w/x; 101 < session_id=s2; 102 bound s2 s1; 200 > end_session s1; \
                      201 * agent_signalled s1 signal=TERM; 202 < ok";
        assert_eq!(found(harm, shared), [""; 0]);
    }
}
