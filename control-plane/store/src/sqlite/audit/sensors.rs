//! Where the sensors' own logs stand, as they say.

use jiff::Timestamp;
use portolan_shared::audit::{AuditHash, AuditHead};
use portolan_shared::model::{SensorId, TenantId};

use super::append::append;
use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::{EntryFor, SensorHead, SensorHeadOutcome, SensorLogProblem, StoreError};

const ACTION: &str = "keep where a sensor's log stands";

/// Compares with what is known. What does not fit is written into the tenant's log.
pub(super) async fn record(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    said: &SensorHead,
    at: Timestamp,
    entry: EntryFor<'_, SensorLogProblem>,
) -> Result<(SensorHeadOutcome, AuditHead), StoreError> {
    let mut tx = store.write().await?;
    let row = sqlx::query(
        "SELECT seq, hash, problem FROM sensor_audit_head WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    let (known, told) = match &row {
        Some(row) => {
            let row = Columns::of("sensor_audit_head", row);
            let seq = row.number("seq")?;
            let hash = AuditHash(row.array("hash")?);
            (AuditHead { seq, hash }, row.get::<Option<String>>("problem")?)
        }
        None => (said.head, None),
    };
    let outcome = SensorHeadOutcome::of(&known, said);
    let doubted = said
        .refused
        .map(|seq| format!("the sensor refused the checkpoint of this log at record {seq}"));
    let doubted = doubted.filter(|doubted| told.as_ref() != Some(doubted));
    let problems = [outcome.problem().map(str::to_owned), doubted];
    let mut last = None;
    for problem in problems.into_iter().flatten() {
        let found = SensorLogProblem {
            problem,
            known,
            reported: said.head,
        };
        let Some(entry) = entry(&found) else {
            return Ok((outcome, known));
        };
        append(&mut tx, tenant, &entry).await?;
        last = Some(found.problem);
    }
    let kept = match outcome {
        SensorHeadOutcome::Extended(reached) => reached,
        SensorHeadOutcome::Unproven => known,
        SensorHeadOutcome::Backwards | SensorHeadOutcome::Rewritten => said.head,
    };
    if kept == known && last.is_none() && row.is_some() {
        return Ok((outcome, kept));
    }
    sqlx::query(
        "INSERT INTO sensor_audit_head (tenant_id, sensor_id, seq, hash, reported_at, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant_id, sensor_id) DO UPDATE SET
             seq = excluded.seq, hash = excluded.hash, reported_at = excluded.reported_at, problem = excluded.problem",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(integer(kept.seq))
    .bind(kept.hash.0.as_slice())
    .bind(millis(at))
    .bind(last.or(told))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)?;
    Ok((outcome, kept))
}
