//! Leases: given, prolonged, carried over, handed back.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::limits::LEASE_SECONDS;
use portolan_shared::model::{
    AttemptRef, Finding, FindingCode, Reason, RegistryId, RegistryTarget, RunId, RunProgress, RunState,
    SensorId, TenantId,
};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::credential::can_open;
use super::super::failure::During as _;
use super::super::registry;
use super::super::rows::{self, hex, json};
use super::attempt::{self, Ending};
use super::behind::waits_behind;
use super::budget::{self, Allowance};
use super::deadline::{UNLESS_SAID, longest};
use super::fence::{bind_fence, fenced, leased, stale};
use super::{records, window};
use crate::{Fence, HeldAttempt, Lease, StaleFence, StoreError, WithdrawnLease};

/// What a run was said to wait for, which it does no longer once it is leased. Anything else says why its last attempt failed.
const WAITED: [FindingCode; 3] = [
    FindingCode::BudgetSpent,
    FindingCode::ScheduleBlackout,
    FindingCode::RunSensorLost,
];

pub(super) async fn lease(
    store: &SqliteStore,
    tenant: TenantId,
    run: RunId,
    sensor: SensorId,
    session_epoch: u64,
    now: Timestamp,
) -> Result<Option<Lease>, StoreError> {
    const ACTION: &str = "lease a run";
    let mut tx = store.write().await?;
    if !window::is_open(&mut tx, tenant, run, now).await? {
        tx.commit().await.during(ACTION)?;
        return Ok(None);
    }
    let requests_left = match budget::allow(&mut tx, tenant, run, now).await? {
        Allowance::Requests(left) => left,
        Allowance::Nothing => {
            tx.commit().await.during(ACTION)?;
            return Ok(None);
        }
    };
    attempt::begin_anew(&mut tx, tenant, run).await?;
    let row = sqlx::query(concat!(
        "UPDATE run SET state = 'leased', behind = NULL, credential_id = NULL, credential_version = NULL, attempt = attempt + 1, sensor_id = ?3, session_epoch = ?4, lease_until = ?6,
                        started_at = coalesce(started_at, ?5), attempt_fruitful = 0, refused_batches = 0, progress = ?7, progress_at = ?5,
                        finding = iif(finding ->> 'code' IN (SELECT value FROM json_each(?8)), NULL, finding),
                        deadline_at = coalesce(deadline_at, ?5 + ", longest!("?9", "?10"), "),
                        registry_version = (SELECT version FROM registry WHERE registry.tenant_id = ?1
                                               AND registry.registry_id = run.registry_id)
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued' AND not_before <= ?5 AND NOT ", waits_behind!(), "
           AND EXISTS (SELECT 1 FROM sensor WHERE sensor.tenant_id = ?1 AND sensor.sensor_id = ?3
                          AND sensor.session_epoch = ?4 AND sensor.state = 'active')
           AND EXISTS (SELECT 1 FROM registry_sensor WHERE registry_sensor.tenant_id = ?1
                          AND registry_sensor.registry_id = run.registry_id AND registry_sensor.sensor_id = ?3
                          AND ", can_open!(), ")
           AND NOT EXISTS (SELECT 1 FROM run AS other INDEXED BY run_busy WHERE other.tenant_id = ?1
                              AND other.registry_id = run.registry_id AND other.state = 'leased'
                              AND (other.beside = run.beside OR other.sensor_id <> ?3 OR other.session_epoch <> ?4
                                   OR NOT (SELECT looks_beside FROM sensor WHERE sensor.tenant_id = ?1 AND sensor.sensor_id = ?3)))
           AND (run.beside = 1 OR (SELECT count(*) FROM run AS busy INDEXED BY run_holder
                                    WHERE busy.tenant_id = ?1 AND busy.state = 'leased' AND busy.beside = 0) < ?11)
         RETURNING registry_id, attempt, scope, commits, beside",
    ))
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(integer(session_epoch))
    .bind(millis(now))
    .bind(lease_end(now))
    .bind(json("progress", &RunProgress::default())?)
    .bind(rows::array(WAITED.iter().map(|code| code.as_str()))?)
    .bind(UNLESS_SAID[0])
    .bind(UNLESS_SAID[1])
    .bind(store.runs_per_tenant())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let row = Columns::of("run", &row);
    let id = row.bytes("registry_id", RegistryId::from_slice)?;
    sqlx::query(
        "UPDATE registry SET last_attempt_at = ?3 WHERE tenant_id = ?1 AND registry_id = ?2
            AND NOT (SELECT beside FROM run WHERE tenant_id = ?1 AND run_id = ?4)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(millis(now))
    .bind(run.as_bytes().as_slice())
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    let record = registry::find(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| row.corrupt("registry_id"))?;
    let lease = Lease {
        attempt: AttemptRef {
            run,
            attempt: row.small("attempt")?,
        },
        target: RegistryTarget {
            registry: id,
            url: record.registry.url,
            ca: record.registry.ca,
            repositories: record.registry.repositories,
            credential: record.registry.credential,
            tags: record.registry.tags,
            budget: record.registry.budget,
            requests_left,
        },
        scope: records::scope(&row)?,
        resumed: row.number("commits")? > 0,
        look: row.get("beside")?,
    };
    tx.commit().await.during(ACTION)?;
    Ok(Some(lease))
}

pub(super) async fn hand_back(store: &SqliteStore, fence: &Fence, now: Timestamp) -> Result<(), StoreError> {
    const ACTION: &str = "hand a lease back";
    let mut tx = store.write().await?;
    let query = sqlx::query(concat!(
        "UPDATE run SET state = 'queued', session_epoch = NULL, lease_until = NULL, not_before = min(not_before, ?6) WHERE ",
        fenced!()
    ));
    let done = bind_fence(query, fence)
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    if done.rows_affected() == 0 {
        return Err(stale(&mut tx, fence).await?);
    }
    tx.commit().await.during(ACTION)
}

pub(super) async fn renew(
    store: &SqliteStore,
    fences: &[Fence],
    now: Timestamp,
) -> Result<Vec<Fence>, StoreError> {
    const ACTION: &str = "prolong leases";
    if fences.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = rows::array(fences.iter().map(|fence| {
        (
            hex(fence.tenant.as_bytes()),
            hex(fence.attempt.run.as_bytes()),
            fence.attempt.attempt,
            hex(fence.sensor.as_bytes()),
            integer(fence.session_epoch),
        )
    }))?;
    let mut tx = store.write().await?;
    let rows = sqlx::query(
        "UPDATE run SET lease_until = ?2
         FROM (SELECT unhex(value ->> 0) AS tenant_id, unhex(value ->> 1) AS run_id, value ->> 2 AS attempt,
                      unhex(value ->> 3) AS sensor_id, value ->> 4 AS session_epoch FROM json_each(?1)) AS claim
         CROSS JOIN sensor
         WHERE run.tenant_id = claim.tenant_id AND run.run_id = claim.run_id AND run.attempt = claim.attempt
           AND run.sensor_id = claim.sensor_id AND run.session_epoch = claim.session_epoch AND run.state = 'leased'
           AND sensor.tenant_id = claim.tenant_id AND sensor.sensor_id = claim.sensor_id
           AND sensor.session_epoch = claim.session_epoch AND sensor.state <> 'revoked'
         RETURNING run.tenant_id, run.run_id, run.attempt, run.sensor_id, run.session_epoch",
    )
    .bind(claimed)
    .bind(lease_end(now))
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("run", row);
            Ok(Fence {
                tenant: row.bytes("tenant_id", TenantId::from_slice)?,
                sensor: row.bytes("sensor_id", SensorId::from_slice)?,
                session_epoch: row.number("session_epoch")?,
                attempt: AttemptRef {
                    run: row.bytes("run_id", RunId::from_slice)?,
                    attempt: row.small("attempt")?,
                },
            })
        })
        .collect()
}

pub(super) async fn adopt(
    store: &SqliteStore,
    tenant: TenantId,
    sensor: SensorId,
    session_epoch: u64,
    running: &[AttemptRef],
    now: Timestamp,
) -> Result<Vec<AttemptRef>, StoreError> {
    const ACTION: &str = "carry leases over";
    let mut tx = store.write().await?;
    let current: Option<i64> = sqlx::query_scalar(
        "SELECT session_epoch FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2 AND state <> 'revoked'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    if current != Some(integer(session_epoch)) {
        return Err(StoreError::Stale(StaleFence::Session));
    }
    let rows = sqlx::query(
        "SELECT run_id, attempt, session_epoch FROM run INDEXED BY run_holder WHERE tenant_id = ?1 AND sensor_id = ?2 AND state = 'leased'
         ORDER BY run_id",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    let mut kept = Vec::new();
    for row in &rows {
        let row = Columns::of("run", row);
        let held = AttemptRef {
            run: row.bytes("run_id", RunId::from_slice)?,
            attempt: row.small("attempt")?,
        };
        if running.contains(&held) {
            sqlx::query(
                "UPDATE run SET session_epoch = ?3, lease_until = ?4 WHERE tenant_id = ?1 AND run_id = ?2",
            )
            .bind(tenant.as_bytes().as_slice())
            .bind(held.run.as_bytes().as_slice())
            .bind(integer(session_epoch))
            .bind(lease_end(now))
            .execute(&mut *tx)
            .await
            .during(ACTION)?;
            kept.push(held);
        } else if row.number("session_epoch")? < session_epoch {
            // It was never delivered, or died with the process. A run that kills its process must not be tried for ever.
            attempt::end(&mut tx, tenant, held.run, &Ending::Lost, now).await?;
        }
    }
    tx.commit().await.during(ACTION)?;
    Ok(kept)
}

pub(super) async fn withdrawn(
    store: &SqliteStore,
    held: &[HeldAttempt],
) -> Result<Vec<WithdrawnLease>, StoreError> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = rows::array(held.iter().map(|held| {
        (
            hex(held.tenant.as_bytes()),
            hex(held.attempt.run.as_bytes()),
            held.attempt.attempt,
            hex(held.sensor.as_bytes()),
        )
    }))?;
    // The session's number is not compared: while a sensor changes from one session to the next, its attempts go on.
    let rows = sqlx::query(
        "SELECT claim.key, run.state FROM json_each(?1) AS claim
         LEFT JOIN run ON run.tenant_id = unhex(claim.value ->> 0) AND run.run_id = unhex(claim.value ->> 1)
         WHERE run.run_id IS NULL
            OR (run.closed_by IS NOT claim.value ->> 2
                AND (run.state <> 'leased' OR run.attempt <> claim.value ->> 2 OR run.sensor_id <> unhex(claim.value ->> 3)))
         ORDER BY claim.key",
    )
    .bind(claimed)
    .fetch_all(store.reader())
    .await
    .during("find leases that were withdrawn")?;
    let mut withdrawn = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of("run", row);
        let position = usize::try_from(row.number("key")?).ok();
        let cancelled = row.opt_text::<RunState>("state")? == Some(RunState::Cancelled);
        if let Some(held) = position.and_then(|position| held.get(position)) {
            withdrawn.push(WithdrawnLease {
                held: *held,
                reason: if cancelled {
                    Reason::Cancelled
                } else {
                    Reason::StaleAttempt
                },
            });
        }
    }
    Ok(withdrawn)
}

pub(super) async fn fail(
    store: &SqliteStore,
    fence: &Fence,
    finding: &Finding,
    retry_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<RunState, StoreError> {
    let mut tx = store.write().await?;
    leased(&mut tx, fence).await?;
    let ending = Ending::Failed(finding, retry_at);
    let state = attempt::end(&mut tx, fence.tenant, fence.attempt.run, &ending, now).await?;
    tx.commit().await.during("end an attempt")?;
    Ok(state)
}

fn lease_end(now: Timestamp) -> i64 {
    let lease = SignedDuration::from_secs(integer(LEASE_SECONDS));
    millis(now.saturating_add(lease).unwrap_or(now))
}
