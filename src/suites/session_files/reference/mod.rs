//! The references: the linter of session files, the tool that writes them, the hooks that tell of them, what editors are told.

mod gathering;
mod history;
mod hooks;
mod installing;
pub(crate) mod language;
mod linter;
mod placing;
mod repository;
mod sessions;
mod tool;
mod tool_error;

pub(crate) use hooks::{FileMoment, hook_answer};
pub(crate) use installing::{Installed, settings_of};
pub(crate) use linter::{ChangedFile, FixWriting, Linter};
pub(crate) use repository::containing as repository_of;
pub(crate) use sessions::SessionFolder;
