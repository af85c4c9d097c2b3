//! Ending sessions, and what is left afterwards. LC-CLEAN, LC-TERM.

use std::time::Duration;

use crate::contract::{ErrorCode, SessionId};

use super::{ManagerFault, by_likeness, by_prefix, fault};
use crate::suites::manager::behavior::{Adopting, Afterwards, AtOnce, Ending, Exits, ExtraAct, Late, Occasion, Pending, Probe};
use crate::suites::manager::reference::host::{End, Tamper};
use crate::suites::manager::steps::{MADE, MADE_TOO};

const KEPT: Afterwards = Afterwards { listed: None, read: Late::NotFound, sent: Late::NotFound, ended: Late::NotFound, record: false };

pub(crate) const FAULTS: &[ManagerFault] = &[
    // ---- LC-CLEAN-1: nothing is left
    fault("leaks-setsid", "ends the agent's process group and misses what left it", &["LC-CLEAN-1"], |s| s.how = |_| Some(End::Group))
        .also(&["LC-CLEAN-1b", "LC-TIME-3"])
        .seen("gastown #699, imbue-ai/mngr #1510"),
    fault("leaks-children", "ends the agent's own process", &["LC-CLEAN-1"], |s| s.how = |_| Some(End::ProcessOnly))
        .also(&["LC-CLEAN-1b", "LC-TIME-3"])
        .seen("kill_on_drop; loom #2268"),
    fault("leaves-the-dead", "ends nothing where the agent is dead already", &["LC-CLEAN-1"], |s| {
        s.how = |record| (!record.dead).then_some(End::Tree);
    }),
    fault("ends-what-matches", "takes the id of what is to be ended for a pattern or a path", &["LC-CLEAN-5"], |s| {
        s.meant = |operation, asked, known| by_likeness("end_session", operation, asked, known);
    })
    .seen("tmux targets are patterns"),
    fault("tidies-up", "removes from a session's folder what looks like rubbish, at its end", &["LC-CLEAN-12"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::InFolder(MADE_TOO, Tamper::Remove))];
    }),
    fault("trips-over-itself", "fails at an end that is asked for while the session is being ended", &["LC-CLEAN-6"], |s| {
        s.ends_at_once = AtOnce::EachOnceOrFail;
    }),
    fault("readmits-much-later", "takes a session back into its list two seconds after its end", &["LC-CLEAN-10"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::ReadmitAfter(Duration::from_secs(2)))];
        s.probe = Probe::None;
    }),
    fault("asks-politely", "sends HUP and TERM, and does not look", &["LC-CLEAN-1"], |s| s.how = |_| Some(End::Polite))
        .also(&["LC-CLEAN-1b", "LC-TIME-3"])
        .seen("tmux kill-session"),
    fault("forgets-instead", "ends a session by forgetting it", &["LC-CLEAN-1"], |s| s.how = |_| None)
        .also(&[
            "LC-CLEAN-1b",
            "LC-CLEAN-4",
            "LC-CLEAN-6",
            "LC-CLEAN-8",
            "LC-CLEAN-9",
            "LC-CLEAN-10",
            "LC-RESTART-1",
            "LC-SEND-2",
            "LC-TERM-1",
            "LC-TERM-2",
            "LC-TIME-3",
        ])
        .seen("gastown #699: kill-session leaves orphans"),
    fault("ends-later", "ends the agent a minute after it said so", &["LC-CLEAN-1"], |s| {
        s.ending = |_| Ending::Later(Duration::from_secs(60))
    })
    .also(&[
        "LC-CLEAN-1b",
        "LC-CLEAN-4",
        "LC-CLEAN-6",
        "LC-CLEAN-8",
        "LC-CLEAN-9",
        "LC-CLEAN-10",
        "LC-RESTART-1",
        "LC-SEND-2",
        "LC-TERM-1",
        "LC-TERM-2",
    ]),
    fault("needs-the-folder", "cannot end a session whose folder is gone", &["LC-CLEAN-1"], |s| s.ending = |_| Ending::IfFolder)
        .seen("Untrivial-ai/agent-orchestrator #5463: kill fails for ever once the workspace is gone"),
    fault("leaks-what-was-reparented", "ends what is still under the agent", &["LC-CLEAN-1b"], |s| s.how = |_| Some(End::Descendants))
        .seen("imbue-ai/mngr #1510: reparented descendants"),
    // ---- LC-CLEAN-2, -3: it is not listed, not read, not sent to
    fault("goes-on-listing", "goes on listing a session that was ended", &["LC-CLEAN-2"], |s| {
        s.afterwards = Afterwards { listed: Some("waiting"), ..KEPT };
    })
    .also(&[
        "LC-CLEAN-2b",
        "LC-CLEAN-7",
        "LC-CLEAN-8",
        "LC-CLEAN-10",
        "LC-CREATE-6",
        "LC-RESTART-1",
        "LC-TERM-1",
        "LC-TERM-2",
        "LC-TIME-2",
        "LC-TIME-3",
    ]),
    fault("lists-the-ended", "lists a session that was ended, as ended", &["LC-CLEAN-2b"], |s| {
        s.afterwards = Afterwards { listed: Some("ended"), ..KEPT };
    }),
    fault("reads-the-ended", "reads a session that was ended and that it does not list", &["LC-CLEAN-3"], |s| {
        s.afterwards = Afterwards { read: Late::Data, ..KEPT };
    }),
    fault("calls-the-ended-pending", "says of a session that was ended that nothing can be read yet", &["LC-CLEAN-3"], |s| {
        s.afterwards = Afterwards { read: Late::Pending, ..KEPT };
    }),
    fault("stumbles-over-the-ended", "answers `internal` when a session is read that was ended", &["LC-CLEAN-3"], |s| {
        s.afterwards = Afterwards { read: Late::Breaks, ..KEPT };
    }),
    // ---- LC-CLEAN-4: an error has ended nothing
    fault("cleans-up-the-pending", "ends a session when a read finds no file", &["LC-CLEAN-4"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
        s.besides = vec![(Occasion::Unreadable, ExtraAct::End)];
    })
    .also(&["CX-3", "CX-9", "CX-10", "LC-CLEAN-7", "LC-CREATE-4", "LC-OBS-1", "LC-OBS-3", "LC-OBS-3b", "LC-OBS-6", "LC-OBS-8"])
    .seen("schuettc/muster #31, first-tree #1482"),
    fault("forgets-the-pending", "forgets a session when a read finds no file", &["LC-CLEAN-4"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
        s.besides = vec![(Occasion::Unreadable, ExtraAct::Forget)];
    })
    .also(&["CX-3", "CX-9", "CX-10", "LC-CREATE-4", "LC-OBS-1", "LC-OBS-2", "LC-OBS-3b", "LC-OBS-8", "LC-OBS-6"]),
    fault("signals-the-pending", "sends the agent signals when a read finds no file", &["LC-CLEAN-4"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
        s.besides = vec![(Occasion::Unreadable, ExtraAct::Strike(End::Polite))];
    })
    .also(&["CX-9", "CX-10", "LC-CREATE-4", "LC-OBS-1", "LC-OBS-3", "LC-OBS-3b", "LC-OBS-8", "LC-OBS-6"]),
    fault("ends-at-the-third-failed-read", "ends a session when a read finds no file for the third time", &["LC-CLEAN-4"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
        s.besides = vec![(Occasion::UnreadableAgain(3), ExtraAct::End)];
    })
    .also(&["CX-10", "LC-OBS-3b", "LC-OBS-6"])
    .seen("t3code #4386: failed reads are counted, and end the watch"),
    fault("ends-at-the-tenth-failed-read", "ends a session when a read finds no file for the tenth time", &["LC-CLEAN-4"], |s| {
        s.besides = vec![(Occasion::UnreadableAgain(10), ExtraAct::End)];
    }),
    fault(
        "ends-who-is-asked-about-wrongly",
        "ends the agent of a session that is read with an argument of a wrong type",
        &["LC-CLEAN-4"],
        |s| {
            s.besides = vec![(Occasion::AskedWrongly, ExtraAct::Strike(End::Tree))];
        },
    ),
    // ---- LC-CLEAN-5: an unknown id harms nobody
    fault("ends-by-prefix", "ends the first session whose id begins with what was asked for", &["LC-CLEAN-5"], |s| {
        s.meant = |operation, asked, known| by_prefix("end_session", operation, asked, known);
    })
    .also(&["LC-CLEAN-9"])
    .seen("imbue-ai/mngr #1145, amux #156"),
    fault("ends-anything", "ends any id with success, and takes messages for any", &["LC-CLEAN-5", "LC-SEND-2"], |s| {
        s.nobody = Late::Success;
    })
    .also(&["LC-CLEAN-3", "LC-OBS-4"])
    .seen("measured: deleting a session that never existed answers success"),
    fault("ends-the-newest", "ends the session that was started last where it does not know the id", &["LC-CLEAN-5"], |s| {
        s.meant = |operation, asked, known| exact(asked, known).or_else(|| known.last().filter(|_| operation == "end_session").cloned());
    })
    .also(&["LC-CLEAN-6", "LC-CLEAN-9"])
    .seen("tmux: a target that is not found means the current one"),
    // ---- LC-CLEAN-6: ending twice
    fault("ends-another", "ends the oldest session where the one asked for was ended already", &["LC-CLEAN-6"], |s| {
        s.afterwards = Afterwards { ended: Late::Another, ..KEPT };
    })
    .also(&["LC-CLEAN-9"])
    .seen("ids that are places in a list"),
    fault("stumbles-at-the-second-end", "answers `internal` when a session is ended that was ended", &["LC-CLEAN-6"], |s| {
        s.afterwards = Afterwards { ended: Late::Breaks, ..KEPT };
    }),
    // ---- LC-CLEAN-7: one that died can be ended
    fault("reaps-the-dead", "forgets a session whose agent died", &["LC-CLEAN-7"], |s| s.exits = Exits::Forgotten).also(&["LC-CLEAN-1"]),
    fault("cannot-end-the-dead", "fails to end a session whose agent died", &["LC-CLEAN-7"], |s| {
        s.ending = |record| if record.dead { Ending::Refused(ErrorCode::Internal) } else { Ending::Now };
    })
    .also(&["LC-CLEAN-1"])
    .seen("kill: no such process"),
    // ---- LC-CLEAN-8: also in the first turn
    fault("ends-what-it-can-read", "does not know a session in its first turn when it is to be ended", &["LC-CLEAN-8"], |s| {
        s.ending = |record| if record.turns == 0 { Ending::Refused(ErrorCode::SessionNotFound) } else { Ending::Now };
    })
    .also(&[
        "LC-CLEAN-1",
        "LC-CLEAN-1b",
        "LC-CLEAN-2",
        "LC-CLEAN-2b",
        "LC-CLEAN-4",
        "LC-CREATE-4",
        "LC-RESTART-1",
        "LC-TERM-2",
        "LC-CLEAN-12",
        "LC-CLEAN-9",
        "LC-CLEAN-6",
    ]),
    fault("forgets-the-unfinished", "ends a session in its first turn by forgetting it", &["LC-CLEAN-8"], |s| {
        s.how = |record| (record.turns > 0).then_some(End::Tree);
    })
    .also(&[
        "LC-CLEAN-1",
        "LC-CLEAN-1b",
        "LC-CLEAN-4",
        "LC-CLEAN-6",
        "LC-CLEAN-10",
        "LC-RESTART-1",
        "LC-SEND-2",
        "LC-TERM-2",
        "LC-CLEAN-9",
    ]),
    fault("lets-the-turn-end", "says that a busy session is ended, and lets its turn go on", &["LC-CLEAN-8", "LC-CLEAN-1"], |s| {
        s.ending = |record| if record.is_busy() { Ending::AfterItsTurn } else { Ending::Now };
    })
    .also(&["LC-CLEAN-1b", "LC-CLEAN-4", "LC-CLEAN-6", "LC-CLEAN-10", "LC-RESTART-1", "LC-SEND-2", "LC-TERM-2", "LC-CLEAN-9"])
    .seen("measured: deleting a busy session answers true while the turn goes on"),
    // ---- LC-CLEAN-9: the others stay
    fault("ends-its-kind", "ends every session of the same agent", &["LC-CLEAN-9"], |s| {
        s.along = |ended, other| ended.agent == other.agent
    })
    .also(&["CX-2", "LC-CLEAN-5", "LC-CLEAN-6", "LC-OBS-2"])
    .seen("pkill codex"),
    fault("ends-what-starts", "ends with a session those that are being started just then", &["LC-CLEAN-9"], |s| {
        s.along = |_, other| other.handle.is_none();
    })
    .also(&["LC-CREATE-7", "LC-TERM-2"]),
    fault("ends-its-folder", "ends every session of the same folder", &["LC-CLEAN-9"], |s| s.along = |ended, other| ended.cwd == other.cwd)
        .seen("pkill -f with a directory"),
    fault("ends-what-begins-alike", "ends every session whose id begins with the one asked for", &["LC-CLEAN-9"], |s| {
        s.along = |ended, other| other.id.as_str().starts_with(ended.id.as_str());
    })
    .also(&["LC-CLEAN-5"])
    .seen("tmux kill-session -t work-1 also matches work-10"),
    fault("signals-the-others", "signals the agents of all sessions when it ends one", &["LC-CLEAN-9"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::StrikeOthers(End::Polite))];
    })
    .also(&["CX-2", "LC-CLEAN-5", "LC-CLEAN-6", "LC-OBS-2"])
    .seen("one server's crash takes all its sessions"),
    fault("forgets-the-others", "forgets all sessions when it ends one", &["LC-CLEAN-9"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::ForgetOthers)];
    })
    .also(&["CX-4", "LC-OBS-2"]),
    // ---- LC-CLEAN-10: ended is final
    fault("restarts-what-exits", "launches three agents for one that exits, ended or not", &["LC-CLEAN-10"], |s| {
        // Whether its exit is heard before it is forgotten is a race: it comes back either way.
        s.besides = vec![(Occasion::Exited, ExtraAct::Launch(3)), (Occasion::Ended, ExtraAct::Launch(3))];
    })
    .also(&[
        "LC-CLEAN-1",
        "LC-CLEAN-1b",
        "LC-CLEAN-2",
        "LC-CLEAN-4",
        "LC-CLEAN-6",
        "LC-CLEAN-8",
        "LC-CLEAN-9",
        "LC-CREATE-3",
        "LC-RESTART-1",
        "LC-SEND-2",
        "LC-TERM-1",
        "LC-TERM-2",
        "LC-TIME-3",
        "LC-OBS-7",
        "LC-CREATE-10",
    ])
    .seen("agent-deck #1040: one exit causes 3 to 5 restarts at once"),
    fault("readmits-on-reading", "takes a session back into its list when it is read after its end", &["LC-CLEAN-10"], |s| {
        s.afterwards = Afterwards { read: Late::Readmits, ..KEPT };
        s.probe = Probe::None;
    }),
    fault("readmits-later", "takes a session back into its list a moment after its end", &["LC-CLEAN-10"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::ReadmitAfter(Duration::from_millis(500)))];
        s.probe = Probe::None;
    })
    .seen("a hook that comes late makes the record anew"),
    fault("comes-back-with-the-ended", "launches agents for its ended sessions when it is started", &["LC-CLEAN-10"], |s| {
        s.afterwards = Afterwards { record: true, ..KEPT };
        s.adopting = Adopting::Launches;
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-2", "LC-CREATE-3", "LC-CREATE-10", "LC-RESTART-1", "LC-RESTART-1b", "LC-SEND-1"]),
    // ---- LC-CLEAN-11
    fault("deletes-the-file", "deletes the agent's file with the session", &["LC-CLEAN-11"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::Remove)];
    }),
    // ---- LC-CLEAN-12
    fault("removes-what-was-made", "removes what is new in the folder with the session", &["LC-CLEAN-12"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::InFolder(MADE, Tamper::Remove))];
    })
    .seen("git clean -fd in a worktree that is given back"),
    fault("signs-what-was-made", "appends a line to what is new in the folder when it ends the session", &["LC-CLEAN-12"], |s| {
        s.besides = vec![(Occasion::Ended, ExtraAct::InFolder(MADE, Tamper::Append("\nsession ended\n")))];
    }),
    // ---- LC-TERM
    fault("takes-idle-for-ended", "ends an idle session by forgetting it", &["LC-TERM-1"], |s| {
        s.how = |record| record.is_busy().then_some(End::Tree);
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-9", "LC-TERM-2", "LC-TIME-3"]),
    fault("goes-on-listing-the-finished", "goes on listing sessions that were ended when their turn was over", &["LC-TERM-1"], |s| {
        s.afterwards = Afterwards { listed: Some("waiting"), ..KEPT };
        s.list = |entries| entries.retain(|entry| entry["status"] != "running");
    })
    .also(&[
        "CX-4",
        "LC-CLEAN-2",
        "LC-CLEAN-2b",
        "LC-CLEAN-7",
        "LC-CLEAN-8",
        "LC-CLEAN-10",
        "LC-CREATE-6",
        "LC-OBS-1",
        "LC-OBS-2",
        "LC-OBS-7",
        "LC-RESTART-1",
        "LC-RESTART-2",
        "LC-TERM-2",
        "LC-TIME-2",
        "LC-TIME-3",
    ]),
    fault("keeps-the-idle-agent", "ends an idle agent an hour later, for whoever comes back", &["LC-TERM-1"], |s| {
        s.ending = |record| if record.is_busy() { Ending::Now } else { Ending::Later(Duration::from_secs(3600)) };
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-9", "LC-TERM-2"]),
    fault("ends-one-at-a-time", "fails to end a session while another is being ended", &["LC-TERM-2"], |s| {
        s.ends_at_once = AtOnce::OneOrFail
    })
    .also(&["LC-CLEAN-6"]),
    fault("ends-one-of-many", "says of sessions that they are ended while it ends another", &["LC-TERM-2"], |s| {
        s.ends_at_once = AtOnce::OneOrLie;
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-2"]),
];

fn exact(asked: &str, known: &[SessionId]) -> Option<SessionId> {
    known.iter().find(|id| id.as_str() == asked).cloned()
}
