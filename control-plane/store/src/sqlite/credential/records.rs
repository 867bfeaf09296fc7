//! Credentials as people see them.

use portolan_shared::model::{RegistryId, SensorId, TenantId};
use portolan_shared::secret::sealed::{CredentialBinding, SealingKeyId};
use sqlx::{Sqlite, Transaction};

use crate::sqlite::columns::{Columns, integer};
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, keyset, registry};
use crate::{CredentialRecord, Page, PageRequest, SealedRecord, StoreError, WrapRecord};

const FIND: &str = "find a credential";

type Tx = Transaction<'static, Sqlite>;

pub(super) async fn one(
    store: &SqliteStore,
    tenant: TenantId,
    id: RegistryId,
) -> Result<Option<CredentialRecord>, StoreError> {
    let mut tx = store.read().await?;
    record(&mut tx, tenant, id).await
}

pub(super) async fn page(
    store: &SqliteStore,
    tenant: TenantId,
    request: &PageRequest,
) -> Result<Page<CredentialRecord>, StoreError> {
    let after = keyset::after::<String>(request)?.unwrap_or_default();
    let mut tx = store.read().await?;
    let rows = sqlx::query(
        "SELECT registry_id FROM registry WHERE tenant_id = ?1 AND name > ?2
           AND (credential IS NOT NULL OR EXISTS (SELECT 1 FROM credential AS sealed WHERE sealed.tenant_id = ?1
                                                     AND sealed.registry_id = registry.registry_id AND sealed.state = 'current'))
         ORDER BY name LIMIT ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(after)
    .bind(keyset::rows_wanted(request))
    .fetch_all(&mut *tx)
    .await
    .during(FIND)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = Columns::of("registry", row).bytes("registry_id", RegistryId::from_slice)?;
        found.extend(record(&mut tx, tenant, id).await?);
    }
    keyset::page(request, found, |last| last.registry.name.as_str().to_owned())
}

async fn record(
    tx: &mut Tx,
    tenant: TenantId,
    id: RegistryId,
) -> Result<Option<CredentialRecord>, StoreError> {
    let Some(record) = registry::find(tx, tenant, id).await? else {
        return Ok(None);
    };
    let sealed = sealed(tx, tenant, id).await?;
    if sealed.is_none() && record.registry.credential.is_none() {
        return Ok(None);
    }
    let observed = record.facts.credential.as_ref();
    // What was seen before this version was stored is of another one.
    let observed = observed.filter(|seen| sealed.as_ref().is_none_or(|sealed| sealed.created_at <= seen.at));
    Ok(Some(CredentialRecord {
        observed_end: observed.and_then(|seen| seen.fact.expires_at),
        registry: record.registry,
        last_attempt_at: record.last_attempt_at,
        sealed,
    }))
}

async fn sealed(
    tx: &mut Tx,
    tenant: TenantId,
    registry: RegistryId,
) -> Result<Option<SealedRecord>, StoreError> {
    let row = sqlx::query(
        "SELECT binding, created_at, created_by, worked_at, last_used_at,
                (SELECT version FROM credential AS former WHERE former.tenant_id = ?1 AND former.registry_id = ?2
                    AND former.state = 'former') AS former_version,
                (SELECT max(version) FROM credential AS any_version WHERE any_version.tenant_id = ?1
                    AND any_version.credential_id = credential.credential_id) AS last_version
         FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'current'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during(FIND)?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::of("credential", &row);
    let former: Option<i64> = row.get("former_version")?;
    let binding = row.bytes("binding", CredentialBinding::parse)?;
    Ok(Some(SealedRecord {
        wraps: wraps(tx, tenant, &binding).await?,
        binding,
        created_at: row.time("created_at")?,
        created_by: row.get("created_by")?,
        worked_at: row.opt_time("worked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        former_version: former.and_then(|version| u64::try_from(version).ok()),
        last_version: row.number("last_version")?,
    }))
}

async fn wraps(
    tx: &mut Tx,
    tenant: TenantId,
    binding: &CredentialBinding,
) -> Result<Vec<WrapRecord>, StoreError> {
    let rows = sqlx::query(
        "SELECT credential_wrap.sensor_id, credential_wrap.key_id, sealed_at, sensor.state,
                sealing_key.generation IS sensor.generation AS key_is_good,
                sealing_key.ordinal IS (SELECT max(ordinal) FROM sealing_key AS other WHERE other.tenant_id = ?1
                                           AND other.sensor_id = credential_wrap.sensor_id) AS key_is_latest
         FROM credential_wrap
         JOIN sensor ON sensor.tenant_id = credential_wrap.tenant_id AND sensor.sensor_id = credential_wrap.sensor_id
         LEFT JOIN sealing_key ON sealing_key.tenant_id = credential_wrap.tenant_id
             AND sealing_key.sensor_id = credential_wrap.sensor_id AND sealing_key.key_id = credential_wrap.key_id
         WHERE credential_wrap.tenant_id = ?1 AND credential_id = ?2 AND version = ?3
         ORDER BY credential_wrap.sensor_id",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(binding.credential.as_bytes().as_slice())
    .bind(integer(binding.version))
    .fetch_all(&mut **tx)
    .await
    .during(FIND)?;
    let wraps = rows.iter().map(|row| {
        let row = Columns::of("credential_wrap", row);
        let key_is_good = row.get("key_is_good")?;
        Ok(WrapRecord {
            sensor: row.bytes("sensor_id", SensorId::from_slice)?,
            key: row.bytes("key_id", SealingKeyId::from_slice)?,
            sealed_at: row.time("sealed_at")?,
            key_is_good,
            key_is_latest: key_is_good && row.get::<bool>("key_is_latest")?,
            sensor_state: row.text("state")?,
        })
    });
    wraps.collect()
}
