//! A database of the release before this one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use portolan_shared::model::{Budget, TenantId};
use portolan_store::Registries as _;
use portolan_store::sqlite::SqliteStore;
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
