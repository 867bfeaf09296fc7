//! Leases that ran out, and that are taken away.

use jiff::Timestamp;
use portolan_shared::model::limits::LEASE_GRACE_SECONDS;
use portolan_shared::model::{AttemptRef, RunId, SensorId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::attempt::{self, Ending};
use crate::{HeldAttempt, LostLease, StoreError};

/// Leases that are taken away in one transaction; the rest waits for the next call.
const TAKEN_AT_ONCE: i64 = 1_000;

pub(super) async fn expired(store: &SqliteStore, now: Timestamp) -> Result<Vec<HeldAttempt>, StoreError> {
    let rows = sqlx::query(
        "SELECT tenant_id, run_id, attempt, sensor_id FROM run INDEXED BY run_lease WHERE state = 'leased' AND lease_until <= ?1
         ORDER BY lease_until LIMIT ?2",
    )
    .bind(millis(now) - integer(LEASE_GRACE_SECONDS) * 1_000)
    .bind(TAKEN_AT_ONCE)
    .fetch_all(store.reader())
    .await
    .during("find leases that ran out")?;
    let held = |row| {
        let row = Columns::of("run", row);
        Ok(HeldAttempt {
            tenant: row.bytes("tenant_id", TenantId::from_slice)?,
            sensor: row.bytes("sensor_id", SensorId::from_slice)?,
            attempt: AttemptRef {
                run: row.bytes("run_id", RunId::from_slice)?,
                attempt: row.small("attempt")?,
            },
        })
    };
    rows.iter().map(held).collect()
}

pub(super) async fn take_expired(
    store: &SqliteStore,
    now: Timestamp,
    leases: &[HeldAttempt],
) -> Result<Vec<LostLease>, StoreError> {
    const ACTION: &str = "take leases away";
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let named = rows::array(leases.iter().map(|held| {
        (
            hex(held.tenant.as_bytes()),
            hex(held.attempt.run.as_bytes()),
            held.attempt.attempt,
        )
    }))?;
    let mut tx = store.write().await?;
    let rows = sqlx::query(
        "SELECT tenant_id, run_id, attempt, sensor_id FROM run WHERE state = 'leased' AND lease_until <= ?1
            AND (tenant_id, run_id, attempt) IN
                (SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2 FROM json_each(?2))
         ORDER BY lease_until",
    )
    .bind(millis(now) - integer(LEASE_GRACE_SECONDS) * 1_000)
    .bind(named)
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    let mut lost = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns::of("run", row);
        let tenant = row.bytes("tenant_id", TenantId::from_slice)?;
        let attempt = AttemptRef {
            run: row.bytes("run_id", RunId::from_slice)?,
            attempt: row.small("attempt")?,
        };
        let sensor = row.bytes("sensor_id", SensorId::from_slice)?;
        savepoint(&mut tx, "SAVEPOINT lease").await?;
        match attempt::end(&mut tx, tenant, attempt.run, &Ending::Lost, now).await {
            Ok(state) => {
                savepoint(&mut tx, "RELEASE lease").await?;
                lost.push(LostLease {
                    tenant,
                    attempt,
                    sensor,
                    state,
                });
            }
            // One run that cannot be read must not keep those of others leased for ever.
            Err(error @ (StoreError::Corrupt { .. } | StoreError::Rejected { .. })) => {
                savepoint(&mut tx, "ROLLBACK TO lease").await?;
                savepoint(&mut tx, "RELEASE lease").await?;
                tracing::error!(
                    %tenant,
                    %attempt,
                    error = &error as &dyn std::error::Error,
                    "a lease was not taken away"
                );
            }
            Err(error) => return Err(error),
        }
    }
    tx.commit().await.during(ACTION)?;
    Ok(lost)
}

async fn savepoint(tx: &mut Transaction<'static, Sqlite>, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement)
        .execute(&mut **tx)
        .await
        .during("take leases away")?;
    Ok(())
}
