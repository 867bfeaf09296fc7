//! Sealing keys.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{self, SHA256};
use data_encoding::HEXLOWER;

use super::form::{FormError, Suite};
use super::hybrid;
use crate::process::Rng;
use crate::secret::SecretBytes;

/// A key that credentials can be sealed to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingPublicKey([u8; 32]);

impl SealingPublicKey {
    /// From its 32 bytes. Keys that nothing can be sealed to, such as zero, are refused by [`seal`](super::seal).
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The suite that it is a key of.
    #[must_use]
    pub fn suite(&self) -> Suite {
        Suite::X25519ChaCha20Poly1305
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SealingKeyId {
        let mut context = digest::Context::new(&SHA256);
        context.update(&[self.suite().number()]);
        context.update(&self.0);
        let mut id = [0; 16];
        id.copy_from_slice(&context.finish().as_ref()[..16]);
        SealingKeyId(id)
    }
}

impl fmt::Debug for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingPublicKey({})", HEXLOWER.encode(&self.0))
    }
}

/// Names a sealing key: 16 bytes of a hash over it. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKeyId([u8; 16]);

/// A text or byte string that is not the id of a sealing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealing key id: expected 16 bytes, or as many pairs of hexadecimal digits")]
pub struct SealingKeyIdError;

impl SealingKeyId {
    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SealingKeyIdError> {
        bytes.try_into().map(Self).map_err(|_| SealingKeyIdError)
    }
}

impl fmt::Display for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeyId({self})")
    }
}

impl FromStr for SealingKeyId {
    type Err = SealingKeyIdError;
    fn from_str(text: &str) -> Result<Self, SealingKeyIdError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| SealingKeyIdError)?;
        Self::from_slice(&bytes)
    }
}

/// A sensor's own sealing key. The private half is wiped when dropped and never printed.
#[derive(Clone)]
pub struct SealingKeyPair {
    private: hybrid::PrivateKey,
    public: SealingPublicKey,
}

impl SealingKeyPair {
    /// Makes a new one.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let (private, public) = hybrid::generate(rng);
        Self {
            private,
            public: SealingPublicKey(public),
        }
    }

    /// From the 32 bytes that [`to_secret`](Self::to_secret) gives.
    pub fn from_secret(secret: &SecretBytes) -> Result<Self, FormError> {
        let (private, public) = hybrid::import(secret.expose()).ok_or(FormError::Malformed("sealing key"))?;
        Ok(Self {
            private,
            public: SealingPublicKey(public),
        })
    }

    /// The private half, 32 bytes, for the keyring on this machine and nothing else.
    #[must_use]
    pub fn to_secret(&self) -> SecretBytes {
        hybrid::export(&self.private)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> SealingPublicKey {
        self.public
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SealingKeyId {
        self.public.id()
    }

    pub(super) fn private(&self) -> &hybrid::PrivateKey {
        &self.private
    }
}

impl fmt::Debug for SealingKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeyPair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
