//! What one sensor may have of a credential, and that it was given it.

use jiff::Timestamp;
use portolan_shared::model::{CredentialId, RegistryId, SensorId, TenantId};
use portolan_shared::secret::sealed::{CredentialBinding, SealedForOne, SealedPayload, Wrap};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::put;
use super::usable::can_open;
use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::run::{bind_fence, fenced};
use crate::sqlite::{SqliteStore, audit};
use crate::{DeliveredFor, Delivery, EntryFor, StoreError};

const DELIVER: &str = "hand a credential over";

pub(super) async fn deliver(
    store: &SqliteStore,
    (tenant, registry): (TenantId, RegistryId),
    sensor: SensorId,
    what_for: DeliveredFor,
    now: Timestamp,
    note: EntryFor<'_, CredentialBinding>,
) -> Result<Delivery, StoreError> {
    // Most registries have none, and then nobody has to wait for the writer.
    let mut reading = store.read().await?;
    if put::current(&mut reading, (tenant, registry)).await?.is_none() {
        return Ok(Delivery::NoneNeeded);
    }
    drop(reading);
    let mut tx = store.write().await?;
    if put::current(&mut tx, (tenant, registry)).await?.is_none() {
        return Ok(Delivery::NoneNeeded);
    }
    let row = sqlx::query(concat!(
        "SELECT credential.binding, credential.payload, credential_wrap.wrap, credential_wrap.delivered_at
         FROM registry_sensor
         JOIN credential ON credential.tenant_id = registry_sensor.tenant_id
             AND credential.registry_id = registry_sensor.registry_id AND credential.state = 'current'
         JOIN credential_wrap ON credential_wrap.tenant_id = credential.tenant_id
             AND credential_wrap.credential_id = credential.credential_id
             AND credential_wrap.version = credential.version AND credential_wrap.sensor_id = registry_sensor.sensor_id
         WHERE registry_sensor.tenant_id = ?1 AND registry_sensor.registry_id = ?2 AND registry_sensor.sensor_id = ?3 AND ",
        can_open!()
    ))
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(DELIVER)?;
    let Some(row) = row else {
        return Ok(Delivery::NotForIt);
    };
    let first = Columns::of("credential_wrap", &row)
        .opt_time("delivered_at")?
        .is_none();
    let sealed = for_one(&row)?;
    // Whatever the rows say: nothing that was sealed for another registry, or to another sensor, leaves by this door.
    let binding = &sealed.binding;
    if (binding.tenant, binding.registry, sealed.wrap.recipient()) != (tenant, registry, sensor) {
        return Err(Columns::of("credential", &row).corrupt("binding"));
    }
    if !remember(&mut tx, tenant, binding, what_for).await? {
        return Ok(Delivery::NotForIt);
    }
    used(&mut tx, tenant, binding, sensor, now).await?;
    if first && let Some(entry) = note(binding) {
        audit::append(&mut tx, tenant, &entry).await?;
    }
    tx.commit().await.during(DELIVER)?;
    Ok(Delivery::Sealed(Box::new(sealed)))
}

/// Notes which version an attempt or a probe was given; `false` if the attempt is over.
async fn remember(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    binding: &CredentialBinding,
    what_for: DeliveredFor,
) -> Result<bool, StoreError> {
    let (id, version) = (binding.credential.as_bytes().as_slice(), integer(binding.version));
    let done = match what_for {
        DeliveredFor::Attempt(fence) => {
            let query = sqlx::query(concat!(
                "UPDATE run SET credential_id = ?6, credential_version = ?7 WHERE ",
                fenced!()
            ));
            bind_fence(query, &fence).bind(id.to_vec()).bind(version)
        }
        // Which of the two the registry accepts from now on is not told apart: a later run shows it.
        DeliveredFor::Running(fence) => {
            let query = sqlx::query(concat!(
                "UPDATE run SET credential_id = NULL, credential_version = NULL WHERE ",
                fenced!()
            ));
            bind_fence(query, &fence)
        }
        DeliveredFor::Probe(probe) => sqlx::query(
            "UPDATE probe SET credential_id = ?3, credential_version = ?4
             WHERE tenant_id = ?1 AND probe_id = ?2 AND ended_at IS NULL",
        )
        .bind(tenant.as_bytes().to_vec())
        .bind(probe.as_bytes().to_vec())
        .bind(id.to_vec())
        .bind(version),
    };
    let done = done.execute(&mut **tx).await.during(DELIVER)?;
    Ok(done.rows_affected() > 0)
}

async fn used(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    binding: &CredentialBinding,
    sensor: SensorId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE credential SET last_used_at = ?4 WHERE tenant_id = ?1 AND credential_id = ?2 AND version = ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(binding.credential.as_bytes().as_slice())
    .bind(integer(binding.version))
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during(DELIVER)?;
    sqlx::query(
        "UPDATE credential_wrap SET delivered_at = coalesce(delivered_at, ?5)
         WHERE tenant_id = ?1 AND credential_id = ?2 AND version = ?3 AND sensor_id = ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(binding.credential.as_bytes().as_slice())
    .bind(integer(binding.version))
    .bind(sensor.as_bytes().as_slice())
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during(DELIVER)?;
    Ok(())
}

/// Binding, payload and wrap of a row.
pub(super) fn for_one(row: &SqliteRow) -> Result<SealedForOne, StoreError> {
    let row = Columns::of("credential", row);
    Ok(SealedForOne {
        binding: row.bytes("binding", CredentialBinding::parse)?,
        payload: row.bytes("payload", SealedPayload::parse)?,
        wrap: row.bytes("wrap", Wrap::parse)?,
    })
}

/// An id and a version, if the row has them.
pub(super) fn version_of(row: &Columns<'_>) -> Result<Option<(CredentialId, u64)>, StoreError> {
    match row.opt_bytes("credential_id", CredentialId::from_slice)? {
        Some(id) => Ok(Some((id, row.number("credential_version")?))),
        None => Ok(None),
    }
}
