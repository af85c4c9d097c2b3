//! Words that shells complete, read by a function whose errors say more than a list of them.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

use crate::contract::{AgentKind, ERRORS};
use crate::engine::suite::names;
use crate::files::RULES;
use crate::report::FORMS;
use crate::spec::{Registry, RequirementId};
use crate::suites::SUITES;

use super::explain::Explained;
use super::running::OutputFormat;

/// A value of which the words are known.
pub(crate) struct Known<T> {
    parse: fn(&str) -> Result<T, String>,
    words: fn() -> Vec<String>,
}

/// A requirement, by its id.
pub(crate) fn requirement() -> Known<RequirementId> {
    Known { parse: super::running::requirement_id, words: || Registry::embedded().iter().map(|it| it.id.to_string()).collect() }
}

/// A suite, by its name, that `parse` takes.
pub(crate) fn suite(parse: fn(&str) -> Result<String, String>) -> Known<String> {
    Known { parse, words: || names(SUITES).map(str::to_owned).collect() }
}

/// What can be explained: a requirement, an error, or a rule for session files.
pub(crate) fn explained() -> Known<Explained> {
    let words = || {
        let requirements = Registry::embedded().iter().map(|it| it.id.to_string());
        let errors = ERRORS.iter().map(|error| error.name.to_owned());
        requirements.chain(errors).chain(RULES.iter().map(|rule| rule.code.to_owned())).collect()
    };
    Known { parse: super::explain::explained, words }
}

/// A form of reports, or `auto`.
pub(crate) fn form() -> Known<OutputFormat> {
    let words = || std::iter::once("auto").chain(FORMS.iter().map(|form| form.name)).map(str::to_owned).collect();
    Known { parse: str::parse, words }
}

/// An agent.
pub(crate) fn agent() -> Known<AgentKind> {
    Known { parse: str::parse, words: || AgentKind::all().iter().map(ToString::to_string).collect() }
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Known<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        self.parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let parse = self.parse;
        Some(Box::new((self.words)().into_iter().filter(move |word| parse(word).is_ok()).map(PossibleValue::new)))
    }
}
