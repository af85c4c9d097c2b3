//! What a manifest says of answers: matchers, and where results are found in them.

use jsonpath_rust::JsonPath as _;
use jsonpath_rust::parser::parse_json_path;
use regex::Regex;
use serde_json::Value;

use super::template::{Template, Variables};

/// An answer, as matchers look at it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The exit status of a process.
    pub exit: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The error's code, as text.
    pub code: Option<String>,
    /// The error's message.
    pub message: Option<String>,
    /// The value that paths begin in.
    pub value: Value,
    /// Whether the transport says that it failed.
    pub failed: bool,
}

/// A condition on an answer: all of its parts must hold.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    /// The exit status.
    pub exit: Option<i32>,
    /// What standard output holds.
    pub stdout: Option<Regex>,
    /// What standard error holds.
    pub stderr: Option<Regex>,
    /// The error's code.
    pub code: Option<Regex>,
    /// What the error's message holds.
    pub message: Option<Regex>,
    /// A path and what it must select.
    pub path: Option<(Path, Wanted)>,
    /// A path that must select nothing.
    pub absent: Option<Path>,
}

/// What a path must select.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// Anything.
    Anything,
    /// A value equal to this.
    Equals(Value),
    /// A text that matches.
    Matches(Regex),
}

impl Matcher {
    /// Whether an answer is as the matcher says.
    pub fn holds(&self, seen: &Seen, variables: &Variables) -> bool {
        let text = |regex: &Option<Regex>, text: &str| regex.as_ref().is_none_or(|regex| regex.is_match(text));
        let known = |regex: &Option<Regex>, text: &Option<String>| {
            regex.as_ref().is_none_or(|regex| text.as_ref().is_some_and(|text| regex.is_match(text)))
        };
        self.exit.is_none_or(|exit| seen.exit == Some(exit))
            && text(&self.stdout, &seen.stdout)
            && text(&self.stderr, &seen.stderr)
            && known(&self.code, &seen.code)
            && known(&self.message, &seen.message)
            && self.path.as_ref().is_none_or(|(path, wanted)| {
                path.select(&seen.value, variables).unwrap_or_default().iter().any(|found| match wanted {
                    Wanted::Anything => !found.is_null(),
                    Wanted::Equals(value) => found == value,
                    Wanted::Matches(regex) => regex.is_match(&plain(found)),
                })
            })
            && self.absent.as_ref().is_none_or(|path| path.select(&seen.value, variables).unwrap_or_default().is_empty())
    }
}

/// A JSONPath (RFC 9535), whose templates are filled in first.
#[derive(Debug, Clone)]
pub struct Path(Template);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        let template = Template::parse(source)?;
        if template.names().is_empty() {
            parse_json_path(source).map_err(|error| error.to_string())?;
        }
        Ok(Self(template))
    }

    /// The variables that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names().iter().map(String::as_str)
    }

    /// The values that it selects.
    ///
    /// # Errors
    /// Where it is no path once it is filled in.
    pub fn select(&self, value: &Value, variables: &Variables) -> Result<Vec<Value>, String> {
        let path = self.0.text(variables)?;
        let found = value.query(&path).map_err(|error| format!("`{path}`: {error}"))?;
        Ok(found.into_iter().cloned().collect())
    }
}

/// Where a result's field comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The values that paths select, in the order of the paths.
    Paths(Vec<Path>),
    /// A text.
    Text(Template),
    /// Whether an answer is so.
    Holds(Vec<Matcher>),
}

/// A value as text: strings as they are, null as nothing, everything else as JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
