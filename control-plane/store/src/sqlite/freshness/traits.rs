//! The trait's methods.

use async_trait::async_trait;
use portolan_shared::model::{RegistryId, TenantId};

use super::super::SqliteStore;
use super::{figures, held, pulses};
use crate::{Freshness, HeldRun, Page, PageRequest, RegistryFigures, RegistryPulse, StoreError};

#[async_trait]
impl Freshness for SqliteStore {
    async fn registry_pulses(
        &self,
        tenant: TenantId,
        registries: &[RegistryId],
    ) -> Result<Vec<RegistryPulse>, StoreError> {
        pulses::some(self, tenant, registries).await
    }

    async fn all_registry_pulses(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<RegistryPulse>, StoreError> {
        pulses::page(self, tenant, page).await
    }

    async fn held_runs(&self, tenant: TenantId) -> Result<Vec<HeldRun>, StoreError> {
        held::all(self, tenant).await
    }

    async fn registry_figures(&self, limit: u32) -> Result<(Vec<RegistryFigures>, u64), StoreError> {
        figures::read(self, limit).await
    }
}
