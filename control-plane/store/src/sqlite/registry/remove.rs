//! Removing a registry with its inventory, ledger and runs.
//!
//! Manifests and image facts belong to the tenant, not to a registry; other registries may hold the same ones. They stay.

use portolan_shared::model::{RegistryId, TenantId};

use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use crate::{AuditEntry, StoreError};

/// What is removed, in this order: first what is found by way of something else.
const STATEMENTS: [&str; 12] = [
    "DELETE FROM tag WHERE tenant_id = ?1 AND repository_no IN
         (SELECT repository_no FROM repository WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM ledger WHERE tenant_id = ?1 AND repository_no IN
         (SELECT repository_no FROM repository WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM ledger_entry WHERE tenant_id = ?1 AND repository_no IN
         (SELECT repository_no FROM repository WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM repository WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM run_repository WHERE tenant_id = ?1 AND run_id IN
         (SELECT run_id FROM run WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM run WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM probe WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM credential_wrap WHERE tenant_id = ?1 AND credential_id IN
         (SELECT credential_id FROM credential WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM credential WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry_requests WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry_sensor WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry WHERE tenant_id = ?1 AND registry_id = ?2",
];

/// Removes a registry, in one transaction. `false` if there is none.
pub(super) async fn remove(
    store: &SqliteStore,
    tenant: TenantId,
    id: RegistryId,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    const ACTION: &str = "remove a registry";
    let mut tx = store.write().await?;
    let mut removed = 0;
    for statement in STATEMENTS {
        removed = sqlx::query(statement)
            .bind(tenant.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .during(ACTION)?
            .rows_affected();
    }
    if removed == 0 {
        return Ok(false);
    }
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(true)
}
