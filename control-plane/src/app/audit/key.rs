//! The key that signs checkpoints.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portolan_shared::audit::{Checkpoint, SignedCheckpoint};
use portolan_shared::secret::SecretBytes;

/// Signs the checkpoints of all tenants' audit logs. Ed25519.
pub struct AuditKey(Ed25519KeyPair);

impl AuditKey {
    /// Length of the seed, in bytes.
    pub const BYTES: usize = 32;

    /// From its seed, [`AuditKey::BYTES`] long.
    pub fn from_seed(seed: &SecretBytes) -> Result<Self, KeyRejected> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).map(Self)
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs a checkpoint.
    #[must_use]
    pub fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        SignedCheckpoint {
            signature: self.0.sign(&checkpoint.signing_bytes()).as_ref().to_vec(),
            key: self.public().to_vec(),
            checkpoint,
        }
    }
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey([secret])")
    }
}
