//! Ids: given once, working at once; a start that was refused left nothing.

use std::collections::BTreeMap;

use crate::contract::ErrorCode;

use super::reading_in::{same_start, started};
use super::{Call, Contradiction, History, Processes, Settings};

/// LC-CREATE-1: an id comes back that is not empty and was never used before; only a repeated `request_id` gives the
/// same again.
pub(super) fn unique(history: &History, _: &Settings) -> Vec<Contradiction> {
    let mut given: BTreeMap<&str, (super::Moment, &Call)> = BTreeMap::new();
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
pub(super) fn working(history: &History, settings: &Settings) -> Vec<Contradiction> {
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
pub(super) fn refused(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let starts = || history.calls.iter().filter(|call| call.op == "start_session");
    let mut found = Vec::new();
    for call in starts() {
        let (Some((answered, error)), Some(cwd)) = (call.error(), call.text("cwd")) else { continue };
        if starts().any(|other| other.asked != call.asked && (other.text("cwd") == Some(cwd) || same_start(other, call))) {
            continue;
        }
        let outlived = answered.after(settings.limits.end);
        for run in history.runs.iter().filter(|run| run.cwd == Some(cwd) && run.started > call.asked) {
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
