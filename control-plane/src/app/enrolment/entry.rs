//! Entries of the audit log about machines, which are no callers of the API.

use jiff::Timestamp;
use portolan_store::{AuditEntry, AuditSeverity};

/// An entry.
pub(super) fn entry(
    at: Timestamp,
    actor: String,
    action: &str,
    object: String,
    severity: AuditSeverity,
    details: serde_json::Value,
) -> AuditEntry {
    AuditEntry {
        at,
        actor,
        action: action.to_owned(),
        object,
        severity,
        details,
    }
}
