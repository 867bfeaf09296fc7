//! Where the sensors' own logs stand, as they say.

use jiff::Timestamp;
use portolan_shared::audit::{AuditHash, AuditHead};
use portolan_shared::model::{SensorId, TenantId};
use sqlx::SqliteConnection;

use super::append::append;
use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows::{self, hex};
use crate::{
    EntryFor, KnownSensorLog, SensorHead, SensorHeadOutcome, SensorLogProblem, SensorLogStep, StoreError,
};

const ACTION: &str = "keep where a sensor's log stands";

/// What is known of a sensor's log.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    sensor: SensorId,
) -> Result<Option<KnownSensorLog>, StoreError> {
    let row = sqlx::query(
        "SELECT seq, hash, problem FROM sensor_audit_head WHERE tenant_id = ?1 AND sensor_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(connection)
    .await
    .during("find where a sensor's log stands")?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::of("sensor_audit_head", &row);
    let (seq, hash) = (row.number("seq")?, AuditHash(row.array("hash")?));
    Ok(Some(KnownSensorLog {
        head: AuditHead { seq, hash },
        problem: row.get("problem")?,
    }))
}

/// Keeps what has gone on: one statement for what was known, one for what was not.
pub(super) async fn extend(store: &SqliteStore, steps: &[SensorLogStep]) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    let steps = rows::array(steps.iter().map(|step| {
        let from = step.from.unwrap_or(step.to);
        (
            (hex(step.tenant.as_bytes()), hex(step.sensor.as_bytes())),
            (step.from.is_none(), integer(from.seq), hex(&from.hash.0)),
            (integer(step.to.seq), hex(&step.to.hash.0), millis(step.at)),
        )
    }))?;
    let mut tx = store.write().await?;
    sqlx::query(
        "UPDATE sensor_audit_head SET seq = step.seq, hash = step.hash, reported_at = step.at
         FROM (SELECT unhex(value ->> '$[0][0]') AS tenant_id, unhex(value ->> '$[0][1]') AS sensor_id,
                      value ->> '$[1][0]' AS is_first, value ->> '$[1][1]' AS from_seq, unhex(value ->> '$[1][2]') AS from_hash,
                      value ->> '$[2][0]' AS seq, unhex(value ->> '$[2][1]') AS hash, value ->> '$[2][2]' AS at
               FROM json_each(?1)) AS step
         WHERE sensor_audit_head.tenant_id = step.tenant_id AND sensor_audit_head.sensor_id = step.sensor_id
           AND NOT step.is_first AND sensor_audit_head.seq = step.from_seq AND sensor_audit_head.hash = step.from_hash",
    )
    .bind(&steps)
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    sqlx::query(
        "INSERT INTO sensor_audit_head (tenant_id, sensor_id, seq, hash, reported_at)
         SELECT unhex(value ->> '$[0][0]'), unhex(value ->> '$[0][1]'),
                value ->> '$[2][0]', unhex(value ->> '$[2][1]'), value ->> '$[2][2]'
         FROM json_each(?1) WHERE value ->> '$[1][0]'
         ON CONFLICT (tenant_id, sensor_id) DO NOTHING",
    )
    .bind(&steps)
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)
}

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
    let stored = known(&mut tx, tenant, sensor).await?;
    let is_new = stored.is_none();
    let log = stored.unwrap_or(KnownSensorLog {
        head: said.head,
        problem: None,
    });
    let known = log.head;
    let (outcome, problems) = log.judge(said);
    let mut last = None;
    for problem in problems {
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
    if kept == known && last.is_none() && !is_new {
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
    .bind(last.or(log.problem))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)?;
    Ok((outcome, kept))
}
