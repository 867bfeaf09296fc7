//! Reading the log.

use async_trait::async_trait;
use portolan_shared::audit::{AuditHead, ChainOwner, LinkedRecord, SignedCheckpoint};
use portolan_shared::model::{SensorId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::append::{APPEND, append};
use super::{chain, checkpoint, sensors};
use crate::sqlite::columns::{Columns, integer};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows::json;
use crate::sqlite::{SqliteStore, keyset};
use crate::{
    Audit, AuditEntry, AuditOrder, AuditRecord, AuditSeverity, EntryFor, KnownSensorLog, Page, PageRequest,
    SensorHead, SensorHeadOutcome, SensorLogProblem, SensorLogStep, StoreError,
};

const NEWEST_OF: &str =
    "SELECT * FROM audit WHERE tenant_id = ?1 AND object IN (SELECT value FROM json_each(?2)) AND seq < ?3
     ORDER BY seq DESC LIMIT ?4";
const OLDEST_OF: &str =
    "SELECT * FROM audit WHERE tenant_id = ?1 AND object IN (SELECT value FROM json_each(?2)) AND seq > ?3
     ORDER BY seq LIMIT ?4";

#[async_trait]
impl Audit for SqliteStore {
    async fn append_audit(&self, tenant: TenantId, entry: &AuditEntry) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let seq = append(&mut tx, tenant, entry).await?;
        tx.commit().await.during(APPEND)?;
        Ok(seq)
    }

    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<AuditRecord>, StoreError> {
        let before = keyset::after::<i64>(page)?.unwrap_or(i64::MAX);
        let rows =
            sqlx::query("SELECT * FROM audit WHERE tenant_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3")
                .bind(tenant.as_bytes().as_slice())
                .bind(before)
                .bind(keyset::rows_wanted(page))
                .fetch_all(self.reader())
                .await
                .during("read the audit log")?;
        let records = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        keyset::page(page, records, |last| last.seq)
    }

    async fn audit_of(
        &self,
        tenant: TenantId,
        objects: &[String],
        order: AuditOrder,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        let (statement, end) = match order {
            AuditOrder::NewestFirst => (NEWEST_OF, i64::MAX),
            AuditOrder::OldestFirst => (OLDEST_OF, 0),
        };
        let objects = json("objects of the audit log", objects)?;
        let rows = sqlx::query(statement)
            .bind(tenant.as_bytes().as_slice())
            .bind(objects)
            .bind(keyset::after::<i64>(page)?.unwrap_or(end))
            .bind(keyset::rows_wanted(page))
            .fetch_all(self.reader())
            .await
            .during("read the audit log of some objects")?;
        let records = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        keyset::page(page, records, |last| last.seq)
    }

    async fn audit_range(
        &self,
        tenant: TenantId,
        after_seq: u64,
        limit: u16,
    ) -> Result<Vec<LinkedRecord<String>>, StoreError> {
        let rows = sqlx::query("SELECT * FROM audit WHERE tenant_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")
            .bind(tenant.as_bytes().as_slice())
            .bind(integer(after_seq))
            .bind(i64::from(limit.clamp(1, PageRequest::MAX)))
            .fetch_all(self.reader())
            .await
            .during("read the audit log")?;
        rows.iter().map(chain::linked).collect()
    }

    async fn audit_head(&self, tenant: TenantId) -> Result<AuditHead, StoreError> {
        let mut reader = self.reader().acquire().await.during("begin to read")?;
        let kept = chain::kept(&mut reader, tenant).await?;
        Ok(kept.unwrap_or_else(|| ChainOwner::Tenant(tenant).genesis()))
    }

    async fn uncheckpointed_audits(&self) -> Result<Vec<(TenantId, AuditHead)>, StoreError> {
        checkpoint::due(self).await
    }

    async fn add_audit_checkpoint(
        &self,
        tenant: TenantId,
        signed: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        checkpoint::add(self, tenant, signed).await
    }

    async fn audit_checkpoints(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<SignedCheckpoint>, StoreError> {
        checkpoint::list(self, tenant, page).await
    }

    async fn sensor_log(
        &self,
        tenant: TenantId,
        sensor: SensorId,
    ) -> Result<Option<KnownSensorLog>, StoreError> {
        let mut reader = self.reader().acquire().await.during("begin to read")?;
        sensors::known(&mut reader, tenant, sensor).await
    }

    async fn extend_sensor_logs(&self, steps: &[SensorLogStep]) -> Result<(), StoreError> {
        sensors::extend(self, steps).await
    }

    async fn record_sensor_head(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        said: &SensorHead,
        at: jiff::Timestamp,
        entry: EntryFor<'_, SensorLogProblem>,
    ) -> Result<(SensorHeadOutcome, AuditHead), StoreError> {
        sensors::record(self, tenant, sensor, said, at, entry).await
    }
}

fn read(row: &SqliteRow) -> Result<AuditRecord, StoreError> {
    let row = Columns::of("audit", row);
    let severity = AuditSeverity::from_word(row.get("severity")?).ok_or_else(|| row.corrupt("severity"))?;
    Ok(AuditRecord {
        seq: row.number("seq")?,
        entry: AuditEntry {
            at: row.time("at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            object: row.get("object")?,
            severity,
            details: row.json("details")?,
        },
    })
}
