//! A database of the release before this one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use portolan_shared::model::{Budget, RunProgress, RunTrigger, TenantId};
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    Change, Changed, Feed as _, FeedPosition, PageRequest, Registries as _, RunFilter, Runs as _, Schedule,
    Schedules as _, WaitsSince,
};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, SqliteConnection};

/// The newest migration that the release before has.
const BEFORE: i64 = 5;

const TENANT: &str = "INSERT INTO tenant (tenant_id, name, created_at) VALUES (zeroblob(16), 'acme', 0)";
/// What it writes, as far as tables have grown since.
const WRITES: [&str; 3] = [
    "INSERT INTO registry (tenant_id, registry_id, name, url, ca_only_bundle, globs, concurrency, created_at, changed_at)
     VALUES (zeroblob(16), randomblob(16), ?1, 'https://h', 0, '[\"acme/*\"]', 16, 0, 0)",
    "INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before) VALUES (zeroblob(16), 1, 1, ?1, x'00')",
    "INSERT INTO run_repository (tenant_id, run_id, repository, outcome) VALUES (zeroblob(16), zeroblob(16), ?1, 'listed')",
];

/// A database with the schema as it was.
async fn database(path: &Path, newest: i64) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let migrator = Migrator::new(migrations).await.unwrap();
    migrator.run_to(newest, &mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn what_the_release_before_wrote_is_read_and_it_can_go_on_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let mut before = database(&path, BEFORE).await;
    sqlx::query(TENANT).execute(&mut before).await.unwrap();
    let write = async |connection: &mut SqliteConnection, name: &str| {
        for statement in WRITES {
            sqlx::query(statement)
                .bind(name)
                .execute(&mut *connection)
                .await
                .unwrap();
        }
    };
    write(&mut before, "old").await;
    let store = SqliteStore::open(&path).await.unwrap();
    write(&mut before, "new").await;
    let tenant = TenantId::from_slice(&[0; 16]).unwrap();
    for name in ["old", "new"] {
        let found = store
            .registry_by_name(tenant, &name.parse().unwrap())
            .await
            .unwrap();
        let registry = found.unwrap().registry;
        assert_eq!(registry.repositories.as_slice(), ["acme/*"], "{name}");
        assert!(
            registry.tags.is_all() && registry.budget == Budget::default(),
            "{name}"
        );
    }
}

/// Everything in an account of a run, in the order of its columns.
type AccountRow = (
    Vec<u8>,
    Vec<u8>,
    String,
    String,
    Option<Vec<u8>>,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

#[tokio::test]
async fn a_table_that_is_made_anew_keeps_every_row_and_what_it_checks() {
    const ACCOUNT: &str =
        "SELECT tenant_id, run_id, repository, outcome, state_hash, tags, finding_code, finding_seen,
                                  finding_detail, left_out
                           FROM run_repository ORDER BY tenant_id, run_id, repository";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let mut before = database(&path, 7).await;
    for run in [1_u8, 2] {
        for outcome in [
            "listed",
            "unchanged",
            "incomplete",
            "truncated",
            "denied",
            "missing",
            "failed",
            "refused",
        ] {
            let told = (outcome != "listed").then_some(outcome);
            sqlx::query(
                "INSERT INTO run_repository (tenant_id, run_id, repository, outcome, state_hash, tags, finding_code,
                                             finding_seen, finding_detail, left_out)
                 VALUES (zeroblob(16), ?1, 'acme/' || ?2, ?2, iif(?3 IS NULL, zeroblob(32), NULL), ?4, ?3, ?3, ?3, ?4 + 1)",
            )
            .bind(vec![run; 16])
            .bind(outcome)
            .bind(told)
            .bind(i64::from(run))
            .execute(&mut before)
            .await
            .unwrap();
        }
    }
    let account = async |connection: &mut SqliteConnection| -> Vec<AccountRow> {
        sqlx::query_as(ACCOUNT).fetch_all(connection).await.unwrap()
    };
    let had = account(&mut before).await;
    assert_eq!(had.len(), 16);
    drop(SqliteStore::open(&path).await.unwrap());
    assert_eq!(account(&mut before).await, had);
    let mut outcome = async |outcome: &str, finding: Option<&str>| {
        sqlx::query(
            "INSERT INTO run_repository (tenant_id, run_id, repository, outcome, finding_code, finding_seen)
             VALUES (zeroblob(16), zeroblob(16), ?1, ?1, ?2, ?2)",
        )
        .bind(outcome)
        .bind(finding)
        .execute(&mut before)
        .await
    };
    assert!(outcome("filtered", None).await.is_ok());
    assert!(outcome("filtered", None).await.is_err(), "each repository once");
    assert!(
        outcome("forgotten", None).await.is_err(),
        "a word that nobody knows"
    );
    assert!(outcome("denied", Some("registry.denied")).await.is_ok());
}

#[tokio::test]
async fn what_is_open_and_known_before_schedules_is_so_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let mut before = database(&path, 12).await;
    let run = |number: u8, state: &str, scope: &str| {
        let leased = (state == "leased").then_some(7_i64);
        let ended = (state == "failed").then_some(7_i64);
        sqlx::query(
            "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, state, attempt, sensor_id,
                              session_epoch, lease_until, not_before, queued_at, ended_at, progress)
             VALUES (zeroblob(16), ?1, zeroblob(16), 'manual', ?2, 'admin', ?3, 1, zeroblob(16), ?4, ?4, 5, 5, ?5, ?6)",
        )
        .bind(vec![number; 16])
        .bind(scope.to_owned())
        .bind(state.to_owned())
        .bind(leased)
        .bind(ended)
        .bind(serde_json::to_string(&RunProgress::default()).unwrap())
    };
    for statement in [
        TENANT,
        "INSERT INTO registry (tenant_id, registry_id, name, url, ca_only_bundle, globs, concurrency, created_at, changed_at)
         VALUES (zeroblob(16), zeroblob(16), 'old', 'https://h', 0, '[]', 16, 0, 0)",
    ] {
        sqlx::query(statement).execute(&mut before).await.unwrap();
    }
    for (number, state, scope) in [
        (1, "leased", "[]"),
        (2, "queued", "[\"a\"]"),
        (3, "failed", "[]"),
        (4, "failed", "[]"),
    ] {
        run(number, state, scope).execute(&mut before).await.unwrap();
    }
    let store = SqliteStore::open(&path).await.unwrap();
    let tenant = TenantId::from_slice(&[0; 16]).unwrap();
    let found = store
        .registry_by_name(tenant, &"old".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.registry.schedule, Schedule::default());
    let due = store
        .due_registries(jiff::Timestamp::UNIX_EPOCH, 9)
        .await
        .unwrap();
    assert_eq!(due.len(), 1, "somebody has to think about it once");
    let page = PageRequest::first();
    let runs = store
        .runs(tenant, &RunFilter::default(), &page)
        .await
        .unwrap()
        .items;
    assert_eq!(runs.len(), 4);
    for run in &runs {
        let [reason] = &run.reasons[..] else {
            panic!("{run:?}")
        };
        assert_eq!(
            (reason.requested_by.as_str(), reason.at),
            ("admin", run.queued_at)
        );
    }
    // The release before goes on: what it queues is as before, and still once only.
    run(5, "queued", "[\"b\"]").execute(&mut before).await.unwrap();
    assert!(
        run(6, "queued", "[]").execute(&mut before).await.is_err(),
        "one of that scope is open"
    );
    let runs = store
        .runs(tenant, &RunFilter::default(), &page)
        .await
        .unwrap()
        .items;
    assert!(
        runs.iter()
            .all(|run| run.reasons.len() == 1 && run.deadline_at.is_none())
    );
}

#[tokio::test]
async fn the_ledger_that_there_is_becomes_the_change_feed_in_the_order_in_which_it_was_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let mut before = database(&path, 12).await;
    sqlx::query(TENANT).execute(&mut before).await.unwrap();
    for statement in [
        "INSERT INTO registry (tenant_id, registry_id, name, url, ca_only_bundle, globs, concurrency, created_at, changed_at)
         VALUES (zeroblob(16), zeroblob(16), 'gl', 'https://h', 0, '[]', 16, 0, 0)",
        "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, state, sensor_id, not_before, queued_at, ended_at, progress)
         VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 'manual', '[]', 'a', 'complete', zeroblob(16), 0, 0, 0, '{}')",
        "INSERT INTO repository (tenant_id, repository_no, registry_id, name, tags, settled, entry_no, outcome, first_seen_at, tags_seen_at, last_attempt_at)
         VALUES (zeroblob(16), 1, zeroblob(16), 'a', 0, 0, 2, 'listed', 0, 0, 0), (zeroblob(16), 2, zeroblob(16), 'b', 0, 0, 1, 'listed', 0, 0, 0)",
        "INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at)
         VALUES (zeroblob(16), 1, 1, zeroblob(16), 1000), (zeroblob(16), 1, 2, randomblob(16), 3000), (zeroblob(16), 2, 1, zeroblob(16), 2000)",
        "INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
         SELECT tenant_id, repository_no, entry_no, 't', NULL, unhex('01' || hex(zeroblob(32))) FROM ledger_entry",
    ] {
        sqlx::query(statement).execute(&mut before).await.unwrap();
    }
    let store = SqliteStore::open(&path).await.unwrap();
    let tenant = TenantId::from_slice(&[0; 16]).unwrap();
    let told = store
        .changes(tenant, None, &FeedPosition::default(), 10)
        .await
        .unwrap()
        .unwrap();
    let line = |change: &Change| match &change.what {
        Changed::Tag(tag) => Some((
            change.position.to_string(),
            tag.repository.to_string(),
            tag.learnt.trigger,
        )),
        Changed::RegistryRemoved => None,
    };
    let told: Vec<_> = told.items.iter().filter_map(line).collect();
    let by_hand = Some(RunTrigger::Manual);
    let expected = [("1:t", "a", by_hand), ("2:t", "b", by_hand), ("3:t", "a", None)];
    assert_eq!(
        told,
        expected.map(|(place, name, how)| (place.to_owned(), name.to_owned(), how))
    );
    assert_eq!(store.feed_end(tenant).await.unwrap(), FeedPosition::behind(3));
}

#[tokio::test]
async fn who_has_asked_for_what_waits_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let mut before = database(&path, 29).await;
    let reasons = serde_json::json!([
        {"trigger": "schedule", "requested_by": "schedule", "at": "1970-01-01T00:00:05Z"},
        {"trigger": "manual", "requested_by": "admin", "at": "1970-01-01T00:00:08.5Z"},
        {"trigger": "schedule", "requested_by": "schedule", "at": "1970-01-01T00:00:09Z"},
    ]);
    sqlx::query(TENANT).execute(&mut before).await.unwrap();
    for (run, reasons) in [(1, reasons), (2, serde_json::json!([]))] {
        sqlx::query(
            "INSERT INTO run (tenant_id, run_id, registry_id, \"trigger\", scope, requested_by, state, not_before, queued_at, progress, reasons)
             VALUES (zeroblob(16), ?1, zeroblob(16), 'schedule', json_array(hex(?1)), 'schedule', 'queued', 5000, 5000, '{}', ?2)",
        )
        .bind(vec![run; 16])
        .bind(reasons.to_string())
        .execute(&mut before)
        .await
        .unwrap();
    }
    let store = SqliteStore::open(&path).await.unwrap();
    let now = jiff::Timestamp::from_second(100).unwrap();
    let waits = WaitsSince {
        for_a_sensor: now,
        for_anything: jiff::Timestamp::UNIX_EPOCH,
    };
    let lapsed = store.lapsed_runs(now, waits, 9).await.unwrap();
    let mut asked: Vec<_> = lapsed
        .iter()
        .map(|run| {
            (
                run.run.as_bytes()[0],
                run.asked_at.map(jiff::Timestamp::as_millisecond),
            )
        })
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, [(1, Some(8_500)), (2, None)]);
}
