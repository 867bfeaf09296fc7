//! Identity keys of sensors, and how people compare them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The public half of a sensor's identity key: Ed25519, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityPublicKey(pub [u8; 32]);

impl IdentityPublicKey {
    /// What people compare.
    #[must_use]
    pub fn fingerprint(&self) -> IdentityFingerprint {
        let mut context = digest::Context::new(&SHA256);
        context.update(b"portolan identity key v1\0");
        context.update(&self.0);
        let text = BASE32_NOPAD.encode(context.finish().as_ref());
        let mut symbols = [0; SYMBOLS];
        symbols.copy_from_slice(&text.as_bytes()[..SYMBOLS]);
        IdentityFingerprint(symbols)
    }

    /// Whether its private half made this signature over this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for IdentityPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityPublicKey({})", HEXLOWER.encode(&self.0))
    }
}

/// The fingerprint of an identity key: 100 bits of a SHA-256 in base32, shown as `AB3DE-FGHIJ-KLMNO-PQRST`.
///
/// 100 bits, because nobody compares more, and finding a second key for a given fingerprint takes 2^100 attempts. Used by people,
/// for pinning on first use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityFingerprint([u8; SYMBOLS]);

const SYMBOLS: usize = 20;
const GROUP: usize = 5;

/// A text that is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: expected four groups of five of A-Z and 2-7, such as AB3DE-FGHIJ-KLMNO-PQRST")]
pub struct FingerprintError;

impl fmt::Display for IdentityFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, symbol) in self.0.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*symbol))?;
        }
        Ok(())
    }
}

impl fmt::Debug for IdentityFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityFingerprint({self})")
    }
}

impl FromStr for IdentityFingerprint {
    type Err = FingerprintError;

    /// In upper or lower case; the hyphens must be where they belong.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut symbols = [0; SYMBOLS];
        let mut groups = text.split('-');
        for into in symbols.chunks_exact_mut(GROUP) {
            let group = groups.next().ok_or(FingerprintError)?.as_bytes();
            if group.len() != GROUP {
                return Err(FingerprintError);
            }
            into.copy_from_slice(group);
        }
        symbols.make_ascii_uppercase();
        let known = |symbol: &u8| matches!(symbol, b'A'..=b'Z' | b'2'..=b'7');
        if groups.next().is_some() || !symbols.iter().all(known) {
            return Err(FingerprintError);
        }
        Ok(Self(symbols))
    }
}

impl Serialize for IdentityFingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdentityFingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
