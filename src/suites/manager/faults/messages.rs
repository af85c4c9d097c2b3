//! What reaches the agent: first messages and later ones. LC-CREATE-3, LC-SEND.

use std::time::Duration;

use super::{ManagerFault, by_likeness, by_prefix, fault};
use crate::suites::manager::behavior::{Afterwards, Empty, Late, StraysTo, ToTheDead};

/// What is broken where every message is typed wrongly.
const BOTH: &[&str] = &["LC-CREATE-3", "LC-SEND-1"];

pub(crate) const FAULTS: &[ManagerFault] = &[
    fault("turns-lines-into-spaces", "types messages with their line breaks turned into spaces", BOTH, |s| {
        s.typed = |message, _| vec![message.replace('\n', " ")];
    })
    .seen("terminals that submit at every line break"),
    fault("submits-every-line", "types a message line by line, each a prompt of its own", BOTH, |s| {
        s.typed = |message, _| message.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    })
    .also(&["LC-CREATE-3c"])
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
    .also(&["LC-CREATE-3c"])
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
    .also(&["LC-CREATE-7", "LC-OBS-1"]),
    fault("delivers-twice", "types a first message again, since nothing came back", &["LC-CREATE-3"], |s| {
        s.typed = |message, nth| vec![message.to_owned(); if nth == 1 { 2 } else { 1 }];
    })
    .also(&["LC-CLEAN-9", "LC-OBS-4", "LC-SEND-1", "LC-RESTART-1b", "LC-SEND-2"]),
    fault("adds-instructions", "appends instructions of its own to messages", BOTH, |s| {
        s.typed = |message, _| vec![format!("{message}\n\nWhen you are done, say DONE.")];
    })
    .also(&["LC-CREATE-7", "LC-RESTART-1b", "LC-SEND-2"]),
    fault("refuses-half-its-limit", "states a limit and refuses what is longer than half of it", &["LC-CREATE-3b"], |s| {
        s.taken = |stated| stated / 2;
    }),
    fault("refuses-its-limit", "refuses a message that is as long as its limit", &["LC-CREATE-3b"], |s| s.taken = |stated| stated - 1),
    fault("loses-long-messages", "takes messages of more than 8,000 characters and types nothing", BOTH, |s| {
        s.typed = |message, _| if message.chars().count() > 8_000 { Vec::new() } else { vec![message.to_owned()] };
    })
    .seen("a pseudo-terminal's queue that is full, and a write that nobody looks at"),
    fault("cuts-at-4-kb", "states 20,000 characters and loses what is beyond 4,096", &["LC-CREATE-3c"], |s| {
        s.typed = |message, _| vec![message.chars().take(4_096).collect()];
    })
    .seen("terminals in canonical mode take 4,096 bytes"),
    fault("cuts-at-16-kb", "loses what is beyond 16,000 characters", &["LC-CREATE-3c"], |s| {
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
    .also(&["LC-CREATE-3", "LC-SEND-2"])
    .seen("tmux send-keys without a target"),
    fault("sends-to-what-matches", "takes the id that a message is for for a pattern or a path", &["LC-SEND-2"], |s| {
        s.meant = |operation, asked, known| by_likeness("send_message", operation, asked, known);
    })
    .also(&["LC-CREATE-3"])
    .seen("tmux targets are patterns"),
    fault("types-again", "types a message again where its turn takes longer than two seconds", &["LC-SEND-1"], |s| {
        s.typed_again_after = Some(Duration::from_secs(2));
    }),
    fault("drops-repeats", "takes a message that says what the first one said for the same", &["LC-SEND-1"], |s| {
        s.types = |view, message| view.record.message.as_deref() != Some(message);
    }),
    fault("shares-a-buffer", "types messages that come together from one buffer", &["LC-SEND-1"], |s| s.one_buffer = true)
        .seen("tmux load-buffer, paste-buffer"),
    fault("drops-what-comes-early", "drops a message that comes while a turn is open", &["LC-SEND-1"], |s| {
        s.types = |view, _| !view.record.is_busy();
    })
    .also(&["CX-3"]),
    fault("drops-what-comes-late", "drops a message to a session that was idle for an hour", &["LC-SEND-1"], |s| {
        s.types = |view, _| view.record.is_busy() || view.idle < Duration::from_secs(3600);
    }),
    fault("loses-the-third-message", "types the first two messages of a session, and loses the third", &["LC-SEND-1"], |s| {
        s.typed = |message, nth| if nth == 3 { Vec::new() } else { vec![message.to_owned()] };
    })
    .also(&["CX-3"]),
    fault("loses-the-tenth-message", "loses the tenth message of a session", &["LC-SEND-1"], |s| {
        s.typed = |message, nth| if nth == 10 { Vec::new() } else { vec![message.to_owned()] };
    })
    .also(&["CX-3"])
    .seen("queues of a fixed size"),
    fault("revives-on-send", "launches a new agent for a message to a session that was ended", &["LC-SEND-2"], |s| {
        s.afterwards = Afterwards { sent: Late::Revives, ..Afterwards::default() };
    })
    .also(&["LC-CLEAN-1", "LC-CLEAN-2", "LC-CLEAN-3", "LC-CLEAN-10", "LC-CREATE-3"])
    .seen("codex resume, claude --continue"),
    fault("takes-messages-for-the-dead", "takes a message for a session that was ended, and does nothing with it", &["LC-SEND-2"], |s| {
        s.afterwards = Afterwards { sent: Late::Success, ..Afterwards::default() };
    })
    .also(&["LC-CLEAN-3"]),
    fault(
        "strays-to-the-newest",
        "refuses a message for an id that nobody has, and types it into the newest terminal",
        &["LC-SEND-2"],
        |s| {
            s.strays_to = StraysTo::NewestForUnknown;
        },
    )
    .also(&["LC-CREATE-3", "LC-SEND-1"])
    .seen("tmux send-keys with a target that is not found"),
    fault(
        "strays-to-the-oldest",
        "refuses a message for a session that was ended, and types it into the oldest terminal",
        &["LC-SEND-2"],
        |s| {
            s.strays_to = StraysTo::OldestForEnded;
        },
    )
    .also(&["LC-SEND-1"]),
    fault("sends-by-prefix", "types a message for the beginning of an id into the first session whose id begins so", &["LC-SEND-2"], |s| {
        s.meant = |operation, asked, known| by_prefix("send_message", operation, asked, known);
    })
    .also(&["LC-CREATE-3", "LC-SEND-1"])
    .seen("psmux/psmux #545 #627: targets match by prefix"),
    fault("runs-messages-to-the-dead", "types a message into the shell that its agent has left", &["LC-SEND-2"], |s| {
        s.to_the_dead = ToTheDead::Run { succeeds: true };
    })
    .seen("two published managers: a message to a dead agent made a file"),
    fault(
        "runs-and-refuses",
        "types a message into the shell that its agent has left, and then sees that the agent is gone",
        &["LC-SEND-2"],
        |s| {
            s.to_the_dead = ToTheDead::Run { succeeds: false };
        },
    ),
    fault("replaces-the-dead-on-send", "launches another agent for a message to one that died", &["LC-SEND-2"], |s| {
        s.to_the_dead = ToTheDead::Launches;
    })
    .also(&["LC-CREATE-3", "LC-OBS-7"]),
    fault("hangs-on-nothing", "waits for ever on an empty message", &["LC-SEND-3"], |s| s.empty_message = Empty::Hangs),
    fault("stumbles-over-nothing", "answers `internal` to an empty message", &["LC-SEND-3"], |s| s.empty_message = Empty::Breaks),
    fault("types-into-the-folder", "types a message into the session that was started last in its folder", &["LC-SEND-1"], |s| {
        s.misdelivered = |meant, other| meant.agent == other.agent && meant.cwd == other.cwd;
    })
    .seen("panes found by their directory"),
];
