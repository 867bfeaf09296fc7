//! What is common to the forms that cross an edge.

/// The cipher suite of a payload, a wrap or a sealing key. Its number is the first byte of each form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// 1: HPKE with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; payloads by ChaCha20-Poly1305.
    X25519ChaCha20Poly1305,
}

impl Suite {
    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::X25519ChaCha20Poly1305 => 1,
        }
    }

    pub(super) fn parse(number: u8, form: &'static str) -> Result<Self, FormError> {
        match number {
            1 => Ok(Self::X25519ChaCha20Poly1305),
            suite => Err(FormError::Suite { form, suite }),
        }
    }
}

/// Bytes that are not of the form asked for. Never carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Made with a cipher suite that this version does not know.
    #[error("the {form} is of cipher suite {suite}, which this version does not know")]
    Suite {
        /// Which form.
        form: &'static str,
        /// The number of its suite.
        suite: u8,
    },
    /// Something else, cut off, or not in its one canonical form.
    #[error("this is not a {0} of a form that this version knows")]
    Malformed(&'static str),
}
