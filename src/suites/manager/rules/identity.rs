//! Ids: given once, working at once; a start that was refused left nothing.

use std::collections::BTreeMap;

use crate::contract::{AgentKind, ErrorCode};
use crate::profile::Phase;

use super::Contradiction;
use crate::trace::history::reading_in::{same_start, started};
use crate::trace::history::{AgentRunHistory, CallHistory, History, Moment};
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

/// LC-CREATE-6b: whatever a start was answered with, what it started is listed. Found where a start had an indefinite error, an
/// agent of its that could be observed from its start lives on, and a list past the observe limit has no session but those of other
/// starts.
pub(crate) fn unlisted(history: &History, settings: &Settings) -> Vec<Contradiction> {
    if settings.processes != Processes::Session {
        return Vec::new();
    }
    let starts = || history.calls.iter().filter(|call| call.op == "start_session");
    let mut found = Vec::new();
    for call in starts() {
        let (Some((answered, error)), Some(cwd)) = (call.error(), call.text("cwd")) else { continue };
        let is_shared = starts().any(|other| other.asked != call.asked && (other.text("cwd") == Some(cwd) || same_start(other, call)));
        if error.code.spec().definite || is_shared {
            continue;
        }
        let at_once = |agent: AgentKind| settings.observable.get(&agent) == Some(&Phase::Started);
        let own = |run: &&AgentRunHistory| run.cwd == Some(cwd) && call.asked < run.started && run.agent.is_some_and(at_once);
        for run in history.runs.iter().filter(own) {
            let observable = run.started.max(answered).after(settings.limits.observe);
            let others = |id: &str| history.sessions.iter().any(|session| session.id == id) || was_listed(history, id, call.asked);
            let lacking = history.listings.iter().find(|list| {
                list.asked.ms >= observable && run.lived_at(list.answered.ms, history.last()) && list.items.keys().all(|id| others(id))
            });
            let Some(list) = lacking else { continue };
            let message = format!("an agent runs in {cwd} that no entry of the list stands for");
            let wrong = Contradiction::of("LC-CREATE-6b", None, message)
                .claims(format!("start_session: `{}`; list_sessions: without it", error.code));
            found.push(wrong.truly(format!("agent run {} lives", run.id)).shown_by([call.asked, answered, run.started, list.answered]));
        }
    }
    found
}

/// Whether a list showed that id before.
fn was_listed(history: &History, id: &str, before: Moment) -> bool {
    history.listings.iter().any(|list| list.answered < before && list.items.contains_key(id))
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

    /// A start of Claude that is answered with an error; its agent is up at 11 ms.
    #[rstest]
    #[case::and_not_listed("internal", "claude", "2042 > list_sessions; 2043 < listed s1=running", "20000 # the end", &["LC-CREATE-6b"])]
    #[case::and_not_listed_yet("internal", "claude", "2041 > list_sessions; 2042 < listed s1=running", "20000 # the end", &[])]
    #[case::and_listed("internal", "claude", "2042 > list_sessions; 2043 < listed s1=running s2", "20000 # the end", &[])]
    #[case::and_gone("internal", "claude", "2000 * agent_gone r1; 2042 > list_sessions; 2043 < listed s1=running", "", &[])]
    #[case::without_an_answer("timeout", "claude", "2042 > list_sessions; 2043 < listed", "20000 # the end", &["LC-CREATE-6b"])]
    #[case::by_a_refusal("invalid_argument", "claude", "2042 > list_sessions; 2043 < listed", "20000 # the end", &[])]
    #[case::and_cannot_be_observed_yet("internal", "codex", "2042 > list_sessions; 2043 < listed", "20000 # the end", &[])]
    fn a_start_fails(#[case] code: &str, #[case] agent: &str, #[case] then: &str, #[case] end: &str, #[case] expected: &[&str]) {
        let trace = format!(
            "0 start s1 claude; 40 > start_session cwd=/w/x; 41 * agent_started r1 agent={agent} cwd=/w/x; 42 < {code}; {then}; {end}"
        );
        assert_eq!(found(unlisted, &trace), expected);
    }

    /// What the scenario did is no death by itself.
    #[rstest]
    #[case::by_itself("90 * agent_gone s1;", &["LC-CLEAN-7"])]
    #[case::at_the_end_of_an_id_that_nobody_has("50 > end_session s; 52 < session_not_found; 90 * agent_gone s1;", &[])]
    #[case::while_another_is_ended("60 > end_session s2; 90 * agent_gone s1; 92 < ok;", &[])]
    #[case::long_after_another_was_ended("60 > end_session s2; 62 < ok; 263 * agent_gone s1;", &["LC-CLEAN-7"])]
    #[case::while_it_is_read("80 > get_session_data s1; 90 * agent_gone s1; 91 < session_ended;", &[])]
    #[case::while_all_are_listed("80 > list_sessions; 90 * agent_gone s1; 91 < listed;", &[])]
    #[case::after_it_was_read("80 > get_session_data s1; 85 < text=go; 90 * agent_gone s1;", &["LC-CLEAN-7"])]
    fn an_agent_dies(#[case] how: &str, #[case] expected: &[&str]) {
        let trace = format!("0 start s1 codex; 30 start s2 codex; {how} 400 > end_session s1; 402 < session_not_found");
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
