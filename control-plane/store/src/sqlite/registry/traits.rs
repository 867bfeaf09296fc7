//! The trait's methods, but for removal.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{CredentialId, RegistryId, RegistryName, TenantId};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::{During as _, is_taken, is_unknown_tenant};
use super::super::run::budget;
use super::super::{SqliteStore, audit, credential, keyset, rows};
use super::{records, remains, remove, schedule};
use crate::{
    AuditEntry, EntryFor, KnownFacts, NewCredential, NewRegistry, Page, PageRequest, PutOutcome, Registries,
    RegistryChange, RegistryChangeOutcome, RegistryNews, RegistryRecord, StoreError, Withdrawn,
};

const FIND: &str = "find a registry";
const LIST: &str = "list registries";
const ADD: &str = "add a registry";
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
        insert(&mut tx, registry, now, entry).await?;
        tx.commit().await.during(ADD)
    }

    async fn add_registry_with_credential(
        &self,
        registry: &NewRegistry,
        entry: &AuditEntry,
        credential: &NewCredential,
        note: &AuditEntry,
    ) -> Result<PutOutcome, StoreError> {
        let mut tx = self.write().await?;
        insert(&mut tx, registry, credential.now, entry).await?;
        let outcome = credential::put_within(&mut tx, credential, &|_| Some(note.clone())).await?;
        if outcome == PutOutcome::Put {
            tx.commit().await.during(ADD)?;
        }
        Ok(outcome)
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
        note: EntryFor<'_, RegistryNews>,
    ) -> Result<RegistryChangeOutcome, StoreError> {
        let mut tx = self.write().await?;
        let Some(mut record) = records::find(&mut tx, tenant, id).await? else {
            return Ok(RegistryChangeOutcome::Unknown);
        };
        if seen_version.is_some_and(|seen| seen != record.version) {
            return Ok(RegistryChangeOutcome::OutOfDate);
        }
        let before = record.registry.clone();
        let sealed = credential::in_use(&mut tx, (tenant, id)).await?;
        apply(&mut record, change);
        let registry = &record.registry;
        let update = sqlx::query(
            "UPDATE registry SET name = ?3, url = ?4, ca_bundle_pem = ?5, ca_only_bundle = ?6, globs = ?7, credential = ?8,
                                 concurrency = ?9, changed_at = ?10, tag_patterns = ?11, newest_tags = ?12,
                                 max_tag_age_days = ?13, requests_per_second = ?14, requests_per_day = ?15, facts = ?16,
                                 schedule = ?17, zone = ?18, jitter_seconds = ?19, blackouts = ?20, max_run_seconds = ?21,
                                 missed = ?22, paused = ?23, paused_at = iif(?23, coalesce(paused_at, ?10), NULL),
                                 wanted_version = iif(?24, version + 1, wanted_version), version = version + 1,
                                 known_from = iif(?24, NULL, known_from)
             WHERE tenant_id = ?1 AND registry_id = ?2",
        );
        let wants_the_same = (&before.url, &before.repositories, &before.tags)
            == (&registry.url, &registry.repositories, &registry.tags);
        let updated = bind(update, registry, &record.facts, now)?
            .bind(!wants_the_same)
            .execute(&mut *tx)
            .await;
        match updated {
            Err(error) if is_taken(&error) => return Err(taken(&registry.name)),
            other => other.during(CHANGE)?,
        };
        if change.credential.is_some() {
            // A registry has one credential, and this is it now.
            credential::drop_all(&mut tx, (tenant, id)).await?;
        }
        let lost = sealed.and_then(|sealed| lost(sealed, &before, change));
        if change.budget.is_some() {
            budget::wait_no_longer(&mut tx, tenant, id, now).await?;
        }
        if change.sensors.is_some() {
            records::put_sensors(&mut tx, registry).await?;
        }
        schedule::changed(&mut tx, &before, registry, change, now).await?;
        let Some(changed) = records::find(&mut tx, tenant, id).await? else {
            return Ok(RegistryChangeOutcome::Unknown);
        };
        let mut news = vec![RegistryNews::Changed {
            before: Box::new(before),
            after: Box::new(changed.clone()),
        }];
        news.extend(lost);
        for entry in news.iter().filter_map(note) {
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
        note: EntryFor<'_, CredentialId>,
    ) -> Result<Option<Withdrawn>, StoreError> {
        remove::remove(self, tenant, id, entry, note).await
    }

    async fn clear_removed(&self, rows: u32) -> Result<u64, StoreError> {
        remains::clear(self, rows).await
    }
}

async fn insert(
    tx: &mut Transaction<'static, Sqlite>,
    registry: &NewRegistry,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "INSERT INTO registry (tenant_id, registry_id, name, url, ca_bundle_pem, ca_only_bundle, globs, credential,
                               concurrency, changed_at, tag_patterns, newest_tags, max_tag_age_days,
                               requests_per_second, requests_per_day, facts, schedule, zone, jitter_seconds, blackouts,
                               max_run_seconds, missed, paused, created_at, events_since, paused_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?10,
                 iif(?17 = 'on-push', ?10, NULL), iif(?23, ?10, NULL))",
    );
    let facts = KnownFacts::default();
    let inserted = bind(insert, registry, &facts, now)?.execute(&mut **tx).await;
    match inserted {
        Err(error) if is_taken(&error) => return Err(taken(&registry.name)),
        Err(error) if is_unknown_tenant(&error) => {
            return Err(StoreError::Unknown {
                what: "tenant",
                name: registry.tenant.to_string(),
            });
        }
        other => other.during(ADD)?,
    };
    records::put_sensors(tx, registry).await?;
    audit::append(tx, registry.tenant, entry).await?;
    Ok(())
}

fn taken(name: &RegistryName) -> StoreError {
    StoreError::Taken {
        what: "registry",
        name: name.to_string(),
    }
}

/// Binds what `INSERT` and `UPDATE` of a registry have in common.
fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    registry: &NewRegistry,
    facts: &KnownFacts,
    now: Timestamp,
) -> Result<Query<'q, Sqlite, SqliteArguments>, StoreError> {
    let (tags, budget, schedule) = (&registry.tags, &registry.budget, &registry.schedule);
    Ok(query
        .bind(registry.tenant.as_bytes().to_vec())
        .bind(registry.id.as_bytes().to_vec())
        .bind(registry.name.as_str().to_owned())
        .bind(registry.url.to_string())
        .bind(registry.ca.bundle_pem.clone())
        .bind(registry.ca.only_bundle)
        .bind(rows::json(
            "repository patterns",
            registry.repositories.as_slice(),
        )?)
        .bind(registry.credential.as_ref().map(ToString::to_string))
        .bind(i64::from(budget.concurrency))
        .bind(millis(now))
        .bind(rows::json("tag patterns", tags.names.as_slice())?)
        .bind(tags.newest.map(|bound| i64::from(bound.get())))
        .bind(tags.max_age_days.map(|bound| i64::from(bound.get())))
        .bind(budget.per_second.map(|bound| i64::from(bound.get())))
        .bind(budget.per_day.map(|bound| i64::from(bound.get())))
        .bind(rows::json("facts of a registry", facts)?)
        .bind(schedule.when.to_string())
        .bind(schedule.zone.as_str().to_owned())
        .bind(schedule.jitter_seconds)
        .bind(rows::array(schedule.blackouts.iter().map(ToString::to_string))?)
        .bind(schedule.max_run_seconds.map(|bound| i64::from(bound.get())))
        .bind(schedule.missed.as_str())
        .bind(schedule.paused))
}

fn apply(record: &mut RegistryRecord, change: &RegistryChange) {
    let RegistryChange {
        name,
        url,
        ca,
        repositories,
        tags,
        credential,
        budget,
        schedule,
        sensors,
    } = change.clone();
    let registry = &mut record.registry;
    if url.as_ref().is_some_and(|url| *url != registry.url) {
        record.facts = KnownFacts::default();
    }
    if credential
        .as_ref()
        .is_some_and(|credential| *credential != registry.credential)
    {
        record.facts.credential = None;
    }
    registry.name = name.unwrap_or_else(|| registry.name.clone());
    registry.url = url.unwrap_or_else(|| registry.url.clone());
    registry.ca = ca.unwrap_or_else(|| registry.ca.clone());
    registry.repositories = repositories.unwrap_or_else(|| registry.repositories.clone());
    registry.tags = tags.unwrap_or_else(|| registry.tags.clone());
    registry.credential = credential.unwrap_or_else(|| registry.credential.clone());
    registry.budget = budget.unwrap_or(registry.budget);
    registry.schedule = schedule.unwrap_or_else(|| registry.schedule.clone());
    registry.sensors = sensors.unwrap_or_else(|| registry.sensors.clone());
}

/// Who loses a sealed credential by a change, if anybody does.
fn lost(mut sealed: Withdrawn, before: &NewRegistry, change: &RegistryChange) -> Option<RegistryNews> {
    if change.credential.is_some() {
        return Some(RegistryNews::Dropped(sealed));
    }
    let after = change.sensors.as_ref()?;
    sealed
        .recipients
        .retain(|sensor| before.sensors.contains(sensor) && !after.contains(sensor));
    (!sealed.recipients.is_empty()).then_some(RegistryNews::Withdrawn(sealed))
}
