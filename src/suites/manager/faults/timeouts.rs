//! Session timeouts. LC-TIME.

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{Exits, Probe, TimedOut};

pub(crate) const FAULTS: &[ManagerFault] = &[
    fault("states-no-timeout", "does not say after which time a session times out", &["LC-TIME-1"], |s| {
        s.started = |record| crate::contract::Args::from_iter([("session_id".to_owned(), record.id.as_str().into())]);
    }),
    fault("ignores-timeouts", "gives every session the default timeout", &["LC-TIME-2"], |s| s.asked = |asked| asked.timeout_s = 259_200.0)
        .also(&["LC-TIME-3", "LC-TIME-1"]),
    fault("never-times-out", "never ends a session by itself", &["LC-TIME-2"], |s| s.timed_out = TimedOut::Nothing)
        .also(&["LC-TIME-3"])
        .seen("Untrivial-ai/agent-orchestrator #1933: stuck sessions never end"),
    fault("states-the-default", "states the default timeout, whatever was asked for", &["LC-TIME-1"], |s| {
        s.started = |record| {
            let fields = [("session_id", record.id.as_str().into()), ("timeout_s", 259_200.0.into())];
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
    }),
    fault("forgets-whole-days", "takes the days off a timeout that is not of whole days", &["LC-TIME-2"], |s| {
        s.asked = |asked| {
            let rest = asked.timeout_s % 86_400.0;
            asked.timeout_s = if rest > 0.0 { rest } else { asked.timeout_s };
        };
    })
    .also(&["LC-TIME-1"]),
    fault("never-times-out-the-idle", "does not time out a session that was asked nothing", &["LC-TIME-2"], |s| {
        s.timeout_from = |record| if record.messages == 0 { jiff::Timestamp::MAX } else { record.last_activity };
    }),
    fault("times-out-when-asked", "times a session out when the list is next asked for", &["LC-TIME-3"], |s| {
        s.timed_out = TimedOut::EndsWhenListed;
    }),
    fault("times-out-the-process", "ends the agent's own process where a session times out", &["LC-TIME-3"], |s| {
        s.timed_out = TimedOut::EndsTheProcess;
    }),
    fault("marks-the-timed-out", "calls a session that timed out an error, and lets its agent run", &["LC-TIME-3"], |s| {
        s.timed_out = TimedOut::Marks;
    }),
    fault("lists-the-timed-out", "ends the agent of a session that timed out, and goes on listing it as waiting", &["LC-TIME-3"], |s| {
        s.timed_out = TimedOut::EndsTheAgent;
        s.exits = Exits::Ignored;
        s.probe = Probe::None;
    })
    .also(&["CX-6", "LC-OBS-7", "LC-TIME-2"]),
    fault("times-out-in-silence", "announces the ends of sessions, but not of those that timed out", &["LC-TIME-3"], |s| {
        s.ends_told = |reason| reason != "timeout";
    }),
    fault("counts-from-the-start", "counts a session's timeout from its start, whatever happens in it", &["LC-TIME-4"], |s| {
        s.timeout_from = |record| record.started;
        s.timeout_waits = false;
    }),
    fault("times-out-in-mid-turn", "ends a session whose turn takes longer than its timeout", &["LC-TIME-4"], |s| s.timeout_waits = false),
];
