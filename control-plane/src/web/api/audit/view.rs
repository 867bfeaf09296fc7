//! What the audit log looks like.

use data_encoding::BASE64;
use jiff::Timestamp;
use portolan_shared::audit::{
    AuditHash, AuditHead, ChainOwner, ChainRecord, Checkpoint, LinkedRecord, SignedCheckpoint,
};
use portolan_shared::model::TenantId;
use portolan_store::AuditRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditLine {
    /// Its number in the tenant's log, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: `token:NAME`, `sensor:ID`, `address:IP`, `schedule`, `events` or `system`.
    pub actor: String,
    /// What: `sensor.revoke`, `registry.add`, ...
    pub action: String,
    /// To what: `sensor:ID`, `registry:ID`, ...
    pub object: String,
    /// `info`, `notice` or `high`.
    pub severity: String,
    /// Further facts, depending on the action.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

impl From<AuditRecord> for AuditLine {
    fn from(record: AuditRecord) -> Self {
        Self {
            seq: record.seq,
            at: record.entry.at,
            actor: record.entry.actor,
            action: record.entry.action,
            object: record.entry.object,
            severity: record.entry.severity.as_str().to_owned(),
            details: record.entry.details,
        }
    }
}

/// A record of the audit log as it is hashed, with its hashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditLink {
    /// Its number in the tenant's log, from 1, without gaps.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// `info`, `notice` or `high`.
    pub outcome: String,
    /// Further facts: JSON, as text, to the byte as it is hashed.
    pub details: String,
    /// The hash of the record before it, in hexadecimal digits.
    #[schema(value_type = String)]
    pub prev_hash: AuditHash,
    /// Its own.
    #[schema(value_type = String)]
    pub hash: AuditHash,
}

impl From<LinkedRecord<String>> for AuditLink {
    fn from(linked: LinkedRecord<String>) -> Self {
        let record = linked.record;
        Self {
            seq: record.seq,
            at_ms: record.at_ms,
            actor: record.actor,
            action: record.action,
            object: record.object,
            outcome: record.outcome,
            details: record.details,
            prev_hash: linked.prev_hash,
            hash: linked.hash,
        }
    }
}

impl From<AuditLink> for LinkedRecord<String> {
    fn from(link: AuditLink) -> Self {
        Self {
            record: ChainRecord {
                seq: link.seq,
                at_ms: link.at_ms,
                actor: link.actor,
                action: link.action,
                object: link.object,
                outcome: link.outcome,
                details: link.details,
            },
            prev_hash: link.prev_hash,
            hash: link.hash,
        }
    }
}

/// Where an audit log stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditHead)]
pub struct AuditLogHead {
    /// Whose log.
    pub tenant: String,
    /// Number of its last record; 0 if there is none.
    pub seq: u64,
    /// That record's hash, in hexadecimal digits; of an empty log, what its first record will continue.
    #[schema(value_type = String)]
    pub hash: AuditHash,
    /// The public key that signs the checkpoints of this log, in base64: one by another key is not this control plane's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl AuditLogHead {
    /// The view of a tenant's head, and of the key that signs its checkpoints.
    #[must_use]
    pub fn of(tenant: TenantId, head: &AuditHead, key: Option<&[u8]>) -> Self {
        Self {
            tenant: tenant.to_string(),
            seq: head.seq,
            hash: head.hash,
            key: key.map(|key| BASE64.encode(key)),
        }
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        AuditHead {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

/// A signed head of an audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// Whose log.
    pub tenant: String,
    /// Number of its last record then.
    pub seq: u64,
    /// That record's hash, in hexadecimal digits.
    #[schema(value_type = String)]
    pub hash: AuditHash,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Ed25519 signature of all of the above, in base64.
    pub signature: String,
    /// The public key, in base64.
    pub key: String,
}

impl AuditCheckpoint {
    /// The view of a tenant's checkpoint.
    #[must_use]
    pub fn of(tenant: TenantId, signed: &SignedCheckpoint) -> Self {
        Self {
            tenant: tenant.to_string(),
            seq: signed.checkpoint.seq,
            hash: signed.checkpoint.hash,
            at_ms: signed.checkpoint.at_ms,
            signature: BASE64.encode(&signed.signature),
            key: BASE64.encode(&signed.key),
        }
    }

    /// The checkpoint; `None` if something in it is not what it should be.
    #[must_use]
    pub fn signed(&self) -> Option<SignedCheckpoint> {
        Some(SignedCheckpoint {
            checkpoint: Checkpoint {
                owner: ChainOwner::Tenant(self.tenant.parse().ok()?),
                seq: self.seq,
                hash: self.hash,
                at_ms: self.at_ms,
            },
            signature: BASE64.decode(self.signature.as_bytes()).ok()?,
            key: BASE64.decode(self.key.as_bytes()).ok()?,
        })
    }
}
