//! Runs that have lapsed: that nobody has taken for too long, or that have worked for too long.

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, Finding, RegistryId, RunId, RunState, SensorId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::attempt;
use super::behind::waits_behind;
use crate::{Lapse, LapsedRun, StoreError, WaitsSince};

/// Whether nothing has kept a run waiting since ?2 but that no sensor took it, and no person has asked for it since.
macro_rules! not_taken {
    () => {
        concat!(
            "(not_before < ?2 AND coalesce(asked_at < ?2, 1) AND NOT ",
            waits_behind!(),
            ")"
        )
    };
}

/// The time in which a run waits for the end of a blackout does not count against its deadline.
const LAPSED: &str = concat!(
    "SELECT * FROM (
         SELECT tenant_id, run_id, registry_id, state, attempt, sensor_id, asked_at, 'too_long' AS lapse FROM run INDEXED BY run_deadline
         WHERE state IN ('queued', 'leased') AND deadline_at <= ?1 AND put_off_at IS NULL
         ORDER BY deadline_at LIMIT ?3)
     UNION ALL
     SELECT * FROM (
         SELECT tenant_id, run_id, registry_id, state, attempt, sensor_id, asked_at, iif(",
    not_taken!(),
    ", 'not_taken', 'waited') AS lapse
         FROM run INDEXED BY run_queued
         WHERE state = 'queued' AND queued_at < ?2 AND (",
    not_taken!(),
    " OR (queued_at < ?4 AND (started_at IS NULL OR put_off_at < ?4)))
           AND (coalesce(deadline_at > ?1, 1) OR put_off_at IS NOT NULL)
         ORDER BY queued_at LIMIT ?3)
     LIMIT ?3"
);

pub(in super::super) async fn lapsed(
    store: &SqliteStore,
    now: Timestamp,
    waits: WaitsSince,
    limit: u32,
) -> Result<Vec<LapsedRun>, StoreError> {
    let rows = sqlx::query(LAPSED)
        .bind(millis(now))
        .bind(millis(waits.for_a_sensor))
        .bind(limit)
        .bind(millis(waits.for_anything))
        .fetch_all(store.reader())
        .await
        .during("find runs that have lapsed")?;
    let mut lapsed = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(row) {
            Ok(run) => lapsed.push(run),
            // One row that cannot be read must not keep all others from ending.
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a run that has lapsed was passed over"
            ),
        }
    }
    Ok(lapsed)
}

fn read(row: &SqliteRow) -> Result<LapsedRun, StoreError> {
    let row = Columns::of("run", row);
    let run = row.bytes("run_id", RunId::from_slice)?;
    let held = if row.text::<RunState>("state")? == RunState::Leased {
        let attempt = row.small("attempt")?;
        Some((
            row.bytes("sensor_id", SensorId::from_slice)?,
            AttemptRef { run, attempt },
        ))
    } else {
        None
    };
    Ok(LapsedRun {
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        run,
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        lapse: match row.get::<String>("lapse")?.as_str() {
            "too_long" => Lapse::TooLong,
            "waited" => Lapse::WaitedTooLong,
            _ => Lapse::NotTaken,
        },
        asked_at: row.opt_time("asked_at")?,
        held,
    })
}

pub(in super::super) async fn end(
    store: &SqliteStore,
    lapsed: &LapsedRun,
    finding: &Finding,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const ACTION: &str = "end a run that has lapsed";
    let mut tx = store.write().await?;
    let as_it_was: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM run WHERE tenant_id = ?1 AND run_id = ?2
                           AND iif(?3 IS NULL, state = 'queued', state = 'leased' AND sensor_id = ?3 AND attempt = ?4)
                           AND iif(?5, deadline_at <= ?6 AND put_off_at IS NULL, asked_at IS ?7))",
    )
    .bind(lapsed.tenant.as_bytes().as_slice())
    .bind(lapsed.run.as_bytes().as_slice())
    .bind(lapsed.held.map(|(sensor, _)| sensor.as_bytes().to_vec()))
    .bind(lapsed.held.map(|(_, held)| i64::from(held.attempt)))
    .bind(lapsed.lapse == Lapse::TooLong)
    .bind(millis(now))
    .bind(lapsed.asked_at.map(millis))
    .fetch_one(&mut *tx)
    .await
    .during(ACTION)?;
    if !as_it_was {
        return Ok(false);
    }
    let coverage = attempt::counted(&mut tx, lapsed.tenant, lapsed.run).await?;
    let (tenant, run) = (lapsed.tenant, lapsed.run);
    attempt::finish(
        &mut tx,
        tenant,
        run,
        RunState::Failed,
        &coverage,
        Some(finding),
        now,
    )
    .await?;
    tx.commit().await.during(ACTION)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_deadline", "run_queued"], super::LAPSED).await;
    }
}
