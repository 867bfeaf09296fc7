//! The trait's methods.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{CoverageEntry, Digest, RepositoryName};

use super::super::SqliteStore;
use super::{commit, content, coverage, offer};
use crate::{
    Content, ContentKind, Fence, Inventory, OfferedRepository, RepositoryCommit, RepositoryCommitted,
    StoreError,
};

#[async_trait]
impl Inventory for SqliteStore {
    async fn check_fence(&self, fence: &Fence) -> Result<(), StoreError> {
        offer::check_fence(self, fence).await
    }

    async fn pending_repositories(
        &self,
        fence: &Fence,
        repositories: &[RepositoryName],
    ) -> Result<Vec<bool>, StoreError> {
        offer::pending(self, fence, repositories).await
    }

    async fn offer_repositories(
        &self,
        fence: &Fence,
        repositories: &[OfferedRepository],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        offer::repositories(self, fence, repositories, now).await
    }

    async fn offer_digests(
        &self,
        fence: &Fence,
        kind: ContentKind,
        digests: &[Digest],
    ) -> Result<Vec<bool>, StoreError> {
        offer::digests(self, fence, kind, digests).await
    }

    async fn put_content(
        &self,
        fence: &Fence,
        content: &[Content],
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        content::put(self, fence, content, now).await
    }

    async fn record_refused_batch(&self, fence: &Fence) -> Result<u32, StoreError> {
        content::record_refused(self, fence).await
    }

    async fn commit_repository(
        &self,
        fence: &Fence,
        commit: &RepositoryCommit,
        now: Timestamp,
    ) -> Result<RepositoryCommitted, StoreError> {
        commit::commit(self, fence, commit, now).await
    }

    async fn report_coverage(
        &self,
        fence: &Fence,
        entries: &[CoverageEntry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        coverage::report(self, fence, entries, now).await
    }
}
