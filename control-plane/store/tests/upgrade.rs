//! A database of the release before this one.

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

#[tokio::test]
async fn what_the_release_before_wrote_is_read_and_it_can_go_on_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portolan.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut before = SqliteConnection::connect(&url).await.unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let migrator = Migrator::new(migrations).await.unwrap();
    migrator.run_to(BEFORE, &mut before).await.unwrap();
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
