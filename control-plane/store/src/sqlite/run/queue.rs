//! Runs that wait, and runs that are cancelled.

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, RunId, RunProgress, RunState, SensorId, TenantId};

use super::super::columns::{Columns, millis};
use super::super::credential::can_open;
use super::super::failure::During as _;
use super::super::rows::{self, hex, json};
use super::super::{SqliteStore, audit};
use super::attempt;
use crate::{AuditEntry, CancelOutcome, Leasable, NewRun, QueueOutcome, StoreError};

pub(super) async fn queue(
    store: &SqliteStore,
    run: &NewRun,
    entry: &AuditEntry,
) -> Result<QueueOutcome, StoreError> {
    const ACTION: &str = "queue a run";
    // The same scope in another order is the same scope.
    let mut scope = run.scope.repositories.clone();
    scope.sort();
    scope.dedup();
    let scope = json("scope", &scope)?;
    let mut tx = store.write().await?;
    let registry_exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM registry WHERE tenant_id = ?1 AND registry_id = ?2)",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .fetch_one(&mut *tx)
    .await
    .during(ACTION)?;
    if !registry_exists {
        return Ok(QueueOutcome::UnknownRegistry);
    }
    let open = sqlx::query(
        "SELECT run_id FROM run
         WHERE tenant_id = ?1 AND registry_id = ?2 AND scope = ?3 AND state IN ('queued', 'leased')",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .bind(&scope)
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    if let Some(open) = open {
        let id = Columns::of("run", &open).bytes("run_id", RunId::from_slice)?;
        return Ok(QueueOutcome::Joined(id));
    }
    sqlx::query(
        "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, state, not_before, queued_at, progress)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?7, ?8)",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.id.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .bind(run.trigger.as_str())
    .bind(scope)
    .bind(&run.requested_by)
    .bind(millis(run.now))
    .bind(json("progress", &RunProgress::default())?)
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    audit::append(&mut tx, run.tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(QueueOutcome::Queued)
}

pub(super) async fn leasable(
    store: &SqliteStore,
    now: Timestamp,
    sensors: &[SensorId],
    limit: u32,
) -> Result<Vec<Leasable>, StoreError> {
    if sensors.is_empty() {
        return Ok(Vec::new());
    }
    // A run that none of the sensors may have or has the credential for, or whose registry another run is reading, would only stand in the way of others.
    let rows = sqlx::query(
        concat!("WITH asking AS MATERIALIZED (SELECT unhex(value) AS sensor_id FROM json_each(?3)),
         waiting AS MATERIALIZED (
             SELECT tenant_id, run_id, registry_id, queued_at FROM run
             WHERE state = 'queued' AND not_before <= ?1
               AND NOT EXISTS (SELECT 1 FROM run AS other WHERE other.tenant_id = run.tenant_id
                                  AND other.registry_id = run.registry_id AND other.state = 'leased')
               AND EXISTS (SELECT 1 FROM registry_sensor JOIN sensor USING (tenant_id, sensor_id)
                            WHERE registry_sensor.tenant_id = run.tenant_id
                              AND registry_sensor.registry_id = run.registry_id AND sensor.state <> 'revoked'
                              AND sensor_id IN (SELECT sensor_id FROM asking) AND ", can_open!(), ")
             ORDER BY queued_at, run_id LIMIT ?2)
         SELECT waiting.tenant_id, waiting.run_id, registry_sensor.sensor_id
         FROM waiting
         JOIN registry_sensor ON registry_sensor.tenant_id = waiting.tenant_id
                             AND registry_sensor.registry_id = waiting.registry_id
         JOIN sensor ON sensor.tenant_id = waiting.tenant_id AND sensor.sensor_id = registry_sensor.sensor_id
         WHERE sensor.state <> 'revoked' AND registry_sensor.sensor_id IN (SELECT sensor_id FROM asking) AND ", can_open!(), "
         ORDER BY waiting.queued_at, waiting.run_id, registry_sensor.rank"),
    )
    .bind(millis(now))
    .bind(i64::from(limit))
    .bind(rows::array(sensors.iter().map(|sensor| hex(sensor.as_bytes())))?)
    .fetch_all(store.reader())
    .await
    .during("find runs that wait")?;
    let mut leasable: Vec<Leasable> = Vec::new();
    for row in &rows {
        let (tenant, run, sensor) = match ids(&Columns::of("run", row)) {
            Ok(ids) => ids,
            // One row that cannot be read must not keep all others waiting.
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a run that waits was passed over"
                );
                continue;
            }
        };
        match leasable.last_mut() {
            Some(last) if last.run == run && last.tenant == tenant => last.sensors.push(sensor),
            Some(_) | None => leasable.push(Leasable {
                tenant,
                run,
                sensors: vec![sensor],
            }),
        }
    }
    Ok(leasable)
}

fn ids(row: &Columns<'_>) -> Result<(TenantId, RunId, SensorId), StoreError> {
    Ok((
        row.bytes("tenant_id", TenantId::from_slice)?,
        row.bytes("run_id", RunId::from_slice)?,
        row.bytes("sensor_id", SensorId::from_slice)?,
    ))
}

pub(super) async fn cancel(
    store: &SqliteStore,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<CancelOutcome, StoreError> {
    const ACTION: &str = "cancel a run";
    let mut tx = store.write().await?;
    let row = sqlx::query("SELECT state, sensor_id, attempt FROM run WHERE tenant_id = ?1 AND run_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(run.as_bytes().as_slice())
        .fetch_optional(&mut *tx)
        .await
        .during(ACTION)?;
    let Some(row) = row else {
        return Ok(CancelOutcome::Unknown);
    };
    let row = Columns::of("run", &row);
    let state: RunState = row.text("state")?;
    if state.is_ended() {
        return Ok(CancelOutcome::Ended(state));
    }
    let holder = if state == RunState::Leased {
        let attempt = AttemptRef {
            run,
            attempt: row.small("attempt")?,
        };
        Some((row.bytes("sensor_id", SensorId::from_slice)?, attempt))
    } else {
        None
    };
    let coverage = attempt::counted(&mut tx, tenant, run).await?;
    attempt::finish(&mut tx, tenant, run, RunState::Cancelled, &coverage, None, now).await?;
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(CancelOutcome::Cancelled(holder))
}
