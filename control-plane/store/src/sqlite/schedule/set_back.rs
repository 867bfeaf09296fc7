//! What a clock that was ahead has written.

use jiff::Timestamp;
use portolan_shared::model::limits::EVENT_SPACING_MS;

use super::super::SqliteStore;
use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use super::super::run::ahead;
use crate::StoreError;

const ACTION: &str = "put right what a clock has written that was ahead";
/// By how much clocks may differ, in milliseconds.
const DIFFER_MILLIS: i64 = 60_000;

/// Run when the clock was set back, and when a process starts: it may have been set back while none was there. ?1 is now, ?2 the time beyond which only
/// a clock that was ahead can have written something, ?3 when an event of now is due at the latest.
///
/// What has happened counts as having happened now: left in the future, it would stay the last that has happened for as long as the clock was ahead,
/// whatever happens meanwhile.
const STATEMENTS: [&str; 9] = [
    "UPDATE registry SET planned = 0 WHERE planned = 1 AND planned_at > ?2",
    // Whatever waits for the end of a blackout, or after a look in vain, waits on once it has been looked at.
    "UPDATE event_pending INDEXED BY event_due SET due_at = ?3 WHERE due_at IS NOT NULL AND due_at > ?3",
    "UPDATE event_pending INDEXED BY event_idle SET taken_at = ?1 WHERE due_at IS NULL AND taken_at > ?2",
    "UPDATE repository INDEXED BY repository_silent SET silent_since = NULL WHERE silent_since IS NOT NULL AND silent_since > ?2",
    REPOSITORIES,
    RUNS,
    "UPDATE run INDEXED BY run_holder SET queued_at = min(queued_at, ?1), started_at = min(started_at, ?1), progress_at = min(progress_at, ?1)
     WHERE state = 'leased' AND (queued_at > ?2 OR started_at > ?2 OR progress_at > ?2)",
    "UPDATE registry SET last_attempt_at = min(last_attempt_at, ?1), last_success_at = min(last_success_at, ?1),
                         last_event_at = min(last_event_at, ?1), unannounced_at = min(unannounced_at, ?1),
                         events_since = min(events_since, ?1), paused_at = min(paused_at, ?1), known_from = min(known_from, ?1)
     WHERE last_attempt_at > ?2 OR last_success_at > ?2 OR last_event_at > ?2 OR unannounced_at > ?2 OR events_since > ?2 OR paused_at > ?2
        OR known_from > ?2",
    "UPDATE sensor SET last_seen_at = ?1 WHERE last_seen_at > ?2",
];
/// Only of registries of which something was looked at, or named by an event, while the clock was ahead: there are too many to go through all of them at
/// each start of a process.
const REPOSITORIES: &str =
    "UPDATE repository SET tags_seen_at = min(tags_seen_at, ?1), last_attempt_at = min(last_attempt_at, ?1),
                           last_success_at = min(last_success_at, ?1), last_event_at = min(last_event_at, ?1),
                           first_seen_at = min(first_seen_at, ?1), known_from = min(known_from, ?1), vanished_at = min(vanished_at, ?1)
     WHERE (tenant_id, repository_no) IN (
         SELECT repository.tenant_id, repository.repository_no FROM registry CROSS JOIN repository INDEXED BY repository_name
          WHERE (registry.last_attempt_at > ?2 OR registry.last_success_at > ?2 OR registry.last_event_at > ?2
                 OR (registry.tenant_id, registry.registry_id) IN
                        (SELECT run.tenant_id, run.registry_id FROM run INDEXED BY run_end WHERE run.ended_at > ?2)
                 OR EXISTS (SELECT 1 FROM run INDEXED BY run_unended
                             WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id
                               AND run.state IN ('queued', 'leased') AND run.progress_at > ?2))
            AND repository.tenant_id = registry.tenant_id AND repository.registry_id = registry.registry_id
            AND (repository.tags_seen_at > ?2 OR repository.last_attempt_at > ?2 OR repository.last_event_at > ?2
                 OR repository.first_seen_at > ?2 OR repository.known_from > ?2 OR repository.vanished_at > ?2))";
const RUNS: &str =
    "UPDATE run INDEXED BY run_end SET queued_at = min(queued_at, ?1), started_at = min(started_at, ?1), ended_at = min(ended_at, ?1)
     WHERE ended_at > ?2";

pub(super) async fn put_right(store: &SqliteStore, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    ahead::put_right(&mut tx, now).await?;
    let now = millis(now);
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(now)
            .bind(now + DIFFER_MILLIS)
            .bind(now + integer(EVENT_SPACING_MS))
            .execute(&mut *tx)
            .await
            .during(ACTION)?;
    }
    tx.commit().await.during(ACTION)
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    /// All registries are gone through, and nothing else is; of runs only those that have ended ahead, and those that are open.
    #[tokio::test]
    async fn only_what_may_have_been_written_ahead_is_gone_through() {
        let by_registry =
            super::REPOSITORIES.replace("FROM registry ", "FROM registry INDEXED BY registry_by_id ");
        let indexes = [
            "registry_by_id",
            "repository_name",
            "run_end (ended_at>?)",
            "run_unended (tenant_id=? AND registry_id=?)",
        ];
        plan::goes_by(&indexes, &by_registry).await;
        plan::goes_by(&["run_end (ended_at>?)"], super::RUNS).await;
    }
}
