//! Content digests as the OCI image specification defines them, and the hash of a repository's tag set.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest as sha;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::names::TagName;

/// A content digest, `algorithm:encoded` (OCI image-spec 1.1, "Digests").
///
/// sha256 and sha512 can be verified; any other algorithm that follows the grammar is carried and listed, never trusted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// 32 bytes.
    Sha256([u8; 32]),
    /// 64 bytes.
    Sha512(Box<[u8; 64]>),
    /// A registered or private algorithm that we cannot compute; the whole text.
    Other(Box<str>),
}

/// A text or byte string that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a digest: expected algorithm:encoded, such as sha256 followed by 64 lower-case hexadecimal digits"
)]
pub struct DigestError;

/// Content that does not hash to the digest it was asked for by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestMismatch {
    /// The bytes hash to something else.
    #[error("content hashes to {found}, not to {expected}")]
    Differs {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// We cannot compute this algorithm, so the content cannot be trusted.
    #[error("digest algorithm of {0} is not supported, so its content cannot be verified")]
    Unsupported(Digest),
}

/// Longest digest text that is carried, in bytes.
const MAX_TEXT: usize = 255;

impl Digest {
    /// The sha256 digest of `content`.
    #[must_use]
    pub fn sha256_of(content: &[u8]) -> Self {
        let hash = sha::digest(&sha::SHA256, content);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self::Sha256(bytes)
    }

    /// Checks that `content` hashes to this digest.
    pub fn verify(&self, content: &[u8]) -> Result<(), DigestMismatch> {
        let found = match self {
            Self::Sha256(_) => Self::sha256_of(content),
            Self::Sha512(_) => {
                let hash = sha::digest(&sha::SHA512, content);
                let mut bytes = Box::new([0; 64]);
                bytes.copy_from_slice(hash.as_ref());
                Self::Sha512(bytes)
            }
            Self::Other(_) => return Err(DigestMismatch::Unsupported(self.clone())),
        };
        if found == *self {
            Ok(())
        } else {
            Err(DigestMismatch::Differs {
                expected: self.clone(),
                found,
            })
        }
    }

    /// The compact form for wire and storage: a kind byte, then the raw hash (1 for sha256, 2 for sha512) or the text (0).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, rest): (u8, &[u8]) = match self {
            Self::Sha256(hash) => (1, hash),
            Self::Sha512(hash) => (2, hash.as_slice()),
            Self::Other(text) => (0, text.as_bytes()),
        };
        let mut bytes = Vec::with_capacity(1 + rest.len());
        bytes.push(kind);
        bytes.extend_from_slice(rest);
        bytes
    }

    /// From the compact form of [`Digest::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DigestError> {
        match bytes.split_first() {
            Some((1, hash)) => hash.try_into().map(Self::Sha256).map_err(|_| DigestError),
            Some((2, hash)) => hash
                .try_into()
                .map(|hash: [u8; 64]| Self::Sha512(Box::new(hash)))
                .map_err(|_| DigestError),
            Some((0, text)) => match std::str::from_utf8(text).map_err(|_| DigestError)?.parse()? {
                other @ Self::Other(_) => Ok(other),
                Self::Sha256(_) | Self::Sha512(_) => Err(DigestError),
            },
            _ => Err(DigestError),
        }
    }

    /// The first twelve digits of the encoded part, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.to_string();
        let encoded = text.split_once(':').map_or(text.as_str(), |(_, encoded)| encoded);
        encoded.chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hash) => write!(f, "sha256:{}", HEXLOWER.encode(hash)),
            Self::Sha512(hash) => write!(f, "sha512:{}", HEXLOWER.encode(hash.as_slice())),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, encoded) = text.split_once(':').ok_or(DigestError)?;
        let hash = |length: usize| {
            HEXLOWER
                .decode(encoded.as_bytes())
                .ok()
                .filter(|hash| hash.len() == length)
                .ok_or(DigestError)
        };
        match algorithm {
            "sha256" => Self::from_bytes(&[&[1], hash(32)?.as_slice()].concat()),
            "sha512" => Self::from_bytes(&[&[2], hash(64)?.as_slice()].concat()),
            _ => {
                let component = |part: &str| {
                    !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                };
                let algorithm_fits = algorithm.split(['+', '.', '_', '-']).all(component);
                let encoded_fits = !encoded.is_empty()
                    && encoded
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'));
                if algorithm_fits && encoded_fits && text.len() <= MAX_TEXT {
                    Ok(Self::Other(text.into()))
                } else {
                    Err(DigestError)
                }
            }
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// SHA-256 over a repository's tag set: equal hashes mean equal sets of (tag, digest).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateHash(pub [u8; 32]);

/// Builds a [`StateHash`]. Pairs must come sorted by tag, each tag once.
pub struct StateHasher(sha::Context);

impl StateHasher {
    /// An empty tag set.
    #[must_use]
    pub fn new() -> Self {
        let mut context = sha::Context::new(&sha::SHA256);
        context.update(b"portolan tag set v1\n");
        Self(context)
    }

    /// Adds the next pair in tag order.
    pub fn add(&mut self, tag: &TagName, digest: &Digest) {
        self.0.update(tag.as_str().as_bytes());
        self.0.update(b"\0");
        self.0.update(&digest.to_bytes());
        self.0.update(b"\n");
    }

    /// The hash of what was added.
    #[must_use]
    pub fn finish(self) -> StateHash {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        StateHash(bytes)
    }
}

impl Default for StateHasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY_JSON: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn hashes_and_verifies() {
        let digest = Digest::sha256_of(b"{}");
        assert_eq!(
            digest.to_string(),
            EMPTY_JSON,
            "the empty descriptor of the image specification"
        );
        assert_eq!(digest.verify(b"{}"), Ok(()));
        assert!(matches!(
            digest.verify(b"[]"),
            Err(DigestMismatch::Differs { .. })
        ));
        let other: Digest = "blake3:0a".parse().unwrap();
        assert!(matches!(other.verify(b""), Err(DigestMismatch::Unsupported(_))));
    }

    #[test]
    fn refuses_what_the_grammar_refuses() {
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:AB",
            "sha256:44136fa3",
            "SHA1:aa",
            "a++b:c",
            "x:",
            "x:a b",
            ":a",
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad}");
        }
        assert!(
            format!("x:{}", "a".repeat(MAX_TEXT - 2))
                .parse::<Digest>()
                .is_ok()
        );
        assert!(
            format!("x:{}", "a".repeat(MAX_TEXT - 1))
                .parse::<Digest>()
                .is_err()
        );
        assert!(
            Digest::from_bytes(b"\0sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(content: Vec<u8>) {
            let digest = Digest::sha256_of(&content);
            prop_assert_eq!(&digest.to_string().parse::<Digest>().unwrap(), &digest);
            prop_assert_eq!(&Digest::from_bytes(&digest.to_bytes()).unwrap(), &digest);
        }

        #[test]
        fn no_input_panics(text in "\\PC{0,80}", bytes: Vec<u8>) {
            let _ = text.parse::<Digest>();
            let _ = Digest::from_bytes(&bytes);
        }
    }
}
