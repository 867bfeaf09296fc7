//! A sealed credential that is tried before it is stored: kept with its probe, and gone when that has ended.

use jiff::Timestamp;
use portolan_shared::model::{ProbeId, SensorId, TenantId, limits};
use portolan_shared::secret::sealed::{
    CredentialBinding, SealedCredential, SealedForOne, SealedPayload, Wrap,
};

use crate::sqlite::columns::{Columns, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, audit};
use crate::{Delivery, EntryFor, SealedVersion, StoreError};

/// Wraps in one value: all have the same size.
pub(super) fn wraps_to_bytes(wraps: &[Wrap]) -> Vec<u8> {
    wraps.iter().flat_map(Wrap::encode).collect()
}

/// The trial of a probe, if it has one that is not over.
pub(super) fn read(row: &Columns<'_>) -> Result<Option<SealedVersion>, StoreError> {
    let Some(binding) = row.opt_bytes("trial_binding", CredentialBinding::parse)? else {
        return Ok(None);
    };
    let wraps: &[u8] = row.get("trial_wraps")?;
    let wraps = wraps.chunks(limits::WRAP_BYTES).map(Wrap::parse);
    Ok(Some(SealedVersion {
        binding,
        sealed: SealedCredential {
            payload: row.bytes("trial_payload", SealedPayload::parse)?,
            wraps: wraps
                .collect::<Result<_, _>>()
                .map_err(|_| row.corrupt("trial_wraps"))?,
        },
    }))
}

/// Gives a sensor what it may have of what a probe tries.
pub(in crate::sqlite) async fn deliver(
    store: &SqliteStore,
    (tenant, probe): (TenantId, ProbeId),
    sensor: SensorId,
    now: Timestamp,
    note: EntryFor<'_, CredentialBinding>,
) -> Result<Delivery, StoreError> {
    const ACTION: &str = "hand over a credential that is tried";
    let mut tx = store.write().await?;
    let row = sqlx::query(
        "SELECT trial_binding, trial_payload, trial_wraps, trial_given_to FROM probe
         WHERE tenant_id = ?1 AND probe_id = ?2 AND trial_binding IS NOT NULL AND ended_at IS NULL AND expires_at > ?3
           AND EXISTS (SELECT 1 FROM json_each(probe.sensors) WHERE value = ?4)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(probe.as_bytes().as_slice())
    .bind(millis(now))
    .bind(sensor.to_string())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    let Some(row) = row else {
        return Ok(Delivery::NotForIt);
    };
    let row = Columns::of("probe", &row);
    let Some(trial) = read(&row)? else {
        return Ok(Delivery::NotForIt);
    };
    // Whatever the row says: nothing that was sealed for another tenant leaves by this door.
    if trial.binding.tenant != tenant {
        return Err(row.corrupt("trial_binding"));
    }
    let mut wraps = trial.sealed.wraps.into_iter();
    let Some(wrap) = wraps.find(|wrap| wrap.recipient() == sensor) else {
        return Ok(Delivery::NotForIt);
    };
    if row.opt_bytes("trial_given_to", SensorId::from_slice)? != Some(sensor) {
        sqlx::query("UPDATE probe SET trial_given_to = ?3 WHERE tenant_id = ?1 AND probe_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(probe.as_bytes().as_slice())
            .bind(sensor.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .during(ACTION)?;
        if let Some(entry) = note(&trial.binding) {
            audit::append(&mut tx, tenant, &entry).await?;
        }
        tx.commit().await.during(ACTION)?;
    }
    Ok(Delivery::Sealed(Box::new(SealedForOne {
        binding: trial.binding,
        payload: trial.sealed.payload,
        wrap,
    })))
}

/// Drops what probes were to try that nobody carried out in time.
pub(super) async fn drop_expired(store: &SqliteStore, now: Timestamp) -> Result<u64, StoreError> {
    const ACTION: &str = "drop credentials that were to be tried";
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE probe SET trial_binding = NULL, trial_payload = NULL, trial_wraps = NULL
         WHERE trial_binding IS NOT NULL AND expires_at <= ?1",
    )
    .bind(millis(now))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)?;
    Ok(done.rows_affected())
}
