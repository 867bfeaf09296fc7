//! Runs that ended long ago.

use jiff::Timestamp;
use portolan_shared::model::TenantId;

use super::super::SqliteStore;
use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use super::forget::FORGET;
use crate::StoreError;

/// Runs that are removed at once.
const RUNS: i64 = 100;

/// Those that may go, the oldest first: not the last of a registry that came to an end by itself, nor the last of the whole of it, nor the last of
/// these that was complete; from each of them something is concluded. A run that a person stopped says nothing of its registry.
pub(super) const OLD: &str = "SELECT run_id FROM run INDEXED BY run_age
     WHERE run.tenant_id = ?1 AND run.queued_at < ?2 AND run.ended_at < ?2
       AND (run.state = 'cancelled' OR (
            EXISTS (SELECT 1 FROM run AS later INDEXED BY run_age_in_registry
                    WHERE later.tenant_id = ?1 AND later.registry_id = run.registry_id
                      AND (later.queued_at, later.run_id) > (run.queued_at, run.run_id)
                      AND later.state IN ('complete', 'partial', 'failed'))
            AND (run.scope <> '[]' OR (
                 EXISTS (SELECT 1 FROM run AS later INDEXED BY run_whole
                         WHERE later.tenant_id = ?1 AND later.registry_id = run.registry_id
                           AND (later.ended_at, later.run_id) > (run.ended_at, run.run_id)
                           AND later.scope = '[]' AND later.state IN ('complete', 'partial', 'failed'))
                 AND (run.state <> 'complete' OR
                      EXISTS (SELECT 1 FROM run AS later INDEXED BY run_whole
                              WHERE later.tenant_id = ?1 AND later.registry_id = run.registry_id
                                AND (later.ended_at, later.run_id) > (run.ended_at, run.run_id)
                                AND later.scope = '[]' AND later.state IN ('complete', 'partial', 'failed')
                                AND later.state = 'complete'))))))
     ORDER BY run.queued_at, run.run_id LIMIT ?3";

/// Looks that came to their end and may go, the oldest first: not the last run of a registry.
pub(super) const OLD_LOOKS: &str = "SELECT run_id FROM run INDEXED BY run_look
     WHERE run.tenant_id = ?1 AND run.ended_at < ?2 AND run.\"trigger\" = 'event' AND run.scope <> '[]' AND run.state = 'complete'
       AND EXISTS (SELECT 1 FROM run AS later INDEXED BY run_age_in_registry
                   WHERE later.tenant_id = ?1 AND later.registry_id = run.registry_id
                     AND (later.queued_at, later.run_id) > (run.queued_at, run.run_id)
                     AND later.state IN ('complete', 'partial', 'failed'))
     ORDER BY run.ended_at LIMIT ?3";

/// Removes what `old` finds of before a time, [`OLD`] or [`OLD_LOOKS`], with the accounts, at most so many rows; of a run whose account is larger
/// than that, first the account.
pub(super) async fn forget(
    store: &SqliteStore,
    tenant: TenantId,
    (old, before): (&'static str, Timestamp),
    most: u64,
) -> Result<u64, StoreError> {
    // Whether there is something to do is asked without taking the writer: whatever has ended does not begin again.
    let old: Vec<Vec<u8>> = sqlx::query_scalar(old)
        .bind(tenant.as_bytes().as_slice())
        .bind(millis(before))
        .bind(RUNS)
        .fetch_all(store.reader())
        .await
        .during(FORGET)?;
    if old.is_empty() {
        return Ok(0);
    }
    let mut tx = store.write().await?;
    let mut removed = 0;
    for run in &old {
        if removed >= most {
            break;
        }
        let lines = sqlx::query(
            "DELETE FROM run_repository WHERE (tenant_id, run_id, repository) IN (
                 SELECT tenant_id, run_id, repository FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2 LIMIT ?3)",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(run)
        .bind(integer(most - removed))
        .execute(&mut *tx)
        .await
        .during(FORGET)?
        .rows_affected();
        removed += lines;
        if removed < most {
            sqlx::query("DELETE FROM run WHERE tenant_id = ?1 AND run_id = ?2")
                .bind(tenant.as_bytes().as_slice())
                .bind(run)
                .execute(&mut *tx)
                .await
                .during(FORGET)?;
            removed += 1;
        }
    }
    tx.commit().await.during(FORGET)?;
    Ok(removed)
}
