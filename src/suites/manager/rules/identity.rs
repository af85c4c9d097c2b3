//! Ids: given once, working at once; a start that was refused left nothing.

use std::collections::BTreeMap;

use crate::contract::ErrorCode;

use super::Contradiction;
use crate::trace::history::reading_in::{same_start, started};
use crate::trace::history::{CallHistory, History};
use crate::trace::settings::{Processes, Settings};

/// LC-CREATE-1: an id comes back that is not empty and was never used before; only a repeated `request_id` gives the
/// same again.
pub(crate) fn unique(history: &History, _: &Settings) -> Vec<Contradiction> {
    let mut given: BTreeMap<&str, (crate::trace::history::Moment, &CallHistory)> = BTreeMap::new();
    let mut found = Vec::new();
    for call in &history.calls {
        let Some((at, id)) = started(call) else { continue };
        let claimed = format!("start_session: session_id `{id}`");
        if id.is_empty() {
            found.push(Contradiction::of("LC-CREATE-1", None, "a session was given an empty id".into()).claims(claimed).shown_by([at]));
        } else if let Some((before, _)) = given.get(id).filter(|(_, earlier)| !same_start(earlier, call)) {
            let wrong = Contradiction::of_id("LC-CREATE-1", Some(id), format!("the id `{id}` was given to two sessions"));
            found.push(wrong.claims(claimed).truly(format!("given before, at {} ms", before.ms)).shown_by([*before, at]));
        } else {
            given.entry(id).or_insert((at, call));
        }
    }
    found
}

/// LC-CREATE-4: the id of a session that lives works in every operation at once. LC-CLEAN-4: also `end_session`, after
/// reading gave an error. LC-CLEAN-7: also `end_session`, after the agent died by itself.
pub(crate) fn working(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let accounts = history.accounts(session);
        for said in accounts.iter().filter(|said| !said.is_read() && said.code() == Some(ErrorCode::SessionNotFound)) {
            let wrong = |requirement, truth: String| {
                let message = format!("session `{}` has an id that {} does not know", session.id, said.by);
                Contradiction::of(requirement, Some(session), message)
                    .claims(said.words())
                    .truly(truth)
                    .shown_by([said.asked, said.answered])
            };
            if said.by != "end_session" {
                if history.surely_alive(session, said, settings) {
                    found.push(wrong("LC-CREATE-4", "its agent runs, and nobody ended it".into()));
                }
                continue;
            }
            // An end that was refused must have left the agent alone: it lives past every limit that an end has.
            if history.may_be_ended(session, said.asked, settings) {
                continue;
            }
            let outlived = said.answered.after(settings.limits.end);
            let read_failed = accounts.iter().any(|read| read.is_read() && read.code().is_some() && read.answered < said.asked);
            if history.runs_of(session).any(|run| run.started < said.asked && run.lived_at(outlived, history.last())) {
                let requirement = if read_failed { "LC-CLEAN-4" } else { "LC-CREATE-4" };
                found.push(wrong(requirement, format!("its agent still ran {} ms later", settings.limits.end.as_millis())));
            } else if settings.processes == Processes::Session
                && history.turns_of(session).iter().any(|turn| turn.accepted.is_some())
                && history.own_death(session, settings).is_some_and(|death| death < said.asked)
            {
                found.push(wrong("LC-CLEAN-7", "its agent died by itself; nobody had ended the session".into()));
            }
        }
    }
    found
}

/// LC-CREATE-5: a start that is refused for its arguments starts nothing. LC-CREATE-6: one whose agent failed leaves
/// nothing running. Judged where no other start asked for that folder.
pub(crate) fn refused(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let starts = || history.calls.iter().filter(|call| call.op == "start_session");
    let mut found = Vec::new();
    for call in starts() {
        let (Some((answered, error)), Some(cwd)) = (call.error(), call.text("cwd")) else { continue };
        if starts().any(|other| other.asked != call.asked && (other.text("cwd") == Some(cwd) || same_start(other, call))) {
            continue;
        }
        let outlived = answered.after(settings.limits.end);
        for run in history.runs.iter().filter(|run| run.cwd == Some(cwd) && call.asked < run.started) {
            let (requirement, message) = match error.code {
                ErrorCode::UnknownAgent | ErrorCode::InvalidArgument => ("LC-CREATE-5", "a start that was refused started an agent"),
                ErrorCode::AgentFailed if run.lived_at(outlived, history.last()) => {
                    ("LC-CREATE-6", "a start whose agent is said to have failed left it running")
                }
                _ => continue,
            };
            let wrong =
                Contradiction::of(requirement, None, format!("{message} in {cwd}")).claims(format!("start_session: `{}`", error.code));
            found.push(wrong.truly(format!("agent run {} came up there", run.id)).shown_by([call.asked, answered, run.started]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    /// What comes before the end of a session is refused, and what comes after.
    #[rstest]
    #[case::while_its_agent_lives("", "20000 # the end", &["LC-CREATE-4"])]
    #[case::after_a_read_failed("40 > get_session_data s1; 42 < internal;", "20000 # the end", &["LC-CLEAN-4"])]
    #[case::after_a_read_succeeded("40 > get_session_data s1; 42 < text=go;", "20000 # the end", &["LC-CREATE-4"])]
    #[case::after_a_message_failed("40 > send_message s1 message=x; 42 < internal;", "20000 # the end", &["LC-CREATE-4"])]
    #[case::before_a_read_failed("", "140 > get_session_data s1; 142 < internal; 20000 # the end", &["LC-CREATE-4"])]
    #[case::while_its_agent_lives_to_the_end_limit("", "5102 * agent_exited s1", &[])]
    #[case::while_its_agent_lives_longer("", "5103 * agent_exited s1", &["LC-CREATE-4"])]
    #[case::and_no_more_is_known("", "", &[])]
    #[case::after_its_agent_died("40 * agent_gone s1;", "", &["LC-CLEAN-7"])]
    fn an_end_is_refused(#[case] before: &str, #[case] after: &str, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; {before} 100 > end_session s1; 102 < session_not_found; {after}");
        assert_eq!(found(working, &trace), expected);
    }

    #[test]
    fn a_death_before_any_prompt_is_a_failed_start_and_no_session_that_must_be_known() {
        let trace = "0 > start_session cwd=/w/x; 1 * agent_started r1 cwd=/w/x; 2 < session_id=s1; 40 * agent_gone r1; 100 > end_session s1; \
                     102 < session_not_found";
        assert_eq!(found(working, trace), [""; 0]);
    }

    #[rstest]
    #[case::no_other("", &["LC-CREATE-5"])]
    #[case::another_elsewhere("0 > start_session cwd=/w/y; 1 < session_id=s1;", &["LC-CREATE-5"])]
    #[case::another_there("0 > start_session cwd=/w/x; 1 < session_id=s1;", &[])]
    #[case::the_same_with_another_folder("0 > start_session cwd=/w/y request_id=q; 1 < session_id=s1;", &[])]
    fn an_agent_comes_up_where_a_start_was_refused_and(#[case] other: &str, #[case] expected: &[&str]) {
        let trace = format!("{other} 10 > start_session cwd=/w/x request_id=q; 11 * agent_started r1 cwd=/w/x; 12 < invalid_argument");
        assert_eq!(found(refused, &trace), expected);
    }
}
