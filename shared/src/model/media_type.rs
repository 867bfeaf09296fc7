//! Media types, without parameters and in lower case.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits;

/// A media type such as `application/vnd.oci.image.manifest.v1+json`, in lower case and without parameters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Cow<'static, str>);

/// A text that is no media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a media type: expected type/subtype, at most 255 bytes")]
pub struct MediaTypeError;

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl MediaType {
            $($(#[$doc])* pub const $name: MediaType = MediaType(Cow::Borrowed($text));)*
        }
    };
}

known! {
    /// OCI image index (image-spec 1.1).
    OCI_INDEX = "application/vnd.oci.image.index.v1+json";
    /// OCI image manifest (image-spec 1.1).
    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    /// The artifact manifest that image-spec 1.1 withdrew before its release; still found in stores.
    OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json";
    /// Docker manifest list, version 2.
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image manifest, version 2, schema 2.
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker image manifest, schema 1, signed.
    DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// Docker image manifest, schema 1, unsigned.
    DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json";
    /// OCI image config.
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
    /// Docker image config.
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
    /// Bytes of no known type.
    OCTET_STREAM = "application/octet-stream";
    /// The empty descriptor of image-spec 1.1: two bytes, `{}`.
    OCI_EMPTY = "application/vnd.oci.empty.v1+json";
}

impl MediaType {
    /// The media type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether content of this type lists other manifests.
    #[must_use]
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_LIST
    }

    /// Whether content of this type is an image config that image facts can be read from.
    #[must_use]
    pub fn is_image_config(&self) -> bool {
        *self == Self::OCI_CONFIG || *self == Self::DOCKER_CONFIG
    }

    /// Every manifest type that may be asked for. A registry that is not offered the type it stores converts it, and then answers
    /// with the digest of something else (CNCF Distribution 2 and 3, Quay), so requests always carry the whole list.
    pub const MANIFESTS: [MediaType; 7] = [
        Self::OCI_INDEX,
        Self::OCI_MANIFEST,
        Self::DOCKER_LIST,
        Self::DOCKER_MANIFEST,
        Self::DOCKER_SCHEMA1_SIGNED,
        Self::DOCKER_SCHEMA1,
        Self::OCI_ARTIFACT_MANIFEST,
    ];
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        let essence = text
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+%'*`|~".contains(&b))
        };
        match essence.split_once('/') {
            Some((kind, subtype))
                if essence.len() <= limits::MEDIA_TYPE_BYTES && token(kind) && token(subtype) =>
            {
                Ok(Self(Cow::Owned(essence)))
            }
            _ => Err(MediaTypeError),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_parameters_and_case() {
        let media_type: MediaType = "Application/JSON; charset=utf-8".parse().unwrap();
        assert_eq!(media_type.as_str(), "application/json");
        for bad in ["", "json", "a/", "/b", "a b/c", "a/b\n"] {
            assert_eq!(
                bad.parse::<MediaType>()
                    .ok()
                    .filter(|m| m.as_str().contains('\n')),
                None
            );
        }
        assert!(
            format!("a/{}", "b".repeat(limits::MEDIA_TYPE_BYTES - 2))
                .parse::<MediaType>()
                .is_ok()
        );
        assert!(
            format!("a/{}", "b".repeat(limits::MEDIA_TYPE_BYTES - 1))
                .parse::<MediaType>()
                .is_err()
        );
    }
}
