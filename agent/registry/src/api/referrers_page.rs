//! Referrers out of one index after another, read without keeping what is not wanted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use portolan_shared::model::Digest;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::referrers::{Referrer, Referrers, ReferrersSource};

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageRead {
    /// It had entries.
    Some,
    /// It had none.
    Empty,
    /// There are more entries than are kept; nothing is read behind the bound.
    Over,
}

/// Takes referrers in, each once, up to a bound.
pub(super) struct Found {
    referrers: Vec<Referrer>,
    known: HashSet<Digest>,
    bound: usize,
    /// Entries of the page, whatever they were.
    entries: usize,
    over: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    artifact_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    digest: Option<Cow<'a, str>>,
    size: Option<i64>,
}

impl Found {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            referrers: Vec::new(),
            known: HashSet::new(),
            bound,
            entries: 0,
            over: false,
        }
    }

    /// Reads an index; `None` if the body is none.
    pub(super) fn read(&mut self, body: &[u8], subject: &Digest) -> Option<PageRead> {
        self.entries = 0;
        let mut json = serde_json::Deserializer::from_slice(body);
        let index = Index {
            found: &mut *self,
            subject,
        };
        let whole = index.deserialize(&mut json).is_ok_and(|has_list| has_list) && json.end().is_ok();
        if self.over {
            Some(PageRead::Over)
        } else if !whole {
            None
        } else if self.entries == 0 {
            Some(PageRead::Empty)
        } else {
            Some(PageRead::Some)
        }
    }

    fn add(&mut self, entry: &Entry<'_>, subject: &Digest) {
        self.entries += 1;
        if self.entries > self.bound {
            self.over = true;
            return;
        }
        let Some(digest) = entry
            .digest
            .as_deref()
            .and_then(|text| text.parse::<Digest>().ok())
        else {
            return;
        };
        if digest == *subject || self.known.contains(&digest) {
            return;
        }
        if self.referrers.len() >= self.bound {
            self.over = true;
            return;
        }
        self.known.insert(digest.clone());
        let read = |text: &Option<Cow<'_, str>>| text.as_deref().and_then(|text| text.parse().ok());
        self.referrers.push(Referrer {
            digest,
            media_type: read(&entry.media_type),
            artifact_type: read(&entry.artifact_type),
            size: entry.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        });
    }

    pub(super) fn finish(self, source: ReferrersSource, complete: bool) -> Referrers {
        Referrers {
            referrers: self.referrers,
            source,
            complete,
        }
    }
}

/// An index. Says whether it has a list of manifests.
struct Index<'f> {
    found: &'f mut Found,
    subject: &'f Digest,
}

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = bool;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Index<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut has_list = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "manifests" {
                has_list |= map.next_value_seed(Entries {
                    found: &mut *self.found,
                    subject: self.subject,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(has_list)
    }
}

/// The list; `null` is none.
struct Entries<'f> {
    found: &'f mut Found,
    subject: &'f Digest,
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = bool;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of descriptors")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while let Some(entry) = list.next_element::<Entry<'de>>()? {
            self.found.add(&entry, self.subject);
            if self.found.over {
                return Err(A::Error::custom("more referrers than are kept"));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(entries: &[String]) -> Vec<u8> {
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).into_bytes()
    }

    fn entry(n: usize) -> String {
        format!(
            r#"{{"digest":"{}","size":{n}}}"#,
            Digest::sha256_of(n.to_string().as_bytes())
        )
    }

    #[test]
    fn stops_at_the_bound_whatever_the_entries_are() {
        let subject = Digest::sha256_of(b"subject");
        for many in [
            vec!["{}".to_owned(); 5_000],
            (0..5_000).map(entry).collect::<Vec<_>>(),
        ] {
            let mut found = Found::new(10);
            assert_eq!(found.read(&index(&many[..10]), &subject), Some(PageRead::Some));
            assert_eq!(found.read(&index(&many), &subject), Some(PageRead::Over));
            assert_eq!(found.entries, 11, "nothing is read behind the bound");
            assert!(found.finish(ReferrersSource::Api, false).referrers.len() <= 10);
        }
    }

    #[test]
    fn tells_empty_pages_from_none() {
        let subject = Digest::sha256_of(b"subject");
        let read = |body: &[u8]| Found::new(10).read(body, &subject);
        assert_eq!(read(&index(&[])), Some(PageRead::Empty));
        assert_eq!(read(&index(&[entry(1)])), Some(PageRead::Some));
        for none in [
            r#"{"manifests":null}"#,
            "{}",
            "[]",
            "<html>",
            r#"{"manifests":[]} x"#,
        ] {
            assert_eq!(read(none.as_bytes()), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "\\PC{0,100}|\\{\"manifests\":\\[\\PC{0,60}\\]\\}") {
            let _ = Found::new(10).read(body.as_bytes(), &Digest::sha256_of(b"subject"));
        }
    }
}
