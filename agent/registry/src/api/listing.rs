//! One page of a listing, read without keeping what is not wanted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Takes names in, each once, up to a bound.
pub(super) struct Collector<T> {
    /// Of every name so far a hash: enough to know it again, a fraction of its memory. The hash is keyed, so that a server cannot make
    /// names collide.
    seen: HashSet<u64>,
    hasher: RandomState,
    bound: usize,
    items: Vec<T>,
    /// Entries of the page, whatever they were.
    pub(super) entries: usize,
    /// Names of the page that are new.
    pub(super) fresh: usize,
    /// The page's last name.
    pub(super) last: Option<String>,
    /// Names, of all pages, that no request can be made for.
    pub(super) malformed: u64,
    /// Whether a name was left out because of the bound.
    pub(super) over: bool,
}

impl<T: FromStr> Collector<T> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            seen: HashSet::new(),
            hasher: RandomState::new(),
            bound,
            items: Vec::new(),
            entries: 0,
            fresh: 0,
            last: None,
            malformed: 0,
            over: false,
        }
    }

    /// Reads a page; `member` is the name of the list in it. `false` if the body is no such page. Nothing is read behind the bound:
    /// neither names nor as many rows that are no new ones.
    pub(super) fn read(&mut self, body: &[u8], member: &'static str) -> bool {
        self.entries = 0;
        self.fresh = 0;
        self.last = None;
        let mut json = serde_json::Deserializer::from_slice(body);
        let page = PageSeed {
            member,
            collector: self,
        };
        let whole = page.deserialize(&mut json).is_ok_and(|found| found) && json.end().is_ok();
        whole || self.over
    }

    /// The page's new names.
    pub(super) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }

    fn add(&mut self, name: &str) {
        self.entries += 1;
        if self.over {
            return;
        }
        if self.last.as_deref() != Some(name) {
            let last = self.last.get_or_insert_default();
            last.clear();
            last.push_str(name);
        }
        let hash = self.hasher.hash_one(name);
        if self.seen.len() >= self.bound {
            self.over = !self.seen.contains(&hash);
            return;
        }
        if !self.seen.insert(hash) {
            return;
        }
        self.fresh += 1;
        match name.parse() {
            Ok(item) => self.items.push(item),
            Err(_) => self.malformed += 1,
        }
    }
}

struct PageSeed<'c, T> {
    member: &'static str,
    collector: &'c mut Collector<T>,
}

impl<'de, T: FromStr> DeserializeSeed<'de> for PageSeed<'_, T> {
    type Value = bool;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: FromStr> Visitor<'de> for PageSeed<'_, T> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.member)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.member {
                found = true;
                map.next_value_seed(Names(self.collector))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// A list of names; `null` is an empty one.
struct Names<'c, T>(&'c mut Collector<T>);

impl<'de, T: FromStr> DeserializeSeed<'de> for Names<'_, T> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: FromStr> Visitor<'de> for Names<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Name(self.0))?.is_some() {
            self.0.over |= self.0.entries - self.0.fresh > self.0.bound;
            if self.0.over {
                return Err(A::Error::custom("more entries than are read"));
            }
        }
        Ok(())
    }
}

/// An entry: a name, or anything else, which one bad row must not make the others pay for (Nexus lists `null`).
struct Name<'c, T>(&'c mut Collector<T>);

impl<'de, T: FromStr> DeserializeSeed<'de> for Name<'_, T> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: FromStr> Name<'_, T> {
    fn odd(self) {
        self.0.entries += 1;
        self.0.malformed += 1;
    }
}

impl<'de, T: FromStr> Visitor<'de> for Name<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.add(name);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // A hole in the list is no name that could not be read.
        self.0.entries += 1;
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.odd();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.odd();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.odd();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.odd();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.odd();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.odd();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::TagName;
    use proptest::prelude::*;

    fn read(collector: &mut Collector<TagName>, body: &str) -> Option<Vec<String>> {
        let is_page = collector.read(body.as_bytes(), "tags");
        is_page.then(|| collector.take().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_odd_pages_and_refuses_what_is_none() {
        let mut collector = Collector::new(100);
        assert_eq!(
            read(
                &mut collector,
                r#"{"name":"a","tags":["a","b"],"more":{"x":[1]}}"#
            )
            .unwrap(),
            ["a", "b"]
        );
        assert_eq!(
            (collector.entries, collector.fresh, collector.last.as_deref()),
            (2, 2, Some("b"))
        );
        assert_eq!(
            read(&mut collector, r#"{"tags":["b","a","c"]}"#).unwrap(),
            ["c"],
            "each once, over all pages"
        );
        assert_eq!((collector.entries, collector.fresh), (3, 1));
        assert_eq!(
            read(&mut collector, r#"{"tags":null}"#).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            read(
                &mut collector,
                r#"{"tags":[null,"d",1,-1,1.5,true,{"x":1},["y"],"in valid","\u0065"]}"#
            )
            .unwrap(),
            ["d", "e"]
        );
        assert_eq!(
            (collector.entries, collector.malformed),
            (10, 7),
            "null is a hole, the others are bad rows"
        );
        for none in [
            "",
            "[]",
            "{}",
            r#"{"errors":[]}"#,
            "<html>",
            r#"{"tags":"a"}"#,
            r#"{"tags":["a"]"#,
            r#"{"tags":[]} x"#,
        ] {
            assert_eq!(read(&mut collector, none), None, "{none}");
        }
    }

    #[test]
    fn stops_at_the_bound_and_says_so() {
        let mut collector = Collector::new(2);
        assert_eq!(
            read(&mut collector, r#"{"tags":["a","b","a"]}"#).unwrap(),
            ["a", "b"]
        );
        assert!(!collector.over, "exactly at the bound nothing is left out");
        assert_eq!(
            read(&mut collector, r#"{"tags":["c"]}"#).unwrap(),
            Vec::<String>::new()
        );
        assert!(collector.over);
    }

    #[test]
    fn rows_that_are_no_names_are_not_read_behind_the_bound() {
        for row in ["{}", "null", "\"a\""] {
            let body = |rows: usize| format!(r#"{{"tags":[{}]}}"#, vec![row; rows].join(","));
            let mut collector = Collector::new(100);
            assert!(read(&mut collector, &body(100)).is_some() && !collector.over);
            assert!(read(&mut collector, &body(5_000)).is_some() && collector.over);
            assert_eq!(collector.entries - collector.fresh, 101, "{row}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "\\PC{0,100}|\\{\"tags\":\\PC{0,60}\\}") {
            let _ = read(&mut Collector::new(10), &body);
        }
    }
}
