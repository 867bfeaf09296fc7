//! What a clock that was ahead has written.

use jiff::Timestamp;
use portolan_shared::model::limits::EVENT_SPACING_MS;

use super::super::SqliteStore;
use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use crate::StoreError;

const ACTION: &str = "put right what a clock has written that was ahead";
/// By how much clocks may differ, in milliseconds.
const DIFFER_MILLIS: i64 = 60_000;

/// Run when the clock was set back, and when a process starts: it may have been set back while none was there. ?1 is now, ?2 the time beyond which only
/// a clock that was ahead can have written something, ?3 when an event of now is due at the latest.
const STATEMENTS: [&str; 5] = [
    "UPDATE registry SET planned = 0 WHERE planned = 1 AND planned_at > ?2",
    // What waits for something has a finding that says so.
    "UPDATE run INDEXED BY run_queued SET queued_at = min(queued_at, ?1), not_before = min(not_before, ?1)
     WHERE state = 'queued' AND finding IS NULL AND (queued_at > ?2 OR not_before > ?2)",
    // Whatever waits for the end of a blackout, or after a look in vain, waits on once it has been looked at.
    "UPDATE event_pending INDEXED BY event_due SET due_at = ?3 WHERE due_at IS NOT NULL AND due_at > ?3",
    "UPDATE event_pending INDEXED BY event_idle SET taken_at = ?1 WHERE due_at IS NULL AND taken_at > ?2",
    "UPDATE repository INDEXED BY repository_silent SET silent_since = NULL WHERE silent_since IS NOT NULL AND silent_since > ?2",
];

pub(super) async fn put_right(store: &SqliteStore, now: Timestamp) -> Result<(), StoreError> {
    let now = millis(now);
    let mut tx = store.write().await?;
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
