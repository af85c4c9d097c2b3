//! Values that are read if they are of their type, and passed over if they are not: what an operation was asked with is
//! for its manager to judge, not for the reader of a trace.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A text, borrowed where it can be; none where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LooseText<'a>(pub Option<Cow<'a, str>>);

impl<'a> LooseText<'a> {
    /// The text.
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text of a JSON value.
    pub fn of(value: Option<&'a Value>) -> Self {
        Self(value.and_then(Value::as_str).map(Cow::Borrowed))
    }
}

/// An integer; none where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Int(pub Option<i128>);

impl Int {
    /// The number, where it has no sign.
    pub fn unsigned(self) -> Option<u64> {
        self.0?.try_into().ok()
    }

    /// The number, where it counts things.
    pub fn index(self) -> Option<usize> {
        self.0?.try_into().ok()
    }
}

/// The length of a text, in bytes; none where there is no text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Length(pub Option<usize>);

/// Whether a flag is set; anything but `true` is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truthful(pub bool);

/// Above this, a float no longer tells each integer from the next: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads `at_ms`: no time at all, or a whole number from 0. JSON Schema takes `58500.0` for an integer, and so does this.
pub(crate) fn milliseconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(input)? else { return Ok(None) };
    let whole = number.as_f64().filter(|ms| ms.fract() == 0.0 && (0.0..=EXACT).contains(ms)).map(|ms| ms as u64);
    let wrong = || D::Error::custom(format!("`at_ms` is {number}, wanted a whole number of milliseconds from 0"));
    number.as_u64().or(whole).map(Some).ok_or_else(wrong)
}

/// What a value turned out to be.
enum LooseValue<'a> {
    Text(Cow<'a, str>),
    Int(i128),
    Flag(bool),
    Else,
}

/// How a text is taken: kept, or only measured.
struct Any<const KEEP: bool>;

impl<'de, const KEEP: bool> Visitor<'de> for Any<KEEP> {
    type Value = (LooseValue<'de>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok((LooseValue::Text(Cow::Borrowed(text)), text.len()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let kept = if KEEP { Cow::Owned(text.to_owned()) } else { Cow::Borrowed("") };
        Ok((LooseValue::Text(kept), text.len()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok((LooseValue::Int(number.into()), 0))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok((LooseValue::Int(number.into()), 0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok((LooseValue::Else, 0))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok((LooseValue::Flag(flag), 0))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((LooseValue::Else, 0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok((LooseValue::Else, 0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok((LooseValue::Else, 0))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LooseText<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(match input.deserialize_any(Any::<true>)? {
            (LooseValue::Text(text), _) => Self(Some(text)),
            _ => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(match input.deserialize_any(Any::<false>)? {
            (LooseValue::Text(_), length) => Self(Some(length)),
            _ => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(match input.deserialize_any(Any::<false>)? {
            (LooseValue::Int(number), _) => Self(Some(number)),
            _ => Self(None),
        })
    }
}

impl<'de> Deserialize<'de> for Truthful {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self(matches!(input.deserialize_any(Any::<false>)?, (LooseValue::Flag(true), _))))
    }
}
