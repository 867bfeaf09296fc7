//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{RegistryId, TagName, TenantId};

use super::super::SqliteStore;
use super::{changes, forget, present, retention};
use crate::{AuditEntry, Changes, Feed, FeedPosition, PresentTag, Retention, StoreError};

#[async_trait]
impl Feed for SqliteStore {
    async fn feed_end(&self, tenant: TenantId) -> Result<FeedPosition, StoreError> {
        changes::end(self, tenant).await
    }

    async fn changes(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        after: &FeedPosition,
        limit: u32,
    ) -> Result<Option<Changes>, StoreError> {
        changes::list(self, tenant, registry, after, limit).await
    }

    async fn feed_holds(&self, tenant: TenantId, after: &FeedPosition) -> Result<bool, StoreError> {
        changes::holds(self, tenant, after).await
    }

    async fn present_tags(
        &self,
        tenant: TenantId,
        registry: Option<RegistryId>,
        after: Option<(i64, &TagName)>,
        limit: u32,
    ) -> Result<Vec<PresentTag>, StoreError> {
        present::list(self, tenant, registry, after, limit).await
    }

    async fn retention(&self, tenant: TenantId) -> Result<Retention, StoreError> {
        retention::read(self, tenant).await
    }

    async fn set_retention(
        &self,
        tenant: TenantId,
        retention: Retention,
        seen: Option<Retention>,
        entry: &AuditEntry,
    ) -> Result<Option<bool>, StoreError> {
        retention::set(self, tenant, retention, seen, entry).await
    }

    async fn forget_past(&self, now: Timestamp, rows: u32) -> Result<u64, StoreError> {
        forget::forget(self, now, rows).await
    }

    async fn time_told_by_sensors(&self, until: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        forget::told(self, until).await
    }
}
