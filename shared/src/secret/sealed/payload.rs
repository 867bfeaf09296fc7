//! The encrypted login, the same for all recipients.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, SHA256};
use zeroize::Zeroizing;

use super::credential::BLOCK;
use super::fields::put;
use super::form::{FormError, Suite};
use crate::model::limits;
use crate::process::Rng;

/// The encrypted login. Bound to its [`CredentialBinding`](super::CredentialBinding); opened through a [`Wrap`](super::Wrap).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPayload {
    suite: Suite,
    ciphertext: Vec<u8>,
}

/// What Poly1305 adds.
pub(super) const TAG: usize = 16;
const FORM: &str = "sealed payload";
const CONTEXT: &[u8] = b"portolan credential payload v1";

/// The key of one payload. Used for one message and for no other, which is what makes a nonce of zero right.
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(super) fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(bytes.as_mut_slice());
        Self(bytes)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.as_slice())
            .expect("a key of ChaCha20-Poly1305 has 32 bytes");
        LessSafeKey::new(key)
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn associated(suite: Suite, binding: &[u8]) -> Aad<Vec<u8>> {
    let mut out = Vec::with_capacity(64 + binding.len());
    put(&mut out, CONTEXT);
    put(&mut out, &[suite.number()]);
    put(&mut out, binding);
    Aad::from(out)
}

impl SealedPayload {
    /// Encrypts a plain text, which has room for [`TAG`] bytes more. The key is used up by this.
    pub(super) fn encrypt(key: &DataKey, binding: &[u8], mut plain: Zeroizing<Vec<u8>>) -> Option<Self> {
        let suite = Suite::X25519ChaCha20Poly1305;
        key.cipher()
            .seal_in_place_append_tag(nonce(), associated(suite, binding), &mut *plain)
            .ok()?;
        Some(Self {
            suite,
            ciphertext: std::mem::take(&mut *plain),
        })
    }

    /// The plain text; `None` if key, binding or ciphertext are not those of the time of sealing.
    pub(super) fn decrypt(&self, key: &DataKey, binding: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(self.ciphertext.clone());
        let length = key
            .cipher()
            .open_in_place(nonce(), associated(self.suite, binding), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }

    /// SHA-256 of the ciphertext: ties a wrap to its payload.
    pub(super) fn ciphertext_hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&SHA256, &self.ciphertext).as_ref());
        hash
    }

    /// The suite that it was made with.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The bytes that are stored and sent; at most [`limits::SEALED_PAYLOAD_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + self.ciphertext.len());
        out.push(self.suite.number());
        out.extend_from_slice(&self.ciphertext);
        out
    }

    /// Reads the bytes that are stored and sent.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let (suite, ciphertext) = bytes.split_first().ok_or(FormError::Malformed(FORM))?;
        let suite = Suite::parse(*suite, FORM)?;
        let plain = ciphertext.len().saturating_sub(TAG);
        if plain == 0 || plain % BLOCK != 0 || plain > limits::SEALED_PLAIN_BYTES {
            return Err(FormError::Malformed(FORM));
        }
        Ok(Self {
            suite,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

impl fmt::Debug for SealedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPayload({} bytes)", 1 + self.ciphertext.len())
    }
}
