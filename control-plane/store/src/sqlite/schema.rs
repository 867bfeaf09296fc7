//! Brings a database up to date, or refuses one that is ahead of this program.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr as _, SqlitePool};

use crate::StoreError;

/// Every migration, in order. Each runs once, in its own transaction; its checksum is kept and compared at every start.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "people and sensors",
        include_str!("../../migrations/sqlite/0001_people_and_sensors.sql"),
    ),
    (
        2,
        "registries and runs",
        include_str!("../../migrations/sqlite/0002_registries_and_runs.sql"),
    ),
    (
        3,
        "inventory",
        include_str!("../../migrations/sqlite/0003_inventory.sql"),
    ),
    (
        4,
        "unused sensors",
        include_str!("../../migrations/sqlite/0004_unused_sensors.sql"),
    ),
    (
        5,
        "one lease per registry",
        include_str!("../../migrations/sqlite/0005_one_lease_per_registry.sql"),
    ),
    (
        6,
        "filters, budgets, facts",
        include_str!("../../migrations/sqlite/0006_filters_budgets_facts.sql"),
    ),
    (
        7,
        "probes",
        include_str!("../../migrations/sqlite/0007_probes.sql"),
    ),
    (
        8,
        "repositories that were left out",
        include_str!("../../migrations/sqlite/0008_filtered_coverage.sql"),
    ),
    (
        9,
        "audit chain",
        include_str!("../../migrations/sqlite/0009_audit_chain.sql"),
    ),
    (
        11,
        "identity",
        include_str!("../../migrations/sqlite/0011_identity.sql"),
    ),
    (
        12,
        "sealed credentials",
        include_str!("../../migrations/sqlite/0012_credentials.sql"),
    ),
    (
        13,
        "schedules",
        include_str!("../../migrations/sqlite/0013_schedules.sql"),
    ),
    (
        14,
        "push events",
        include_str!("../../migrations/sqlite/0014_events.sql"),
    ),
    (
        15,
        "change feed",
        include_str!("../../migrations/sqlite/0015_changes.sql"),
    ),
    (
        16,
        "webhooks",
        include_str!("../../migrations/sqlite/0016_webhooks.sql"),
    ),
    (
        17,
        "freshness",
        include_str!("../../migrations/sqlite/0017_freshness.sql"),
    ),
    (
        20,
        "audit of use",
        include_str!("../../migrations/sqlite/0020_audit_of_use.sql"),
    ),
    (
        21,
        "credential references of every kind",
        include_str!("../../migrations/sqlite/0021_credential_references.sql"),
    ),
    (
        22,
        "timeline",
        include_str!("../../migrations/sqlite/0022_timeline.sql"),
    ),
    (
        23,
        "webhooks of registries",
        include_str!("../../migrations/sqlite/0023_webhooks_of_registries.sql"),
    ),
    (
        24,
        "known when",
        include_str!("../../migrations/sqlite/0024_known_when.sql"),
    ),
    (
        25,
        "claims",
        include_str!("../../migrations/sqlite/0025_claims.sql"),
    ),
    (
        26,
        "runs by end",
        include_str!("../../migrations/sqlite/0026_runs_by_end.sql"),
    ),
    (
        27,
        "events by registry",
        include_str!("../../migrations/sqlite/0027_events_by_registry.sql"),
    ),
    (
        28,
        "remains",
        include_str!("../../migrations/sqlite/0028_remains.sql"),
    ),
    (
        29,
        "looks",
        include_str!("../../migrations/sqlite/0029_looks.sql"),
    ),
    (
        30,
        "runs that follow",
        include_str!("../../migrations/sqlite/0030_runs_that_follow.sql"),
    ),
];

/// Runs the migrations that the database lacks. [`StoreError::Refused`] if it has one that this program does not know, or if one was
/// changed after it had run.
pub(super) async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(version, description, sql)| {
            let description = Cow::Borrowed(description);
            Migration::new(
                version,
                description,
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    let newest = MIGRATIONS[MIGRATIONS.len() - 1].0;
    match Migrator::with_migrations(migrations).run(writer).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(StoreError::Refused {
            what: "the database",
            why: format!(
                "it was written by a newer release (schema {found}; this program knows up to {newest}): use that release, or restore a backup"
            ),
        }),
        Err(MigrateError::VersionMismatch(found)) => Err(StoreError::Refused {
            what: "the database",
            why: format!("its schema {found} is not the one that this program knows by that number"),
        }),
        Err(error) => Err(StoreError::Unavailable {
            action: "bring its schema up to date",
            source: Box::new(error),
        }),
    }
}
