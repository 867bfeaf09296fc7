//! Pages of a product's own lists, row by row.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use url::form_urlencoded;

use crate::api::{fault_of, from_elsewhere, unexpected};
use crate::error::Fault;
use crate::http::Reply;

/// Rows of one answer: a list with more is not read. No product gives more on a page.
const ROWS: usize = 10_000;

/// A list of which each row is read on its own: one that cannot be read costs only itself. At most `MOST` rows; more are an error.
///
/// `null` is no list. Where a product is written in Go and known to write it in place of an empty one, the member is an `Option` of this.
#[derive(Debug)]
pub(super) struct Rows<T, const MOST: usize = ROWS> {
    pub(super) good: Vec<T>,
    /// Rows that are not what was expected. What they stand for is not known, so the list is then not whole: other than a name that no
    /// request can be made for, which nobody could ask about.
    pub(super) bad: u64,
}

impl<T, const MOST: usize> Default for Rows<T, MOST> {
    fn default() -> Self {
        Self {
            good: Vec::new(),
            bad: 0,
        }
    }
}

impl<T, const MOST: usize> Rows<T, MOST> {
    /// An error if there are rows that cannot be read: for lists of tags, where what is not listed counts as gone.
    pub(super) fn all_read(&self) -> Result<(), Fault> {
        if self.bad == 0 {
            return Ok(());
        }
        Err(Fault::Protocol {
            problem: "rows of the product's own list cannot be read",
        })
    }

    /// Rows of either kind.
    pub(super) fn total(&self) -> usize {
        self.good
            .len()
            .saturating_add(usize::try_from(self.bad).unwrap_or(usize::MAX))
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Rows<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading(PhantomData))
    }
}

struct Reading<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Reading<T, MOST> {
    type Value = Rows<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<T, MOST>, A::Error> {
        let mut rows = Rows::default();
        while let Some(row) = list.next_element::<&'de RawValue>()? {
            if rows.total() >= MOST {
                return Err(A::Error::custom("more rows than are read"));
            }
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
    if let Some(fault) = from_elsewhere(reply) {
        return Err(fault);
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
        let none: Option<Rows<String>> = serde_json::from_str("null").unwrap();
        assert!(none.is_none(), "where a product is known to write it");
        for bad in ["null", "{}", "\"a\"", "1", "[\"a\"", ""] {
            assert!(serde_json::from_str::<Rows<String>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_at_the_bound_is_read_and_one_row_more_is_refused() {
        type Few = Rows<String, 3>;
        let few: Few = serde_json::from_str(r#"["a",1,"b"]"#).unwrap();
        assert_eq!((few.total(), few.all_read().is_err()), (3, true));
        assert!(serde_json::from_str::<Few>(r#"["a",1,"b","c"]"#).is_err());
        assert!(serde_json::from_str::<Few>("[1,1,1,1]").is_err());
        let most = format!("[{}1]", "1,".repeat(ROWS - 1));
        assert_eq!(serde_json::from_str::<Rows<u8>>(&most).unwrap().total(), ROWS);
        let over = Reply::for_test(200, &format!("[{}1]", "1,".repeat(ROWS)));
        assert!(matches!(read::<Rows<u8>>(&over), Err(Fault::Protocol { .. })));
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
