//! Agent profiles: when a session becomes observable, what the agent writes, and where the knowledge comes from.

pub(crate) mod choice;
pub(crate) mod phase;
pub(crate) mod read;
pub(crate) mod show;
pub(crate) mod table;

pub use choice::{Choice, Profiles};
pub use phase::Phase;
pub use read::File;
pub use show::{diff, list, show};
pub use table::{AgentProfile, LineCounts, Mode, Profile};
