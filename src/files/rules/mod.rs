//! The rules for session files: one table, one file a family.

mod gone;
mod log;
mod matter;
mod name;
mod sect;
mod text;
mod truth;

pub(crate) use gone::dangling;
pub(crate) use name::slug;
pub(crate) use sect::REQUIRED as REQUIRED_SECTIONS;

use std::ops::Range;

use super::check::Surroundings;
use super::finding::{FileFinding, Repair};
use super::session_file::SessionFile;
use crate::core::diagnostic::meant;

/// What a rule offers to do about its findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOffer {
    /// Nothing: a person decides.
    Nothing,
    /// A safe fix, where there is one way alone.
    Safe,
    /// A fix that may change what the file means.
    Unsafe,
}

/// One rule.
pub struct FileRule {
    /// Its code, as comments and `--select` name it.
    pub code: &'static str,
    /// The requirement that it finds violations of.
    pub requirement: &'static str,
    /// Whether that is a SHOULD; else a MUST.
    pub should: bool,
    /// What is wrong where it finds something, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What it offers.
    pub offer: RuleOffer,
    /// Whether it looks at bytes, so that it can judge what is no text.
    pub(crate) judges_bytes: bool,
    /// Finds the violations.
    pub(crate) find: fn(&SessionFile, &Surroundings<'_>) -> Vec<Spot>,
}

impl std::fmt::Debug for FileRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

/// A violation before its rule is known.
#[derive(Debug)]
pub(crate) struct Spot {
    span: Range<usize>,
    message: String,
    help: Option<String>,
    repair: Option<Repair>,
}

impl Spot {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, repair: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        Self { help: help.or(self.help), ..self }
    }

    pub(crate) fn repair(self, repair: Repair) -> Self {
        Self { repair: Some(repair), ..self }
    }

    pub(crate) fn maybe_repair(self, repair: Option<Repair>) -> Self {
        Self { repair, ..self }
    }

    pub(crate) fn of(self, rule: &'static FileRule) -> FileFinding {
        FileFinding { rule, span: self.span, message: self.message, help: self.help, repair: self.repair }
    }
}

const fn must(
    code: &'static str,
    requirement: &'static str,
    title: &'static str,
    why: &'static str,
    find: fn(&SessionFile, &Surroundings<'_>) -> Vec<Spot>,
) -> FileRule {
    FileRule { code, requirement, should: false, title, why, offer: RuleOffer::Nothing, judges_bytes: false, find }
}

const fn should(
    code: &'static str,
    requirement: &'static str,
    title: &'static str,
    why: &'static str,
    find: fn(&SessionFile, &Surroundings<'_>) -> Vec<Spot>,
) -> FileRule {
    FileRule { should: true, ..must(code, requirement, title, why, find) }
}

impl FileRule {
    const fn offers(self, offer: RuleOffer) -> Self {
        Self { offer, ..self }
    }

    const fn of_bytes(self) -> Self {
        Self { judges_bytes: true, ..self }
    }

    /// The family of its requirement.
    pub fn family(&self) -> &'static str {
        self.requirement.split('-').next().unwrap_or_default()
    }

    /// Whether a word of `--select` or `--ignore` means it: a code or its beginning, a requirement, a family, a level.
    pub fn is_meant(&self, word: &str) -> bool {
        self.requirement == word || self.family() == word || self.level() == word || (word.starts_with("SF") && self.code.starts_with(word))
    }

    /// Its level.
    pub const fn level(&self) -> &'static str {
        if self.should { "SHOULD" } else { "MUST" }
    }
}

use RuleOffer::{Safe, Unsafe};

/// Every rule, by code.
pub const RULES: &[FileRule] = &[
    // ---- NAME
    must(
        "SF001",
        "NAME-1",
        "the file's name or place is not `.agents/sessions/YYYYMMDD-HHMMSS-<description>.md`",
        "files sort by when they began, and hooks look in one folder alone",
        name::form,
    )
    .of_bytes(),
    should(
        "SF002",
        "NAME-2",
        "the description is not lower-case words with single hyphens, at most 60 characters",
        "what is typed in a shell and put in a link needs no quotes",
        name::description,
    )
    .offers(Unsafe)
    .of_bytes(),
    must(
        "SF003",
        "NAME-3",
        "the file's name holds an issue's id",
        "the id stands in `linear_issue`; two files of an issue would otherwise differ by nothing a reader understands",
        name::issue,
    )
    .offers(Unsafe),
    should(
        "SF004",
        "NAME-4",
        "the name's time is not that of `created`",
        "whoever sorts by name and whoever sorts by `created` see another order",
        name::time,
    ),
    // ---- TEXT
    must("SF010", "TEXT-1", "the file is not UTF-8", "readers drop what they cannot decode, or the whole file", text::utf_8).of_bytes(),
    must(
        "SF011",
        "TEXT-1",
        "a merge conflict was left in the file",
        "neither side's state is the state; YAML with a marker is no YAML",
        text::merge,
    ),
    should(
        "SF012",
        "TEXT-1b",
        "the file begins with a byte order mark",
        "to many readers the first line is then not `---`, and the file has no front matter",
        text::mark,
    )
    .offers(Safe),
    should(
        "SF013",
        "TEXT-1b",
        "lines end in two ways",
        "an editor that makes them one changes every line, and hides what else it changed",
        text::line_ends,
    )
    .offers(Safe),
    should("SF014", "TEXT-2", "the file is longer than 32,000 characters", "it is read whole at every handoff", text::length),
    // ---- MATTER
    must("SF101", "MATTER-1", "there is no front matter on line 1", "without it nobody knows whether the session is active", matter::opens),
    must("SF102", "MATTER-1", "the front matter is not closed", "readers take the whole file for YAML, or none of it", matter::closes),
    must("SF103", "MATTER-1", "the front matter is no YAML", "readers hide a file that they cannot read", matter::yaml).offers(Safe),
    must(
        "SF104",
        "MATTER-1",
        "the front matter is no mapping of `session` and `orchestration`",
        "nothing in it can be found by name",
        matter::mapping,
    ),
    must("SF105", "MATTER-2", "a key is there twice", "some readers take the first, some the last, some refuse the file", matter::twice)
        .offers(Safe),
    must(
        "SF201",
        "MATTER-3",
        "a required key is missing",
        "lists and hooks show title, status, times and task of every session",
        matter::missing,
    ),
    must("SF202", "MATTER-3", "a required value is empty", "an empty title says no more than a missing one", matter::empty),
    must("SF203", "MATTER-3", "a value is no text", "a title of `2024` is a number to its readers", matter::no_text).offers(Safe),
    must("SF204", "MATTER-4", "the status is none of the three", "what is neither active nor completed is lost", matter::status)
        .offers(Safe),
    must(
        "SF205",
        "MATTER-5",
        "a time is not RFC 3339 with an offset",
        "without an offset it is another moment for every reader",
        matter::time,
    ),
    should(
        "SF206",
        "MATTER-5b",
        "a time is not quoted, or not in UTC",
        "a bare time is a text to one YAML reader and a date without its zone to the next",
        matter::quoted_time,
    )
    .offers(Safe),
    should(
        "SF207",
        "MATTER-6",
        "`linear_url` is no https address of `linear_issue`",
        "one of the two is wrong, and nobody knows which",
        matter::url,
    ),
    should(
        "SF208",
        "MATTER-7",
        "a key looks misspelt",
        "unknown keys are kept and not read: what is misspelt is not there",
        matter::misspelt,
    )
    .offers(Unsafe),
    must(
        "SF209",
        "MATTER-8",
        "a spawned agent lacks `agent`, `task` or a `status`",
        "who takes over must know who still works, and on what",
        matter::agents,
    )
    .offers(Safe),
    should("SF210", "MATTER-8b", "a completed agent has no `summary`", "what it found out is lost with its context", matter::summary),
    // ---- SECT
    must(
        "SF301",
        "SECT-1",
        "a required section is missing, or there twice",
        "whoever takes over reads Context, Current State and Next Steps, and nothing else",
        sect::missing,
    ),
    must(
        "SF302",
        "SECT-1",
        "a required section has another case or level",
        "tools look for `## Current State` as it is written",
        sect::near,
    )
    .offers(Safe),
    must("SF303", "SECT-2", "a required section is empty", "an empty section hands nothing over", sect::empty),
    should(
        "SF304",
        "SECT-2b",
        "a required section holds text of the template, TODO or TBD",
        "it looks filled, and says nothing",
        sect::template,
    ),
    must("SF305", "SECT-3", "a fence is never closed", "everything behind it is code: the sections there are gone", sect::fences),
    should("SF306", "SECT-4", "Next Steps is no list", "steps are taken one by one", sect::steps),
    should(
        "SF307",
        "SECT-5",
        "the waves contradict one another",
        "two active waves, or one that waits for what is not there, tell nobody what to do next",
        sect::waves,
    ),
    should("SF308", "SECT-6", "a decision lacks its Decision or Rationale", "a decision without its reason is made again", sect::decisions),
    // ---- LOG
    must(
        "SF401",
        "LOG-1",
        "a log entry's heading is not `### YYYY-MM-DD HH:MM - who`",
        "an entry without a time cannot be set against a commit",
        log::heading,
    ),
    should("SF402", "LOG-1b", "a log entry says nothing", "that something happened is of no use without what", log::text),
    should("SF403", "LOG-2", "the log is not oldest first", "the newest entry is looked for at the end", log::order).offers(Unsafe),
    must("SF404", "LOG-3", "`last_updated` is before `created`", "one of the two is made up", log::before_created),
    must(
        "SF405",
        "LOG-3",
        "`last_updated` is older than the newest log entry",
        "the file looks stale while it is not, or the entry was written in local time",
        log::older_than_entry,
    ),
    must("SF406", "LOG-3", "`last_updated` is in the future", "the file looks fresh for as long as the clock was wrong", log::future),
    should(
        "SF407",
        "LOG-4",
        "Current State has not changed since three log entries",
        "a handoff older than the work sends the next one back",
        log::stale_state,
    ),
    // ---- TRUE
    must("SF501", "TRUE-1", "the session is completed, an agent of it is not", "its work is deleted with the file", truth::agents),
    should(
        "SF502",
        "TRUE-2",
        "the session is completed, boxes are open",
        "what is left belongs to an issue before the file goes",
        truth::boxes,
    ),
    should(
        "SF503",
        "TRUE-3",
        "the session is in_progress and untouched for 24 hours",
        "every start offers it, and nobody works on it",
        truth::untouched,
    ),
    should("SF504", "TRUE-4", "the session is completed for 24 hours", "sessions are deleted, not archived", truth::due),
    should("SF505", "TRUE-5", "the session is paused, a wave or an agent is active", "one of the two is not so", truth::paused),
    // ---- GONE
    must(
        "SF601",
        "GONE-1",
        "a session file lies below the folder of sessions",
        "archived sessions are read as records, which they are not",
        gone::archived,
    )
    .of_bytes(),
    must("SF602", "GONE-2", "a session file is named that is gone", "whoever follows the link finds nothing", gone::references),
    should("SF603", "GONE-3", "a completed session's decision names no ADR", "the decision is deleted with the file", gone::decisions),
    // ---- of the linter itself
    should("SF901", "SF", "an ignore comment ignores nothing", "it hides what comes later", |_, _| Vec::new()).offers(Safe),
];

/// The rule of that code.
pub fn rule(code: &str) -> Option<&'static FileRule> {
    RULES.iter().find(|rule| rule.code == code)
}

/// Advice that names the code which was probably meant.
pub(crate) fn meant_code(found: &str) -> Option<String> {
    meant(found, RULES.iter().map(|rule| rule.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!(rule("SF105").map(|rule| rule.requirement), Some("MATTER-2"));
    }

    #[test]
    fn a_word_means_codes_requirements_families_and_levels() {
        let count = |word: &str| RULES.iter().filter(|rule| rule.is_meant(word)).count();
        assert_eq!((count("SF105"), count("SF1"), count("MATTER-1"), count("GONE"), count("SF")), (1, 5, 4, 3, RULES.len()));
        assert_eq!(count("MUST") + count("SHOULD"), RULES.len());
        assert_eq!(count("nothing"), 0);
    }
}
