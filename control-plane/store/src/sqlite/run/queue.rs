//! Runs that wait, and runs that are cancelled.

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, RunId, RunProgress, RunState, RunTrigger, SensorId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::credential::can_open;
use super::super::failure::{During as _, is_taken};
use super::super::rows::{self, hex, json};
use super::super::{SqliteStore, audit};
use super::attempt;
use super::behind::{waits_behind, wants_a_later_look};
use super::reasons::{self, reason_columns};
use crate::{AuditEntry, CancelOutcome, Leasable, NewRun, QueueOutcome, RunReason, StoreError};

const QUEUE: &str = "queue a run";
const CANCEL: &str = "cancel a run";

pub(super) async fn queue(
    store: &SqliteStore,
    run: &NewRun,
    entry: &AuditEntry,
) -> Result<QueueOutcome, StoreError> {
    let mut tx = store.write().await?;
    let outcome = queue_within(&mut tx, run, Some(entry)).await?;
    tx.commit().await.during(QUEUE)?;
    Ok(outcome)
}

/// The same as part of more. The entry is written if the run is queued.
pub(in super::super) async fn queue_within(
    tx: &mut Transaction<'static, Sqlite>,
    run: &NewRun,
    entry: Option<&AuditEntry>,
) -> Result<QueueOutcome, StoreError> {
    // The same scope in another order is the same scope.
    let scope = run.scope.clone().normal();
    let lines = json("scope", &scope.lines())?;
    let registry_exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM registry WHERE tenant_id = ?1 AND registry_id = ?2)",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await
    .during(QUEUE)?;
    if !registry_exists {
        return Ok(QueueOutcome::UnknownRegistry);
    }
    let goes_beside = run.trigger == RunTrigger::Event && !scope.is_whole();
    let behind = if goes_beside {
        None
    } else {
        match join_or_follow(tx, run, &lines).await? {
            Place::In(open) => return Ok(QueueOutcome::Joined(open)),
            Place::Behind(begun) => Some(begun),
            Place::Free => None,
        }
    };
    let inserted = sqlx::query(
        "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, state, not_before, queued_at, progress,
                          reasons, priority, asked_at, behind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.id.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .bind(run.trigger.as_str())
    .bind(lines)
    .bind(&run.requested_by)
    .bind(millis(run.now))
    .bind(json("progress", &RunProgress::default())?)
    .bind(reasons::first(run.trigger, &run.requested_by, run.now)?)
    .bind(reasons::priority(run.trigger))
    .bind(reasons::asked_at(run.trigger, run.now))
    .bind(behind.map(|begun| begun.as_bytes().to_vec()))
    .execute(&mut **tx)
    .await;
    match inserted {
        Err(error) if goes_beside && is_taken(&error) => {
            return Err(StoreError::Refused {
                what: "run for push events",
                why: "another one of the registry is open".to_owned(),
            });
        }
        other => other.during(QUEUE)?,
    };
    if let Some(entry) = entry {
        audit::append(tx, run.tenant, entry).await?;
    }
    Ok(QueueOutcome::Queued)
}

/// Where a wish for a run goes.
enum Place {
    /// It has joined this open run.
    In(RunId),
    /// Behind this open run, which has begun.
    Behind(RunId),
    /// There is none of the registry and scope.
    Free,
}

/// Joins the first of the open runs of the same registry and scope that will do: there is one, and it may be followed by another. What has begun and will
/// not do is hastened for whoever comes after it.
async fn join_or_follow(
    tx: &mut Transaction<'static, Sqlite>,
    run: &NewRun,
    scope: &str,
) -> Result<Place, StoreError> {
    let open = sqlx::query(concat!(
        "SELECT run_id, (state = 'leased' OR commits > 0) AS has_begun, ",
        reason_columns!(),
        " FROM run INDEXED BY run_open WHERE tenant_id = ?1 AND registry_id = ?2 AND scope = ?3 AND state IN ('queued', 'leased') AND beside = 0
          ORDER BY behind IS NOT NULL"
    ))
    .bind(run.tenant.as_bytes().as_slice())
    .bind(run.registry.as_bytes().as_slice())
    .bind(scope)
    .fetch_all(&mut **tx)
    .await
    .during(QUEUE)?;
    let mut place = Place::Free;
    for open in &open {
        let open = Columns::of("run", open);
        let id = open.bytes("run_id", RunId::from_slice)?;
        if open.get("has_begun")? && wants_a_later_look(run.trigger) {
            reasons::hasten(tx, (run.tenant, id), run.trigger, run.now).await?;
            place = Place::Behind(id);
            continue;
        }
        let reason = RunReason {
            trigger: run.trigger,
            requested_by: run.requested_by.clone(),
            at: run.now,
        };
        reasons::join(tx, (run.tenant, id), &open, reason).await?;
        return Ok(Place::In(id));
    }
    Ok(place)
}

/// A run that none of the sensors may have or has the credential for, or that another run of its registry keeps waiting, would only stand in
/// the way of others. Of a registry at most one run of each kind is leased: if none of this one's kind is, then at most one at all.
const LEASABLE: &str = concat!("WITH asking AS MATERIALIZED (SELECT unhex(value) AS sensor_id FROM json_each(?3)),
         full AS MATERIALIZED (
             SELECT tenant_id FROM run INDEXED BY run_holder WHERE state = 'leased' AND beside = 0 GROUP BY tenant_id HAVING count(*) >= ?4),
         waiting AS MATERIALIZED (
             SELECT tenant_id, run_id, registry_id, priority, queued_at, beside,
                    (SELECT sensor_id FROM run AS other INDEXED BY run_busy WHERE other.tenant_id = run.tenant_id
                        AND other.registry_id = run.registry_id AND other.state = 'leased') AS reader
             FROM run INDEXED BY run_waiting
             WHERE state = 'queued' AND not_before <= ?1 AND beside >= ?5 AND (beside = 1 OR tenant_id NOT IN (SELECT tenant_id FROM full))
               AND NOT EXISTS (SELECT 1 FROM run AS other INDEXED BY run_busy WHERE other.tenant_id = run.tenant_id
                                  AND other.registry_id = run.registry_id AND other.state = 'leased' AND other.beside = run.beside)
               AND NOT ", waits_behind!(), "
               AND EXISTS (SELECT 1 FROM registry_sensor JOIN sensor USING (tenant_id, sensor_id)
                            WHERE registry_sensor.tenant_id = run.tenant_id
                              AND registry_sensor.registry_id = run.registry_id AND sensor.state <> 'revoked'
                              AND sensor_id IN (SELECT sensor_id FROM asking)
                              AND iif(reader IS NULL, 1, sensor_id = reader AND sensor.looks_beside) AND ", can_open!(), ")
             ORDER BY priority, queued_at, run_id LIMIT ?2)
         SELECT waiting.tenant_id, waiting.run_id, waiting.beside, registry_sensor.sensor_id
         FROM waiting
         CROSS JOIN registry_sensor ON registry_sensor.tenant_id = waiting.tenant_id
                             AND registry_sensor.registry_id = waiting.registry_id
         CROSS JOIN sensor ON sensor.tenant_id = waiting.tenant_id AND sensor.sensor_id = registry_sensor.sensor_id
         WHERE sensor.state <> 'revoked' AND registry_sensor.sensor_id IN (SELECT sensor_id FROM asking)
           AND iif(waiting.reader IS NULL, 1, sensor.sensor_id = waiting.reader AND sensor.looks_beside) AND ", can_open!(), "
         ORDER BY waiting.priority, waiting.queued_at, waiting.run_id, registry_sensor.rank");

pub(super) async fn leasable(
    store: &SqliteStore,
    now: Timestamp,
    sensors: &[SensorId],
    looks_alone: bool,
    limit: u32,
) -> Result<Vec<Leasable>, StoreError> {
    if sensors.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(LEASABLE)
        .bind(millis(now))
        .bind(i64::from(limit))
        .bind(rows::array(sensors.iter().map(|sensor| hex(sensor.as_bytes())))?)
        .bind(store.runs_per_tenant())
        .bind(looks_alone)
        .fetch_all(store.reader())
        .await
        .during("find runs that wait")?;
    let mut leasable: Vec<Leasable> = Vec::new();
    for row in &rows {
        let (tenant, run, sensor, look) = match ids(&Columns::of("run", row)) {
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
                look,
                sensors: vec![sensor],
            }),
        }
    }
    Ok(leasable)
}

fn ids(row: &Columns<'_>) -> Result<(TenantId, RunId, SensorId, bool), StoreError> {
    Ok((
        row.bytes("tenant_id", TenantId::from_slice)?,
        row.bytes("run_id", RunId::from_slice)?,
        row.bytes("sensor_id", SensorId::from_slice)?,
        row.get("beside")?,
    ))
}

pub(super) async fn cancel(
    store: &SqliteStore,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<CancelOutcome, StoreError> {
    let mut tx = store.write().await?;
    let outcome = cancel_within(&mut tx, tenant, run, now).await?;
    if matches!(outcome, CancelOutcome::Cancelled(_)) {
        audit::append(&mut tx, tenant, entry).await?;
        tx.commit().await.during(CANCEL)?;
    }
    Ok(outcome)
}

/// The same without the entry.
pub(in crate::sqlite) async fn cancel_within(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
) -> Result<CancelOutcome, StoreError> {
    let row = sqlx::query("SELECT state, sensor_id, attempt FROM run WHERE tenant_id = ?1 AND run_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(run.as_bytes().as_slice())
        .fetch_optional(&mut **tx)
        .await
        .during(CANCEL)?;
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
    let coverage = attempt::counted(tx, tenant, run).await?;
    attempt::finish(tx, tenant, run, RunState::Cancelled, &coverage, None, now).await?;
    Ok(CancelOutcome::Cancelled(holder))
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_waiting", "run_holder", "run_busy"], super::LEASABLE).await;
    }
}
