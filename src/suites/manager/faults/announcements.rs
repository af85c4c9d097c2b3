//! Announcements of completed turns. CX-3.

use std::time::Duration;

use super::{ManagerFault, fault};
use crate::suites::manager::behavior::{AnnouncedBy, Announcing, Owner};

const CX_3: &[&str] = &["CX-3"];

pub(crate) const FAULTS: &[ManagerFault] = &[
    fault("announces-early", "announces a turn when its message is delivered", CX_3, |s| s.announcing = Announcing::AtDelivery)
        .also(&["CX-7"]),
    fault("announces-twice", "announces every turn a second time", CX_3, |s| s.times = |_, _| 2)
        .also(&["CX-7"])
        .seen("a hook configured in two places"),
    fault("announces-the-first-alone", "announces a session's first turn and no later one", CX_3, |s| {
        s.times = |turn, _| usize::from(turn == 1);
    }),
    fault("loses-the-third-completion", "announces all turns of a session but the third", CX_3, |s| {
        s.times = |turn, _| usize::from(turn != 3);
    }),
    fault("loses-the-tenth-completion", "announces a session's first nine turns", CX_3, |s| s.times = |turn, _| usize::from(turn < 10)),
    fault("busy-for-ever", "calls a session busy for ever after its turn ended", CX_3, |s| s.counts = |_, _| false)
        .also(&["CX-6", "CX-7", "LC-TIME-2", "LC-TIME-3"])
        .seen("opencode #35472"),
    fault("rejects-late-completions", "takes no completion of a turn that was silent for half a minute", CX_3, |s| {
        s.counts = |view, _| view.idle < Duration::from_secs(30);
    })
    .seen("orca #18368: declared stalled, its completion rejected"),
    fault("announces-for-the-newest", "announces every turn as the newest session's", CX_3, |s| s.owner = Owner::Newest)
        .also(&["LC-OBS-1", "LC-OBS-4"]),
    fault("announces-one-of-many", "announces one of the turns that end at once", CX_3, |s| {
        s.announcing = Announcing::Gathered(Duration::from_millis(500));
    })
    .seen("debounced notifications"),
    fault("announces-with-the-next-message", "announces a turn when the next message comes", CX_3, |s| {
        s.announcing = Announcing::WithNextMessage;
    })
    .also(&["CX-6", "CX-7"]),
    fault("announces-half-a-minute-late", "looks every half minute which turns are over", CX_3, |s| {
        s.announcing = Announcing::Later(Duration::from_secs(30));
    })
    .also(&["CX-6", "CX-7"]),
    fault("tells-listeners-alone", "announces to whoever waits just then, and keeps nothing", CX_3, |s| s.told = AnnouncedBy::ToListeners)
        .seen("nimbalyst #729, paseo #2625: a completion is lost when the caller restarts"),
];
