//! Agent profiles: when a session becomes observable, what the agent writes, and where the knowledge comes from.

mod choice;
mod phase;
mod read;
mod show;
mod table;

pub use choice::{Choice, Profiles};
pub use phase::Phase;
pub use read::File;
pub use show::{diff, list, show};
pub use table::{Agent, Lines, Mode, Profile};
