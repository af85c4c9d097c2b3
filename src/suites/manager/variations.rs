//! Permitted variations: what other managers do otherwise and conform all the same. The suites must find nothing in them.

use std::time::Duration;

use crate::contract::{AgentKind, ErrorCode};
use crate::engine::fault;

use crate::suites::manager::behavior::{
    Adopting, Afterwards, AnnouncedBy, Announcing, Empty, Ending, Late, Launching, ManagerBehavior, Pending, Remains, started,
};
use crate::suites::manager::reference::transcript::{TranscriptEntry, tail};
use crate::trace::settings::Processes;

/// A way to conform that is not the reference manager's.
pub(crate) type ManagerVariation = fault::Variation<ManagerBehavior>;

const fn variation(name: &'static str, title: &'static str, change: fn(&mut ManagerBehavior)) -> ManagerVariation {
    ManagerVariation::new(name, title, change)
}

/// Every variation.
pub(crate) const VARIATIONS: &[ManagerVariation] = &[
    // ---- before a session is observable
    variation("pending-as-code", "answers `session_pending` while there is nothing to read", |s| {
        s.pending = Pending::Code(ErrorCode::SessionPending);
    }),
    variation("pending-as-not-found", "answers `session_not_found` while there is nothing to read", |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
    })
    .warns(&["LC-OBS-3b"]),
    variation("data-early", "answers what the terminal shows while there is nothing else to read", |s| s.pending = Pending::Screen),
    variation("unlisted-before-a-file", "leaves Codex out of its list during the first turn", |s| {
        s.listed = |view| view.record.agent != AgentKind::CODEX || view.record.turns > 0 || !view.alive;
    }),
    // ---- after a session's end
    variation("second-end-succeeds", "says of a session that was ended that it is ended", |s| {
        s.afterwards = Afterwards { ended: Late::Success, ..Afterwards::default() };
    }),
    variation("ended-as-code", "answers `session_ended` for a session that was ended", |s| {
        s.afterwards = Afterwards { read: Late::Ended, sent: Late::Ended, ended: Late::Ended, ..Afterwards::default() };
    }),
    variation("ended-are-listed", "lists ended sessions as `ended`, and still reads them", |s| {
        s.afterwards = Afterwards { listed: Some("ended"), read: Late::Data, sent: Late::Ended, ended: Late::Ended, record: false };
    })
    .warns(&["LC-CLEAN-2b"]),
    // ---- answers
    variation("slow", "takes a third of a second for every answer", |s| s.pace = Duration::from_millis(300)),
    variation("slow-answers", "takes four fifths of the call limit for every answer", |s| s.pace = Duration::from_secs(8)).in_memory(),
    variation("slow-launches", "launches agents when four fifths of the start limit are over", |s| {
        s.launching = Launching::Later(Duration::from_secs(4));
    }),
    variation("slow-files", "finds native files when four fifths of the observation limit are over", |s| {
        s.found_after = Duration::from_millis(1_600);
    }),
    variation("slow-announcements", "announces when four fifths of the announcement limit are over", |s| {
        s.announcing = Announcing::Later(Duration::from_secs(4));
    }),
    variation("slow-ends", "ends agents when four fifths of the end limit are over", |s| {
        s.ending = |_| Ending::Slow(Duration::from_secs(4));
    }),
    variation("extra-fields", "adds fields of its own to entries, data and starts", |s| {
        s.started = |record| {
            let mut answer = started(record);
            answer.insert("pane".into(), "%1".into());
            answer
        };
        s.list = |entries| entries.iter_mut().for_each(|entry| drop(entry.insert("tokens".into(), 12.into())));
        s.data = |data| drop(data.insert("format".into(), "plain".into()));
    }),
    variation("few-fields", "lists ids alone, and says nothing of a text that was not cut", |s| {
        s.list = |entries| entries.iter_mut().for_each(|entry| entry.retain(|name, _| name == "session_id" || name == "status"));
        s.data = |data| data.retain(|name, value| name != "truncated" || *value == true);
    })
    .warns(&["LC-CREATE-11"]),
    variation("foreign-sessions", "lists sessions that others have started", |s| {
        s.list = |entries| {
            let foreign = [("session_id", "somebody-else"), ("agent", "codex"), ("status", "running"), ("cwd", "/elsewhere")];
            entries.push(foreign.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect());
        };
    }),
    variation("newest-first", "lists the newest session first", |s| s.list = |entries| entries.reverse()),
    variation("other-status-words", "has status words of its own for sessions that live", |s| {
        s.status = |view| if view.alive { "cogitating" } else { "error" };
    }),
    variation("no-timeout-stated", "does not say its timeout in a start's answer", |s| {
        s.started = |record| crate::contract::Args::from_iter([("session_id".to_owned(), record.id.as_str().into())]);
    })
    .warns(&["LC-TIME-1"]),
    // ---- ids
    variation("short-ids", "gives ids of one character", |s| {
        s.id = |number, _| char::from_u32(u32::try_from(number).unwrap_or_default() + 0x60).unwrap_or('?').to_string();
    }),
    variation("long-ids", "gives ids of 200 characters", |s| s.id = |number, _| format!("{number:0>200}")),
    variation("unicode-ids", "gives ids with blanks, quotes and letters of several scripts", |s| {
        s.id = |number, _| format!("сессия \"{number}\" 会話 🦀");
    }),
    // ---- transcripts
    variation("raw-lines", "renders transcripts as JSON lines", |s| {
        s.text = |said, _| {
            let line = |said: &TranscriptEntry| serde_json::json!({ "role": said.role, "content": said.text }).to_string();
            said.iter().map(line).collect::<Vec<_>>().join("\n")
        };
    }),
    variation("shorter-tails", "cuts at half the limit", |s| {
        s.cut = |text, wanted| Ok(tail(text, Some(wanted.filter(|wanted| *wanted > 0).unwrap_or(i64::MAX).min(24_000))));
    })
    .warns(&["LC-OBS-5b"]),
    variation("tails-by-bytes", "counts bytes where it cuts, and cuts between characters", |s| {
        s.cut = |text, wanted| {
            let limit = usize::try_from(wanted.filter(|wanted| *wanted > 0).unwrap_or(i64::MAX)).unwrap_or(usize::MAX).min(48_000);
            let cut = (text.len().saturating_sub(limit)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            Ok((text[cut..].to_owned(), cut > 0))
        };
    })
    .warns(&["LC-OBS-5b"]),
    // ---- messages and starts
    variation("empty-is-none", "takes an empty message for none", |s| s.empty_message = Empty::None),
    variation("empty-is-typed", "types an empty message", |s| s.empty_message = Empty::Typed),
    variation("failed-starts-are-sessions", "answers a session that is an error where the agent could not start", |s| {
        s.failed = Remains::Session { alive: false };
    }),
    // ---- announcements
    variation("waiting-alone", "announces by `wait_events` alone", |s| s.told = AnnouncedBy::ByWaiting),
    variation("stream-alone", "announces by notifications alone", |s| s.told = AnnouncedBy::ByStream),
    variation("unnumbered-turns", "does not number the turns that it announces", |s| s.numbered = false),
    variation("silent-ends", "does not announce the ends of sessions", |s| s.ends_told = |_| false),
    // ---- processes
    variation("a-process-a-turn", "runs its agent once for each turn, and not between them", |s| s.processes = Processes::Turn),
    // ---- restarts
    variation("ends-on-restart", "ends its sessions when it comes back", |s| s.adopting = Adopting::Ends),
];

/// The variation of that name.
///
/// # Errors
/// Names those that there are.
pub(crate) fn named(name: &str) -> Result<&'static ManagerVariation, String> {
    let names = || VARIATIONS.iter().map(|variation| variation.info.name).collect::<Vec<_>>().join(", ");
    VARIATIONS.iter().find(|variation| variation.info.name == name).ok_or_else(|| format!("no such variation; wanted one of: {}", names()))
}
