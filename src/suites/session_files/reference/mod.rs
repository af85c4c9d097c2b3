//! The references: the linter of session files, the tool that writes them, the hooks that tell of them.

mod gathering;
mod history;
mod hooks;
mod installing;
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
