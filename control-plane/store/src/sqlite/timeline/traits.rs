//! The way to all of it.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::TenantId;

use super::{end, mark, replay};
use crate::sqlite::SqliteStore;
use crate::{
    EntryFor, ReplayOutcome, ReplayStep, RestoreEnd, RestoredTenant, StoreError, Timeline, Timelines,
};

#[async_trait]
impl Timelines for SqliteStore {
    async fn timeline(&self) -> Result<Timeline, StoreError> {
        mark::read(self.reader()).await
    }

    async fn beat(&self) -> Result<u64, StoreError> {
        mark::beat(self).await
    }

    async fn begin_restore(&self, now: Timestamp) -> Result<(), StoreError> {
        mark::begin_restore(self, now).await
    }

    async fn replay(
        &self,
        tenant: TenantId,
        steps: &[ReplayStep],
        now: Timestamp,
    ) -> Result<ReplayOutcome, StoreError> {
        replay::replay(self, tenant, steps, now).await
    }

    async fn end_restore(
        &self,
        end: &RestoreEnd,
        note: EntryFor<'_, RestoredTenant>,
    ) -> Result<Vec<RestoredTenant>, StoreError> {
        end::end_restore(self, end, note).await
    }
}
