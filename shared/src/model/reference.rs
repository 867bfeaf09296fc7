//! References that people type: `REGISTRY/REPOSITORY:TAG` and `REGISTRY/REPOSITORY@DIGEST`.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;
use super::names::TagName;

/// A reference to an image or artifact. `path` still holds the registry (its name or host) in front of the repository; only who
/// knows the registries can split it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and repository, separated by the first slash.
    pub path: String,
    /// What is referred to within the repository.
    pub target: ReferenceTarget,
}

/// The part of a reference behind the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceTarget {
    /// Whatever the tag points to.
    Tag(TagName),
    /// Exactly this content.
    Digest(Digest),
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a reference: expected REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@DIGEST")]
pub struct ReferenceError;

impl FromStr for ImageReference {
    type Err = ReferenceError;

    /// A missing tag means `latest`, as everywhere.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (path, target) = if let Some((path, digest)) = text.split_once('@') {
            // name:tag@digest is legal to write; the digest decides.
            let path = match path.rsplit_once(':') {
                Some((before, tag)) if !tag.contains('/') && before.contains('/') => before,
                _ => path,
            };
            (
                path,
                ReferenceTarget::Digest(digest.parse().map_err(|_| ReferenceError)?),
            )
        } else {
            match text.rsplit_once(':') {
                Some((path, tag)) if !tag.contains('/') => (
                    path,
                    ReferenceTarget::Tag(tag.parse().map_err(|_| ReferenceError)?),
                ),
                _ => (
                    text,
                    ReferenceTarget::Tag("latest".parse().map_err(|_| ReferenceError)?),
                ),
            }
        };
        // Behind the host no colon is left: it would be a second tag.
        let two_tags = path
            .split_once('/')
            .is_some_and(|(_, repository)| repository.contains(':'));
        if path.is_empty() || path.starts_with('/') || path.ends_with('/') || two_tags {
            return Err(ReferenceError);
        }
        Ok(Self {
            path: path.to_owned(),
            target,
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            ReferenceTarget::Tag(tag) => write!(f, "{}:{tag}", self.path),
            ReferenceTarget::Digest(digest) => write!(f, "{}@{digest}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_type() {
        let digest = Digest::sha256_of(b"{}");
        let read = |text: &str| {
            text.parse::<ImageReference>()
                .map(|r| (r.path.clone(), r.to_string()))
        };
        assert_eq!(
            read("gl/acme/shop:1.0").unwrap(),
            ("gl/acme/shop".into(), "gl/acme/shop:1.0".into())
        );
        assert_eq!(read("gl/acme/shop").unwrap().1, "gl/acme/shop:latest");
        assert_eq!(
            read("host:5050/acme/shop").unwrap().1,
            "host:5050/acme/shop:latest"
        );
        assert_eq!(
            read(&format!("host:5050/a/b:1@{digest}")).unwrap().1,
            format!("host:5050/a/b@{digest}")
        );
        for bad in ["", ":1", "/a:1", "a/:1", "a:b c", "a@sha256:12", "gl/a:1:2"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(text in "\\PC{0,40}|[a-z]{1,3}(:[0-9]{1,4})?(/[a-z:._-]{0,4}){0,3}(@sha256:[a-f0-9]{64})?") {
            if let Ok(reference) = text.parse::<ImageReference>() {
                prop_assert_eq!(reference.to_string().parse(), Ok(reference));
            }
        }
    }
}
