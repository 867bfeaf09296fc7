//! Signed heads: what somebody else keeps, so that a log cannot be rewritten as a whole.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditHash, AuditHead, ChainOwner};

const CHECKPOINT: &[u8] = b"portolan audit checkpoint v1\0";

/// Where a log stood at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose log.
    pub owner: ChainOwner,
    /// Its last record then.
    pub seq: u64,
    /// That record's hash.
    pub hash: AuditHash,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A checkpoint with the signature of whoever keeps the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// What is signed.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Ed25519, 64 bytes; base64 as text.
    #[serde(with = "base64")]
    pub signature: Vec<u8>,
    /// The public key, 32 bytes; base64 as text.
    #[serde(with = "base64")]
    pub key: Vec<u8>,
}

/// A signature that does not fit its checkpoint and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature of the checkpoint at record {seq} does not fit it")]
pub struct CheckpointError {
    /// Which checkpoint.
    pub seq: u64,
}

impl Checkpoint {
    /// A checkpoint of a log that stands at `head`.
    #[must_use]
    pub fn of(owner: ChainOwner, head: &AuditHead, at: Timestamp) -> Self {
        Self {
            owner,
            seq: head.seq,
            hash: head.hash,
            at_ms: at.as_millisecond(),
        }
    }

    /// The head that it holds.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        AuditHead {
            seq: self.seq,
            hash: self.hash,
        }
    }

    /// What is signed: a domain, the owner, number, hash and time; every part has a fixed length.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut bytes = CHECKPOINT.to_vec();
        bytes.extend_from_slice(&self.owner.to_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.hash.0);
        bytes.extend_from_slice(&self.at_ms.to_be_bytes());
        bytes
    }
}

impl SignedCheckpoint {
    /// Whether the signature is of this checkpoint, by the key that is given with it. Whose key that is, the caller must know.
    pub fn verify(&self) -> Result<(), CheckpointError> {
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(&self.checkpoint.signing_bytes(), &self.signature)
            .map_err(|_| CheckpointError {
                seq: self.checkpoint.seq,
            })
    }
}

mod base64 {
    use super::BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}
