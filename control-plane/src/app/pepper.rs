//! Keyed hashes of secrets. The key lives outside the database, so that a leaked database cannot be searched for guesses.

use aws_lc_rs::hmac;
use portolan_shared::secret::SecretBytes;
use portolan_store::TokenHash;

/// The key of all hashes of enrolment secrets and API tokens.
pub struct Pepper(hmac::Key);

impl Pepper {
    /// Length of the key, in bytes.
    pub const BYTES: usize = 32;

    /// From its bytes.
    #[must_use]
    pub fn new(key: &SecretBytes) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The hash under which a secret is stored. `purpose` keeps hashes of different kinds of secrets apart.
    #[must_use]
    pub fn hash(&self, purpose: &'static str, secret: &[u8]) -> TokenHash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(secret);
        let tag = context.sign();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        TokenHash(bytes)
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper")
    }
}
