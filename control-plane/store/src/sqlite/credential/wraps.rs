//! What is sealed to older keys of a sensor, and its replacement.

use portolan_shared::model::{CredentialId, SensorId, TenantId};
use portolan_shared::secret::sealed::{SealedForOne, SealingKeyId, Wrap};

use super::deliver::for_one;
use crate::sqlite::columns::integer;
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, audit};
use crate::{AuditEntry, StoreError};

pub(super) async fn outdated(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    limit: u32,
) -> Result<Vec<SealedForOne>, StoreError> {
    // A sensor that is not assigned any more gets nothing, not even what it could open yesterday.
    let rows = sqlx::query(
        "SELECT credential.binding, credential.payload, credential_wrap.wrap FROM credential_wrap
         JOIN credential USING (tenant_id, credential_id, version)
         JOIN registry_sensor USING (tenant_id, registry_id, sensor_id)
         JOIN sealing_key USING (tenant_id, sensor_id, key_id)
         JOIN sensor USING (tenant_id, sensor_id)
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND credential.payload IS NOT NULL
           AND sealing_key.generation = sensor.generation
           AND sealing_key.ordinal < (SELECT max(ordinal) FROM sealing_key AS other WHERE other.tenant_id = ?1 AND other.sensor_id = ?2)
         ORDER BY credential_id, version LIMIT ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(limit)
    .fetch_all(store.reader())
    .await
    .during("find what is sealed to older keys")?;
    rows.iter().map(for_one).collect()
}

pub(super) async fn rewrap(
    store: &SqliteStore,
    tenant: TenantId,
    (credential, version): (CredentialId, u64),
    replaced: SealingKeyId,
    wrap: &Wrap,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    const ACTION: &str = "put a newer wrap in the place of an older one";
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE credential_wrap SET key_id = ?5, wrap = ?6
         WHERE tenant_id = ?1 AND credential_id = ?2 AND version = ?3 AND sensor_id = ?4 AND key_id = ?7 AND ?5 <> ?7
           AND EXISTS (SELECT 1 FROM credential JOIN registry_sensor USING (tenant_id, registry_id)
                       WHERE credential.tenant_id = ?1 AND credential.credential_id = ?2 AND credential.version = ?3
                         AND registry_sensor.sensor_id = ?4)
           AND ?5 = (SELECT key_id FROM sealing_key JOIN sensor USING (tenant_id, sensor_id)
                     WHERE tenant_id = ?1 AND sensor_id = ?4 AND sealing_key.generation = sensor.generation
                     ORDER BY ordinal DESC LIMIT 1)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(credential.as_bytes().as_slice())
    .bind(integer(version))
    .bind(wrap.recipient().as_bytes().as_slice())
    .bind(wrap.sealing_key().as_bytes().as_slice())
    .bind(wrap.encode())
    .bind(replaced.as_bytes().as_slice())
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(true)
}
