//! Cleanup: what was ended is gone, and nobody else is.

use crate::contract::ErrorCode;

use super::{Account, Call, Contradiction, History, Moment, Processes, Run, Says, Session, Settings};

/// LC-CLEAN-1: past the end limit nothing of an ended session runs; LC-CLEAN-1b: nor what left its parent before.
/// LC-CLEAN-10: no agent comes up for a session that was ended.
pub(super) fn leftovers(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let (end, limit_ms) = (settings.limits.end, settings.limits.end.as_millis());
    for (at, run) in history.runs.iter().enumerate() {
        let Some((session, ended)) = last_ended(history, at, run) else { continue };
        let wrong = |requirement, message: String, truth: String, shown: Moment| {
            let claimed = "end_session: success";
            Contradiction::of(requirement, Some(session), message).claims(claimed).truly(truth).shown_by([ended, shown])
        };
        for survivor in run.survivors.iter().filter(|survivor| survivor.at > ended) {
            let requirement = if survivor.reparented { "LC-CLEAN-1b" } else { "LC-CLEAN-1" };
            let message = format!("session `{}` was ended, but something of it is alive", session.id);
            found.push(wrong(requirement, message, format!("{} (pid {})", survivor.command, survivor.pid), survivor.at));
        }
        if settings.processes == Processes::Shared {
            continue;
        }
        if run.started > ended && run.started.ms > ended.after(end) {
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
fn last_ended<'h, 'a>(history: &'h History<'a>, at: usize, run: &Run<'a>) -> Option<(&'h Session<'a>, Moment)> {
    let mut owners: Vec<&Session> = history.served_by(at).collect();
    if owners.is_empty() {
        let starts: Vec<_> =
            history.calls.iter().filter(|call| call.op == "start_session" && call.text("cwd") == run.cwd && run.cwd.is_some()).collect();
        if starts.iter().any(|start| start.ok().is_none() && start.may_have_happened()) {
            return None;
        }
        owners = history.sessions.iter().filter(|session| session.cwd == run.cwd && run.cwd.is_some()).collect();
    }
    let ended: Option<Vec<_>> = owners.into_iter().map(|owner| Some((owner, owner.ended().filter(|_| !owner.id_reused)?))).collect();
    ended?.into_iter().max_by_key(|(_, ended)| *ended)
}

/// LC-CLEAN-2: past the end limit an ended session is not listed as alive. LC-CLEAN-3: reading it gives
/// `session_not_found` or `session_ended`, or the transcript of a session that is listed as not alive; sending fails
/// (LC-SEND-2). LC-CLEAN-10: what a list showed as gone does not come back.
pub(super) fn answers(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(ended) = session.ended() else { continue };
        let later: Vec<Account> = history.accounts(session).into_iter().filter(|said| said.asked > ended).collect();
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
pub(super) fn harm(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for call in history.calls.iter().filter(|call| call.op == "end_session") {
        let (Some(id), Some(answer)) = (call.text("session_id"), call.answer) else { continue };
        let owners: Vec<usize> =
            history.sessions.iter().filter(|session| session.id == id).flat_map(|session| session.runs.clone()).collect();
        let known = history.sessions.iter().any(|session| session.id == id);
        // At the end of a scenario the harness closes everything: past the answer, only while it goes on asking.
        let goes_on = |at: Moment| history.calls.iter().any(|later| later.asked > at);
        let soon = |at: Moment| at < answer.at || (at.ms <= answer.at.after(settings.limits.settle) && goes_on(at));
        for other in history.sessions().filter(|other| other.id != id && !other.runs.iter().any(|run| owners.contains(run))) {
            // Of several calls that may be to blame, the last one is: another end, a list, whatever asked about that session.
            let may = |later: &&Call| matches!(later.op, "end_session" | "list_sessions") || later.text("session_id") == Some(other.id);
            let blamed = |at: Moment| !history.calls.iter().filter(may).any(|later| later.asked > call.asked && later.asked < at);
            let struck = |at: Moment| at > call.asked && soon(at) && blamed(at);
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
