//! What a manifest says of answers: matchers, and where results are found in them.

use std::fmt;

use jsonpath_rust::JsonPath as _;
use jsonpath_rust::parser::parse_json_path;
use regex::Regex;
use serde_json::Value;

use super::template::{Template, Variables};

/// An answer, as matchers look at it.
#[derive(Debug, Clone, Default)]
pub struct AnswerSeen {
    /// The exit status of a process.
    pub exit: Option<i32>,
    /// The status of an HTTP response.
    pub status: Option<u16>,
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
    /// The status of an HTTP response.
    pub status: Option<u16>,
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

impl fmt::Display for Matcher {
    /// What it wants, as manifests write it: `{ exit = 0, stdout = 'ready' }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regexes = [("stdout", &self.stdout), ("stderr", &self.stderr), ("code", &self.code), ("message", &self.message)];
        let mut parts: Vec<String> = self.exit.iter().map(|exit| format!("exit = {exit}")).collect();
        parts.extend(self.status.iter().map(|status| format!("status = {status}")));
        parts.extend(regexes.iter().filter_map(|(name, regex)| Some(format!("{name} = '{}'", regex.as_ref()?))));
        if let Some((path, wanted)) = &self.path {
            parts.push(match wanted {
                Wanted::Anything => format!("path = '{path}'"),
                Wanted::Equals(value) => format!("path = '{path}', equals = {value}"),
                Wanted::Matches(regex) => format!("path = '{path}', matches = '{regex}'"),
            });
        }
        parts.extend(self.absent.iter().map(|path| format!("absent = '{path}'")));
        write!(f, "{{ {} }}", parts.join(", "))
    }
}

impl AnswerSeen {
    /// What was answered, for people.
    pub fn told(&self) -> String {
        let status = self.status.iter().map(|status| format!("status {status}"));
        let error = status.chain(self.code.iter().map(|code| format!("code {code}"))).chain(self.message.clone());
        let exit = self.exit.map(|exit| format!("exit status {exit}, stdout {:?}, stderr {:?}", self.stdout, self.stderr));
        let error: Vec<String> = error.collect();
        exit.unwrap_or_else(|| if error.is_empty() { self.value.to_string() } else { error.join(": ") })
    }
}

impl Matcher {
    /// Whether an answer is as the matcher says.
    pub fn holds(&self, seen: &AnswerSeen, variables: &Variables) -> bool {
        let text = |regex: &Option<Regex>, text: &str| regex.as_ref().is_none_or(|regex| regex.is_match(text));
        let known = |regex: &Option<Regex>, text: &Option<String>| {
            regex.as_ref().is_none_or(|regex| text.as_ref().is_some_and(|text| regex.is_match(text)))
        };
        self.exit.is_none_or(|exit| seen.exit == Some(exit))
            && self.status.is_none_or(|status| seen.status == Some(status))
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

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.source())
    }
}

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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn regex(text: &str) -> Option<Regex> {
        Some(Regex::new(text).unwrap())
    }

    fn at(path: &str) -> Path {
        Path::parse(path).unwrap()
    }

    #[rstest]
    #[case::nothing_else(|_: &mut Matcher| {}, true)]
    #[case::another_exit_status(|m: &mut Matcher| m.exit = Some(0), false)]
    #[case::another_status(|m: &mut Matcher| m.status = Some(200), false)]
    #[case::another_output(|m: &mut Matcher| m.stdout = regex("x"), false)]
    #[case::another_complaint(|m: &mut Matcher| m.stderr = regex("x"), false)]
    #[case::another_code(|m: &mut Matcher| m.code = regex("x"), false)]
    #[case::another_message(|m: &mut Matcher| m.message = regex("x"), false)]
    #[case::another_value(|m: &mut Matcher| m.path = Some((at("$.one"), Wanted::Equals(json!(2)))), false)]
    #[case::a_value_that_matches(|m: &mut Matcher| m.path = Some((at("$.one"), Wanted::Matches(regex("^1$").unwrap()))), true)]
    #[case::a_value_that_does_not(|m: &mut Matcher| m.path = Some((at("$.one"), Wanted::Matches(regex("2").unwrap()))), false)]
    #[case::any_value(|m: &mut Matcher| m.path = Some((at("$.one"), Wanted::Anything)), true)]
    #[case::null_is_no_value(|m: &mut Matcher| m.path = Some((at("$.none"), Wanted::Anything)), false)]
    #[case::null_matches_as_nothing(|m: &mut Matcher| m.path = Some((at("$.none"), Wanted::Matches(regex("^$").unwrap()))), true)]
    #[case::a_value_that_is_there(|m: &mut Matcher| m.absent = Some(at("$.one")), false)]
    fn all_of_a_condition_must_hold(#[case] also: fn(&mut Matcher), #[case] holds: bool) {
        let seen = AnswerSeen {
            exit: Some(1),
            status: Some(404),
            stdout: "out".into(),
            stderr: "err".into(),
            code: Some("404".into()),
            message: Some("gone".into()),
            value: json!({"one": 1, "none": null}),
            failed: true,
        };
        let mut matcher = Matcher {
            exit: Some(1),
            status: Some(404),
            stdout: regex("out"),
            stderr: regex("err"),
            code: regex("404"),
            message: regex("gone"),
            path: Some((at("$.one"), Wanted::Equals(json!(1)))),
            absent: Some(at("$.two")),
        };
        also(&mut matcher);
        assert_eq!(matcher.holds(&seen, &Variables::new()), holds);
    }

    #[test]
    fn a_condition_is_told_as_it_is_written() {
        let matcher = Matcher {
            exit: Some(1),
            stderr: regex("no such"),
            path: Some((at("$.a"), Wanted::Equals(json!("b")))),
            absent: Some(at("$.c")),
            ..Matcher::default()
        };
        assert_eq!(matcher.to_string(), "{ exit = 1, stderr = 'no such', path = '$.a', equals = \"b\", absent = '$.c' }");
    }

    #[test]
    fn a_path_names_its_variables() {
        assert_eq!(at("$.sessions['{{ session_id }}']").names().collect::<Vec<_>>(), ["session_id"]);
    }
}
