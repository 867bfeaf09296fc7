//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{Digest, RegistryId, RepositoryName, TagName, TenantId};

use super::super::SqliteStore;
use super::{differences, history, manifests, past, placements, repositories, tag_sets, tags};
use crate::{
    Images, InventoryTotals, LedgerRow, ManifestSummary, Page, PageRequest, Past, PastPage, PastTag,
    Placements, Referrers, RepositoryFilter, RepositoryRecord, StoreError, TagDifference, TagObservation,
    TagRecord,
};

#[async_trait]
impl Images for SqliteStore {
    async fn repositories(
        &self,
        tenant: TenantId,
        filter: &RepositoryFilter,
        page: &PageRequest,
    ) -> Result<Page<RepositoryRecord>, StoreError> {
        repositories::list(self, tenant, filter, page).await
    }

    async fn repository(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        name: &RepositoryName,
    ) -> Result<Option<RepositoryRecord>, StoreError> {
        repositories::one(self, tenant, registry, name).await
    }

    async fn tags(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        page: &PageRequest,
    ) -> Result<Page<TagRecord>, StoreError> {
        tags::list(self, tenant, registry, repository, page).await
    }

    async fn tag_sets(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repositories: &[RepositoryName],
    ) -> Result<Vec<Vec<TagObservation>>, StoreError> {
        tag_sets::list(self, tenant, registry, repositories).await
    }

    async fn tag(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        tag: &TagName,
    ) -> Result<Option<TagRecord>, StoreError> {
        tags::one(self, tenant, registry, repository, tag).await
    }

    async fn manifest(
        &self,
        tenant: TenantId,
        digest: &Digest,
    ) -> Result<Option<ManifestSummary>, StoreError> {
        manifests::one(self, tenant, digest).await
    }

    async fn image_facts(&self, tenant: TenantId, config: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        manifests::image_facts(self, tenant, config).await
    }

    async fn referrers(&self, tenant: TenantId, subject: &Digest) -> Result<Referrers, StoreError> {
        manifests::referrers(self, tenant, subject).await
    }

    async fn history(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        tag: Option<&TagName>,
        page: &PageRequest,
    ) -> Result<Page<LedgerRow>, StoreError> {
        history::list(self, tenant, registry, repository, tag, page).await
    }

    async fn tags_at(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        at: Timestamp,
        page: &PageRequest,
    ) -> Result<Past<PastPage<PastTag>>, StoreError> {
        past::tags(self, (tenant, registry), repository, at, page).await
    }

    async fn differences(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        since: Timestamp,
        page: &PageRequest,
    ) -> Result<Past<PastPage<TagDifference>>, StoreError> {
        differences::list(self, (tenant, registry), since, page).await
    }

    async fn placements(
        &self,
        tenant: TenantId,
        digest: &Digest,
        page: &PageRequest,
    ) -> Result<Placements, StoreError> {
        placements::list(self, tenant, digest, page).await
    }

    async fn totals(&self, tenant: TenantId) -> Result<InventoryTotals, StoreError> {
        repositories::totals(self, tenant).await
    }
}
