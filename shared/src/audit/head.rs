//! Where a chain stands, and whose it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AuditHash;
use super::record::link;
use crate::model::{SensorId, TenantId};

const GENESIS: &[u8] = b"portolan audit genesis v1\0";

/// Whose log it is: what the first record is bound to, so that no log can pass for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainOwner {
    /// A tenant's log, kept by the control plane.
    Tenant(TenantId),
    /// A sensor's own log.
    Sensor(SensorId),
}

impl ChainOwner {
    /// Where the log stands before its first record.
    #[must_use]
    pub fn genesis(&self) -> AuditHead {
        AuditHead {
            seq: 0,
            hash: AuditHash::of(&[GENESIS, &self.to_bytes()]),
        }
    }

    /// A kind byte (1: tenant, 2: sensor) and the sixteen bytes of the id.
    pub(super) fn to_bytes(self) -> [u8; 17] {
        let (kind, id) = match &self {
            Self::Tenant(id) => (1, id.as_bytes()),
            Self::Sensor(id) => (2, id.as_bytes()),
        };
        let mut bytes = [kind; 17];
        bytes[1..].copy_from_slice(id);
        bytes
    }
}

impl fmt::Display for ChainOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(id) => write!(f, "tenant {id}"),
            Self::Sensor(id) => write!(f, "sensor {id}"),
        }
    }
}

/// Where a log stands: its last record, and the hash that covers all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Number of the last record; 0 if there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: AuditHash,
}

impl AuditHead {
    /// Where the log stands after these records, of which only the digests are known ([`ChainRecord::digest`](super::ChainRecord::digest)).
    ///
    /// That is how a checkpoint is compared with the one before it: no other records lead from one head to the other.
    #[must_use]
    pub fn after(&self, digests: &[AuditHash]) -> Self {
        digests.iter().fold(*self, |head, digest| Self {
            seq: head.seq + 1,
            hash: link(digest, &head.hash),
        })
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}, {}", self.seq, self.hash)
    }
}
