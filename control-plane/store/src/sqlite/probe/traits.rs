//! The statements.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{ProbeId, RegistryId, SensorId, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::target::StoredTarget;
use super::trial;
use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::{During as _, is_unknown_tenant};
use crate::sqlite::rows;
use crate::sqlite::run::budget;
use crate::sqlite::{SqliteStore, audit, registry};
use crate::{
    AuditEntry, KEPT_PROBES, NewProbe, ProbeOutcome, ProbeRecord, ProbeReport, Probes, StoreError,
    WAITING_PROBES, WaitingProbe,
};

/// Probes that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 1_000;

#[async_trait]
impl Probes for SqliteStore {
    async fn add_probe(&self, probe: &NewProbe, entry: &AuditEntry) -> Result<ProbeOutcome, StoreError> {
        const ACTION: &str = "add a probe";
        let target = rows::json("target of a probe", &StoredTarget::from(&probe.target))?;
        let sensors = rows::json("sensors of a probe", &probe.sensors)?;
        let trial = probe.trial.as_ref();
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO probe (tenant_id, probe_id, registry_id, target, repository, sensors, asked_by, asked_at, expires_at,
                                is_trial, trial_binding, trial_payload, trial_wraps)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11 IS NOT NULL, ?11, ?12, ?13
             WHERE (SELECT count(*) FROM probe WHERE tenant_id = ?1 AND ended_at IS NULL AND expires_at > ?8) < ?10",
        )
        .bind(probe.tenant.as_bytes().as_slice())
        .bind(probe.id.as_bytes().as_slice())
        .bind(probe.registry.as_ref().map(|registry| registry.as_bytes().to_vec()))
        .bind(target)
        .bind(probe.repository.as_ref().map(ToString::to_string))
        .bind(sensors)
        .bind(&probe.asked_by)
        .bind(millis(probe.asked_at))
        .bind(millis(probe.expires_at))
        .bind(WAITING_PROBES)
        .bind(trial.map(|trial| trial.binding.encode()))
        .bind(trial.map(|trial| trial.sealed.payload.encode()))
        .bind(trial.map(|trial| trial::wraps_to_bytes(&trial.sealed.wraps)))
        .execute(&mut *tx)
        .await;
        let inserted = match inserted {
            Err(error) if is_unknown_tenant(&error) => {
                return Err(StoreError::Unknown {
                    what: "tenant",
                    name: probe.tenant.to_string(),
                });
            }
            other => other.during(ACTION)?,
        };
        if inserted.rows_affected() == 0 {
            return Ok(ProbeOutcome::TooMany);
        }
        sqlx::query(
            "DELETE FROM probe WHERE rowid IN (
                 SELECT rowid FROM probe WHERE tenant_id = ?1 AND (ended_at IS NOT NULL OR expires_at <= ?2)
                 ORDER BY asked_at DESC LIMIT -1 OFFSET ?3)",
        )
        .bind(probe.tenant.as_bytes().as_slice())
        .bind(millis(probe.asked_at))
        .bind(KEPT_PROBES)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
        audit::append(&mut tx, probe.tenant, entry).await?;
        tx.commit().await.during(ACTION)?;
        Ok(ProbeOutcome::Added)
    }

    async fn probe(&self, tenant: TenantId, id: ProbeId) -> Result<Option<ProbeRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM probe WHERE tenant_id = ?1 AND probe_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .fetch_optional(self.reader())
            .await
            .during("find a probe")?;
        row.as_ref().map(record).transpose()
    }

    async fn waiting_probes(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<WaitingProbe>, StoreError> {
        let connected = rows::json("connected sensors", sensors)?;
        let found = sqlx::query(
            "SELECT * FROM (
                 SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY asked_at, probe_id) AS turn FROM (
                     SELECT probe.*, (SELECT able.value FROM json_each(probe.sensors) AS able
                                      WHERE able.value IN (SELECT value FROM json_each(?2)) ORDER BY able.key LIMIT 1) AS able
                     FROM probe WHERE ended_at IS NULL AND expires_at > ?1)
                 WHERE able IS NOT NULL)
             ORDER BY turn, asked_at, probe_id LIMIT ?3",
        )
        .bind(millis(now))
        .bind(connected)
        .bind(limit)
        .fetch_all(self.reader())
        .await
        .during("find probes that wait")?;
        let mut waiting = Vec::with_capacity(found.len());
        for row in &found {
            match able(row) {
                Ok(probe) => waiting.push(probe),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a probe cannot be read");
                }
            }
        }
        Ok(waiting)
    }

    async fn report_probe(
        &self,
        tenant: TenantId,
        id: ProbeId,
        session_epoch: u64,
        report: &ProbeReport,
    ) -> Result<bool, StoreError> {
        const ACTION: &str = "store a probe's report";
        let diagnosis = rows::json("diagnosis", &report.diagnosis)?;
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE probe SET ended_at = ?6, sensor_id = ?3, diagnosis = ?7,
                              trial_binding = NULL, trial_payload = NULL, trial_wraps = NULL
             WHERE tenant_id = ?1 AND probe_id = ?2 AND ended_at IS NULL AND expires_at > ?6
               AND EXISTS (SELECT 1 FROM json_each(probe.sensors) WHERE value = ?5)
               AND EXISTS (SELECT 1 FROM sensor WHERE sensor.tenant_id = ?1 AND sensor.sensor_id = ?3
                              AND sensor.session_epoch = ?4 AND sensor.state <> 'revoked')",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(report.sensor.as_bytes().as_slice())
        .bind(integer(session_epoch))
        .bind(report.sensor.to_string())
        .bind(millis(report.at))
        .bind(diagnosis)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
        let stored = done.rows_affected() > 0;
        if stored {
            learn(&mut tx, tenant, id, report).await?;
        }
        tx.commit().await.during(ACTION)?;
        Ok(stored)
    }

    async fn forget_probes(&self, before: Timestamp) -> Result<u64, StoreError> {
        const ACTION: &str = "forget old probes";
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "DELETE FROM probe WHERE rowid IN (SELECT rowid FROM probe WHERE asked_at < ?1 ORDER BY asked_at LIMIT ?2)",
        )
        .bind(millis(before))
        .bind(FORGOTTEN_AT_ONCE)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
        tx.commit().await.during(ACTION)?;
        Ok(done.rows_affected())
    }

    async fn drop_trials(&self, now: Timestamp) -> Result<u64, StoreError> {
        trial::drop_expired(self, now).await
    }
}

/// What a probe found out is known of its registry from now on, unless that is read in another way meanwhile; its requests count as those of
/// runs do, as long as the registry has not moved.
async fn learn(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    id: ProbeId,
    report: &ProbeReport,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT * FROM probe WHERE tenant_id = ?1 AND probe_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .fetch_one(&mut **tx)
        .await
        .during("find a probe")?;
    let row = Columns::of("probe", &row);
    let (probe, is_trial) = (probe(&row)?, row.get::<bool>("is_trial")?);
    let Some(registry) = probe.registry else {
        return Ok(());
    };
    let Some(now) = registry::find(tx, tenant, registry).await? else {
        return Ok(());
    };
    let asked = &probe.target;
    // They went to where the registry is now, whoever it was that asked.
    if now.registry.url == asked.url && report.diagnosis.requests > 0 {
        budget::spend(tx, (tenant, registry), report.diagnosis.requests, report.at).await?;
    }
    // What another credential than the registry's could see says nothing of the registry's.
    if is_trial || (&now.registry.url, &now.registry.credential) != (&asked.url, &asked.credential) {
        return Ok(());
    }
    let diagnosis = &report.diagnosis;
    registry::learn(
        tx,
        (tenant, registry),
        &diagnosis.facts,
        report.at,
        diagnosis.is_sound(),
    )
    .await
}

fn able(row: &SqliteRow) -> Result<WaitingProbe, StoreError> {
    let columns = Columns::of("probe", row);
    Ok(WaitingProbe {
        probe: probe(&columns)?,
        sensor: columns.text("able")?,
    })
}

fn record(row: &SqliteRow) -> Result<ProbeRecord, StoreError> {
    let row = Columns::of("probe", row);
    let report = match row.opt_time("ended_at")? {
        None => None,
        Some(at) => Some(ProbeReport {
            sensor: row.bytes("sensor_id", SensorId::from_slice)?,
            at,
            diagnosis: row.json("diagnosis")?,
        }),
    };
    Ok(ProbeRecord {
        probe: probe(&row)?,
        report,
    })
}

fn probe(row: &Columns<'_>) -> Result<NewProbe, StoreError> {
    let target: StoredTarget = row.json("target")?;
    Ok(NewProbe {
        id: row.bytes("probe_id", ProbeId::from_slice)?,
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        registry: row.opt_bytes("registry_id", RegistryId::from_slice)?,
        target: target.into_target().ok_or_else(|| row.corrupt("target"))?,
        repository: row.opt_text("repository")?,
        sensors: row.json("sensors")?,
        trial: trial::read(row)?,
        asked_by: row.get("asked_by")?,
        asked_at: row.time("asked_at")?,
        expires_at: row.time("expires_at")?,
    })
}
