//! Codex in its first turn, and what its completion brings. CX-2, CX-4 to CX-10.

use std::time::Duration;

use crate::contract::{ErrorCode, TurnStatus};

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{Exits, ExtraAct, Native, Occasion, Owner, Pending};
use crate::suites::manager::reference::host::End;
use crate::suites::manager::reference::transcript::text;

pub(crate) const FAULTS: &[ManagerFault] = &[
    // ---- CX-2: alive by every account
    fault("calls-pending-ended", "answers `session_ended` while a session has no file yet", &["CX-2", "LC-OBS-3"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionEnded);
    })
    .also(&["CX-9", "LC-CLEAN-6", "LC-CREATE-4", "LC-OBS-3b", "LC-OBS-7", "LC-OBS-8", "LC-CLEAN-4"])
    .seen("seed 001; openai/codex #18690"),
    fault("calls-the-starting-stopped", "lists a session as stopped while it has no file", &["CX-2"], |s| {
        s.status =
            |view| if view.record.turns == 0 && view.record.native.is_none() { "stopped" } else { view.record.status(view.alive).name() };
    })
    .also(&["CX-9", "LC-CLEAN-6", "LC-OBS-3", "LC-OBS-7", "LC-OBS-8", "LC-CLEAN-4"])
    .seen("Untrivial-ai/agent-orchestrator #989: polled before its process starts and reported \"killed\""),
    fault("terminates-on-listing", "writes down that a session is over when a list finds no file", &["CX-2"], |s| {
        s.besides = vec![(Occasion::Unreadable, ExtraAct::CallDead)];
    })
    .also(&["CX-3", "CX-9", "CX-10", "LC-CREATE-4", "LC-OBS-1", "LC-OBS-3", "LC-OBS-7", "LC-OBS-8", "LC-CLEAN-4", "LC-OBS-6"])
    .seen("Untrivial-ai/agent-orchestrator #1735: `list()` writes \"terminated\" after one failed probe"),
    fault("announces-the-end-of-the-pending", "announces a session's end when a read finds no file", &["CX-2"], |s| {
        s.besides = vec![(Occasion::Unreadable, ExtraAct::AnnounceEnd)];
    })
    .also(&["LC-OBS-7"]),
    // ---- CX-4: observable at its announcement
    fault("finds-files-late", "knows a session's file some seconds after the turn's end", &["CX-4"], |s| {
        s.found_after = Duration::from_secs(3);
        s.native = Native::Named;
    })
    .also(&["CX-5", "CX-7", "CX-9", "CX-10", "LC-OBS-1", "LC-OBS-4", "LC-OBS-5", "LC-OBS-8"]),
    fault("lists-late", "lists a session a second after its first turn", &["CX-4"], |s| {
        s.listed = |view| view.record.turns > 1 || view.record.is_busy() || view.idle > Duration::from_secs(1);
    })
    .also(&["LC-OBS-2"]),
    fault("reads-late", "reads a session's data a second after a turn", &["CX-4"], |s| {
        s.readable = |view| view.record.is_busy() || view.idle > Duration::from_secs(1);
    })
    .also(&["LC-OBS-2"]),
    // ---- CX-5: the first prompt and reply
    fault("leaves-out-the-first-prompt", "skips the first message of a transcript", &["CX-5"], |s| {
        s.text = |said, _| text(&said[1.min(said.len())..]);
    })
    .also(&["CX-7", "LC-OBS-1", "LC-OBS-4"]),
    fault("leaves-out-the-last-reply", "reads up to the last message but one", &["CX-5"], |s| {
        s.text = |said, _| text(&said[..said.len().saturating_sub(1)]);
    })
    .also(&["CX-7", "LC-OBS-1", "LC-OBS-4", "LC-OBS-5"]),
    fault("waits-for-a-second-turn", "shows a session's data when its second turn has begun", &["CX-5"], |s| {
        s.readable = |view| view.record.messages > 1;
    })
    .also(&["CX-4", "CX-7", "CX-9", "CX-10", "LC-OBS-1", "LC-OBS-5", "LC-OBS-8", "LC-OBS-2"]),
    // ---- CX-6: a first turn that dies is not silence for ever
    fault("ignores-failures", "does not count a turn that failed as over", &["CX-6"], |s| {
        s.counts = |_, status| status == TurnStatus::Completed
    }),
    fault("waits-for-a-file", "calls a session alive as long as it has no file", &["CX-6"], |s| {
        s.exits = Exits::Silent;
        s.status = |view| {
            if view.record.native.is_none() && view.record.thread.is_none() { "running" } else { view.record.status(view.alive).name() }
        };
    })
    .also(&["LC-OBS-7"]),
    // ---- CX-7: two in one directory
    fault("takes-the-newest-file", "takes the newest file of a directory for a session's, whoever wrote it", &["CX-7"], |s| {
        s.native = Native::Newest;
    })
    .seen("two Codex threads in one directory"),
    fault("matches-files-in-order", "takes the first file of a directory for the first session's that was started there", &["CX-7"], |s| {
        s.native = Native::InOrder;
    })
    .also(&["CX-4", "LC-OBS-1"]),
    fault("announces-by-folder", "tells a turn's session by its directory", &["CX-7"], |s| s.owner = Owner::ByFolder)
        .also(&["CX-3", "LC-OBS-1"]),
    fault("reads-its-neighbour", "reads the newest file of a directory for a session that has none", &["CX-7"], |s| {
        s.native = Native::OwnOrNewest;
    }),
    // ---- CX-8, CX-9, CX-10
    fault("captures-a-blank", "captures a screen before anything is drawn", &["CX-8"], |s| s.screen = |_| String::new()),
    fault("captures-the-known", "captures no screen of a session without a file", &["CX-8"], |s| {
        s.knows = |operation, record| operation != "capture_screen" || record.native.is_some();
    })
    .also(&["LC-CREATE-4"]),
    fault("stops-looking", "looks for a file for ten minutes, and then no more", &["CX-9"], |s| {
        s.readable = |view| view.age < Duration::from_secs(600);
    })
    .also(&["CX-4", "LC-OBS-1"]),
    fault("gives-up-after-a-day-s-work", "lists a first turn as an error that has taken eight hours", &["CX-9"], |s| {
        s.status = |view| {
            let late = view.record.turns == 0 && view.age > Duration::from_secs(8 * 3600);
            if late { "error" } else { view.record.status(view.alive).name() }
        };
    })
    .also(&["CX-2", "LC-OBS-7"]),
    fault("makes-the-file-on-reading", "makes the session's file when it is read and not there", &["CX-10"], |s| {
        s.besides = vec![(Occasion::Unreadable, ExtraAct::Write("{}\n"))];
    })
    .also(&["LC-CREATE-8"])
    .seen("codex app-server 0.169: `thread/read` creates the file"),
    fault("replaces-the-busy", "takes a busy agent for stuck when sessions are listed, and launches another", &["CX-10"], |s| {
        s.besides = vec![(Occasion::Listed, ExtraAct::Replace)];
    })
    .also(&[
        "CX-2",
        "CX-4",
        "CX-9",
        "LC-CLEAN-5",
        "LC-CLEAN-6",
        "LC-CLEAN-9",
        "LC-CREATE-3",
        "LC-CREATE-3b",
        "LC-OBS-1",
        "LC-OBS-3",
        "LC-OBS-7",
        "LC-OBS-8",
        "LC-RESTART-1",
        "LC-RESTART-2",
        "LC-SEND-3",
        "LC-TIME-2",
        "LC-TIME-4",
        "LC-CLEAN-4",
        "LC-SEND-2",
        "LC-OBS-2",
        "LC-SEND-1",
    ])
    .seen("Untrivial-ai/agent-orchestrator #2501: a live session terminated mid-turn by a probe race and silently replaced"),
    fault("knocks-when-listing", "sends agents a signal to see whether they live", &["CX-10"], |s| {
        s.besides = vec![(Occasion::Listed, ExtraAct::Strike(End::Polite))];
    })
    .also(&[
        "CX-2",
        "CX-4",
        "CX-9",
        "LC-CLEAN-5",
        "LC-CLEAN-6",
        "LC-CLEAN-9",
        "LC-OBS-1",
        "LC-OBS-3",
        "LC-OBS-7",
        "LC-OBS-8",
        "LC-RESTART-1",
        "LC-SEND-3",
        "LC-TIME-2",
        "LC-TIME-4",
        "LC-CLEAN-4",
        "LC-SEND-2",
        "LC-OBS-2",
    ]),
];
