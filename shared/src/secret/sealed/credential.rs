//! The login itself, and the plain text that is made of it.

use zeroize::Zeroizing;

use super::binding::CredentialBinding;
use super::fields::{Fields, length_of, put};
use crate::model::limits;
use crate::secret::Secret;

/// A user name and a password, or an access token in its place. Wiped when dropped, never printed.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialSecret {
    username: Secret,
    password: Secret,
}

/// A login that no registry can be given. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialSecretError {
    /// Nothing to log in with.
    #[error("the password is empty")]
    Empty,
    /// A colon in the user name, or a control character (RFC 7617, section 2).
    #[error(
        "the user name has a colon, or the user name or password has a control character such as a line break"
    )]
    Characters,
}

/// Plain texts are filled up to a multiple of this, so that a ciphertext does not tell the length of a password.
pub(super) const BLOCK: usize = 256;

impl CredentialSecret {
    /// Takes a login. The user name may be empty, as with some tokens. How long both may be is checked by [`seal`](super::seal).
    pub fn new(username: Secret, password: Secret) -> Result<Self, CredentialSecretError> {
        if password.expose().is_empty() {
            return Err(CredentialSecretError::Empty);
        }
        let control = |secret: &Secret| secret.expose().chars().any(char::is_control);
        if username.expose().contains(':') || control(&username) || control(&password) {
            return Err(CredentialSecretError::Characters);
        }
        Ok(Self { username, password })
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &Secret {
        &self.username
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// How long the plain text is, in bytes.
    pub(super) fn plain_length(&self, binding: &[u8]) -> usize {
        [
            binding.len(),
            self.username.expose().len(),
            self.password.expose().len(),
        ]
        .into_iter()
        .map(length_of)
        .sum::<usize>()
        .next_multiple_of(BLOCK)
    }

    /// The plain text, with `spare` bytes of room behind it; `Err` with its length if that is above [`limits::SEALED_PLAIN_BYTES`].
    /// The room is there so that encrypting in place never moves it and leaves a copy behind.
    pub(super) fn to_plain(&self, binding: &[u8], spare: usize) -> Result<Zeroizing<Vec<u8>>, usize> {
        let length = self.plain_length(binding);
        if length > limits::SEALED_PLAIN_BYTES {
            return Err(length);
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(length + spare));
        put(&mut plain, binding);
        put(&mut plain, self.username.expose().as_bytes());
        put(&mut plain, self.password.expose().as_bytes());
        plain.resize(length, 0);
        Ok(plain)
    }

    /// Reads a plain text: the inner copy of the binding, and the login.
    pub(super) fn from_plain(plain: &[u8]) -> Option<(CredentialBinding, Self)> {
        let mut fields = Fields(plain);
        let binding = CredentialBinding::parse(fields.next()?).ok()?;
        let username = Secret::new(fields.text()?.to_owned());
        let password = Secret::new(fields.text()?.to_owned());
        if fields.0.len() >= BLOCK || fields.0.iter().any(|byte| *byte != 0) {
            return None;
        }
        Some((binding, Self::new(username, password).ok()?))
    }
}
