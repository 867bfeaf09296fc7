//! Repositories, and how much there is.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RegistryName, RepositoryName, TenantId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset};
use crate::{InventoryTotals, Page, PageRequest, RepositoryFilter, RepositoryRecord, StoreError};

const LIST: &str = "list repositories";

/// A registry's place in the order of all of a tenant.
pub(super) struct Named {
    pub(super) registry: RegistryId,
    pub(super) name: RegistryName,
    /// When the clock starts its next run.
    pub(super) next_start_at: Option<Timestamp>,
}

/// The registries of a tenant by name, from `first` on.
pub(super) async fn registries_from(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    first: &str,
) -> Result<Vec<Named>, StoreError> {
    let rows = sqlx::query(
        "SELECT registry_id, name, iif(paused, NULL, next_start_at) AS next_start_at FROM registry WHERE tenant_id = ?1 AND name >= ?2 ORDER BY name",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(first)
    .fetch_all(connection)
    .await
    .during("list registries")?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("registry", row);
            Ok(Named {
                registry: row.bytes("registry_id", RegistryId::from_slice)?,
                name: row.text("name")?,
                next_start_at: row.opt_time("next_start_at")?,
            })
        })
        .collect()
}

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    filter: &RepositoryFilter,
    page: &PageRequest,
) -> Result<Page<RepositoryRecord>, StoreError> {
    let (from_registry, from_repository) = keyset::after::<(String, String)>(page)?.unwrap_or_default();
    let mut tx = store.read().await?;
    let mut found = Vec::new();
    // Registry by registry, so that an index gives the rows in order and the first row is found without a walk.
    for named in registries_from(&mut tx, tenant, &from_registry).await? {
        if filter.registry.is_some_and(|only| only != named.registry) {
            continue;
        }
        let after = if named.name.as_str() == from_registry {
            from_repository.as_str()
        } else {
            ""
        };
        let wanted = keyset::rows_wanted(page) - i64::try_from(found.len()).unwrap_or(i64::MAX);
        if wanted <= 0 {
            break;
        }
        let rows = sqlx::query(
            "SELECT * FROM repository
             WHERE tenant_id = ?1 AND registry_id = ?2 AND name > ?3
               AND (?4 IS NULL OR instr(lower(name), lower(?4)) > 0) AND (?5 OR vanished_at IS NULL)
             ORDER BY name LIMIT ?6",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(named.registry.as_bytes().as_slice())
        .bind(after)
        .bind(filter.contains.as_deref())
        .bind(filter.vanished)
        .bind(wanted)
        .fetch_all(&mut *tx)
        .await
        .during(LIST)?;
        for row in &rows {
            found.push(read(row, named.name.clone(), named.next_start_at)?);
        }
    }
    keyset::page(page, found, |last| {
        (
            last.registry_name.as_str().to_owned(),
            last.name.as_str().to_owned(),
        )
    })
}

pub(super) async fn one(
    store: &SqliteStore,
    tenant: TenantId,
    registry: RegistryId,
    name: &RepositoryName,
) -> Result<Option<RepositoryRecord>, StoreError> {
    let row = sqlx::query(
        "SELECT repository.*, registry.name AS registry_name,
                iif(registry.paused, NULL, registry.next_start_at) AS next_start_at FROM repository JOIN registry USING (tenant_id, registry_id)
         WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.name = ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(name.as_str())
    .fetch_optional(store.reader())
    .await
    .during("find a repository")?;
    row.map(|row| {
        let registry = Columns::of("registry", &row);
        read(
            &row,
            registry.text("registry_name")?,
            registry.opt_time("next_start_at")?,
        )
    })
    .transpose()
}

pub(super) async fn totals(store: &SqliteStore, tenant: TenantId) -> Result<InventoryTotals, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM registry WHERE tenant_id = ?1) AS registries,
                count(*) AS repositories, coalesce(sum(tags), 0) AS tags,
                coalesce((SELECT manifests FROM tenant WHERE tenant_id = ?1), 0) AS manifests
         FROM repository WHERE tenant_id = ?1 AND vanished_at IS NULL",
    )
    .bind(tenant.as_bytes().as_slice())
    .fetch_one(store.reader())
    .await
    .during("count the inventory")?;
    let row = Columns::of("repository", &row);
    Ok(InventoryTotals {
        registries: row.number("registries")?,
        repositories: row.number("repositories")?,
        tags: row.number("tags")?,
        manifests: row.number("manifests")?,
    })
}

fn read(
    row: &SqliteRow,
    registry_name: RegistryName,
    next_start_at: Option<Timestamp>,
) -> Result<RepositoryRecord, StoreError> {
    let row = Columns::of("repository", row);
    Ok(RepositoryRecord {
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        registry_name,
        name: row.text("name")?,
        tags: row.number("tags")?,
        outcome: row.text("outcome")?,
        first_seen_at: row.time("first_seen_at")?,
        known_from: row.opt_time("known_from")?,
        last_attempt_at: row.time("last_attempt_at")?,
        last_success_at: row.opt_time("last_success_at")?,
        last_event_at: row.opt_time("last_event_at")?,
        next_start_at,
        vanished_at: row.opt_time("vanished_at")?,
    })
}
