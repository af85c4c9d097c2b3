//! What reaches the agent: first messages and later ones. LC-CREATE-3, LC-SEND.

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{Afterwards, Empty, Late};

/// What is broken where every message is typed wrongly.
const BOTH: &[&str] = &["LC-CREATE-3", "LC-SEND-1"];

pub(crate) const FAULTS: &[ManagerFault] = &[
    fault("turns-lines-into-spaces", "types messages with their line breaks turned into spaces", BOTH, |s| {
        s.typed = |message, _| vec![message.replace('\n', " ")];
    })
    .also(&["LC-CREATE-3b"])
    .seen("terminals that submit at every line break"),
    fault("submits-every-line", "types a message line by line, each a prompt of its own", BOTH, |s| {
        s.typed = |message, _| message.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    })
    .also(&["LC-CREATE-3b"])
    .seen("tmux send-keys without bracketed paste"),
    fault("loses-quotes", "loses quotes on a shell's command line", BOTH, |s| {
        s.typed = |message, _| vec![message.replace(['"', '\''], "")];
    })
    .seen("sh -c with a message pasted in"),
    fault("loses-backslashes", "takes one of two backslashes for an escape", BOTH, |s| {
        s.typed = |message, _| vec![message.replace("\\\\", "\\")];
    }),
    fault("expands-variables", "expands `$HOME` in messages", BOTH, |s| s.typed = |message, _| vec![message.replace("$HOME", "/home")]),
    fault("knows-only-ascii", "types question marks for what is not ASCII", BOTH, |s| {
        s.typed = |message, _| vec![message.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()];
    }),
    fault("loses-joiners", "drops characters of no width", BOTH, |s| {
        s.typed = |message, _| vec![message.replace(['\u{200d}', '\u{301}'], "")]
    }),
    fault("takes-dashes-for-flags", "leaves out a message that begins with a dash", BOTH, |s| {
        s.typed = |message, _| if message.starts_with('-') { Vec::new() } else { vec![message.to_owned()] };
    })
    .seen("a prompt as an argument without `--` before it"),
    fault("cuts-lines", "loses what is beyond 1,024 characters", BOTH, |s| {
        s.typed = |message, _| vec![message.chars().take(1_024).collect()]
    })
    .also(&["LC-CREATE-3b"])
    .seen("terminals in canonical mode cut lines"),
    fault("collapses-spaces", "turns runs of spaces into one", &["LC-CREATE-3"], |s| {
        s.typed = |message, _| vec![message.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")];
    })
    .also(&["LC-SEND-1"]),
    fault("expands-tabs", "types four spaces for a tab", BOTH, |s| s.typed = |message, _| vec![message.replace('\t', "    ")])
        .seen("terminals that complete at a tab"),
    fault("trims-messages", "cuts the blanks around messages off", BOTH, |s| s.typed = |message, _| vec![message.trim().to_owned()]),
    fault("never-delivers", "starts the agent without its message", &["LC-CREATE-3"], |s| {
        s.typed = |message, nth| if nth == 1 { Vec::new() } else { vec![message.to_owned()] };
    })
    .also(&["LC-CREATE-3b", "LC-CREATE-7", "LC-OBS-1"]),
    fault("delivers-twice", "types a first message again, since nothing came back", &["LC-CREATE-3"], |s| {
        s.typed = |message, nth| vec![message.to_owned(); if nth == 1 { 2 } else { 1 }];
    })
    .also(&["LC-CLEAN-9", "LC-OBS-4", "LC-SEND-1"]),
    fault("adds-instructions", "appends instructions of its own to messages", BOTH, |s| {
        s.typed = |message, _| vec![format!("{message}\n\nWhen you are done, say DONE.")];
    })
    .also(&["LC-CREATE-3b", "LC-CREATE-7"]),
    fault("cuts-at-16-kb", "loses what is beyond 16,000 characters", &["LC-CREATE-3b"], |s| {
        s.typed = |message, _| vec![message.chars().take(16_000).collect()];
    })
    .seen("tmux takes about 16 kB on a command line"),
    // ---- LC-SEND
    fault("sends-twice", "types every later message twice", &["LC-SEND-1"], |s| {
        s.typed = |message, nth| vec![message.to_owned(); if nth == 1 { 1 } else { 2 }];
    }),
    fault("sends-to-the-newest", "types messages into the terminal that was opened last", &["LC-SEND-1"], |s| {
        s.meant = |operation, asked, known| match operation {
            "send_message" => known.last().cloned(),
            _ => known.iter().find(|id| id.as_str() == asked).cloned(),
        };
    })
    .seen("tmux send-keys without a target"),
    fault("drops-what-comes-early", "drops a message that comes while a turn is open", &["LC-SEND-1"], |s| s.types_while_busy = false),
    fault("revives-on-send", "launches a new agent for a message to a session that was ended", &["LC-SEND-2"], |s| {
        s.afterwards = Afterwards { sent: Late::Revives, ..Afterwards::default() };
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-2", "LC-CLEAN-3", "LC-CLEAN-10", "LC-CREATE-3"])
    .seen("codex resume, claude --continue"),
    fault("takes-messages-for-the-dead", "takes a message for a session that was ended, and does nothing with it", &["LC-SEND-2"], |s| {
        s.afterwards = Afterwards { sent: Late::Success, ..Afterwards::default() };
    })
    .also(&["LC-CLEAN-3"]),
    fault("hangs-on-nothing", "waits for ever on an empty message", &["LC-SEND-3"], |s| s.empty_message = Empty::Hangs),
    fault("stumbles-over-nothing", "answers `internal` to an empty message", &["LC-SEND-3"], |s| s.empty_message = Empty::Breaks),
    fault("types-into-the-folder", "types a message into the session that was started last in its folder", &["LC-SEND-1"], |s| {
        s.misdelivered = |meant, other| meant.agent == other.agent && meant.cwd == other.cwd;
    })
    .seen("panes found by their directory"),
];
