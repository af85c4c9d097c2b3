//! The references: the linter of session files, and what they share.

mod gathering;
mod history;
mod linter;
mod placing;
mod repository;

pub(crate) use linter::{ChangedFile, FixWriting, Linter};
pub(crate) use repository::containing as repository_of;
