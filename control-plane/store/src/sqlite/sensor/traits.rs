//! The statements about sensors, or the way to them.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{SensorId, TenantId};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::super::{SqliteStore, keyset};
use super::record::read;
use super::standing::{self, LIFTED};
use super::{opening, provisional, recovery, renewal};
use crate::{
    AuditEntry, Certificate, Conflicts, ContinuityHash, Denial, EntryFor, JudgedRecovery, Page, PageRequest,
    RecoveryClaim, RecoveryOutcome, RenewalOutcome, Seen, SensorRecord, Sensors, SessionOpening,
    SessionOutcome, StandingChange, StoreError,
};

#[async_trait]
impl Sensors for SqliteStore {
    async fn sensor(&self, tenant: TenantId, id: SensorId) -> Result<Option<SensorRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2 AND deleted_at IS NULL",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(self.reader())
        .await
        .during("find a sensor")?;
        row.as_ref().map(read).transpose()
    }

    async fn sensor_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<SensorRecord>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM sensor WHERE tenant_id = ?1 AND name = ?2 AND deleted_at IS NULL")
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
            "SELECT * FROM sensor WHERE tenant_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3",
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
        opening::open(self, opening).await
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
        renewal::store_renewal(self, tenant, sensor, serial, certificate, now, entry).await
    }

    async fn continuity_stored(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        session_epoch: u64,
        token: ContinuityHash,
    ) -> Result<bool, StoreError> {
        opening::stored(self, tenant, sensor, session_epoch, token).await
    }

    async fn recover_sensor(
        &self,
        claim: &RecoveryClaim,
        note: EntryFor<'_, JudgedRecovery>,
    ) -> Result<RecoveryOutcome, StoreError> {
        recovery::recover(self, claim, note).await
    }

    async fn change_standing(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        change: StandingChange,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        standing::change(self, tenant, sensor, change, now, entry).await
    }

    async fn conflicts_since(&self, tenant: TenantId, since: Timestamp) -> Result<Conflicts, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM sensor_conflict WHERE tenant_id = ?1 AND at > ?2) AS of_tenant,
                    (SELECT count(*) FROM sensor WHERE tenant_id = ?1 AND state IN ('active', 'quarantined')) AS active_of_tenant,
                    (SELECT count(DISTINCT tenant_id) FROM sensor_conflict WHERE tenant_id <> ?1 AND at > ?2) AS other_tenants,
                    (SELECT count(*) FROM tenant) AS tenants",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(millis(since))
        .fetch_one(self.reader())
        .await
        .during("count conflicts")?;
        let row = Columns::of("sensor_conflict", &row);
        Ok(Conflicts {
            of_tenant: row.number("of_tenant")?,
            active_of_tenant: row.number("active_of_tenant")?,
            other_tenants: row.number("other_tenants")?,
            tenants: row.number("tenants")?,
        })
    }

    async fn active_sensors(&self) -> Result<u64, StoreError> {
        let row =
            sqlx::query("SELECT count(*) AS active FROM sensor WHERE state IN ('active', 'quarantined')")
                .fetch_one(self.reader())
                .await
                .during("count sensors")?;
        Columns::of("sensor", &row).number("active")
    }

    async fn unused_sensors(
        &self,
        enrolled_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SensorRecord>, StoreError> {
        provisional::unused(self, enrolled_before, now).await
    }

    async fn forget_deleted_sensors(
        &self,
        deleted_before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        standing::forget(self, deleted_before, now).await
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
                    reason: match row.get("reason")? {
                        LIFTED => None,
                        _ => Some(row.text("reason")?),
                    },
                })
            })
            .collect()
    }
}
