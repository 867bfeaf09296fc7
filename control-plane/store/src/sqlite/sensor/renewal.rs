//! The next certificate of a sensor that has a good one.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{Reason, SensorId, TenantId};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use super::record::locked;
use crate::{AuditEntry, Certificate, RenewalOutcome, StoreError};

/// Certificates that a sensor may be given within an hour.
const RENEWALS_AN_HOUR: i64 = 6;
const RENEW: &str = "renew a certificate";

pub(super) async fn store_renewal(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    serial: [u8; 16],
    certificate: &Certificate,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<RenewalOutcome, StoreError> {
    let mut tx = store.write().await?;
    let Some(found) = locked(&mut tx, tenant, sensor, RENEW).await? else {
        return Ok(RenewalOutcome::Refused(Reason::IdentityUnknown));
    };
    if let Some(reason) = found.state.shut_out() {
        return Ok(RenewalOutcome::Refused(reason));
    }
    if found.current.serial != serial && found.new.is_none_or(|new| new.serial != serial) {
        return Ok(RenewalOutcome::Refused(Reason::CertificateNotCurrent));
    }
    sqlx::query("DELETE FROM sensor_renewal WHERE tenant_id = ?1 AND sensor_id = ?2 AND at <= ?3")
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .bind(millis(now).saturating_sub(SignedDuration::from_hours(1).as_secs() * 1_000))
        .execute(&mut *tx)
        .await
        .during(RENEW)?;
    let lately: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sensor_renewal WHERE tenant_id = ?1 AND sensor_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(sensor.as_bytes().as_slice())
            .fetch_one(&mut *tx)
            .await
            .during(RENEW)?;
    if lately >= RENEWALS_AN_HOUR {
        return Ok(RenewalOutcome::TooMany);
    }
    sqlx::query("INSERT INTO sensor_renewal (tenant_id, sensor_id, at, serial) VALUES (?1, ?2, ?3, ?4)")
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .bind(millis(now))
        .bind(certificate.serial.as_slice())
        .execute(&mut *tx)
        .await
        .during(RENEW)?;
    sqlx::query(
        "UPDATE sensor SET new_serial = ?3, new_not_after = ?4
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active')",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(certificate.serial.as_slice())
    .bind(millis(certificate.not_after))
    .execute(&mut *tx)
    .await
    .during(RENEW)?;
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(RENEW)?;
    Ok(RenewalOutcome::Stored)
}
