//! The list, the data and the status. LC-OBS.

use std::time::Duration;

use crate::contract::{ErrorCode, TEXT_LIMIT};

use super::{ManagerFault, by_prefix, fault};
use crate::suites::manager::behavior::{Exits, ExtraAct, Native, Occasion, Pending, Probe};
use crate::suites::manager::reference::host::End;
use crate::suites::manager::reference::manager::invalid;
use crate::suites::manager::reference::transcript::{TranscriptEntry, tail, text};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) const FAULTS: &[ManagerFault] = &[
    // ---- LC-OBS-1: observable from its phase on
    fault("finds-no-file", "looks for session files where the agent keeps none", &["LC-OBS-1"], |s| s.native = Native::Nothing)
        .also(&["CX-4", "CX-5", "CX-7", "CX-9", "CX-10", "LC-OBS-4", "LC-OBS-5", "LC-OBS-8", "CX-3", "LC-OBS-2"]),
    fault("lists-every-minute", "makes its list once a minute", &["LC-OBS-1"], |s| s.list_kept = MINUTE).also(&[
        "CX-4",
        "LC-CLEAN-2",
        "LC-CLEAN-2b",
        "LC-OBS-2",
        "LC-OBS-7",
        "LC-TIME-2",
        "LC-TIME-3",
    ]),
    fault("remembers-absence", "looks a minute later for a file that it did not find", &["LC-OBS-1"], |s| s.absence_kept = MINUTE)
        .also(&["CX-4", "CX-9", "CX-10", "LC-OBS-8"]),
    // ---- LC-OBS-2: and then always
    fault("hides-the-busy", "lists the sessions that are idle", &["LC-OBS-2"], |s| {
        s.listed = |view| view.record.turns == 0 || !view.record.is_busy();
    })
    .also(&["CX-4", "LC-OBS-7"]),
    fault("locks-the-busy", "knows nothing of a session's data while its later turns are open", &["LC-OBS-2"], |s| {
        s.knows = |operation, record| operation != "get_session_data" || record.turns == 0 || !record.is_busy();
    })
    .also(&["CX-4", "LC-OBS-7"]),
    fault("lists-the-newest", "lists the session that was started last", &["LC-OBS-2"], |s| {
        s.list = |entries| drop(entries.drain(..entries.len().saturating_sub(1)));
    })
    .also(&["CX-4"]),
    fault("lists-ten", "lists ten sessions at most", &["LC-OBS-2"], |s| s.list = |entries| entries.truncate(10))
        .also(&["LC-CLEAN-5", "LC-CLEAN-9"])
        .seen("a page's length taken for the whole"),
    fault("closes-idle-sessions", "leaves a session out of the list once its first turn is over", &["LC-OBS-2"], |s| {
        s.listed = |view| view.record.turns == 0;
    })
    .also(&["CX-4", "LC-OBS-7", "LC-OBS-8"]),
    fault("lists-a-folder-once", "lists of sessions in one folder the first", &["LC-OBS-2"], |s| {
        s.list = |entries| {
            let folders: Vec<_> = entries.iter().map(|entry| entry.get("cwd").cloned()).collect();
            let mut at = 0;
            entries.retain(|_| {
                at += 1;
                !folders[..at - 1].contains(&folders[at - 1])
            });
        };
    })
    .also(&["CX-4"]),
    fault("forgets-the-homeless", "does not list a session whose folder is gone", &["LC-OBS-2"], |s| s.lists_the_homeless = false),
    fault("shows-nothing-twice", "shows of messages and replies that are alike one", &["LC-OBS-4"], |s| {
        s.text = |said, _| {
            let mut once: Vec<TranscriptEntry> = Vec::new();
            said.iter().for_each(|one| {
                if !once.contains(one) {
                    once.push(one.clone())
                }
            });
            text(&once)
        };
    }),
    fault("sees-first-deaths", "notices the death of an agent in its first turn, and no later one", &["LC-OBS-7"], |s| {
        s.probe = Probe::UntilATurn;
        s.exits = Exits::NotedAtFirst;
    }),
    fault("has-no-end", "answers `internal` where the end of what is not there yet is asked for", &["LC-OBS-3"], |s| {
        s.pending = Pending::NoEnd;
    }),
    // ---- LC-OBS-3: before that, pending
    fault("calls-pending-broken", "answers `internal` where a session has no file yet", &["LC-OBS-3"], |s| {
        s.pending = Pending::Code(ErrorCode::Internal);
    })
    .also(&["LC-CREATE-4", "LC-OBS-3b"])
    .seen("ENOENT, passed on"),
    fault("calls-pending-wrong", "answers `invalid_argument` where a session has no file yet", &["LC-OBS-3"], |s| {
        s.pending = Pending::Code(ErrorCode::InvalidArgument);
    })
    .also(&["LC-CREATE-4", "LC-OBS-3b"]),
    fault("reads-nothing-for-data", "answers an empty text where a session has no file yet", &["LC-OBS-3"], |s| s.pending = Pending::Empty)
        .also(&["LC-CREATE-4", "LC-OBS-3b"]),
    fault("waits-for-data", "answers a read when there is something to read", &["LC-OBS-3"], |s| {
        s.besides = vec![(Occasion::Unreadable, ExtraAct::Wait(Duration::from_secs(86_400)))];
    })
    .also(&["LC-CREATE-4", "LC-OBS-3b"]),
    fault("denies-the-pending", "answers `session_not_found` where a session has no file yet", &["LC-OBS-3b"], |s| {
        s.pending = Pending::Code(ErrorCode::SessionNotFound);
    })
    .seen("seed 000; pwrdrvr/PwrAgent #253"),
    // ---- LC-OBS-4: its own, in order, every turn
    fault("leaves-out-replies", "shows the prompts", &["LC-OBS-4"], |s| s.text = |said, _| text(&of_role(said, "user")))
        .also(&["CX-5", "CX-7", "LC-OBS-5"]),
    fault("leaves-out-prompts", "shows the replies", &["LC-OBS-4"], |s| s.text = |said, _| text(&of_role(said, "assistant")))
        .also(&["CX-5", "CX-7", "LC-OBS-1"]),
    fault("shows-the-last-turn", "shows the last turn", &["LC-OBS-4"], |s| s.text = |said, _| text(&said[said.len().saturating_sub(2)..])),
    fault("shows-the-newest-first", "shows the newest message first", &["LC-OBS-4"], |s| {
        s.text = |said, _| text(&said.iter().rev().cloned().collect::<Vec<_>>());
    })
    .also(&["CX-5", "CX-7"]),
    fault("shows-what-it-showed", "shows what it showed first of a session", &["LC-OBS-4"], |s| s.text_stays = true),
    fault("mixes-sessions", "shows what is in all of an agent's files", &["LC-OBS-4"], |s| s.native = Native::All).also(&["CX-7"]),
    fault("reads-by-prefix", "reads the first session whose id begins with what was asked for", &["LC-OBS-4"], |s| {
        s.meant = |operation, asked, known| by_prefix("get_session_data", operation, asked, known);
    }),
    // ---- LC-OBS-5: the limit
    fault("tears-texts", "cuts a long transcript at bytes from its beginning", &["LC-OBS-5"], |s| {
        s.cut = |text, _| {
            let cut = String::from_utf8_lossy(&text.as_bytes()[..text.len().min(TEXT_LIMIT)]).into_owned();
            Ok((cut, text.len() > TEXT_LIMIT))
        };
    })
    .also(&["LC-OBS-5b"])
    .seen("byte-limited readers of multi-byte transcripts"),
    fault("tears-characters", "cuts a long transcript at bytes from its end, within a character", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| {
            let (whole, truncated) = tail(text, wanted);
            Ok((if truncated { format!("\u{fffd}{}", whole.chars().skip(1).collect::<String>()) } else { whole }, truncated))
        };
    }),
    fault("tears-at-odd-bytes", "takes as many bytes from the end as characters were asked for", &["LC-OBS-5", "LC-OBS-5b"], |s| {
        s.cut = |text, wanted| Ok(by_bytes(text, wanted, "\u{fffd}"));
    })
    .seen("klein-t/teebe #91: a tail that begins in the middle of a character"),
    fault("asks-what-it-tore", "does so, and puts question marks for what it tore", &["LC-OBS-5", "LC-OBS-5b"], |s| {
        s.cut = |text, wanted| Ok(by_bytes(text, wanted, "?"));
    }),
    fault("tears-pairs", "counts UTF-16 units and cuts between the two of a character", &["LC-OBS-5", "LC-OBS-5b"], |s| {
        s.cut = |text, wanted| {
            let units: Vec<u16> = text.encode_utf16().collect();
            let from = units.len().saturating_sub(limit(wanted));
            Ok((String::from_utf16_lossy(&units[from..]), from > 0))
        };
    })
    .seen("claude-code #69927 #56064: half a surrogate pair"),
    // ---- LC-OBS-5b: and not much less
    fault("counts-bytes", "counts bytes where characters were asked for, and cuts between characters", &["LC-OBS-5b"], |s| {
        s.cut = |text, wanted| Ok(by_bytes(text, wanted, ""));
    })
    .seen("48 KB taken for 48,000 characters"),
    fault("answers-half", "answers half of what was asked for", &["LC-OBS-5b"], |s| {
        s.cut = |text, wanted| Ok(tail(text, Some(limit(wanted) as i64 / 2)));
    }),
    fault("has-no-limit", "answers transcripts of any length", &["LC-OBS-5"], |s| s.cut = |text, _| Ok((text.to_owned(), false))),
    fault("keeps-the-beginning", "answers the beginning of a long transcript", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| {
            let (kept, truncated) = tail(text, wanted);
            Ok((text.chars().take(kept.chars().count()).collect(), truncated))
        };
    }),
    fault("cuts-in-silence", "does not say that it cut", &["LC-OBS-5"], |s| s.data = |data| drop(data.remove("truncated"))),
    fault("calls-all-cut", "says of every text that it was cut", &["LC-OBS-5"], |s| {
        s.data = |data| drop(data.insert("truncated".into(), true.into()))
    }),
    fault("adds-a-notice", "puts a notice before a text of the full length", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| {
            let (kept, truncated) = tail(text, wanted);
            Ok((if truncated { format!("[… earlier output left out]\n{kept}") } else { kept }, truncated))
        };
    }),
    fault("refuses-odd-tails", "answers `invalid_argument` to a `tail_chars` of zero or less", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| match wanted {
            Some(..=0) => Err(invalid("`tail_chars` must be positive".into())),
            wanted => Ok(tail(text, wanted)),
        };
    }),
    fault("takes-zero-for-none", "answers an empty text to a `tail_chars` of zero", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| if wanted == Some(0) { Ok((String::new(), true)) } else { Ok(tail(text, wanted)) };
    })
    .also(&["LC-OBS-1", "LC-OBS-5b"]),
    fault("trusts-tails", "answers as much as `tail_chars` asks for", &["LC-OBS-5"], |s| {
        s.cut = |text, wanted| {
            if wanted.is_some_and(|wanted| wanted > 0) && wanted > Some(TEXT_LIMIT as i64) {
                Ok((text.to_owned(), false))
            } else {
                Ok(tail(text, wanted))
            }
        };
    }),
    // ---- LC-OBS-6: reading changes nothing
    fault("asks-the-agent", "types `/status` into the terminal before it reads", &["LC-OBS-6"], |s| {
        s.besides = vec![(Occasion::Read, ExtraAct::Type("/status"))];
    })
    .also(&["LC-CLEAN-9", "LC-CREATE-3", "LC-OBS-4", "LC-SEND-1"]),
    fault("wakes-the-agent", "sends the agent signals before it reads", &["LC-OBS-6"], |s| {
        s.besides = vec![(Occasion::Read, ExtraAct::Strike(End::Polite))];
    })
    .also(&[
        "CX-9",
        "CX-10",
        "LC-CLEAN-4",
        "LC-CLEAN-5",
        "LC-CLEAN-9",
        "LC-CREATE-4",
        "LC-OBS-1",
        "LC-OBS-2",
        "LC-OBS-3",
        "LC-OBS-7",
        "LC-OBS-8",
        "LC-TIME-4",
        "LC-RESTART-1",
    ]),
    fault("shows-news-only", "shows a transcript three times, and from then on what is new", &["LC-OBS-6"], |s| {
        s.text = |said, nth| if nth <= 3 { text(said) } else { "(nothing new)".into() };
    })
    .also(&["LC-OBS-5"]),
    fault("numbers-its-reads", "writes into each text how often it was read", &["LC-OBS-6"], |s| {
        s.text = |said, nth| format!("[read {nth}]\n{}", text(said));
    }),
    fault("marks-what-was-read", "appends a line to the agent's file when it has read it", &["LC-OBS-6"], |s| {
        s.besides = vec![(Occasion::Read, ExtraAct::Write("{\"type\":\"read\"}\n"))];
    })
    .also(&["CX-10", "LC-CREATE-8"]),
    fault("calls-the-read-idle", "lists a busy session as waiting once it was read", &["LC-OBS-6"], |s| {
        s.status =
            |view| if view.asked > 0 && view.record.is_busy() && view.alive { "waiting" } else { view.record.status(view.alive).name() };
    })
    .seen("dashboards that mark as seen"),
    fault("pauses-what-was-read", "lists an idle session as paused once it was read", &["LC-OBS-6"], |s| {
        s.status =
            |view| if view.asked > 0 && !view.record.is_busy() && view.alive { "paused" } else { view.record.status(view.alive).name() };
    }),
    // ---- LC-OBS-7: the status tells the truth
    fault("never-looks-again", "calls every session alive that it started", &["LC-OBS-7", "CX-6"], |s| {
        s.probe = Probe::None;
        s.exits = Exits::Ignored;
    })
    .seen("Untrivial-ai/agent-orchestrator #1187: a dead session stays \"working\"; acpx #47: `closed` never set"),
    fault("looks-once-an-hour", "finds out once an hour whether an agent lives", &["LC-OBS-7"], |s| {
        s.probe = Probe::Seldom(Duration::from_secs(3600));
        s.exits = Exits::Ignored;
    }),
    fault("calls-the-busy-stopped", "lists a session as stopped while its later turns are open", &["LC-OBS-7"], |s| {
        s.status = |view| if view.record.turns > 0 && view.record.is_busy() { "stopped" } else { view.record.status(view.alive).name() };
    })
    .also(&["LC-OBS-2"]),
    fault("calls-the-unasked-dead", "lists a session without a message as an error", &["LC-OBS-7"], |s| {
        s.status = |view| if view.record.messages == 0 { "error" } else { view.record.status(view.alive).name() };
    })
    .also(&["CX-2"])
    .seen("measured: a never-prompted session is reported dead"),
    // ---- LC-OBS-8: silent, slow or stopped is not dead
    fault("gives-up-after-a-minute", "lists a session as an error that was silent for a minute", &["LC-OBS-8"], |s| {
        s.status = |view| if view.idle > MINUTE && view.record.is_busy() { "error" } else { view.record.status(view.alive).name() };
    })
    .also(&["CX-2", "CX-9", "LC-OBS-7"])
    .seen("orca #18368: a healthy worker declared stalled"),
    fault("reads-the-screen", "takes an agent for dead whose screen is empty", &["LC-OBS-8"], |s| s.probe = Probe::Screen)
        .also(&["CX-2", "LC-OBS-3", "LC-OBS-7"]),
    fault("drowns", "loses an agent that has printed 60,000 characters", &["LC-OBS-8"], |s| s.probe = Probe::Quiet(60_000))
        .also(&["LC-OBS-7"]),
    fault("ends-the-slow", "ends a session whose turn has taken an hour", &["LC-OBS-8"], |s| {
        s.timeout_waits = false;
        s.asked = |asked| asked.timeout_s = asked.timeout_s.min(3600.0);
    })
    .also(&["CX-3", "CX-9", "LC-TIME-4", "LC-TIME-1", "LC-TIME-2"])
    .seen("orca #18368"),
];

fn of_role(said: &[TranscriptEntry], role: &str) -> Vec<TranscriptEntry> {
    said.iter().filter(|said| said.role == role).cloned().collect()
}

/// How much of a text is wanted, in whatever is counted.
fn limit(wanted: Option<i64>) -> usize {
    wanted.filter(|wanted| *wanted > 0).and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(TEXT_LIMIT).min(TEXT_LIMIT)
}

/// The last bytes of a text, with that for each that is left of a character; and whether it is less than all.
fn by_bytes(text: &str, wanted: Option<i64>, torn: &str) -> (String, bool) {
    let from = text.len().saturating_sub(limit(wanted));
    (String::from_utf8_lossy(&text.as_bytes()[from..]).replace('\u{fffd}', torn), from > 0)
}
