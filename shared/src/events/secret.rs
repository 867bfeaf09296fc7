//! The secret that a sender of notifications and their receiver share.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest, hmac};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use crate::model::limits;
use crate::process::Rng;
use crate::secret::Secret;

/// What secrets for Standard Webhooks begin with; the rest is the key in base64.
const SIGNING: &str = "whsec_";
/// Least length of a key in base64, in bytes. The specification asks for 24; GitLab's have 32.
const LEAST_KEY: usize = 16;

/// A secret of [`limits::WEBHOOK_SECRET_LEAST_BYTES`] to [`limits::WEBHOOK_SECRET_BYTES`] printable ASCII characters. Cannot be printed.
#[derive(Clone)]
pub struct WebhookSecret(Secret);

/// Why a text is no webhook secret. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretError {
    /// It, or the key in it, could be guessed.
    #[error(
        "the webhook secret is too short: at least {} characters",
        limits::WEBHOOK_SECRET_LEAST_BYTES
    )]
    TooShort,
    /// No header could carry it everywhere.
    #[error(
        "the webhook secret is too long: at most {} characters",
        limits::WEBHOOK_SECRET_BYTES
    )]
    TooLong,
    /// It holds what a header cannot carry, or what is lost on the way.
    #[error("the webhook secret holds other characters than printable ASCII, or has spaces around it")]
    Characters,
    /// It begins as a key for Standard Webhooks does, and goes on differently.
    #[error("the webhook secret begins with whsec_ and does not go on with base64")]
    Key,
}

impl WebhookSecret {
    /// Checks a secret that somebody else made.
    pub fn new(text: Secret) -> Result<Self, WebhookSecretError> {
        let shown = text.expose();
        if shown.len() < limits::WEBHOOK_SECRET_LEAST_BYTES {
            return Err(WebhookSecretError::TooShort);
        }
        if shown.len() > limits::WEBHOOK_SECRET_BYTES {
            return Err(WebhookSecretError::TooLong);
        }
        if !shown.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) || shown.trim() != shown {
            return Err(WebhookSecretError::Characters);
        }
        if let Some(key) = shown.strip_prefix(SIGNING) {
            let key = from_base64(key).ok_or(WebhookSecretError::Key)?;
            if key.len() < LEAST_KEY {
                return Err(WebhookSecretError::TooShort);
            }
        }
        Ok(Self(text))
    }

    /// A new secret for whatever sends to us: 43 characters, each of which may stand in a header and in a path.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill(&mut *random);
        Self(Secret::new(BASE64URL_NOPAD.encode(&*random)))
    }

    /// A new secret for what we send: 32 random bytes in the form of Standard Webhooks. It may hold a slash, so it is not for paths.
    #[must_use]
    pub fn generate_for_signing(rng: &dyn Rng) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill(&mut *random);
        Self(Secret::new(format!("{SIGNING}{}", BASE64.encode(&*random))))
    }

    /// The secret itself. Every use of this is a place to look at in a review.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether `shown` is the secret. How long it takes depends on `shown` alone, not on where or how far the two agree, nor on the secret's length.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
        let (ours, theirs) = (hash(self.expose().as_bytes()), hash(shown));
        constant_time::verify_slices_are_equal(ours.as_ref(), theirs.as_ref()).is_ok()
    }

    /// The key for everybody who signs with the secret as it stands.
    pub(super) fn key(&self, algorithm: hmac::Algorithm) -> hmac::Key {
        hmac::Key::new(algorithm, self.expose().as_bytes())
    }

    /// The key for Standard Webhooks: what stands in base64 behind `whsec_`, else the secret as it stands.
    pub(super) fn standard_key(&self) -> hmac::Key {
        match self.expose().strip_prefix(SIGNING).and_then(from_base64) {
            Some(key) => hmac::Key::new(hmac::HMAC_SHA256, &key),
            None => self.key(hmac::HMAC_SHA256),
        }
    }
}

/// With or without its padding.
fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let read = BASE64.decode(text.as_bytes());
    read.or_else(|_| BASE64_NOPAD.decode(text.as_bytes()))
        .ok()
        .map(Zeroizing::new)
}

impl FromStr for WebhookSecret {
    type Err = WebhookSecretError;

    fn from_str(text: &str) -> Result<Self, WebhookSecretError> {
        Self::new(Secret::new(text.to_owned()))
    }
}

impl TryFrom<&[u8]> for WebhookSecret {
    type Error = WebhookSecretError;

    fn try_from(bytes: &[u8]) -> Result<Self, WebhookSecretError> {
        std::str::from_utf8(bytes)
            .map_err(|_| WebhookSecretError::Characters)?
            .parse()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
