use std::ops::Range;

use super::rules::FileRule;

/// A byte range and what is to stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The place, in bytes.
    pub span: Range<usize>,
    /// What is to stand there.
    pub text: String,
}

/// Whether a repair can change what a file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safety {
    /// It cannot: `--fix` applies it.
    Safe,
    /// It may: `--unsafe-fixes` does.
    Unsafe,
}

/// How a finding is put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Whether it can change what the file means.
    pub safety: Safety,
    /// What it does, as an imperative.
    pub what: String,
    /// The changes; they do not overlap.
    pub edits: Vec<Edit>,
    /// The file's new name, where it gets one.
    pub rename: Option<String>,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone)]
pub struct FileFinding {
    /// The rule.
    pub rule: &'static FileRule,
    /// The place, in bytes; empty where it is the file as a whole.
    pub span: Range<usize>,
    /// What was found and what is wanted.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// How it is put right, where that can be done without a person.
    pub repair: Option<Repair>,
}

impl Repair {
    /// One edit.
    pub(crate) fn one(safety: Safety, what: impl Into<String>, span: Range<usize>, text: impl Into<String>) -> Self {
        Self { safety, what: what.into(), edits: vec![Edit { span, text: text.into() }], rename: None }
    }
}
