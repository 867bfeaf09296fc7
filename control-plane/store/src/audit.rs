//! The audit log: what was done by whom, never changed afterwards.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::TenantId;

use crate::{Page, PageRequest, StoreError};

/// How much an entry matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditSeverity {
    /// Business as usual.
    Info,
    /// Worth a look.
    Notice,
    /// Somebody should look now.
    High,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who did it: `token:NAME`, `sensor:ID`, `address:IP` or `system`.
    pub actor: String,
    /// What was done: `sensor.enrol`, `registry.add`, ...
    pub action: String,
    /// To what: `sensor:ID`, `registry:ID`, ...
    pub object: String,
    /// How much it matters.
    pub severity: AuditSeverity,
    /// Further facts. Never a secret.
    pub details: serde_json::Value,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its number in the tenant's log, from 1, without gaps.
    pub seq: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// Gives the audit entry for something that a method is about to commit, or none. The entry becomes part of the same transaction: neither is
/// there without the other.
pub type EntryFor<'a, T> = &'a (dyn Fn(&T) -> Option<AuditEntry> + Send + Sync);

/// Storage of the audit log. Changes by people, and what makes, renews and ends sensors, take their entries along; this trait is for what is
/// no change, and for reading.
#[async_trait]
pub trait Audit {
    /// Appends an entry to the tenant's log.
    async fn append_audit(&self, tenant: TenantId, entry: &AuditEntry) -> Result<u64, StoreError>;

    /// The tenant's log, newest first.
    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<AuditRecord>, StoreError>;
}
