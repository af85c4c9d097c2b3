//! Agent profiles: when a session becomes observable, what the agent writes, and where the knowledge comes from.

mod choice;
mod phase;
mod table;

pub use choice::{Choice, ProfileError, Profiles};
pub use phase::Phase;
pub use table::{Agent, Lines, Mode, Profile};
