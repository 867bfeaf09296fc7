//! What an audit entry looks like.

use jiff::Timestamp;
use portolan_store::{AuditRecord, AuditSeverity};
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
    /// Who: `token:NAME`, `sensor:ID`, `address:IP` or `system`.
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
        let severity = match record.entry.severity {
            AuditSeverity::Info => "info",
            AuditSeverity::Notice => "notice",
            AuditSeverity::High => "high",
        };
        Self {
            seq: record.seq,
            at: record.entry.at,
            actor: record.entry.actor,
            action: record.entry.action,
            object: record.entry.object,
            severity: severity.to_owned(),
            details: record.entry.details,
        }
    }
}
