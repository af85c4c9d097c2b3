//! Values of a manifest that may be written in several ways: what is wrong with one is told of the way that was taken.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::raw::{RawMatcher, RawMatchers, RawOutput, RawSource, RawWord};

/// What can be made of a text, of an array and of a table.
trait Either: Sized {
    /// What is wanted, as errors say it.
    const WANTED: &'static str;

    fn of_text(_: String) -> Option<Self> {
        None
    }

    fn of_array<'de, A: SeqAccess<'de>>(_: A) -> Option<Result<Self, A::Error>> {
        None
    }

    fn of_table<'de, M: MapAccess<'de>>(_: M) -> Option<Result<Self, M::Error>> {
        None
    }
}

/// Reads a value in whichever way it is written.
struct EitherVisitor<T>(std::marker::PhantomData<T>);

fn read<'de, T: Either, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    input.deserialize_any(EitherVisitor(std::marker::PhantomData))
}

impl<'de, T: Either> Visitor<'de> for EitherVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::of_text(text.to_owned()).ok_or_else(|| E::invalid_type(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::of_array(items).unwrap_or_else(|| Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self)))
    }

    fn visit_map<M: MapAccess<'de>>(self, fields: M) -> Result<T, M::Error> {
        T::of_table(fields).unwrap_or_else(|| Err(M::Error::invalid_type(serde::de::Unexpected::Map, &self)))
    }
}

impl Either for RawWord {
    const WANTED: &'static str = "a word (a string), or words that go together (an array of strings)";

    fn of_text(text: String) -> Option<Self> {
        Some(RawWord::One(text))
    }

    fn of_array<'de, A: SeqAccess<'de>>(items: A) -> Option<Result<Self, A::Error>> {
        Some(Vec::deserialize(SeqAccessDeserializer::new(items)).map(RawWord::Group))
    }
}

impl Either for RawMatchers {
    const WANTED: &'static str = "a condition such as { exit = 1 }, or an array of them";

    fn of_array<'de, A: SeqAccess<'de>>(items: A) -> Option<Result<Self, A::Error>> {
        Some(Vec::deserialize(SeqAccessDeserializer::new(items)).map(RawMatchers::Any))
    }

    fn of_table<'de, M: MapAccess<'de>>(fields: M) -> Option<Result<Self, M::Error>> {
        Some(RawMatcher::deserialize(MapAccessDeserializer::new(fields)).map(|one| RawMatchers::One(Box::new(one))))
    }
}

impl Either for RawSource {
    const WANTED: &'static str = "a JSONPath (\"$.id\"), a template, an array of paths, or a condition such as { exit = 0 }";

    fn of_text(text: String) -> Option<Self> {
        Some(RawSource::One(text))
    }

    fn of_array<'de, A: SeqAccess<'de>>(items: A) -> Option<Result<Self, A::Error>> {
        Some(several(items))
    }

    fn of_table<'de, M: MapAccess<'de>>(fields: M) -> Option<Result<Self, M::Error>> {
        RawMatchers::of_table(fields).map(|read| read.map(RawSource::Holds))
    }
}

/// Paths whose values are joined, or conditions of which any may hold.
fn several<'de, A: SeqAccess<'de>>(mut items: A) -> Result<RawSource, A::Error> {
    let (mut paths, mut conditions) = (Vec::new(), Vec::new());
    while let Some(item) = items.next_element::<RawSource>()? {
        match item {
            RawSource::One(path) => paths.push(path),
            RawSource::Holds(RawMatchers::One(one)) => conditions.push(*one),
            RawSource::Union(_) | RawSource::Holds(RawMatchers::Any(_)) => return Err(A::Error::custom("an array in an array")),
        }
    }
    match (paths.is_empty(), conditions.is_empty()) {
        (_, true) => Ok(RawSource::Union(paths)),
        (true, false) => Ok(RawSource::Holds(RawMatchers::Any(conditions))),
        (false, false) => Err(A::Error::custom("an array is of paths or of conditions, not of both")),
    }
}

impl Either for RawOutput {
    const WANTED: &'static str = "json, lines, text or { match = \"…\" }";

    fn of_text(text: String) -> Option<Self> {
        Some(RawOutput::Name(text))
    }

    fn of_table<'de, M: MapAccess<'de>>(fields: M) -> Option<Result<Self, M::Error>> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Match {
            r#match: String,
        }
        Some(Match::deserialize(MapAccessDeserializer::new(fields)).map(|read| RawOutput::Match { regex: read.r#match }))
    }
}

macro_rules! read_either {
    ($($kind:ty),+) => {
        $(impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                read(input)
            }
        })+
    };
}
read_either!(RawWord, RawMatchers, RawSource, RawOutput);

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;

    use super::*;

    /// What is wrong with a value, or how it was read.
    fn said<T: for<'de> Deserialize<'de> + fmt::Debug>(value: &str) -> String {
        #[derive(Deserialize)]
        struct Of<T> {
            v: T,
        }
        match toml::from_str::<Of<T>>(&format!("v = {value}")) {
            Ok(read) => format!("{:?}", read.v),
            Err(error) => error.message().to_owned(),
        }
    }

    #[rstest]
    #[case(said::<RawMatchers>("{ msg = 'x' }"), "unknown field `msg`, expected one of `exit`")]
    #[case(said::<RawMatchers>("[{ exit = 'x' }]"), "invalid type: string \"x\", expected i32")]
    #[case(said::<RawMatchers>("3"), "invalid type: integer `3`, expected a condition such as { exit = 1 }, or an array of them")]
    #[case(said::<RawMatchers>("[{ exit = 1 }, { code = 'x' }]"), "Any(")]
    #[case(said::<RawSource>("['$.a', '$.b']"), "Union([\"$.a\", \"$.b\"])")]
    #[case(said::<RawSource>("[{ exit = 0 }]"), "Holds(Any(")]
    #[case(said::<RawSource>("['$.a', { exit = 0 }]"), "an array is of paths or of conditions, not of both")]
    #[case(said::<RawSource>("{ exist = 0 }"), "unknown field `exist`")]
    #[case(said::<RawSource>("true"), "invalid type: boolean `true`, expected a JSONPath")]
    #[case(said::<RawWord>("[1]"), "invalid type: integer `1`, expected a string")]
    #[case(said::<RawWord>("{}"), "invalid type: map, expected a word (a string)")]
    #[case(said::<RawOutput>("{ mach = 'x' }"), "unknown field `mach`, expected `match`")]
    #[case(said::<RawOutput>("[]"), "invalid type: sequence, expected json, lines, text")]
    fn what_is_wrong_is_told_of_the_way_that_was_taken(#[case] said: String, #[case] wanted: &str) {
        assert!(said.starts_with(wanted), "{said}");
    }
}
