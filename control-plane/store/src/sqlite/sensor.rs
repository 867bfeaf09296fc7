//! Sensors: their certificates, sessions and end.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{HostFacts, Reason, SensorId, SensorState, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::columns::{Columns, integer, millis};
use super::failure::During as _;
use super::rows::{self, hex};
use super::{SqliteStore, audit, keyset, provisional};
use crate::{
    AuditEntry, Certificate, Denial, EntryFor, OpenedSession, Page, PageRequest, RenewalOutcome, Seen,
    SensorRecord, Sensors, SessionOpening, SessionOutcome, StoreError,
};

/// Certificates that a sensor may be given within an hour.
const RENEWALS_AN_HOUR: i64 = 6;
const OPEN: &str = "open a session";
const RENEW: &str = "renew a certificate";
const REVOKE: &str = "revoke a sensor";

#[async_trait]
impl Sensors for SqliteStore {
    async fn sensor(&self, tenant: TenantId, id: SensorId) -> Result<Option<SensorRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(self.reader())
            .await
            .during("find a sensor")?;
        row.as_ref().map(read).transpose()
    }

    async fn sensor_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<SensorRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM sensor WHERE tenant_id = ?1 AND name = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(name)
            .fetch_optional(self.reader())
            .await
            .during("find a sensor by name")?;
        row.as_ref().map(read).transpose()
    }

    async fn sensors(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<SensorRecord>, StoreError> {
        let after = keyset::after::<String>(page)?;
        let rows = sqlx::query(
            "SELECT * FROM sensor WHERE tenant_id = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(after)
        .bind(keyset::rows_wanted(page))
        .fetch_all(self.reader())
        .await
        .during("list sensors")?;
        let sensors = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        keyset::page(page, sensors, |last| last.name.clone())
    }

    async fn sensor_anywhere(&self, id: SensorId) -> Result<Option<SensorRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM sensor WHERE sensor_id = ?1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(self.reader())
            .await
            .during("find a sensor")?;
        row.as_ref().map(read).transpose()
    }

    async fn open_session(&self, opening: &SessionOpening) -> Result<SessionOutcome, StoreError> {
        let mut tx = self.write().await?;
        let Some(sensor) = locked(&mut tx, opening.tenant, opening.sensor, OPEN).await? else {
            return Ok(SessionOutcome::Refused(Reason::IdentityUnknown));
        };
        if sensor.state == SensorState::Revoked {
            return Ok(SessionOutcome::Refused(Reason::SensorRevoked));
        }
        let certificate = if sensor.current.serial == opening.serial {
            &sensor.current
        } else {
            match &sensor.new {
                Some(new) if new.serial == opening.serial => new,
                Some(_) | None => return Ok(SessionOutcome::Refused(Reason::CertificateNotCurrent)),
            }
        };
        let promoted = *certificate != sensor.current;
        let row = sqlx::query(
            "UPDATE sensor SET
                 state = 'active', session_epoch = session_epoch + 1, last_seen_at = ?3,
                 current_serial = ?4, current_not_after = ?5,
                 new_serial = iif(?6, NULL, new_serial), new_not_after = iif(?6, NULL, new_not_after),
                 hostname = ?7, os = ?8, architecture = ?9, agent_version = ?10,
                 policy_hash = ?11, policy_summary = ?12, clock_skew_ms = ?13
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state <> 'revoked'
             RETURNING session_epoch",
        )
        .bind(opening.tenant.as_bytes().as_slice())
        .bind(opening.sensor.as_bytes().as_slice())
        .bind(millis(opening.now))
        .bind(certificate.serial.as_slice())
        .bind(millis(certificate.not_after))
        .bind(promoted)
        .bind(&opening.host.hostname)
        .bind(&opening.host.os)
        .bind(&opening.host.architecture)
        .bind(&opening.host.agent_version)
        .bind(opening.policy_hash.as_ref().map(<[u8; 32]>::as_slice))
        .bind(&opening.policy_summary)
        .bind(opening.clock_skew_ms)
        .fetch_one(&mut *tx)
        .await
        .during(OPEN)?;
        tx.commit().await.during(OPEN)?;
        Ok(SessionOutcome::Opened(OpenedSession {
            epoch: Columns::of("sensor", &row).number("session_epoch")?,
            name: sensor.name,
            first: sensor.state == SensorState::Provisional,
        }))
    }

    async fn store_renewal(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        serial: [u8; 16],
        certificate: &Certificate,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<RenewalOutcome, StoreError> {
        let mut tx = self.write().await?;
        let Some(found) = locked(&mut tx, tenant, sensor, RENEW).await? else {
            return Ok(RenewalOutcome::Refused(Reason::IdentityUnknown));
        };
        if found.state == SensorState::Revoked {
            return Ok(RenewalOutcome::Refused(Reason::SensorRevoked));
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
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state <> 'revoked'",
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

    async fn record_seen(&self, seen: &[Seen]) -> Result<(), StoreError> {
        const ACTION: &str = "note who was heard of";
        if seen.is_empty() {
            return Ok(());
        }
        let seen = rows::array(seen.iter().map(|seen| {
            (
                hex(seen.tenant.as_bytes()),
                hex(seen.sensor.as_bytes()),
                millis(seen.at),
            )
        }))?;
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE sensor SET last_seen_at = max(coalesce(last_seen_at, seen.at), seen.at)
             FROM (SELECT unhex(value ->> 0) AS tenant_id, unhex(value ->> 1) AS sensor_id, max(value ->> 2) AS at
                   FROM json_each(?1) GROUP BY 1, 2) AS seen
             WHERE sensor.tenant_id = seen.tenant_id AND sensor.sensor_id = seen.sensor_id",
        )
        .bind(seen)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
        tx.commit().await.during(ACTION)
    }

    async fn revoke_sensor(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE sensor SET state = 'revoked', revoked_at = ?3
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state <> 'revoked'",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .during(REVOKE)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let epoch: i64 = sqlx::query_scalar("UPDATE denial_epoch SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut *tx)
            .await
            .during(REVOKE)?;
        sqlx::query(
            "INSERT INTO denial (tenant_id, epoch, sensor_id, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(epoch)
        .bind(sensor.as_bytes().as_slice())
        .bind(Reason::SensorRevoked.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .during(REVOKE)?;
        // The runs are not to blame: this does not count as a fruitless attempt.
        sqlx::query(
            "UPDATE run SET state = 'queued', session_epoch = NULL, lease_until = NULL
             WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'leased'",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .during(REVOKE)?;
        audit::append(&mut tx, tenant, entry).await?;
        tx.commit().await.during(REVOKE)?;
        Ok(true)
    }

    async fn mark_stuck_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
        note: EntryFor<'_, SensorRecord>,
    ) -> Result<Vec<SensorRecord>, StoreError> {
        provisional::mark_stuck(self, enrolled_before, now, note).await
    }

    async fn remove_unused_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
        note: EntryFor<'_, SensorRecord>,
    ) -> Result<Vec<SensorRecord>, StoreError> {
        provisional::remove_unused(self, enrolled_before, now, note).await
    }

    async fn denial_epoch(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT epoch FROM denial_epoch")
            .fetch_one(self.reader())
            .await
            .during("read the position of denials")?;
        Columns::of("denial_epoch", &row).number("epoch")
    }

    async fn denials_after(&self, epoch: u64) -> Result<Vec<Denial>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant_id, epoch, sensor_id, reason FROM denial WHERE epoch > ?1 ORDER BY epoch LIMIT 10000",
        )
        .bind(integer(epoch))
        .fetch_all(self.reader())
        .await
        .during("read denials")?;
        rows.iter()
            .map(|row| {
                let row = Columns::of("denial", row);
                Ok(Denial {
                    epoch: row.number("epoch")?,
                    tenant: row.bytes("tenant_id", TenantId::from_slice)?,
                    sensor: row.bytes("sensor_id", SensorId::from_slice)?,
                    reason: row.text("reason")?,
                })
            })
            .collect()
    }
}

/// A sensor as it is while nothing else writes.
async fn locked(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    sensor: SensorId,
    action: &'static str,
) -> Result<Option<SensorRecord>, StoreError> {
    let row = sqlx::query("SELECT * FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(sensor.as_bytes().as_slice())
        .fetch_optional(&mut **tx)
        .await
        .during(action)?;
    row.as_ref().map(read).transpose()
}

pub(super) fn read(row: &SqliteRow) -> Result<SensorRecord, StoreError> {
    let row = Columns::of("sensor", row);
    let new = match row.opt_array("new_serial")? {
        Some(serial) => Some(Certificate {
            serial,
            not_after: row.time("new_not_after")?,
        }),
        None => None,
    };
    Ok(SensorRecord {
        id: row.bytes("sensor_id", SensorId::from_slice)?,
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        name: row.get("name")?,
        state: row.text("state")?,
        contested: row.get("contested")?,
        identity_public_key: row.array("identity_public_key")?,
        current: Certificate {
            serial: row.array("current_serial")?,
            not_after: row.time("current_not_after")?,
        },
        new,
        session_epoch: row.number("session_epoch")?,
        host: HostFacts {
            hostname: row.get("hostname")?,
            os: row.get("os")?,
            architecture: row.get("architecture")?,
            agent_version: row.get("agent_version")?,
        },
        policy_hash: row.opt_array("policy_hash")?,
        policy_summary: row.get("policy_summary")?,
        clock_skew_ms: row.get("clock_skew_ms")?,
        enrolled_at: row.time("enrolled_at")?,
        enrolled_from: row.get("enrolled_from")?,
        last_seen_at: row.opt_time("last_seen_at")?,
        revoked_at: row.opt_time("revoked_at")?,
    })
}
