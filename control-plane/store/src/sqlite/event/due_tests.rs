//! What it costs to look for events that are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portolan_shared::process::{Clock as _, SystemClock};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::super::super::{SqliteStore, plan};
use super::{DUE, NEXT};

#[tokio::test]
async fn what_does_not_wait_is_not_read() {
    for statement in [DUE, NEXT] {
        plan::goes_by(&["event_waiting", "run_open", "run_beside"], statement).await;
    }
}

/// Registries that are read on push, a third of them paused, a third with a look that is under way, and all with so many repositories that wait.
async fn waiting(registries: u32, repositories: u32) -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("portolan.db"))
        .await
        .unwrap();
    let mut tx = store.write().await.unwrap();
    for sql in [
        "PRAGMA defer_foreign_keys = ON".to_owned(),
        "INSERT INTO tenant (tenant_id, name, created_at) VALUES (zeroblob(16), 'acme', 0)".to_owned(),
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {registries})
             INSERT INTO registry (tenant_id, registry_id, name, url, ca_only_bundle, globs, concurrency, created_at, changed_at, events_since, paused)
             SELECT zeroblob(16), CAST(printf('%016d', i) AS BLOB), 'r' || i, 'https://r', 0, '[]', 1, 0, 0, 0, i % 3 = 0 FROM n"
        ),
        "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, queued_at, not_before, progress, state)
         SELECT tenant_id, registry_id, registry_id, 'event', '[\"x\"]', 'push events', 0, 0, '{}', 'queued' FROM registry
         WHERE CAST(substr(name, 2) AS INTEGER) % 3 = 1"
            .to_owned(),
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {repositories})
             INSERT INTO event_pending (tenant_id, registry_id, repository, first_at, events, due_at)
             SELECT tenant_id, registry_id, 'acme/' || i, 1, 1, 10 + i FROM registry, n"
        ),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    (folder, store)
}

/// Steps of SQLite's machine for one look, and how many registries it finds.
async fn steps(store: &SqliteStore) -> (u64, usize) {
    let mut connection = store.reader().acquire().await.unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    connection
        .lock_handle()
        .await
        .unwrap()
        .set_progress_handler(1, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
    let found = sqlx::query(DUE)
        .bind(1_000_000_i64)
        .bind(1_000)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    connection.lock_handle().await.unwrap().remove_progress_handler();
    (steps.load(Ordering::Relaxed), found.len())
}

#[tokio::test]
async fn a_look_costs_the_same_however_much_waits_of_each_registry() {
    let (_few_folder, few) = waiting(12, 2).await;
    let (_many_folder, many) = waiting(12, 500).await;
    let ((few, found), (many, found_of_many)) = (steps(&few).await, steps(&many).await);
    assert_eq!((found, found_of_many), (4, 4));
    assert!(many <= few + few / 10, "{few} steps, and {many}");
}

/// How long one look takes with very many events that wait in vain. To be asked for: `cargo test -p portolan-store -- --ignored --nocapture a_look_among`.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_look_among_two_hundred_thousand_events() {
    let (_folder, store) = waiting(300, 1_000).await;
    let (steps, found) = steps(&store).await;
    let began = SystemClock.uptime();
    for _ in 0..100 {
        let due = super::due(&store, jiff::Timestamp::from_second(1_000).unwrap(), 1_000).await;
        assert_eq!(due.unwrap().len(), found);
    }
    let each = SystemClock.uptime().since(began) / 100;
    println!("{found} of 300 registries due among 300,000 rows: {steps} steps, {each:?} a look");
}
