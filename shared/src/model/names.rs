//! Names that people and registries give to things.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use globset::{Glob, GlobSet, GlobSetBuilder};
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
    /// Not a glob.
    #[error("not a repository glob: {0}")]
    Glob(String),
    /// More globs than one registry may have.
    #[error("more than {} repository globs", limits::REPOSITORY_GLOBS)]
    TooManyGlobs,
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

/// Which repositories of a registry are wanted: globs, where `*` stays within a path component and `**` crosses them.
/// An empty list wants all.
#[derive(Debug, Clone)]
pub struct RepositoryGlobs {
    globs: Vec<String>,
    set: GlobSet,
}

impl RepositoryGlobs {
    /// Compiles the globs.
    pub fn new(globs: Vec<String>) -> Result<Self, NameError> {
        if globs.len() > limits::REPOSITORY_GLOBS {
            return Err(NameError::TooManyGlobs);
        }
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            if glob.is_empty() || glob.len() > limits::REPOSITORY_BYTES {
                return Err(NameError::Glob(format!(
                    "{glob:?} must have 1 to {} bytes",
                    limits::REPOSITORY_BYTES
                )));
            }
            let compiled: Glob = globset::GlobBuilder::new(glob)
                .literal_separator(true)
                .build()
                .map_err(|error| NameError::Glob(error.to_string()))?;
            set.add(compiled);
        }
        let set = set.build().map_err(|error| NameError::Glob(error.to_string()))?;
        Ok(Self { globs, set })
    }

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self {
            globs: Vec::new(),
            set: GlobSet::empty(),
        }
    }

    /// Whether `repository` is wanted.
    #[must_use]
    pub fn matches(&self, repository: &RepositoryName) -> bool {
        self.globs.is_empty() || self.set.is_match(repository.as_str())
    }

    /// The repositories named without any wildcard, if every glob is such a name: then no catalog is needed.
    #[must_use]
    pub fn explicit(&self) -> Option<Vec<RepositoryName>> {
        if self.globs.is_empty() {
            return None;
        }
        let wild = |glob: &String| glob.contains(['*', '?', '[', ']', '{', '}', '\\', '!']);
        self.globs
            .iter()
            .map(|glob| if wild(glob) { None } else { glob.parse().ok() })
            .collect()
    }

    /// The globs as they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.globs
    }
}

impl PartialEq for RepositoryGlobs {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs
    }
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

    #[test]
    fn globs_stay_within_components_and_know_when_they_are_explicit() {
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        let globs = RepositoryGlobs::new(vec!["acme/*".into(), "tools/**".into()]).unwrap();
        assert!(globs.matches(&name("acme/shop")));
        assert!(!globs.matches(&name("acme/shop/api")));
        assert!(globs.matches(&name("tools/a/b/c")));
        assert_eq!(globs.explicit(), None);
        let explicit = RepositoryGlobs::new(vec!["acme/shop".into(), "acme/api".into()]).unwrap();
        assert_eq!(
            explicit.explicit(),
            Some(vec![name("acme/shop"), name("acme/api")])
        );
        assert!(RepositoryGlobs::all().matches(&name("anything")));
        assert_eq!(RepositoryGlobs::all().explicit(), None);
        assert!(RepositoryGlobs::new(vec!["a[".into()]).is_err());
        assert!(RepositoryGlobs::new(vec!["a".into(); limits::REPOSITORY_GLOBS]).is_ok());
        assert!(RepositoryGlobs::new(vec!["a".into(); limits::REPOSITORY_GLOBS + 1]).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,300}") {
            let _ = text.parse::<RepositoryName>();
            let _ = text.parse::<TagName>();
            let _ = text.parse::<RegistryName>();
            let _ = RepositoryGlobs::new(vec![text]);
        }
    }
}
