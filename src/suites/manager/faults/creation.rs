//! Starting sessions: ids, agents, folders, requests. LC-CREATE.

use std::time::Duration;

use crate::contract::{AgentKind, ContractError, ErrorCode};

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{ExtraAct, Launching, Numbers, Occasion, Remains, started};
use crate::suites::manager::reference::host::End;

/// What else may fail where several sessions have one id.
const ONE_ID: &[&str] = &[
    "CX-3",
    "CX-7",
    "CX-8",
    "LC-CLEAN-5",
    "LC-CLEAN-6",
    "LC-CLEAN-9",
    "LC-CLEAN-10",
    "LC-CREATE-7",
    "LC-CREATE-11",
    "LC-OBS-2",
    "LC-SEND-1",
    "LC-TERM-2",
];

pub(crate) const FAULTS: &[ManagerFault] = &[
    // ---- what an argument may hold
    fault("ids-of-titles", "makes a session's id of its title", &["LC-CREATE-1"], |s| {
        s.id = |number, asked| asked.title.clone().unwrap_or_else(|| format!("s{number}"));
    })
    .seen("psmux/psmux #545: a name that is taken acts on what has it"),
    fault("starts-at-the-blank", "cuts a working directory where a shell would", &["LC-CREATE-3"], |s| {
        s.asked = |asked| {
            let name = asked.cwd.to_string_lossy().into_owned();
            if name.contains([' ', '\'']) || !name.is_ascii() {
                asked.cwd.pop();
            }
        };
    }),
    fault("says-none", "gives an agent the message `None` where it was to be given none", &["LC-CREATE-3"], |s| {
        s.asked = |asked| asked.message = asked.message.take().or_else(|| Some("None".to_owned()));
    })
    .also(&["LC-TIME-2"]),
    fault(
        "forgets-ended-requests",
        "starts another worker for a request that is repeated when its session was ended",
        &["LC-CREATE-10"],
        |s| {
            s.requests_stay = false;
        },
    ),
    fault("takes-so-many-bytes", "counts the bytes of a message, and states a limit of characters", &["LC-CREATE-3b"], |s| {
        s.counts_bytes = true
    }),
    fault("races-requests", "starts a second worker for a request that is repeated while it is at work", &["LC-CREATE-10"], |s| {
        s.requests_wait = false;
    })
    .seen("a client that timed out and asks again"),
    fault("lists-one-agent", "tells the newest session's agent for every session", &["LC-CREATE-11"], |s| {
        s.list = |entries| {
            let newest = entries.last().and_then(|entry| entry.get("agent").cloned());
            for (entry, agent) in entries.iter_mut().zip(newest.into_iter().cycle()) {
                entry.insert("agent".into(), agent);
            }
        };
    }),
    // ---- LC-CREATE-1: an id that was never used
    fault("reuses-ids", "gives the id of an ended session to the next one", &["LC-CREATE-1"], |s| s.numbers = Numbers::Freed)
        .also(&["LC-CLEAN-10"])
        .seen("numbers that are freed with their sessions"),
    fault("counts-anew", "starts counting at 1 whenever it is started", &["LC-CREATE-1"], |s| s.numbers = Numbers::Unkept).also(&["CX-3"]),
    fault("counts-what-is-there", "counts on from the records that are there when it is started", &["LC-CREATE-1"], |s| {
        s.numbers = Numbers::Recounted;
    })
    .seen("`max(id) + 1` over a table from which rows are deleted"),
    fault("gives-empty-ids", "gives every session an empty id", &["LC-CREATE-1"], |s| s.id = |_, _| String::new()).also(ONE_ID),
    fault("numbers-by-the-second", "makes its ids of the time, to the second", &["LC-CREATE-1"], |s| s.numbers = Numbers::Clock)
        .also(ONE_ID),
    fault(
        "names-by-folder",
        "names a session after its folder; a second one there replaces the first",
        &["LC-CREATE-1", "LC-CREATE-7"],
        |s| {
            s.id = |_, asked| asked.cwd.to_string_lossy().replace('/', "-");
        },
    )
    .also(&["CX-7", "LC-CLEAN-9", "LC-SEND-1"])
    .seen("measured: a second start under an existing name silently replaces the first"),
    // ---- LC-CREATE-2: the agent runs
    fault("never-launches", "answers an id and launches nothing", &["LC-CREATE-2"], |s| s.launching = Launching::Never).also(&[
        "LC-CLEAN-4",
        "LC-CREATE-3",
        "LC-CREATE-3b",
        "LC-CREATE-4",
        "LC-CREATE-6",
        "LC-CREATE-7",
    ]),
    fault("launches-late", "launches the agent a minute after it answered", &["LC-CREATE-2"], |s| {
        s.launching = Launching::Later(Duration::from_secs(60));
    })
    .also(&["LC-CLEAN-4", "LC-CREATE-3", "LC-CREATE-3b", "LC-CREATE-4", "LC-CREATE-6", "LC-CREATE-7", "LC-CLEAN-10"]),
    fault("launches-on-demand", "launches the agent when its session is first read", &["LC-CREATE-2"], |s| {
        s.launching = Launching::WhenRead;
    })
    .also(&["LC-CREATE-3", "LC-CREATE-3b", "LC-CREATE-6", "LC-CREATE-7"]),
    fault("hangs-up", "closes the agent's terminal once the start has answered", &["LC-CREATE-2"], |s| {
        s.besides = vec![(Occasion::Started, ExtraAct::Strike(End::Polite))];
    })
    .also(&[
        "CX-2",
        "CX-3",
        "CX-4",
        "CX-5",
        "CX-7",
        "CX-8",
        "CX-9",
        "CX-10",
        "LC-CLEAN-4",
        "LC-CLEAN-5",
        "LC-CLEAN-6",
        "LC-CLEAN-9",
        "LC-CREATE-3",
        "LC-CREATE-4",
        "LC-CREATE-9",
        "LC-OBS-1",
        "LC-OBS-3",
        "LC-OBS-5",
        "LC-OBS-7",
        "LC-OBS-8",
        "LC-SEND-1",
        "LC-SEND-3",
        "LC-TIME-2",
        "LC-TIME-4",
        "LC-CREATE-3b",
        "LC-SEND-2",
        "LC-OBS-2",
    ]),
    fault("starts-elsewhere", "starts the agent in the folder above the one asked for", &["LC-CREATE-2", "LC-CREATE-3"], |s| {
        s.asked = |asked| asked.cwd = asked.cwd.parent().unwrap_or(&asked.cwd).to_owned();
    })
    .also(&["LC-CLEAN-4", "LC-CREATE-3b", "LC-CREATE-6", "LC-CREATE-7"]),
    // ---- LC-CREATE-3c: beyond the limit
    fault("takes-any-length", "types a message of any length", &["LC-CREATE-3c"], |s| s.too_long = |_, message, _| Ok(message.to_owned())),
    fault("cuts-what-is-too-long", "cuts a message at its limit and says nothing", &["LC-CREATE-3c"], |s| {
        s.too_long = |_, message, limit| Ok(message.chars().take(limit).collect());
    }),
    // ---- LC-CREATE-4: the id works at once
    fault("answers-another-id", "answers the id of its terminal, which no operation knows", &["LC-CREATE-4"], |s| {
        s.started = |record| {
            let mut answer = started(record);
            answer.insert("session_id".into(), format!("{}:0.0", record.id).into());
            answer
        };
    })
    .also(&[
        "CX-3",
        "CX-5",
        "CX-7",
        "CX-8",
        "CX-9",
        "CX-10",
        "LC-CLEAN-1",
        "LC-CLEAN-1b",
        "LC-CLEAN-4",
        "LC-CLEAN-8",
        "LC-CLEAN-9",
        "LC-OBS-1",
        "LC-OBS-2",
        "LC-OBS-3b",
        "LC-OBS-5",
        "LC-OBS-8",
        "LC-RESTART-1",
        "LC-RESTART-2",
        "LC-SEND-1",
        "LC-TERM-2",
        "LC-CLEAN-12",
        "LC-CREATE-3b",
        "LC-CLEAN-6",
        "LC-CLEAN-7",
    ]),
    fault("knows-files-only", "knows a session once its file is there", &["LC-CREATE-4", "LC-CLEAN-8"], |s| {
        s.knows = |_, record| record.native.is_some();
    })
    .also(&["CX-8", "LC-CLEAN-1", "LC-CLEAN-4", "LC-OBS-3b", "LC-TERM-2", "CX-3", "LC-CLEAN-7"])
    .seen("openai/codex #31158: no rollout found for a thread just started"),
    // ---- LC-CREATE-5: what is refused leaves nothing
    fault("takes-any-agent", "starts Claude for an agent that it does not know", &["LC-CREATE-5"], |s| {
        s.unknown_agent = |_| Ok(AgentKind::CLAUDE);
    }),
    fault("takes-any-folder", "starts the agent in a folder that is not there", &["LC-CREATE-5"], |s| {
        s.no_folder = |_, cwd| Ok(cwd.to_owned());
    }),
    fault("goes-to-the-root", "starts the agent in `/` where the folder is not there", &["LC-CREATE-5"], |s| {
        s.no_folder = |_, _| Ok("/".into());
    }),
    fault("blames-itself", "answers `internal` for an agent that it does not know", &["LC-CREATE-5"], |s| {
        s.unknown_agent = |refusal| Err(ContractError::new(ErrorCode::Internal, refusal.message));
    }),
    fault("lists-the-refused", "lists a start that it refused", &["LC-CREATE-5"], |s| s.refused = Remains::Entry),
    fault("launches-the-refused", "launches Claude, and then refuses an agent that it does not know", &["LC-CREATE-5"], |s| {
        s.refused = Remains::Agent;
    })
    .also(&["LC-CREATE-3c"]),
    // ---- LC-CREATE-6: an agent that cannot start
    fault("lists-the-failed", "lists a start that failed as starting, for ever", &["LC-CREATE-6"], |s| s.failed = Remains::Entry),
    fault("hangs-on-the-missing", "waits 100 s for a program that is not there, its session listed", &["LC-CREATE-6"], |s| {
        s.failed = Remains::EntryAndWait(Duration::from_secs(100));
    })
    .seen("measured: a missing agent binary hangs the start for over 100 s with the session already listed"),
    fault("takes-the-terminal-for-the-agent", "answers an id once the terminal is up, whatever runs in it", &["LC-CREATE-6"], |s| {
        s.failed = Remains::Session { alive: true };
    })
    .seen("Untrivial-ai/agent-orchestrator #2089: \"tmux exists\" taken for \"agent alive\""),
    // ---- LC-CREATE-6b: nothing runs unlisted
    fault(
        "forgets-the-eighth",
        "answers `internal` where seven sessions are there, and lets the agent run",
        &["LC-CREATE-6b", "LC-CREATE-7"],
        |s| {
            s.loses = |_, sessions| sessions > 7;
        },
    )
    .also(&["LC-CLEAN-5", "LC-CLEAN-9"])
    .seen("a published manager: ten starts at once, one answered with 500, its agent running unlisted"),
    fault("forgets-every-third", "answers every third start with `internal`, and lets the agent run", &["LC-CREATE-6b"], |s| {
        s.loses = |number, _| number % 3 == 0;
    })
    .also(&["LC-CREATE-1", "LC-CREATE-7"]),
    // ---- LC-CREATE-7: starts at once
    fault("races-for-ids", "reads its counter, and writes it when the start has got further", &["LC-CREATE-1", "LC-CREATE-7"], |s| {
        s.numbers = Numbers::Raced;
    })
    .also(&["CX-7", "LC-CLEAN-9", "LC-SEND-1", "LC-TERM-2", "LC-CREATE-11"]),
    fault("starts-in-turn", "launches an agent when all that were started before are ended", &["LC-CREATE-7"], |s| {
        s.launching = Launching::InTurn
    })
    .also(&["CX-8", "LC-CREATE-6", "LC-SEND-1"]),
    fault("joins-what-runs", "answers a start with the session that runs in that folder already", &["LC-CREATE-7"], |s| {
        s.repeats = |asked, known| asked.cwd == known.cwd && asked.agent == known.agent;
    })
    .also(&["LC-CREATE-1"])
    .seen("imbue-ai/mngr: attach where a session of that name is there"),
    fault("pastes-through-one-buffer", "types first messages from a buffer that all starts share", &["LC-CREATE-7"], |s| {
        s.launching = Launching::SharedBuffer;
    })
    .also(&["CX-7", "LC-CLEAN-9", "LC-OBS-7"])
    .seen("tmux load-buffer without a name"),
    // ---- LC-CREATE-8: the agent's file is the agent's
    fault("makes-the-file", "makes the agent's session file itself, so that it is there", &["LC-CREATE-8"], |s| {
        s.besides = vec![(Occasion::Started, ExtraAct::Write("{}\n"))];
    })
    .also(&["CX-10", "LC-OBS-6"]),
    fault("titles-the-file", "appends a session's title to the agent's file when it lists it", &["LC-CREATE-8"], |s| {
        s.besides = vec![(Occasion::Listed, ExtraAct::Write("{\"type\":\"title\"}\n"))];
    })
    .also(&["CX-10", "LC-OBS-6", "LC-TIME-2"]),
    // ---- LC-CREATE-9, -10, -11
    fault("waits-for-the-first-turn", "answers a start when the first turn is over", &["LC-CREATE-9"], |s| {
        s.launching = Launching::ForATurn
    })
    .also(&["LC-CREATE-1", "LC-CREATE-3", "LC-CREATE-3b", "LC-CREATE-7", "LC-TIME-1", "LC-CREATE-10"]),
    fault("ignores-request-ids", "starts another session for a request that it has answered", &["LC-CREATE-10"], |s| {
        s.asked = |asked| asked.request_id = None;
    }),
    fault("lists-no-agent", "leaves the agent out of its list", &["LC-CREATE-11"], |s| {
        s.list = |entries| entries.iter_mut().for_each(|entry| drop(entry.remove("agent")));
    }),
    fault("lists-all-as-claude", "lists every session as Claude's", &["LC-CREATE-11"], |s| {
        s.list = |entries| entries.iter_mut().for_each(|entry| drop(entry.insert("agent".into(), "claude".into())));
    }),
];
