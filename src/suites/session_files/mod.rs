//! Markdown session files for handoff: whoever checks them, whoever writes them, whoever tells of them.

pub(crate) mod corpus;
pub(crate) mod reference;
