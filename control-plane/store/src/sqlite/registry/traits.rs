//! The trait's methods, but for removal.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RegistryName, TenantId};

use super::super::columns::millis;
use super::super::failure::{During as _, is_taken, is_unknown_tenant};
use super::super::{SqliteStore, audit, keyset, rows};
use super::{records, remove};
use crate::{
    AuditEntry, EntryFor, NewRegistry, Page, PageRequest, Registries, RegistryChange, RegistryChangeOutcome,
    RegistryRecord, StoreError,
};

const FIND: &str = "find a registry";
const LIST: &str = "list registries";
const CHANGE: &str = "change a registry";

#[async_trait]
impl Registries for SqliteStore {
    async fn add_registry(
        &self,
        registry: &NewRegistry,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO registry (tenant_id, registry_id, name, url, ca_bundle_pem, ca_only_bundle, globs, credential,
                                   concurrency, created_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
        )
        .bind(registry.tenant.as_bytes().as_slice())
        .bind(registry.id.as_bytes().as_slice())
        .bind(registry.name.as_str())
        .bind(registry.url.to_string())
        .bind(registry.ca.bundle_pem.as_deref())
        .bind(registry.ca.only_bundle)
        .bind(rows::json("repository globs", registry.repositories.as_slice())?)
        .bind(registry.credential.as_ref().map(ToString::to_string))
        .bind(i64::from(registry.budget.concurrency))
        .bind(millis(now))
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if is_taken(&error) => return Err(taken(&registry.name)),
            Err(error) if is_unknown_tenant(&error) => {
                return Err(StoreError::Unknown {
                    what: "tenant",
                    name: registry.tenant.to_string(),
                });
            }
            other => other.during("add a registry")?,
        };
        records::put_sensors(&mut tx, registry).await?;
        audit::append(&mut tx, registry.tenant, entry).await?;
        tx.commit().await.during("add a registry")
    }

    async fn registry(&self, tenant: TenantId, id: RegistryId) -> Result<Option<RegistryRecord>, StoreError> {
        records::find(&mut *self.read().await?, tenant, id).await
    }

    async fn registry_by_name(
        &self,
        tenant: TenantId,
        name: &RegistryName,
    ) -> Result<Option<RegistryRecord>, StoreError> {
        let mut tx = self.read().await?;
        let row = sqlx::query("SELECT * FROM registry WHERE tenant_id = ?1 AND name = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(name.as_str())
            .fetch_optional(&mut *tx)
            .await
            .during(FIND)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut found = [records::read(&row)?];
        records::add_sensors(&mut tx, tenant, &mut found).await?;
        let [record] = found;
        Ok(Some(record))
    }

    async fn registries(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<RegistryRecord>, StoreError> {
        let after = keyset::after::<String>(page)?.unwrap_or_default();
        let mut tx = self.read().await?;
        let rows =
            sqlx::query("SELECT * FROM registry WHERE tenant_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3")
                .bind(tenant.as_bytes().as_slice())
                .bind(after)
                .bind(keyset::rows_wanted(page))
                .fetch_all(&mut *tx)
                .await
                .during(LIST)?;
        let mut found = rows.iter().map(records::read).collect::<Result<Vec<_>, _>>()?;
        records::add_sensors(&mut tx, tenant, &mut found).await?;
        keyset::page(page, found, |last| last.registry.name.as_str().to_owned())
    }

    async fn change_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        change: &RegistryChange,
        seen_version: Option<u64>,
        now: Timestamp,
        note: EntryFor<'_, RegistryRecord>,
    ) -> Result<RegistryChangeOutcome, StoreError> {
        let mut tx = self.write().await?;
        let Some(mut record) = records::find(&mut tx, tenant, id).await? else {
            return Ok(RegistryChangeOutcome::Unknown);
        };
        if seen_version.is_some_and(|seen| seen != record.version) {
            return Ok(RegistryChangeOutcome::OutOfDate);
        }
        apply(&mut record.registry, change);
        let registry = &record.registry;
        let updated = sqlx::query(
            "UPDATE registry SET name = ?3, url = ?4, ca_bundle_pem = ?5, ca_only_bundle = ?6, globs = ?7, credential = ?8,
                                 concurrency = ?9, changed_at = ?10, version = version + 1
             WHERE tenant_id = ?1 AND registry_id = ?2",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(registry.name.as_str())
        .bind(registry.url.to_string())
        .bind(registry.ca.bundle_pem.as_deref())
        .bind(registry.ca.only_bundle)
        .bind(rows::json("repository globs", registry.repositories.as_slice())?)
        .bind(registry.credential.as_ref().map(ToString::to_string))
        .bind(i64::from(registry.budget.concurrency))
        .bind(millis(now))
        .execute(&mut *tx)
        .await;
        match updated {
            Err(error) if is_taken(&error) => return Err(taken(&registry.name)),
            other => other.during(CHANGE)?,
        };
        if change.sensors.is_some() {
            records::put_sensors(&mut tx, registry).await?;
        }
        let Some(changed) = records::find(&mut tx, tenant, id).await? else {
            return Ok(RegistryChangeOutcome::Unknown);
        };
        if let Some(entry) = note(&changed) {
            audit::append(&mut tx, tenant, &entry).await?;
        }
        tx.commit().await.during(CHANGE)?;
        Ok(RegistryChangeOutcome::Changed(Box::new(changed)))
    }

    async fn remove_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        remove::remove(self, tenant, id, entry).await
    }
}

fn taken(name: &RegistryName) -> StoreError {
    StoreError::Taken {
        what: "registry",
        name: name.to_string(),
    }
}

fn apply(registry: &mut NewRegistry, change: &RegistryChange) {
    let RegistryChange {
        name,
        url,
        ca,
        repositories,
        credential,
        budget,
        sensors,
    } = change.clone();
    registry.name = name.unwrap_or_else(|| registry.name.clone());
    registry.url = url.unwrap_or_else(|| registry.url.clone());
    registry.ca = ca.unwrap_or_else(|| registry.ca.clone());
    registry.repositories = repositories.unwrap_or_else(|| registry.repositories.clone());
    registry.credential = credential.unwrap_or_else(|| registry.credential.clone());
    registry.budget = budget.unwrap_or(registry.budget);
    registry.sensors = sensors.unwrap_or_else(|| registry.sensors.clone());
}
