//! The continuity token: shown at the beginning of each session, and replaced by it, so that a copy of a sensor gives itself away.

use aws_lc_rs::digest::{SHA256, digest};
use portolan_shared::secret::SecretBytes;

/// The last token that the control plane gave out and this sensor stored.
#[derive(Debug, Clone)]
pub struct ContinuityToken(SecretBytes);

impl ContinuityToken {
    /// Bytes of a token.
    pub const BYTES: usize = 32;

    /// `None` unless it has exactly [`ContinuityToken::BYTES`].
    #[must_use]
    pub fn new(token: &[u8]) -> Option<Self> {
        (token.len() == Self::BYTES).then(|| Self(SecretBytes::new(token.to_vec())))
    }

    /// What is shown to the control plane, and to nobody else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// What its storage is acknowledged by.
    #[must_use]
    pub fn sha256(&self) -> Vec<u8> {
        digest(&SHA256, self.expose()).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_32_bytes_and_never_prints() {
        assert!(ContinuityToken::new(&[7; 31]).is_none() && ContinuityToken::new(&[7; 33]).is_none());
        let token = ContinuityToken::new(&[7; 32]).unwrap();
        assert_eq!(token.sha256(), digest(&SHA256, &[7; 32]).as_ref());
        assert!(!format!("{token:?}").contains("7, 7"), "{token:?}");
    }
}
