//! Pages of a product's own lists, row by row.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use url::form_urlencoded;

use crate::api::{fault_of, unexpected};
use crate::error::Fault;
use crate::http::Reply;

/// A list of which each row is read on its own: one that cannot be read costs only itself. `null` is an empty list.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub(super) good: Vec<T>,
    /// Rows that are not what was expected.
    pub(super) bad: u64,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self {
            good: Vec::new(),
            bad: 0,
        }
    }
}

impl<T> Rows<T> {
    /// Rows of either kind.
    pub(super) fn total(&self) -> usize {
        self.good
            .len()
            .saturating_add(usize::try_from(self.bad).unwrap_or(usize::MAX))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading(PhantomData))
    }
}

struct Reading<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reading<T> {
    type Value = Rows<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Rows<T>, E> {
        Ok(Rows::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<T>, A::Error> {
        let mut rows = Rows::default();
        while let Some(row) = list.next_element::<&'de RawValue>()? {
            match serde_json::from_str(row.get()) {
                Ok(row) => rows.good.push(row),
                Err(_) => rows.bad += 1,
            }
        }
        Ok(rows)
    }
}

/// What an answer of a product's own API holds.
///
/// # Errors
/// If it is no success, came from somewhere else, or holds something else.
pub(super) fn read<'r, T: Deserialize<'r>>(reply: &'r Reply) -> Result<T, Fault> {
    if !reply.status.is_success() {
        return Err(fault_of(reply));
    }
    if reply.elsewhere {
        return Err(Fault::Redirect {
            to: reply.url.host_str().map(str::to_owned),
            why: "to another host than the API's",
        });
    }
    serde_json::from_slice(&reply.body)
        .map_err(|_| unexpected(reply, "the answer is not one of the product's own API"))
}

/// A text as one segment of a path, or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A time as products write it; `None` for what is none, and for the year 1 that some write in place of none.
pub(super) fn time(text: Option<&str>) -> Option<Timestamp> {
    let time: Timestamp = text?.parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bad_row_costs_only_itself() {
        let rows: Rows<String> =
            serde_json::from_str(r#"["a",1,null,{"x":[1,{}]},"b\u0041",["c"]]"#).unwrap();
        assert_eq!(
            (rows.good.as_slice(), rows.bad),
            (&["a".to_owned(), "bA".into()][..], 4)
        );
        assert_eq!(rows.total(), 6);
        let deep = format!("[\"a\",{}1{}]", "[".repeat(100_000), "]".repeat(100_000));
        let rows: Rows<Vec<String>> = serde_json::from_str(&deep).unwrap();
        assert_eq!(
            (rows.good.len(), rows.bad),
            (0, 2),
            "nesting without end is a bad row"
        );
        let none: Rows<String> = serde_json::from_str("null").unwrap();
        assert_eq!(none.total(), 0);
        for bad in ["{}", "\"a\"", "1", "[\"a\"", ""] {
            assert!(serde_json::from_str::<Rows<String>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_success_of_the_api_itself_is_read() {
        let ok = Reply::for_test(200, "[]");
        assert!(read::<Rows<String>>(&ok).is_ok());
        for (status, body) in [(200, "<html>"), (200, ""), (403, "[]"), (500, "[]")] {
            assert!(
                read::<Rows<String>>(&Reply::for_test(status, body)).is_err(),
                "{status} {body}"
            );
        }
        let mut elsewhere = Reply::for_test(200, "[]");
        elsewhere.elsewhere = true;
        assert!(matches!(
            read::<Rows<String>>(&elsewhere),
            Err(Fault::Redirect { .. })
        ));
    }

    #[test]
    fn times_that_mean_none_are_none() {
        assert!(time(Some("2026-01-02T03:04:05.678Z")).is_some());
        for none in [
            None,
            Some("0001-01-01T00:00:00.000Z"),
            Some("yesterday"),
            Some(""),
        ] {
            assert_eq!(time(none), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place_in_a_path(text in "\\PC{0,60}") {
            let encoded = encoded(&text);
            prop_assert!(!encoded.contains(['/', '?', '#', '&', '=', ' ', '"']));
        }
    }
}
