//! Removing a registry with its inventory, ledger and runs.
//!
//! Manifests and image facts belong to the tenant, not to a registry; other registries may hold the same ones. They stay. Of tags, ledger and
//! accounts of runs there may be millions: it is noted that they are to be cleared away, see `remains`.

use portolan_shared::model::{CredentialId, RegistryId, TenantId};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::{SqliteStore, audit, credential};
use crate::{AuditEntry, EntryFor, StoreError, Withdrawn};

/// What is done, in this order: whoever follows the change feed is told, and then is removed first what is found by way of something else.
const STATEMENTS: [&str; 15] = [
    "UPDATE tenant SET feed_no = feed_no + 1 WHERE tenant_id = ?1",
    "INSERT INTO registry_removal (tenant_id, feed_no, registry_id, name, removed_at)
         SELECT ?1, tenant.feed_no, ?2, registry.name, ?3 FROM tenant CROSS JOIN registry
         WHERE tenant.tenant_id = ?1 AND registry.tenant_id = ?1 AND registry.registry_id = ?2",
    "INSERT OR REPLACE INTO registry_feed (tenant_id, registry_id, feed_no)
         SELECT ?1, ?2, tenant.feed_no FROM tenant CROSS JOIN registry
         WHERE tenant.tenant_id = ?1 AND registry.tenant_id = ?1 AND registry.registry_id = ?2",
    "INSERT INTO repository_remains (tenant_id, repository_no)
         SELECT tenant_id, repository_no FROM repository WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM repository WHERE tenant_id = ?1 AND registry_id = ?2",
    "INSERT INTO run_remains (tenant_id, run_id) SELECT tenant_id, run_id FROM run WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM run WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM probe WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM credential_wrap WHERE tenant_id = ?1 AND credential_id IN
         (SELECT credential_id FROM credential WHERE tenant_id = ?1 AND registry_id = ?2)",
    "DELETE FROM credential WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry_requests WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM event_pending WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM event_count WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry_sensor WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM registry WHERE tenant_id = ?1 AND registry_id = ?2",
];

/// Removes a registry, in one transaction; gives who could open its sealed credential. None if there is none.
pub(super) async fn remove(
    store: &SqliteStore,
    tenant: TenantId,
    id: RegistryId,
    entry: &AuditEntry,
    note: EntryFor<'_, CredentialId>,
) -> Result<Option<Withdrawn>, StoreError> {
    const ACTION: &str = "remove a registry";
    let mut tx = store.write().await?;
    let sealed = credential::current(&mut tx, (tenant, id)).await?;
    let withdrawn = Withdrawn {
        credential: sealed.map(|(credential, _)| credential),
        recipients: credential::recipients(&mut tx, (tenant, id)).await?,
    };
    let mut removed = 0;
    for statement in STATEMENTS {
        removed = sqlx::query(statement)
            .bind(tenant.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .bind(millis(entry.at))
            .execute(&mut *tx)
            .await
            .during(ACTION)?
            .rows_affected();
    }
    if removed == 0 {
        return Ok(None);
    }
    if let Some(entry) = withdrawn.credential.and_then(|credential| note(&credential)) {
        audit::append(&mut tx, tenant, &entry).await?;
    }
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(Some(withdrawn))
}
