//! How far somebody has followed the feed.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use portolan_shared::model::TagName;
use portolan_store::FeedPosition;

/// A place in baseline or changes. To everybody else its text is opaque: version, phase, and positions of the store, in base64url. It names nobody's
/// tenant: whoever shows it is answered from their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedCursor {
    /// Within the baseline.
    Baseline {
        /// Where the feed ended when the baseline began: from there on changes are told after it.
        changes_from: FeedPosition,
        /// The last tag that was told, and the number of its repository; none at the beginning.
        after: Option<(i64, TagName)>,
    },
    /// Behind this position.
    Changes(FeedPosition),
}

/// A text that is no cursor of the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the change feed: pass on what came last, unchanged")]
pub struct FeedCursorError;

/// Longest cursor, in bytes of text.
const LONGEST: usize = 512;

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Changes(position) => format!("1 changes {position}"),
            Self::Baseline {
                changes_from,
                after: None,
            } => format!("1 baseline {changes_from}"),
            Self::Baseline {
                changes_from,
                after: Some((repository, tag)),
            } => format!("1 baseline {changes_from} {repository} {tag}"),
        };
        f.write_str(&BASE64URL_NOPAD.encode(text.as_bytes()))
    }
}

impl FromStr for FeedCursor {
    type Err = FeedCursorError;

    fn from_str(text: &str) -> Result<Self, FeedCursorError> {
        if text.len() > LONGEST {
            return Err(FeedCursorError);
        }
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| FeedCursorError)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FeedCursorError)?;
        let words: Vec<_> = text.split(' ').collect();
        let position = |text: &str| text.parse::<FeedPosition>().map_err(|_| FeedCursorError);
        match words.as_slice() {
            ["1", "changes", at] => Ok(Self::Changes(position(at)?)),
            ["1", "baseline", from] => Ok(Self::Baseline {
                changes_from: position(from)?,
                after: None,
            }),
            ["1", "baseline", from, repository, tag] => Ok(Self::Baseline {
                changes_from: position(from)?,
                after: Some((
                    repository.parse().map_err(|_| FeedCursorError)?,
                    tag.parse().map_err(|_| FeedCursorError)?,
                )),
            }),
            _ => Err(FeedCursorError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag() -> impl Strategy<Value = TagName> {
        "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}".prop_map(|text| text.parse().unwrap())
    }

    fn position() -> impl Strategy<Value = FeedPosition> {
        let entry = 0..=i64::MAX.unsigned_abs();
        (entry, proptest::option::of(tag())).prop_map(|(entry, tag)| FeedPosition { entry, tag })
    }

    fn cursor() -> impl Strategy<Value = FeedCursor> {
        let baseline = (position(), proptest::option::of((any::<i64>(), tag())));
        prop_oneof![
            position().prop_map(FeedCursor::Changes),
            baseline.prop_map(|(changes_from, after)| FeedCursor::Baseline { changes_from, after }),
        ]
    }

    proptest! {
        #[test]
        fn cursors_are_read_as_they_are_written(cursor in cursor()) {
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = text.parse::<FeedCursor>();
            let _ = BASE64URL_NOPAD.encode(&bytes).parse::<FeedCursor>();
            let _ = BASE64URL_NOPAD.encode(text.as_bytes()).parse::<FeedCursor>();
        }
    }

    #[test]
    fn the_longest_cursor_is_short_enough_and_longer_texts_are_refused() {
        let longest: TagName = "a".repeat(128).parse().unwrap();
        let cursor = FeedCursor::Baseline {
            changes_from: FeedPosition {
                entry: i64::MAX.unsigned_abs(),
                tag: Some(longest.clone()),
            },
            after: Some((i64::MIN, longest)),
        };
        assert!(
            cursor.to_string().len() <= LONGEST,
            "{}",
            cursor.to_string().len()
        );
        assert_eq!(
            "A".repeat(LONGEST + 4).parse::<FeedCursor>(),
            Err(FeedCursorError)
        );
    }
}
