//! How far somebody has followed the feed, and of what.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use portolan_shared::model::{RegistryId, TagName};
use portolan_store::FeedPosition;

/// A place in baseline or changes, and what is followed. To everybody else its text is opaque: version, scope, phase, and positions of the store,
/// in base64url. It names nobody's tenant: whoever shows it is answered from their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    /// What is followed.
    pub scope: FeedScope,
    /// How far.
    pub place: FeedPlace,
}

/// What is followed. It is part of the cursor, by the registry's id: once a registry is removed its name leads nowhere, or to another one that was
/// added since, and that it was removed could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedScope {
    /// The cursor does not say, because an earlier release wrote it (version 1): what the request says.
    Unsaid,
    /// Everything of the tenant.
    All,
    /// One registry.
    Registry(RegistryId),
}

/// How far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedPlace {
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

impl FeedCursor {
    /// Longest cursor, in bytes of text.
    pub const MOST_BYTES: usize = 512;

    /// The registry that is followed; none for all.
    #[must_use]
    pub fn registry(&self) -> Option<RegistryId> {
        match self.scope {
            FeedScope::Registry(registry) => Some(registry),
            FeedScope::All | FeedScope::Unsaid => None,
        }
    }
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.scope {
            FeedScope::Unsaid => "1".to_owned(),
            FeedScope::All => "2 all".to_owned(),
            FeedScope::Registry(registry) => format!("2 {registry}"),
        };
        let text = match &self.place {
            FeedPlace::Changes(position) => format!("{version} changes {position}"),
            FeedPlace::Baseline {
                changes_from,
                after: None,
            } => format!("{version} baseline {changes_from}"),
            FeedPlace::Baseline {
                changes_from,
                after: Some((repository, tag)),
            } => format!("{version} baseline {changes_from} {repository} {tag}"),
        };
        f.write_str(&BASE64URL_NOPAD.encode(text.as_bytes()))
    }
}

impl FromStr for FeedCursor {
    type Err = FeedCursorError;

    fn from_str(text: &str) -> Result<Self, FeedCursorError> {
        if text.len() > Self::MOST_BYTES {
            return Err(FeedCursorError);
        }
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| FeedCursorError)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FeedCursorError)?;
        let words: Vec<_> = text.split(' ').collect();
        let (scope, place) = match words.as_slice() {
            ["1", place @ ..] => (FeedScope::Unsaid, place),
            ["2", "all", place @ ..] => (FeedScope::All, place),
            ["2", registry, place @ ..] => {
                let registry = registry.parse().map_err(|_| FeedCursorError)?;
                (FeedScope::Registry(registry), place)
            }
            _ => return Err(FeedCursorError),
        };
        let position = |text: &str| text.parse::<FeedPosition>().map_err(|_| FeedCursorError);
        let place = match place {
            ["changes", at] => FeedPlace::Changes(position(at)?),
            ["baseline", from] => FeedPlace::Baseline {
                changes_from: position(from)?,
                after: None,
            },
            ["baseline", from, repository, tag] => FeedPlace::Baseline {
                changes_from: position(from)?,
                after: Some((
                    repository.parse().map_err(|_| FeedCursorError)?,
                    tag.parse().map_err(|_| FeedCursorError)?,
                )),
            },
            _ => return Err(FeedCursorError),
        };
        Ok(Self { scope, place })
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

    fn scope() -> impl Strategy<Value = FeedScope> {
        let registry = any::<[u8; 16]>();
        prop_oneof![
            Just(FeedScope::Unsaid),
            Just(FeedScope::All),
            registry.prop_map(|id| FeedScope::Registry(RegistryId::from_slice(&id).unwrap())),
        ]
    }

    fn cursor() -> impl Strategy<Value = FeedCursor> {
        let baseline = (position(), proptest::option::of((any::<i64>(), tag())));
        let place = prop_oneof![
            position().prop_map(FeedPlace::Changes),
            baseline.prop_map(|(changes_from, after)| FeedPlace::Baseline { changes_from, after }),
        ];
        (scope(), place).prop_map(|(scope, place)| FeedCursor { scope, place })
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
    fn cursors_of_the_earlier_release_are_read() {
        let text = BASE64URL_NOPAD.encode(b"1 baseline 7 3 1.0");
        let cursor = FeedCursor {
            scope: FeedScope::Unsaid,
            place: FeedPlace::Baseline {
                changes_from: "7".parse().unwrap(),
                after: Some((3, "1.0".parse().unwrap())),
            },
        };
        assert_eq!(text.parse(), Ok(cursor));
        for wrong in [
            "2 changes 7",
            "2 everything changes 7",
            "3 all changes 7",
            "1",
            "2 all",
        ] {
            let text = BASE64URL_NOPAD.encode(wrong.as_bytes());
            assert_eq!(text.parse::<FeedCursor>(), Err(FeedCursorError), "{wrong}");
        }
    }

    #[test]
    fn the_longest_cursor_is_short_enough_and_longer_texts_are_refused() {
        let longest: TagName = "a".repeat(128).parse().unwrap();
        let cursor = FeedCursor {
            scope: FeedScope::Registry(RegistryId::from_slice(&[0xff; 16]).unwrap()),
            place: FeedPlace::Baseline {
                changes_from: FeedPosition {
                    entry: i64::MAX.unsigned_abs(),
                    tag: Some(longest.clone()),
                },
                after: Some((i64::MIN, longest)),
            },
        };
        assert!(
            cursor.to_string().len() <= FeedCursor::MOST_BYTES,
            "{}",
            cursor.to_string().len()
        );
        assert_eq!(
            "A".repeat(FeedCursor::MOST_BYTES + 4).parse::<FeedCursor>(),
            Err(FeedCursorError)
        );
    }
}
