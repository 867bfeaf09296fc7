//! The pages of a list of GitLab's REST API: which is next, and whether the end is the end.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::marker::PhantomData;

use ::http::HeaderMap;
use ::http::header::LINK;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rest::{Rest, is_final};
use crate::api::{next_query, unexpected};
use crate::error::Fault;
use crate::http::{Reply, URL_BYTES};

/// Pages of one listing of the REST API, of a hundred rows each: it ends beyond, and says so.
const PAGES: usize = 10_000;
/// Rows of one page, of which a hundred are asked for: what has more is no answer of this API.
const ROWS: usize = 1_000;
/// Why a list is not known to be complete.
const UNPROVEN: &str = "a list that ended with a full page and no way to ask for more";

/// The pages of one listing. Of a link only the query is taken: whatever host it names, the web host is asked.
pub(super) struct Pages {
    path: String,
    next: Option<String>,
    /// Whether no link named the next page: it is asked for because the one before was full.
    in_doubt: bool,
    /// Of the rows of the page before a keyed hash each.
    before: HashSet<u64>,
    asked: HashSet<u64>,
    hasher: RandomState,
    shortfall: Option<&'static str>,
}

impl Pages {
    /// Pages of `path`, from the one that `query` asks for.
    pub(super) fn new(path: impl Into<String>, query: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            next: Some(query.into()),
            in_doubt: false,
            before: HashSet::new(),
            asked: HashSet::new(),
            hasher: RandomState::new(),
            shortfall: None,
        }
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self, rest: &Rest) -> Result<Option<Reply>, Fault> {
        let Some(query) = self.next.take() else {
            return Ok(None);
        };
        if self.asked.len() >= PAGES {
            self.shortfall = Some("more pages than are read");
            return Ok(None);
        }
        if !self.asked.insert(self.hasher.hash_one(&query)) {
            self.shortfall = Some("pages that lead in circles");
            return Ok(None);
        }
        let in_doubt = std::mem::take(&mut self.in_doubt);
        let reply = match rest.get(&format!("{}?{query}", self.path)).await {
            Err(fault) if in_doubt && !is_final(&fault) => {
                self.shortfall = Some(UNPROVEN);
                return Ok(None);
            }
            outcome => outcome?,
        };
        let ids = match ids_of(&reply, &self.hasher)? {
            Some(ids) => ids,
            None if in_doubt => {
                self.shortfall = Some(UNPROVEN);
                return Ok(None);
            }
            None => Ids::default(),
        };
        if in_doubt && ids.hashes.iter().all(|hash| self.before.contains(hash)) {
            // Nothing at all is the end; the same once more is no answer to what was asked.
            self.shortfall = (ids.rows > 0).then_some(UNPROVEN);
            return Ok(None);
        }
        self.next = next_query(&reply.headers).or_else(|| next_number(&reply, &query));
        if self.next.is_none() && ids.may_go_on(&reply, &query) {
            self.in_doubt = true;
            self.next = following(&query, ids.last.as_ref());
            self.shortfall = self.next.is_none().then_some(UNPROVEN);
        }
        self.before = ids.hashes;
        Ok(Some(reply))
    }

    /// Once the end was reached: why this is not everything.
    pub(super) fn shortfall(&self) -> Option<&'static str> {
        self.shortfall
    }
}

/// Whether there is a link that is too long to be followed.
pub(super) fn has_long_link(headers: &HeaderMap) -> bool {
    let mut links = headers.get_all(LINK).iter();
    links.any(|link| link.len() > URL_BYTES)
}

/// What tells the rows of a page apart.
#[derive(Default)]
struct Ids {
    rows: usize,
    hashes: HashSet<u64>,
    last: Option<Key>,
}

/// What a list by keys is continued behind.
#[derive(Debug)]
enum Key {
    Id(u64),
    /// Tags have no number.
    Name(String),
}

impl Ids {
    /// Whether there may be more although nothing says so. An empty `x-next-page` says that there is not.
    fn may_go_on(&self, reply: &Reply, query: &str) -> bool {
        let last = reply
            .headers
            .get("x-next-page")
            .is_some_and(::http::HeaderValue::is_empty);
        let size = parameter(query, "per_page").and_then(|size| size.parse().ok());
        let is_full = size.is_some_and(|size: usize| self.rows >= size);
        !last && self.rows > 0 && (is_full || has_long_link(&reply.headers))
    }
}

/// The rows of a page; `None` if it is no list.
///
/// # Errors
/// If it has more rows than a page can have.
fn ids_of(reply: &Reply, hasher: &RandomState) -> Result<Option<Ids>, Fault> {
    #[derive(serde::Deserialize)]
    struct Row<'r> {
        id: Option<u64>,
        #[serde(borrow)]
        name: Option<Cow<'r, str>>,
    }
    struct Reading<'h>(&'h RandomState);
    impl<'de> Visitor<'de> for Reading<'_> {
        type Value = Ids;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ids, A::Error> {
            let mut ids = Ids::default();
            while let Some(row) = list.next_element::<&'de RawValue>()? {
                ids.rows += 1;
                if ids.rows > ROWS {
                    continue;
                }
                let key = serde_json::from_str::<Row<'de>>(row.get()).ok();
                let key = key.and_then(|row| match row.id {
                    Some(id) => Some(Key::Id(id)),
                    None => Some(Key::Name(row.name?.into_owned())),
                });
                ids.hashes.insert(match &key {
                    Some(Key::Id(id)) => self.0.hash_one(id),
                    _ => self.0.hash_one(row.get()),
                });
                ids.last = key;
            }
            Ok(ids)
        }
    }
    let mut json = serde_json::Deserializer::from_slice(&reply.body);
    let ids = (&mut json).deserialize_seq(Reading(hasher)).ok();
    let ids = ids.filter(|_| json.end().is_ok());
    if ids.as_ref().is_some_and(|ids| ids.rows > ROWS) {
        return Err(unexpected(reply, "more rows than a page has"));
    }
    Ok(ids)
}

fn parameter<'q>(query: &'q str, wanted: &str) -> Option<Cow<'q, str>> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// The query of the page behind that of `query`, whose last row has this key; `None` if there is no asking for it.
fn following(query: &str, last: Option<&Key>) -> Option<String> {
    let is_keyset = parameter(query, "pagination").as_deref() == Some("keyset");
    Some(match last {
        Some(Key::Id(id)) if is_keyset => replaced(query, "id_after", &id.to_string()),
        Some(Key::Name(name)) if is_keyset => replaced(query, "last", name),
        None if is_keyset => return None,
        _ => {
            let page = parameter(query, "page").and_then(|page| page.parse().ok());
            replaced(query, "page", &page.unwrap_or(1_u64).checked_add(1)?.to_string())
        }
    })
}

/// The query with another value of one parameter.
fn replaced(query: &str, wanted: &str, value: &str) -> String {
    let mut changed = url::form_urlencoded::Serializer::new(String::new());
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    changed.extend_pairs(pairs.filter(|(name, _)| name != wanted));
    changed.append_pair(wanted, value).finish()
}

/// The query of the page that `x-next-page` names, where there is no link.
fn next_number(reply: &Reply, query: &str) -> Option<String> {
    let next: u32 = reply
        .headers
        .get("x-next-page")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(replaced(query, "page", &next.to_string()))
}

/// A short list, of at most [`ROWS`] rows.
pub(super) struct Page<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reading<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element()? {
                    if rows.len() == ROWS {
                        return Err(serde::de::Error::custom("more rows than a page has"));
                    }
                    rows.push(row);
                }
                Ok(rows)
            }
        }
        deserializer.deserialize_seq(Reading(PhantomData)).map(Page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_bound() {
        let rows = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        let read = |text: &str| serde_json::from_str::<Page<u8>>(text);
        assert_eq!(read(&rows(ROWS)).unwrap().0.len(), ROWS);
        assert!(read(&rows(ROWS + 1)).is_err());
        let hasher = RandomState::new();
        let ids = |text: String| ids_of(&Reply::for_test(200, &text), &hasher);
        assert_eq!(ids(rows(ROWS)).unwrap().unwrap().rows, ROWS);
        assert!(ids(rows(ROWS + 1)).is_err());
        for none in ["{}", "[1", "[] x", "<html>", ""] {
            assert!(ids(none.to_owned()).unwrap().is_none(), "{none}");
        }
    }

    #[test]
    fn what_follows_is_asked_for_in_the_way_of_the_list() {
        let keyset = "pagination=keyset&per_page=100&id_after=5";
        assert_eq!(
            following(keyset, Some(&Key::Id(9))).unwrap(),
            "pagination=keyset&per_page=100&id_after=9"
        );
        assert_eq!(
            following("pagination=keyset&per_page=100", Some(&Key::Name("1.0+x".into()))).unwrap(),
            "pagination=keyset&per_page=100&last=1.0%2Bx"
        );
        assert_eq!(following(keyset, None), None);
        assert_eq!(
            following("page=1&per_page=100", None).unwrap(),
            "per_page=100&page=2"
        );
        assert_eq!(following("per_page=100", None).unwrap(), "per_page=100&page=2");
    }
}
