//! Names that people and registries give to things.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits;

/// A text that is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a repository name.
    #[error("not a repository name: expected path components separated by single slashes, at most 255 bytes")]
    Repository,
    /// Not a tag.
    #[error(
        "not a tag: expected a letter, digit or underscore, then at most 127 of letters, digits, '.', '_' and '-'"
    )]
    Tag,
    /// Not a name for a registry connection.
    #[error(
        "not a registry name: expected at most 63 of lower-case letters, digits, '.', '_' and '-', starting with a letter or digit"
    )]
    Registry,
    /// Not a name for a webhook.
    #[error(
        "not a webhook name: expected at most 63 of lower-case letters, digits, '.', '_' and '-', starting with a letter or digit"
    )]
    Webhook,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $check:ident, $error:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) { Ok(Self(text.into())) } else { Err($error) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// The name of a repository within its registry, such as `acme/shop/api`.
    ///
    /// Wider than the grammar of distribution-spec 1.1, because real servers list names outside it (upper case in Artifactory and
    /// Nexus); narrow enough to be safe in a URL path: no empty, `.` or `..` component, no character that a URL gives a meaning.
    RepositoryName, is_repository, NameError::Repository;
    /// A tag (distribution-spec 1.1 grammar).
    TagName, is_tag, NameError::Tag;
    /// The name that an operator gave to a registry connection; unique within a tenant.
    RegistryName, is_registry, NameError::Registry;
    /// The name that an operator gave to a webhook; unique within a tenant. Its grammar is that of registries' names.
    WebhookName, is_registry, NameError::Webhook;
}

fn is_repository(text: &str) -> bool {
    let component = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-~+@:!$&'()*,;=".contains(&b))
    };
    text.len() <= limits::REPOSITORY_BYTES && text.split('/').all(component)
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=limits::TAG_BYTES).contains(&text.len())
        && word(text.as_bytes()[0])
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_registry(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=limits::REGISTRY_NAME_BYTES).contains(&text.len())
        && word(text.as_bytes()[0])
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stop_at_their_bounds() {
        assert!(
            "a".repeat(limits::REPOSITORY_BYTES)
                .parse::<RepositoryName>()
                .is_ok()
        );
        assert!(
            "a".repeat(limits::REPOSITORY_BYTES + 1)
                .parse::<RepositoryName>()
                .is_err()
        );
        assert!("a".repeat(limits::TAG_BYTES).parse::<TagName>().is_ok());
        assert!("a".repeat(limits::TAG_BYTES + 1).parse::<TagName>().is_err());
        assert!(
            "a".repeat(limits::REGISTRY_NAME_BYTES)
                .parse::<RegistryName>()
                .is_ok()
        );
        assert!(
            "a".repeat(limits::REGISTRY_NAME_BYTES + 1)
                .parse::<RegistryName>()
                .is_err()
        );
    }

    #[test]
    fn names_that_could_escape_a_url_path_are_refused() {
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", "./a", "a?b", "a#b", "a%2fb", "a b", "a\\b", "a\n",
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
        for good in ["a", "acme/shop/api", "Team/App", "a__b/c--d", "a.b"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good:?}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a b", "ä"] {
            assert!(bad.parse::<TagName>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,300}") {
            let _ = text.parse::<RepositoryName>();
            let _ = text.parse::<TagName>();
            let _ = text.parse::<RegistryName>();
        }
    }
}
