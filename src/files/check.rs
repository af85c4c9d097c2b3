use jiff::Timestamp;

use super::finding::FileFinding;
use super::ignore;
use super::rules::{FileRule, RULES};
use super::session_file::SessionFile;

/// What a rule must know that does not stand in the file.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time that it is.
    pub now: Timestamp,
    /// The file's folder, from the repository's root: `.agents/sessions` where it is right. None where nobody knows.
    pub folder: Option<&'a str>,
    /// Earlier versions of the file, the newest first, as version control has them.
    pub earlier: &'a [String],
    /// Whether there is a session file of that name; none where nobody knows.
    pub exists: Option<&'a dyn Fn(&str) -> bool>,
}

impl Surroundings<'_> {
    /// A file at its right place at some time, of which nothing else is known.
    pub fn at(now: Timestamp) -> Self {
        Self { now, folder: Some(super::ROOT), earlier: &[], exists: None }
    }
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("now", &self.now).field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Everything that is wrong with a file, in the order of the file. `wanted` says which rules are asked.
pub fn check(file: &SessionFile, around: &Surroundings<'_>, wanted: &dyn Fn(&FileRule) -> bool) -> Vec<FileFinding> {
    let ignored = ignore::comments(file);
    let mut findings: Vec<FileFinding> = Vec::new();
    // What is no text has no lines, no front matter and no sections that anybody could judge.
    let is_text = file.text.invalid.is_none();
    for rule in RULES.iter().filter(|rule| is_text || rule.judges_bytes) {
        let spots = (rule.find)(file, around);
        findings.extend(spots.into_iter().map(|spot| spot.of(rule)));
    }
    findings.retain(|finding| !ignored.iter().any(|comment| comment.silences(file, finding)));
    findings.extend(ignore::unused(&ignored));
    findings.retain(|finding| wanted(finding.rule));
    findings.sort_by_key(|finding| finding.span.start);
    findings
}
