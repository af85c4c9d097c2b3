//! Status: nothing alive is called ended, nothing dead is called alive.

use crate::contract::AgentKind;

use super::{Contradiction, History, Processes, Settings};

/// CX-2: during a Codex session's first turn every account that mentions it calls it alive. LC-OBS-7: so does every
/// account of any session whose agent lives and that nobody ended. (Reading a session that is not observable yet is
/// judged by LC-OBS-3, besides CX-2.)
pub(super) fn called_ended(history: &History, settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions() {
        let observable = history.observable(session, settings);
        for said in history.accounts(session) {
            if !said.calls_ended() || said.by == "end_session" || !history.surely_alive(session, &said, settings) {
                continue;
            }
            let unobservable = observable.is_none_or(|from| said.answered < from);
            let requirement = match session.agent {
                Some(AgentKind::Codex) if history.in_first_turn(session, said.answered) => "CX-2",
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
pub(super) fn called_alive(history: &History, settings: &Settings) -> Vec<Contradiction> {
    if settings.processes != Processes::Session {
        return Vec::new();
    }
    let mut found = Vec::new();
    for session in history.sessions() {
        let Some(death) = history.own_death(session, settings) else { continue };
        for said in history.accounts(session) {
            let late = said.asked > death && said.asked.ms > death.after(settings.limits.announce);
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
