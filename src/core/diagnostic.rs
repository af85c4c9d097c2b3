//! Mistakes in what a person wrote (a manifest, a profile, a document, a baseline): where, what, and what to do.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::{Deref, Range};
use std::sync::Arc;

use miette::{NamedSource, SourceSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use toml::Spanned;

/// A value with its place in a file. In a schema it is the value alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Placed<T>(Spanned<T>);

impl<T> Placed<T> {
    /// The value, without its place.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T> Deref for Placed<T> {
    type Target = Spanned<T>;

    fn deref(&self) -> &Spanned<T> {
        &self.0
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// One mistake, with its place.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{file}:{line}: {what}")]
pub struct Diagnostic {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What was found and what is wanted.
    pub what: String,
    #[source_code]
    text: Arc<NamedSource<String>>,
    #[label("here")]
    at: Option<SourceSpan>,
    /// What to do.
    #[help]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A file that cannot be read.
    pub fn unreadable(file: &str, why: &std::io::Error, help: &str) -> Self {
        let why = match why.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            _ => why.to_string(),
        };
        SourceText::new(file, "").diagnostic(None, why, Some(help.to_owned()))
    }

    /// Where the mistake begins, in bytes.
    pub fn offset(&self) -> usize {
        self.at.map_or(0, |at| at.offset())
    }
}

/// Every mistake that was found, together.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{what}: {} wrong", match .related.len() { 1 => "one thing is".to_owned(), count => format!("{count} things are") })]
pub struct Diagnostics {
    what: String,
    /// The mistakes, one by one.
    #[related]
    pub related: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Mistakes, and what comes of them: `x.toml: the manifest cannot be used`.
    pub fn new(what: impl Into<String>, related: Vec<Diagnostic>) -> Self {
        Self { what: what.into(), related }
    }

    /// The mistakes in a line.
    pub fn in_a_line(&self) -> String {
        self.related.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// A text in which mistakes are found.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    file: &'a str,
    pub(crate) text: &'a str,
    source: OnceCell<Arc<NamedSource<String>>>,
}

impl<'a> SourceText<'a> {
    /// The text of a file.
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, source: OnceCell::new() }
    }

    /// A mistake in it; without a place it is one of the whole.
    pub(crate) fn diagnostic(&self, at: Option<Range<usize>>, what: String, help: Option<String>) -> Diagnostic {
        let source = self.source.get_or_init(|| Arc::new(NamedSource::new(self.file, self.text.to_owned())));
        Diagnostic {
            file: self.file.to_owned(),
            line: self.line(at.as_ref().map_or(0, |at| at.start)),
            what,
            text: Arc::clone(source),
            at: at.map(Into::into),
            help,
        }
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().matches('\n').count() + 1
    }
}

/// The known word that is spelt alike but for three letters in ten (one in a short word, or two that were left out), in whatever case.
pub(crate) fn spelt_like<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let near = known.filter_map(|word| {
        let (lower, length) = (word.to_lowercase(), word.chars().count());
        let distance = strsim::damerau_levenshtein(&lower, &found);
        let left_out = distance == 2 && length == found.chars().count() + 2;
        ((distance <= (length * 3 / 10).max(1) || left_out) && distance * 2 < length).then_some((distance, word))
    });
    near.min().map(|(_, word)| word)
}

/// The known word that was probably meant: one that is spelt alike; else the shortest that has what was found as whole parts
/// (`not_found` in `session_not_found`). None where nothing is near.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.collect();
    let lower = found.to_lowercase();
    let whole = |c: Option<char>| c.is_none_or(|c| "_-.".contains(c));
    let has_part = |word: &str| {
        let word = word.to_lowercase();
        let mut ends = word.match_indices(&lower).map(|(at, _)| (word[..at].chars().next_back(), word[at + lower.len()..].chars().next()));
        ends.any(|(before, after)| whole(before) && whole(after))
    };
    let within = || known.iter().copied().filter(|word| lower.len() > 3 && has_part(word)).min_by_key(|word| word.len());
    spelt_like(found, known.iter().copied()).or_else(within)
}

/// Advice that names the known word which was probably meant.
pub(crate) fn meant<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(found, known).map(|word| format!("did you mean `{word}`?"))
}

/// The same for a field that a reader of TOML did not know, from its message.
pub(crate) fn meant_field(message: &str) -> Option<String> {
    let mut words = message.split('`').skip(1).step_by(2);
    let found = words.next().filter(|_| message.starts_with("unknown field"))?;
    meant(found, words)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_mistake_knows_its_line_and_several_are_counted() {
        let text = SourceText::new("a.toml", "one\ntwo\n");
        let diagnostic = text.diagnostic(Some(4..7), "no number".into(), meant("tow", ["one", "two"].into_iter()));
        assert_eq!((diagnostic.to_string(), diagnostic.help.as_deref()), ("a.toml:2: no number".into(), Some("did you mean `two`?")));
        let all = Diagnostics::new("a.toml: no use", vec![diagnostic, text.diagnostic(None, "too short".into(), None)]);
        assert_eq!(all.to_string(), "a.toml: no use: 2 things are wrong");
        assert_eq!(all.in_a_line(), "a.toml:2: no number; a.toml:1: too short");
    }

    #[rstest]
    #[case("tow", Some("two"))]
    #[case("SESION_ID", Some("session_id"))]
    #[case("not_found", Some("session_not_found"))]
    #[case("lc-clean-99", Some("LC-CLEAN-9"))]
    #[case("LC-NOPE-1", None)]
    #[case("zzzzqqq", None)]
    #[case("found_not", None)]
    #[case("o", None)]
    #[case("resumpti", Some("resumption"))]
    #[case("", None)]
    fn what_is_near_is_named_and_what_is_not_is_not(#[case] found: &str, #[case] meant: Option<&str>) {
        let known = ["one", "two", "session_id", "session_not_found", "resumption", "LC-TIME-1", "LC-CLEAN-9", "counts-in-floats", "on"];
        assert_eq!(nearest(found, known.into_iter()), meant);
    }

    #[test]
    fn a_misspelt_field_is_known_by_the_readers_message() {
        assert_eq!(meant_field("unknown field `baner`, expected `banner` or `file`").as_deref(), Some("did you mean `banner`?"));
        assert_eq!(meant_field("missing field `banner`"), None);
    }
}
