//! A record, and its bytes.

use serde::{Deserialize, Serialize};

use super::{AuditHash, AuditHead};

const RECORD: &[u8] = b"portolan audit record v1\0";

/// What a record says, as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRecord<T> {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who did it.
    pub actor: T,
    /// What was done.
    pub action: T,
    /// To what.
    pub object: T,
    /// How it went, or how much it matters: one word.
    pub outcome: T,
    /// Further facts: JSON, to the byte as it is stored. Its SHA-256 is what the chain holds, so that the details of a record may be withheld
    /// from a reader who can still follow the chain.
    pub details: T,
}

/// A record with the hashes that are stored beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedRecord<T> {
    /// What it says.
    #[serde(flatten)]
    pub record: ChainRecord<T>,
    /// The hash of the record before it.
    pub prev_hash: AuditHash,
    /// Its own.
    pub hash: AuditHash,
}

impl<T: AsRef<str>> ChainRecord<T> {
    /// The record as bytes: number and time, eight bytes each, most significant first; then each text behind its length in bytes (eight bytes);
    /// then the SHA-256 of the details. No two records have the same bytes.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.at_ms.to_be_bytes());
        for text in [&self.actor, &self.action, &self.object, &self.outcome] {
            let text = text.as_ref().as_bytes();
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text);
        }
        bytes.extend_from_slice(&AuditHash::of(&[self.details.as_ref().as_bytes()]).0);
        bytes
    }

    /// SHA-256 of the canonical bytes: what the chain holds of this record, so that somebody who may not see records can follow it.
    #[must_use]
    pub fn digest(&self) -> AuditHash {
        AuditHash::of(&[&self.canonical()])
    }

    /// The hash of this record behind one whose hash is `prev`: SHA-256 of a domain string, [`ChainRecord::digest`] and `prev`.
    #[must_use]
    pub fn hash_after(&self, prev: &AuditHash) -> AuditHash {
        link(&self.digest(), prev)
    }

    /// The record with its hashes, as the next one of a log that stands at `head`.
    #[must_use]
    pub fn linked(self, head: &AuditHead) -> LinkedRecord<T> {
        LinkedRecord {
            hash: self.hash_after(&head.hash),
            prev_hash: head.hash,
            record: self,
        }
    }
}

/// The hash of a record with this digest behind one whose hash is `prev`.
pub(super) fn link(digest: &AuditHash, prev: &AuditHash) -> AuditHash {
    AuditHash::of(&[RECORD, &digest.0, &prev.0])
}

impl<T> LinkedRecord<T> {
    /// Where the log stands with this record as its last.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        AuditHead {
            seq: self.record.seq,
            hash: self.hash,
        }
    }
}
