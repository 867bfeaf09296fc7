//! The trait's methods.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, CredentialId, ProbeId, RegistryId, RunId, SensorId, TenantId};
use portolan_shared::secret::sealed::{
    CredentialBinding, SealedForOne, SealingKeyId, SignedSealingKey, Wrap,
};

use super::{deliver, keys, put, records, worked, wraps};
use crate::sqlite::SqliteStore;
use crate::sqlite::columns::Columns;
use crate::sqlite::failure::During as _;
use crate::sqlite::probe::deliver_trial;
use crate::{
    AuditEntry, CredentialRecord, Credentials, DeliveredFor, Delivery, EntryFor, HeldAttempt, NewCredential,
    Page, PageRequest, PublishOutcome, PutOutcome, RevertOutcome, SealingKeyRecord, StoreError, Withdrawn,
};

#[async_trait]
impl Credentials for SqliteStore {
    async fn publish_key(
        &self,
        key: &SignedSealingKey,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<PublishOutcome, StoreError> {
        keys::publish(self, key, now, entry).await
    }

    async fn sealing_keys(
        &self,
        tenant: TenantId,
        sensors: &[SensorId],
    ) -> Result<BTreeMap<SensorId, SealingKeyRecord>, StoreError> {
        keys::latest(self, tenant, sensors).await
    }

    async fn put_credential(
        &self,
        credential: &NewCredential,
        note: EntryFor<'_, Option<u64>>,
    ) -> Result<PutOutcome, StoreError> {
        put::put(self, credential, note).await
    }

    async fn revert_credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<RevertOutcome, StoreError> {
        put::revert(self, (tenant, registry), now, entry).await
    }

    async fn remove_credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<Option<Withdrawn>, StoreError> {
        put::remove(self, (tenant, registry), now, entry).await
    }

    async fn sealed_recipients(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<Withdrawn>, StoreError> {
        let mut tx = self.read().await?;
        put::in_use(&mut tx, (tenant, registry)).await
    }

    async fn deliver_credential(
        &self,
        registry: (TenantId, RegistryId),
        sensor: SensorId,
        what_for: DeliveredFor,
        now: Timestamp,
        note: EntryFor<'_, CredentialBinding>,
    ) -> Result<Delivery, StoreError> {
        deliver::deliver(self, registry, sensor, what_for, now, note).await
    }

    async fn deliver_trial(
        &self,
        probe: (TenantId, ProbeId),
        sensor: SensorId,
        now: Timestamp,
        note: EntryFor<'_, CredentialBinding>,
    ) -> Result<Delivery, StoreError> {
        deliver_trial(self, probe, sensor, now, note).await
    }

    async fn probe_worked(&self, tenant: TenantId, probe: ProbeId, now: Timestamp) -> Result<(), StoreError> {
        worked::probe_worked(self, tenant, probe, now).await
    }

    async fn outdated_wraps(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        limit: u32,
    ) -> Result<Vec<SealedForOne>, StoreError> {
        wraps::outdated(self, tenant, sensor, limit).await
    }

    async fn rewrap(
        &self,
        tenant: TenantId,
        version: (CredentialId, u64),
        replaced: SealingKeyId,
        wrap: &Wrap,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        wraps::rewrap(self, tenant, version, replaced, wrap, entry).await
    }

    async fn credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<CredentialRecord>, StoreError> {
        records::one(self, tenant, registry).await
    }

    async fn credentials(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<CredentialRecord>, StoreError> {
        records::page(self, tenant, page).await
    }

    async fn reading_attempt(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<HeldAttempt>, StoreError> {
        let row = sqlx::query(
            "SELECT run_id, attempt, sensor_id FROM run WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'leased'",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .fetch_optional(self.reader())
        .await
        .during("find who reads a registry")?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns::of("run", &row);
        Ok(Some(HeldAttempt {
            tenant,
            sensor: row.bytes("sensor_id", SensorId::from_slice)?,
            attempt: AttemptRef {
                run: row.bytes("run_id", RunId::from_slice)?,
                attempt: row.small("attempt")?,
            },
        }))
    }
}
