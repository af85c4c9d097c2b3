//! The options of markers: one table, and what they are read into.

use std::fmt::Display;
use std::str::FromStr;

use crate::contract::AgentKind;
use crate::engine::suite::names;
use crate::engine::vocabulary::StepKind;
use crate::profile::{Choice, Mode};
use crate::spec::{Level, Party};
use crate::suites::SUITES;

use super::TableSpec;

/// What a marker may say besides its table.
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// Its values, as documents and help show them.
    pub values: &'static str,
    /// What it does.
    pub about: &'static str,
    read: fn(&mut TableOptions, &TableSpec, &str) -> Result<(), Refused>,
}

/// A value that an option does not have.
pub(crate) struct Refused {
    /// The part of the value that is wrong.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
    /// The words known in its place.
    pub known: Vec<String>,
}

/// The options of one marker, read.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Only these agents, in this order; none: every agent.
    pub agents: Vec<AgentKind>,
    /// These columns, in this order; none: those that are shown anyway.
    pub columns: Vec<String>,
    /// In parts, under headings of that depth.
    pub depth: Option<usize>,
    /// The file that a picture goes into, relative to the document.
    pub file: Option<String>,
    /// Only steps of this kind.
    pub kind: Option<StepKind>,
    /// Only requirements of these levels.
    pub levels: Vec<Level>,
    /// Where the specification's documents are, from the document: ids become links.
    pub links: Option<String>,
    /// The mode of the agents.
    pub mode: Option<Mode>,
    /// Only what binds this party.
    pub party: Option<Party>,
    /// The profiles.
    pub profiles: Option<Choice>,
    /// Only this suite.
    pub suite: Option<&'static str>,
}

/// Every option.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "agents",
        values: "claude, codex, gemini; several with commas",
        about: "these agents, in this order",
        read: |options, _, value| {
            options.agents = several(value, "agent", AgentKind::all())?;
            Ok(())
        },
    },
    OptionSpec {
        name: "columns",
        values: "the table's columns, with commas",
        about: "these columns, in this order",
        read: |options, table, value| {
            let known: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            let words: Result<Vec<&str>, Refused> = value.split(',').map(|word| one(word, "column", &known)).collect();
            options.columns = words?.into_iter().map(str::to_owned).collect();
            Ok(())
        },
    },
    OptionSpec {
        name: "depth",
        values: "1 to 6",
        about: "in parts, a suite each, under headings of that depth",
        read: |options, _, value| {
            options.depth = Some(one(value, "depth of headings", &[1, 2, 3, 4, 5, 6])?);
            Ok(())
        },
    },
    OptionSpec {
        name: "file",
        values: "NAME.svg, relative to the document",
        about: "a picture in that file instead of a table",
        read: |options, _, value| {
            options.file = Some(picture_file(value)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "kind",
        values: "act, check",
        about: "only steps of this kind",
        read: |options, _, value| {
            let word = one(value, "kind of step", &["act", "check"])?;
            options.kind = Some(if word == "act" { StepKind::Act } else { StepKind::Check });
            Ok(())
        },
    },
    OptionSpec {
        name: "level",
        values: "MUST, SHOULD, MAY; several with commas",
        about: "only requirements of these levels",
        read: |options, _, value| {
            options.levels = several(value, "level", &Level::ALL)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "links",
        values: "the path or URL of the folder `spec`, or `here`",
        about: "ids link to where they are stated: in that folder, or in this document",
        read: |options, _, value| {
            options.links = Some(value.trim_end_matches('/').to_owned());
            Ok(())
        },
    },
    OptionSpec {
        name: "mode",
        values: "interactive, headless",
        about: "the agents in this mode",
        read: |options, _, value| {
            options.mode = Some(one(value, "mode", &Mode::ALL)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "party",
        values: "manager, orchestrator, supervisor, agent",
        about: "only what binds this party",
        read: |options, _, value| {
            options.party = Some(one(value, "party", &Party::ALL)?);
            Ok(())
        },
    },
    OptionSpec {
        name: "profiles",
        values: "spec, measured, or the path of a profile file (.toml)",
        about: "the agents by these profiles",
        read: |options, _, value| {
            let word = if value.ends_with(".toml") { value } else { one(value, "set of profiles", &["spec", "measured"])? };
            options.profiles = Some(Choice::from_str(word).expect("every word is a choice"));
            Ok(())
        },
    },
    OptionSpec {
        name: "suite",
        values: "the suites' names",
        about: "only this suite",
        read: |options, _, value| {
            let known: Vec<&'static str> = names(SUITES).collect();
            options.suite = Some(one(value, "suite", &known)?);
            Ok(())
        },
    },
];

impl TableOptions {
    /// Reads one option of a table's marker.
    pub(crate) fn set(&mut self, table: &TableSpec, option: &OptionSpec, value: &str) -> Result<(), Refused> {
        (option.read)(self, table, value)
    }

    /// The agents asked for, else all of them.
    pub(crate) fn agents(&self) -> Vec<AgentKind> {
        if self.agents.is_empty() { AgentKind::all().to_vec() } else { self.agents.clone() }
    }

    /// The mode asked for, else interactive.
    pub(crate) fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Interactive)
    }
}

fn one<T: Copy + Display>(word: &str, what: &str, known: &[T]) -> Result<T, Refused> {
    known.iter().copied().find(|value| value.to_string() == word).ok_or_else(|| {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        Refused { found: word.to_owned(), wanted: format!("`{word}` is no {what}: wanted {}", known.join(", ")), known }
    })
}

fn several<T: Copy + Display>(value: &str, what: &str, known: &[T]) -> Result<Vec<T>, Refused> {
    value.split(',').map(|word| one(word, what, known)).collect()
}

/// A picture's file stays below its document's folder.
fn picture_file(value: &str) -> Result<String, Refused> {
    use std::path::{Component, Path};
    let inside = Path::new(value).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside && value.ends_with(".svg") && !value.contains(['(', ')', '<', '>', ' ', '\\']) {
        return Ok(value.to_owned());
    }
    let wanted = format!("`{value}` cannot be a picture's file: wanted a path below the document's folder that ends in .svg");
    Err(Refused { found: value.to_owned(), wanted, known: Vec::new() })
}
