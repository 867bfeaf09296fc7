//! JSON that somebody else wrote. A member of another type than expected stands as that, and spoils nothing beside it; members that are not
//! asked for cost no memory; of lists the first [`limits::EVENTS_PER_NOTIFICATION`] members are kept.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::NotificationError;
use crate::model::limits;

/// Reads a body. The error holds the position alone: the text may be anything.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, NotificationError> {
    serde_json::from_slice(body).map_err(|error| NotificationError::Json {
        line: error.line(),
        column: error.column(),
    })
}

/// A value of which any JSON makes something.
pub(super) trait Lenient<'de>: Sized {
    /// What a value of another type makes.
    fn other() -> Self;

    fn null() -> Self {
        Self::other()
    }

    fn text(_: &str) -> Self {
        Self::other()
    }

    fn number(_: f64) -> Self {
        Self::other()
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other())
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other())
    }
}

struct Anything<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Anything<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

/// Reads a lenient value.
pub(super) fn lenient<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Anything(PhantomData))
}

/// A member that should be a text. An empty one is none: several senders write one where they have nothing to say.
#[derive(Default, Clone, PartialEq, Eq)]
pub(super) enum Text {
    #[default]
    Absent,
    /// Something else than a text.
    Other,
    Value(Box<str>),
}

/// What stands for a member that a format does not have.
pub(super) static ABSENT: Text = Text::Absent;

impl Text {
    /// The text; empty if there is none.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Absent | Self::Other => "",
            Self::Value(text) => text,
        }
    }

    /// The text, if there is one.
    pub(super) fn shown(&self) -> Option<&str> {
        match self {
            Self::Absent | Self::Other => None,
            Self::Value(text) => Some(text),
        }
    }

    /// Whether this is the word, in whatever case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(word)
    }

    pub(super) fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            Self::Absent
        } else {
            Self::Value(text.into())
        }
    }
}

impl Lenient<'_> for Text {
    fn other() -> Self {
        Self::Other
    }

    fn null() -> Self {
        Self::Absent
    }

    fn text(text: &str) -> Self {
        text.into()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

/// A member that should be a time: RFC 3339, or seconds or milliseconds since the Unix epoch. What is none is not there.
#[derive(Default, Clone, Copy)]
pub(super) struct Moment(pub(super) Option<Timestamp>);

/// Numbers from here on count milliseconds: seconds reach it in the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

impl Lenient<'_> for Moment {
    fn other() -> Self {
        Self(None)
    }

    fn text(text: &str) -> Self {
        Self(text.parse().ok())
    }

    fn number(number: f64) -> Self {
        let milliseconds = if number.abs() < MILLISECONDS_FROM {
            number * 1e3
        } else {
            number
        };
        Self(Timestamp::from_millisecond(milliseconds as i64).ok())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

/// An object, or a list of objects: several senders send either.
#[derive(Default)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(List<T>),
    /// Neither.
    #[default]
    Other,
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for OneOrMany<T> {
    fn other() -> Self {
        Self::Other
    }

    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self::One)
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        List::of(list).map(Self::Many)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

/// A member that should be an object; an empty one if it is none.
#[derive(Default)]
pub(super) struct Object<T> {
    value: T,
    is_there: bool,
}

impl<T> Object<T> {
    /// Whether there is an object at all.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Default + Deserialize<'de>> Lenient<'de> for Object<T> {
    fn other() -> Self {
        Self::default()
    }

    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Ok(Self {
            value: T::deserialize(MapAccessDeserializer::new(map))?,
            is_there: true,
        })
    }
}

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

/// A member that should be a list; an empty one if it is none.
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// How many members were passed over, being too many.
    pub(super) beyond: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            beyond: 0,
        }
    }
}

impl<T> List<T> {
    /// The members of `list`, the first ones of them.
    pub(super) fn of<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error>
    where
        T: Deserialize<'de>,
    {
        let mut read = Self::default();
        while read.items.len() < limits::EVENTS_PER_NOTIFICATION {
            match list.next_element()? {
                Some(item) => read.items.push(item),
                None => return Ok(read),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            read.beyond += 1;
        }
        Ok(read)
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for List<T> {
    fn other() -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Self::of(list)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}
