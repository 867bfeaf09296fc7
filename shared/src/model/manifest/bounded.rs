//! Lists and maps that are bounded while they are read: what lies behind a bound is passed over, and costs no memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::parse::{Annotations, ManifestError};
use crate::model::{limits, truncated};

/// The first `MOST` members of a list, and how many there are.
#[derive(Debug)]
pub(super) struct Bounded<T, const MOST: usize> {
    items: Vec<T>,
    count: usize,
}

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            count: 0,
        }
    }
}

impl<T, const MOST: usize> Bounded<T, MOST> {
    /// All members, unless there are more than the bound.
    pub(super) fn all(self, what: &'static str) -> Result<Vec<T>, ManifestError> {
        if self.count > MOST {
            Err(ManifestError::TooMany {
                what,
                count: self.count,
                bound: MOST,
            })
        } else {
            Ok(self.items)
        }
    }

    /// The first member.
    pub(super) fn first(&self) -> Option<&T> {
        self.items.first()
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Members(PhantomData))
    }
}

struct Members<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Members<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut bounded = Bounded::default();
        while bounded.count < MOST {
            match list.next_element()? {
                Some(item) => bounded.items.push(item),
                None => return Ok(bounded),
            }
            bounded.count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            bounded.count += 1;
        }
        Ok(bounded)
    }
}

/// Annotations within their bounds: what has no value, or too long a key, is dropped, long values are cut, and beyond
/// [`limits::ANNOTATIONS`] the rest is dropped.
#[derive(Debug, Default)]
pub(super) struct BoundedAnnotations(pub(super) Annotations);

impl<'de> Deserialize<'de> for BoundedAnnotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Labels within their bounds, as [`BoundedAnnotations`]; how many there may be, their size together decides.
pub(super) fn bounded_labels(all: Option<BTreeMap<String, Option<String>>>) -> Annotations {
    all.unwrap_or_default()
        .into_iter()
        .filter_map(|(key, value)| bounded_entry(&key, value.as_deref()?))
        .collect()
}

fn bounded_entry(key: &str, value: &str) -> Option<(String, String)> {
    let (cut, _) = truncated(value, limits::LABEL_VALUE_BYTES);
    (1..=limits::LABEL_KEY_BYTES)
        .contains(&key.len())
        .then(|| (key.to_owned(), cut.to_owned()))
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = BoundedAnnotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept = BTreeMap::new();
        while kept.len() < limits::ANNOTATIONS {
            let Some((key, value)) = map.next_entry::<Cow<'de, str>, Option<Cow<'de, str>>>()? else {
                return Ok(BoundedAnnotations(kept));
            };
            kept.extend(value.and_then(|value| bounded_entry(&key, &value)));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(BoundedAnnotations(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_behind_the_bound_is_kept() {
        let read = |text: &str| serde_json::from_str::<Bounded<u8, 3>>(text).unwrap();
        assert_eq!(read("[1,2,3]").all("things").unwrap(), [1, 2, 3]);
        let over = read(r#"[1,2,3,{"x":[]},"y"]"#);
        assert_eq!(over.items.len(), 3);
        assert_eq!(
            over.all("things").unwrap_err(),
            ManifestError::TooMany {
                what: "things",
                count: 5,
                bound: 3
            }
        );
        assert!(serde_json::from_str::<Bounded<u8, 3>>(r#"[1,"x"]"#).is_err());
    }

    #[test]
    fn further_annotations_are_dropped() {
        let text = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
            format!("{{{}}}", all.join(","))
        };
        let kept = |count| {
            let BoundedAnnotations(kept) = serde_json::from_str(&text(count)).unwrap();
            kept.len()
        };
        assert_eq!(kept(limits::ANNOTATIONS), limits::ANNOTATIONS);
        assert_eq!(kept(limits::ANNOTATIONS + 500), limits::ANNOTATIONS);
    }
}
