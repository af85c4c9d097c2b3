//! The manager is killed and comes back. LC-RESTART, and CX-3 over restarts.

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{Adopting, Exits, Probe};

pub(crate) const FAULTS: &[ManagerFault] = &[
    fault("forgets-on-restart", "comes back with an empty list while its agents run", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::Nothing
    })
    .also(&["LC-RESTART-2"])
    .seen("claude-squad #322, the other way round"),
    fault("starts-all-again", "launches another agent for every session when it comes back", &["LC-CREATE-3", "LC-RESTART-1b"], |s| {
        s.adopting = Adopting::Launches;
    })
    .also(&["LC-CLEAN-1", "LC-CREATE-10", "LC-RESTART-1", "LC-SEND-1"]),
    fault(
        "starts-all-again-idle",
        "launches another agent, without a message, for every session when it comes back",
        &["LC-RESTART-1b"],
        |s| {
            s.adopting = Adopting::LaunchesIdle;
        },
    )
    .also(&["LC-CLEAN-1", "LC-CREATE-10", "LC-RESTART-1", "LC-SEND-1"])
    .seen("manaflow-ai/cmux #11043, orca #20461: a second agent on a session whose first lives"),
    fault("retypes-first-messages", "gives every agent its first message again when it comes back", &["LC-RESTART-1b"], |s| {
        s.adopting = Adopting::Retypes;
    })
    .also(&["CX-3", "LC-CREATE-3", "LC-SEND-1"]),
    fault("loses-one-after-a-restart", "loses the first message that it takes for a session when it has come back", &["LC-SEND-1"], |s| {
        s.adopting = Adopting::LosesOne;
    }),
    fault("calls-turns-complete", "announces turns that are in flight as completed when it comes back", &["CX-3"], |s| {
        s.adopting = Adopting::CallsTurnsComplete;
    })
    .seen("ytarasova/ark #551: a turn that the restart cut off is told as completed"),
    fault("comes-back-once", "goes on with its sessions when it comes back, and not when it comes back again", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::Once;
    }),
    fault("reads-nothing-after-a-restart", "reads nothing of the sessions that it comes back to", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::Unread;
        s.readable = |view| !view.record.adopted;
    }),
    fault("stumbles-over-json", "cannot list anything where one record is JSON and no record", &["LC-RESTART-2"], |s| {
        s.adopting = Adopting::StumblesOverJson;
    })
    .seen("a field that an older version did not write"),
    fault("forgets-timeouts-on-restart", "goes on with the default timeout when it comes back", &["LC-TIME-2"], |s| {
        s.adopting = Adopting::ForgetsTimeouts;
    })
    .also(&["LC-TIME-3"]),
    fault("loses-hold", "comes back to its sessions and can end none of their agents", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::LosesHold;
    })
    .also(&["LC-CLEAN-1"]),
    fault("ends-groups-on-restart", "ends what it comes back to, and misses what left its agents' groups", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::EndsGroups;
    }),
    fault("calls-all-over", "lists every session as an error when it comes back, while their agents run", &["LC-RESTART-1"], |s| {
        s.adopting = Adopting::CallsOver;
    })
    .also(&["LC-RESTART-2"]),
    fault("believes-its-records", "lists sessions as running whose agents died while it was away", &["LC-OBS-7"], |s| {
        s.adopting = Adopting::Believes;
        s.probe = Probe::None;
        s.exits = Exits::Ignored;
    })
    .also(&["CX-6"])
    .seen("claude-squad #322: server gone, state still Running"),
    fault("stumbles-over-a-record", "cannot list anything where one record is unreadable", &["LC-RESTART-2"], |s| {
        s.adopting = Adopting::Stumbles;
    })
    .seen("measured: one corrupt state file fails `list` for all"),
    fault("gives-up-over-a-record", "exits when it is started where one record is unreadable", &["LC-RESTART-2"], |s| {
        s.adopting = Adopting::GivesUp;
    })
    .seen("an error of the JSON parser that reaches main"),
    fault("starts-over-for-a-record", "comes back with an empty list where one record is unreadable", &["LC-RESTART-2"], |s| {
        s.adopting = Adopting::AllOrNothing;
    }),
    fault("deaf-after-a-restart", "hears nothing more of agents that it comes back to", &["CX-3"], |s| s.adopting = Adopting::Deaf)
        .also(&["LC-TIME-2"])
        .seen("nimbalyst #729, paseo #2625"),
];
