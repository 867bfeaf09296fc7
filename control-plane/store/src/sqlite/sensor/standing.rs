//! Letting sensors in and shutting them out.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{Reason, SensorId, SensorState, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use crate::{AuditEntry, RECOVERY_AWAY_DAYS, StandingChange, StoreError};

/// In the list of denials: let in again.
pub(super) const LIFTED: &str = "lifted";

const CHANGE: &str = "change a sensor's standing";
const FORGET: &str = "forget deleted sensors";
/// Sensors that one call forgets.
const AT_ONCE: i64 = 1_000;

/// What a change writes, if the sensor's state allows it. ?3 is the time, ?4 the end of an approval, ?5 the machine that it is for.
fn statement(change: StandingChange) -> &'static str {
    match change {
        StandingChange::Suspend => {
            "UPDATE sensor SET state = 'suspended'
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active')"
        }
        StandingChange::Resume => {
            "UPDATE sensor SET state = iif(session_epoch > 0, 'active', 'provisional')
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'suspended'"
        }
        // Both copies hold the certificates: neither is good any more. An approval that came before says nothing of this. One that is
        // suspended is out already, and must not come back by being resumed.
        StandingChange::Quarantine => {
            "UPDATE sensor SET state = 'quarantined', current_serial = randomblob(16), new_serial = NULL, new_not_after = NULL,
                    approved_until = NULL, approved_fingerprint = NULL
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active', 'suspended')"
        }
        StandingChange::Approve { .. } => {
            "UPDATE sensor SET approved_until = ?4, approved_fingerprint = ?5, contested = 0, generation = generation + 1
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active', 'quarantined')"
        }
        StandingChange::Revoke => {
            "UPDATE sensor SET state = 'revoked', revoked_at = ?3
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state <> 'revoked'"
        }
        StandingChange::Delete => {
            "UPDATE sensor SET deleted_at = ?3
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'revoked' AND deleted_at IS NULL"
        }
    }
}

/// What the list of denials says of a change; nothing of those that change nothing there.
fn denial(change: StandingChange) -> Option<&'static str> {
    let state = match change {
        StandingChange::Suspend => SensorState::Suspended,
        StandingChange::Quarantine => SensorState::Quarantined,
        StandingChange::Revoke => SensorState::Revoked,
        StandingChange::Resume => return Some(LIFTED),
        // It is let in when it recovers.
        StandingChange::Approve { .. } | StandingChange::Delete => return None,
    };
    state.shut_out().map(Reason::as_str)
}

pub(super) async fn change(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    change: StandingChange,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    if !apply(&mut tx, tenant, sensor, change, now).await? {
        return Ok(false);
    }
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(CHANGE)?;
    Ok(true)
}

/// The change without its entry. `false` if the sensor's state does not allow it; then nothing is written.
pub(in crate::sqlite) async fn apply(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
    change: StandingChange,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (until, fingerprint) = match change {
        StandingChange::Approve { until, fingerprint } => (Some(millis(until)), fingerprint),
        _ => (None, None),
    };
    let done = sqlx::query(statement(change))
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .bind(millis(now))
        .bind(until)
        .bind(fingerprint.as_ref().map(<[u8; 16]>::as_slice))
        .execute(&mut **tx)
        .await
        .during(CHANGE)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(word) = denial(change) {
        deny(tx, tenant, sensor, word, now).await?;
        if word != LIFTED {
            return_leases(tx, tenant, sensor).await?;
        }
    }
    if change == StandingChange::Quarantine {
        sqlx::query("INSERT OR IGNORE INTO sensor_conflict (tenant_id, sensor_id, at) VALUES (?1, ?2, ?3)")
            .bind(tenant.as_bytes().as_slice())
            .bind(sensor.as_bytes().as_slice())
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .during(CHANGE)?;
    }
    if change == StandingChange::Delete {
        // What it could still be asked for.
        sqlx::query("DELETE FROM registry_sensor WHERE tenant_id = ?1 AND sensor_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(sensor.as_bytes().as_slice())
            .execute(&mut **tx)
            .await
            .during(CHANGE)?;
    }
    Ok(true)
}

/// A sensor that was quarantined has recovered with an approval, which is used up. `false` if it is not quarantined.
pub(in crate::sqlite) async fn let_in(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE sensor SET state = iif(session_epoch > 0, 'active', 'provisional'), approved_until = NULL, approved_fingerprint = NULL
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'quarantined'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(CHANGE)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    deny(tx, tenant, sensor, LIFTED, now).await?;
    Ok(true)
}

/// Adds to the list of denials: a reason, or [`LIFTED`].
pub(super) async fn deny(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
    word: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let epoch: i64 = sqlx::query_scalar("UPDATE denial_epoch SET epoch = epoch + 1 RETURNING epoch")
        .fetch_one(&mut **tx)
        .await
        .during(CHANGE)?;
    sqlx::query("INSERT INTO denial (tenant_id, epoch, sensor_id, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(tenant.as_bytes().as_slice())
        .bind(epoch)
        .bind(sensor.as_bytes().as_slice())
        .bind(word)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .during(CHANGE)?;
    Ok(())
}

/// The runs are not to blame: this does not count as a fruitless attempt.
async fn return_leases(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE run SET state = 'queued', session_epoch = NULL, lease_until = NULL
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'leased'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(CHANGE)?;
    Ok(())
}

/// What is kept by a sensor's id, and goes before the sensor does. ?1 and ?2 are as in [`GONE`].
const KEPT_BY_ID: [&str; 5] = [
    "DELETE FROM sensor_renewal WHERE (tenant_id, sensor_id) IN
         (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)",
    "DELETE FROM sensor_audit_head WHERE (tenant_id, sensor_id) IN
         (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)",
    "DELETE FROM sensor_recovery WHERE (tenant_id, sensor_id) IN
         (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)",
    "DELETE FROM sensor_conflict WHERE (tenant_id, sensor_id) IN
         (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)",
    "DELETE FROM denial WHERE (tenant_id, sensor_id) IN
         (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)",
];
/// The sensors that are forgotten: ?1 is the time at or before which they were deleted, ?2 how many.
const GONE: &str = "DELETE FROM sensor WHERE (tenant_id, sensor_id) IN
     (SELECT tenant_id, sensor_id FROM sensor WHERE deleted_at <= ?1 ORDER BY deleted_at, tenant_id, sensor_id LIMIT ?2)";
/// Every replica has heard of a denial after a day: what was said of the sensor since is all that counts.
const OVERRULED: &str = "DELETE FROM denial WHERE at <= ?1 AND epoch <
     (SELECT max(epoch) FROM denial AS later WHERE later.tenant_id = denial.tenant_id AND later.sensor_id = denial.sensor_id)";

pub(super) async fn forget(
    store: &SqliteStore,
    deleted_before: Timestamp,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let days_ago =
        |days: i64| millis(now).saturating_sub(SignedDuration::from_hours(days * 24).as_secs() * 1_000);
    let mut tx = store.write().await?;
    for (statement, before) in [
        (
            "DELETE FROM sensor_conflict WHERE at <= ?1",
            days_ago(RECOVERY_AWAY_DAYS),
        ),
        (
            "DELETE FROM sensor_recovery WHERE at <= ?1",
            days_ago(RECOVERY_AWAY_DAYS),
        ),
        (OVERRULED, days_ago(1)),
    ] {
        sqlx::query(statement)
            .bind(before)
            .execute(&mut *tx)
            .await
            .during(FORGET)?;
    }
    let mut gone = 0;
    for statement in KEPT_BY_ID.into_iter().chain([GONE]) {
        let done = sqlx::query(statement)
            .bind(millis(deleted_before))
            .bind(AT_ONCE)
            .execute(&mut *tx)
            .await
            .during(FORGET)?;
        gone = done.rows_affected();
    }
    tx.commit().await.during(FORGET)?;
    Ok(gone)
}
