//! The end of a run, as its sensor tells it and as the store counts it.

use jiff::Timestamp;
use portolan_shared::model::{Coverage, RunState, SensorId};
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{credential, registry};
use super::{attempt, fence, vanish};
use crate::{ClosedRun, Fence, RunClosing, StoreError};

const CLOSE: &str = "close a run";

pub(super) async fn close(
    store: &SqliteStore,
    fence: &Fence,
    closing: &RunClosing,
    now: Timestamp,
) -> Result<ClosedRun, StoreError> {
    let mut tx = store.write().await?;
    if let Some(closed) = closed_before(&mut tx, fence).await? {
        return Ok(closed);
    }
    let registry = fence::leased(&mut tx, fence).await?;
    let row = sqlx::query(
        "SELECT scope = '[]' AS whole, commits, registry_version IS version AS as_leased,
                coalesce(registry_version, 0) >= wanted_version AS as_wanted
             FROM run JOIN registry USING (tenant_id, registry_id) WHERE tenant_id = ?1 AND run_id = ?2",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .fetch_one(&mut *tx)
    .await
    .during(CLOSE)?;
    let row = Columns::of("run", &row);
    let (whole, commits): (bool, i64) = (row.get("whole")?, row.get("commits")?);
    let counted = attempt::counted(&mut tx, fence.tenant, fence.attempt.run).await?;
    let unaccounted = closing
        .found
        .saturating_sub(closing.filtered)
        .saturating_sub(counted.in_scope());
    let coverage = Coverage {
        discovery: closing.discovery.clone(),
        listings: closing.listings.clone(),
        discovery_complete: closing.discovery_complete,
        found: closing.found,
        // An attempt before this one may have named some that this one did not come to.
        filtered: closing.filtered.max(counted.filtered),
        // A repository that was found must have come to something. One that did not is not passed over in silence.
        failed: counted.failed.saturating_add(unaccounted),
        // Of an attempt before this one only what it committed is known.
        tags_filtered: closing.tags_filtered.max(counted.tags_filtered),
        ..counted
    };
    let state = if closing.failure.is_some() && commits == 0 {
        RunState::Failed
    } else if closing.failure.is_none() && coverage.is_complete() {
        RunState::Complete
    } else {
        RunState::Partial
    };
    // What another address or other patterns would have found is not known.
    let as_leased: bool = row.get("as_leased")?;
    let complete_listing =
        as_leased && whole && closing.discovery_complete && closing.failure.is_none() && unaccounted == 0;
    let vanished = if complete_listing {
        vanish::not_found(&mut tx, fence, registry, now).await?
    } else {
        vanish::Vanished::default()
    };
    if as_leased {
        let could_be_read = closing.failure.is_none();
        let place = (fence.tenant, registry);
        registry::learn(&mut tx, place, &closing.facts, now, could_be_read).await?;
    }
    let run = fence.attempt.run;
    attempt::finish(
        &mut tx,
        fence.tenant,
        run,
        state,
        &coverage,
        closing.failure.as_ref(),
        now,
    )
    .await?;
    sqlx::query(
        "UPDATE run SET closed_by = ?3, repositories_vanished = ?4, tags_vanished = tags_vanished + ?5
         WHERE tenant_id = ?1 AND run_id = ?2",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(i64::from(fence.attempt.attempt))
    .bind(integer(vanished.repositories))
    .bind(integer(vanished.tags))
    .execute(&mut *tx)
    .await
    .during(CLOSE)?;
    if closing.failure.is_none() && credential::was_let_in(&coverage) {
        credential::run_worked(&mut tx, fence.tenant, run, now).await?;
    }
    // A run that began to read something else than what is wanted now has not seen that.
    let as_wanted: bool = row.get("as_wanted")?;
    if state == RunState::Complete && whole && as_wanted {
        announced(&mut tx, fence).await?;
        sqlx::query("UPDATE registry SET last_success_at = ?3, known_from = coalesce(known_from, ?3), seen_version = wanted_version WHERE tenant_id = ?1 AND registry_id = ?2")
            .bind(fence.tenant.as_bytes().as_slice())
            .bind(registry.as_bytes().as_slice())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .during(CLOSE)?;
    }
    tx.commit().await.during(CLOSE)?;
    Ok(ClosedRun {
        state,
        repositories_vanished: vanished.repositories,
        again: false,
    })
}

/// A complete run of the whole registry that found nothing that no event had announced takes back what one before it found: events come. One
/// that events asked for says nothing of that.
async fn announced(tx: &mut Transaction<'static, Sqlite>, fence: &Fence) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE registry SET unannounced_at = NULL
         FROM run
         WHERE run.tenant_id = ?1 AND run.run_id = ?2 AND registry.tenant_id = ?1 AND registry.registry_id = run.registry_id
           AND registry.unannounced_at < run.started_at AND run.\"trigger\" <> 'event'
           AND NOT EXISTS (SELECT 1 FROM json_each(run.reasons) WHERE value ->> 'trigger' = 'event')
           AND NOT EXISTS (SELECT 1 FROM repository INDEXED BY repository_silent_in
                            WHERE repository.tenant_id = ?1 AND repository.registry_id = run.registry_id AND silent_since IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM event_pending AS lost WHERE lost.tenant_id = ?1 AND lost.registry_id = run.registry_id
                              AND lost.repository = '' AND lost.due_at IS NOT NULL)",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(CLOSE)?;
    Ok(())
}

/// The stored outcome, if the same attempt closed the run before: the answer was lost.
async fn closed_before(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
) -> Result<Option<ClosedRun>, StoreError> {
    let row = sqlx::query(
        "SELECT state, sensor_id, repositories_vanished FROM run
         WHERE tenant_id = ?1 AND run_id = ?2 AND closed_by = ?3",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(i64::from(fence.attempt.attempt))
    .fetch_optional(&mut **tx)
    .await
    .during(CLOSE)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let row = Columns::of("run", &row);
    if row.bytes("sensor_id", SensorId::from_slice)? != fence.sensor {
        return Ok(None);
    }
    Ok(Some(ClosedRun {
        state: row.text("state")?,
        repositories_vanished: row.number("repositories_vanished")?,
        again: true,
    }))
}
