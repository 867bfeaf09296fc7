//! Entries of the audit log about machines, which are no callers of the API.

use jiff::Timestamp;
use portolan_shared::model::TenantId;
use portolan_store::{AuditEntry, AuditSeverity, StoreError};

use crate::app::App;

impl App {
    /// Writes an entry into a tenant's audit log.
    pub(super) async fn note_machine(&self, tenant: TenantId, entry: AuditEntry) -> Result<(), StoreError> {
        self.store.append_audit(tenant, &entry).await.map(|_| ())
    }
}

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
