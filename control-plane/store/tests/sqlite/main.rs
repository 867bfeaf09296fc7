//! SQLite against the conformance suite, and what only SQLite promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use portolan_shared::model::{CoverageEntry, RepositoryOutcome, SensorState};
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Audit as _, Feed as _, Images as _, Inventory as _, PageRequest, Retention, Runs as _, Sensors as _,
    StandingChange, Store as _, StoreError,
};
use portolan_store_conformance::{Site, at, commit_of, note, requeue_expired};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tempfile::TempDir;

async fn open() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("portolan.db"))
        .await
        .unwrap();
    (store, folder)
}

mod schema;

mod conformance {
    use super::*;

    portolan_store_conformance::suite!(open());
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let (store, folder) = open().await;
    let site = Site::new(&store).await;
    let fence = site.start(&store, 10).await;
    let commit = commit_of(
        "acme/shop",
        &[("1", "one"), ("2", "two")],
        RepositoryOutcome::Listed,
    );
    store.commit_repository(&fence, &commit, at(11)).await.unwrap();
    // What is on the disk at this moment is what a crash would leave: the store is still open, nothing was moved out of its log.
    let after = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), after.path().join(file.file_name())).unwrap();
        }
    }
    let again = SqliteStore::open(&after.path().join("portolan.db"))
        .await
        .unwrap();
    let tags = again
        .tags(
            site.tenant,
            site.registry,
            &commit.repository,
            &PageRequest::first(),
        )
        .await
        .unwrap();
    assert_eq!(tags.items.len(), 2);
    let repeated = again.commit_repository(&fence, &commit, at(12)).await.unwrap();
    assert_eq!(repeated, portolan_store::RepositoryCommitted::default());
}

#[tokio::test]
async fn an_effect_that_is_dropped_half_way_leaves_nothing() {
    let (store, _folder) = open().await;
    let site = Site::new(&store).await;
    let fence = site.start(&store, 10).await;
    let tags: Vec<_> = (0..500).map(|i| format!("t{i:03}")).collect();
    let tags: Vec<_> = tags.iter().map(|tag| (tag.as_str(), "one")).collect();
    let commit = commit_of("acme/shop", &tags, RepositoryOutcome::Listed);
    // Polled a few times more at each turn, until it is done before it is dropped.
    for polls in 1_usize.. {
        let mut effect = Box::pin(store.commit_repository(&fence, &commit, at(11)));
        let done = poll_times(effect.as_mut(), polls).await;
        drop(effect);
        let totals = store.totals(site.tenant).await.unwrap();
        assert!(
            totals.tags == 0 || totals.tags == 500,
            "{totals:?} after {polls} polls"
        );
        if let Some(done) = done {
            done.unwrap();
            break;
        }
    }
    assert_eq!(store.totals(site.tenant).await.unwrap().tags, 500);
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.coverage.listed, 1);
}

#[tokio::test]
async fn a_change_that_is_dropped_half_way_leaves_neither_itself_nor_its_entry() {
    let (store, _folder) = open().await;
    for polls in 1_usize.. {
        let site = Site::new(&store).await;
        let before = store.audit(site.tenant, &PageRequest::first()).await.unwrap();
        let entry = note();
        let mut change =
            Box::pin(store.change_standing(site.tenant, site.sensor, StandingChange::Revoke, at(11), &entry));
        let done = poll_times(change.as_mut(), polls).await;
        drop(change);
        // There is one writer: what was dropped has been committed or taken back once this is written.
        store.append_audit(site.tenant, &note()).await.unwrap();
        let sensor = store.sensor(site.tenant, site.sensor).await.unwrap().unwrap();
        let after = store.audit(site.tenant, &PageRequest::first()).await.unwrap();
        let revoked = sensor.state == SensorState::Revoked;
        let written = after.items.len() - before.items.len() - 1;
        assert_eq!(written, usize::from(revoked), "after {polls} polls");
        if let Some(done) = done {
            assert!(done.unwrap() && revoked);
            break;
        }
    }
}

/// Polls a future so many times; gives its value if it was ready by then.
async fn poll_times<F: Future + Unpin>(mut future: F, times: usize) -> Option<F::Output> {
    let mut left = times;
    std::future::poll_fn(move |context| {
        let ready = std::pin::Pin::new(&mut future).poll(context);
        left -= 1;
        match ready {
            std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let (store, folder) = open().await;
    store.close().await;
    let path = folder.path().join("portolan.db");
    let mut connection = raw(&path).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 9999, 'later', 1, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }));
    assert!(
        refused.to_string().contains("newer release (schema 9999"),
        "{refused}"
    );
}

#[tokio::test]
async fn files_are_readable_by_their_owner_alone() {
    let (store, folder) = open().await;
    Site::new(&store).await;
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log, the log's index");
}

#[tokio::test]
async fn a_lenient_mode_is_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_registry_holds_at_its_bound_of_repositories_and_refuses_above() {
    let (store, _folder) = open().await;
    let store = store.with_repositories_per_registry(2);
    let site = Site::new(&store).await;
    let fence = site.start(&store, 10).await;
    let refused = |outcome: Result<(), StoreError>| matches!(outcome, Err(StoreError::Refused { .. }));
    let commit = async |name: &str| {
        let commit = commit_of(name, &[("1", "one")], RepositoryOutcome::Listed);
        store.commit_repository(&fence, &commit, at(11)).await.map(drop)
    };
    for name in ["a", "b", "a", "b"] {
        commit(name).await.unwrap();
    }
    assert!(refused(commit("c").await));
    let other = site.beside(&store, "other").await.start(&store, 12).await;
    let elsewhere = commit_of("c", &[("1", "one")], RepositoryOutcome::Listed);
    store.commit_repository(&other, &elsewhere, at(12)).await.unwrap();

    let report = async |names: &[&str]| {
        let entry = |name: &&str| CoverageEntry {
            repository: name.parse().unwrap(),
            outcome: RepositoryOutcome::Denied,
            finding: None,
        };
        let entries: Vec<_> = names.iter().map(entry).collect();
        store.report_coverage(&fence, &entries, at(13)).await
    };
    report(&["a", "b"]).await.unwrap();
    for _ in 0..2 {
        report(&["c", "c", "d"]).await.unwrap();
    }
    assert!(refused(report(&["d", "e"]).await));
}

#[tokio::test]
async fn a_run_that_cannot_be_read_does_not_keep_other_leases_from_being_taken_away() {
    let (store, folder) = open().await;
    let site = Site::new(&store).await;
    let bad = site.start(&store, 10).await;
    let good = site.beside(&store, "other").await.start(&store, 11).await;
    let mut connection = raw(&folder.path().join("portolan.db")).await;
    sqlx::query("UPDATE run SET attempt_fruitful = 0, fruitless_attempts = -5 WHERE run_id = ?1")
        .bind(bad.attempt.run.as_bytes().as_slice())
        .execute(&mut connection)
        .await
        .unwrap();
    let lost = requeue_expired(&store, 1_000).await;
    let lost: Vec<_> = lost.iter().map(|lost| lost.attempt).collect();
    assert_eq!(lost, [good.attempt]);
}

#[tokio::test]
async fn a_run_that_cannot_be_read_does_not_keep_others_waiting() {
    let (store, folder) = open().await;
    let site = Site::new(&store).await;
    let bad = site.queue(&store, 10).await;
    let good = site.beside(&store, "other").await.queue(&store, 11).await;
    let mut connection = raw(&folder.path().join("portolan.db")).await;
    sqlx::query("PRAGMA ignore_check_constraints = ON")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("UPDATE run SET run_id = x'0102' WHERE run_id = ?1")
        .bind(bad.as_bytes().as_slice())
        .execute(&mut connection)
        .await
        .unwrap();
    let leasable = store.leasable_runs(at(20), &[site.sensor], 10).await.unwrap();
    let runs: Vec<_> = leasable.iter().map(|leasable| leasable.run).collect();
    assert_eq!(runs, [good]);
}

#[tokio::test]
async fn what_one_tenant_has_stored_wrongly_keeps_no_other_from_forgetting() {
    let (store, folder) = open().await;
    let day = 86_400;
    let mut sites = Vec::new();
    for _ in 0..3 {
        let site = Site::new(&store).await;
        for (second, content) in [(10, "one"), (20, "two")] {
            let fence = site.start(&store, second).await;
            let commit = commit_of("acme/shop", &[("1", content)], RepositoryOutcome::Listed);
            store
                .commit_repository(&fence, &commit, at(second))
                .await
                .unwrap();
            store
                .cancel_run(site.tenant, fence.attempt.run, at(second), &note())
                .await
                .unwrap();
        }
        let retention = Retention {
            history_days: Some(5),
            runs_days: None,
        };
        store
            .set_retention(site.tenant, retention, None, &note())
            .await
            .unwrap();
        sites.push(site);
    }
    let mut database = raw(&folder.path().join("portolan.db")).await;
    sqlx::query("UPDATE tenant SET history_days = 5000000000 WHERE tenant_id = ?1")
        .bind(sites[1].tenant.as_bytes().as_slice())
        .execute(&mut database)
        .await
        .unwrap();
    let told = loop {
        match store.forget_past(at(30 * day), 1).await {
            Ok(0) => panic!("nobody is told of it"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(told, StoreError::Corrupt { .. }), "{told:?}");
    let mut left = Vec::new();
    for site in &sites {
        let page = PageRequest::first();
        let name = "acme/shop".parse().unwrap();
        let lines = store
            .history(site.tenant, site.registry, &name, None, &page)
            .await;
        left.push(lines.unwrap().items.len());
    }
    assert_eq!(left, [1, 2, 1]);
}
