//! Stands in front of the way up and counts what leaves.

use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, OfferedRepository, RepositoryName, RunState,
};

use super::tally::Sent;
use crate::inventory::{Closing, ContentItem, RepositoryTags, Upload, UploadError};

/// The way up of one attempt, with what was sent counted by kind.
pub(super) struct AuditedUpload {
    pub(super) inner: Arc<dyn Upload>,
    pub(super) sent: Arc<Sent>,
}

impl AuditedUpload {
    fn names<'a>(&self, names: impl Iterator<Item = &'a RepositoryName>) {
        let mut count = 0;
        let bytes = names
            .inspect(|_| count += 1)
            .map(|name| name.as_str().len())
            .sum();
        self.sent.count(|kinds| kinds.repository_names.add(count, bytes));
    }
}

#[async_trait]
impl Upload for AuditedUpload {
    async fn pending_repositories(&self, repositories: &[RepositoryName]) -> Result<Vec<bool>, UploadError> {
        self.names(repositories.iter());
        self.inner.pending_repositories(repositories).await
    }

    async fn offer_repositories(&self, offered: &[OfferedRepository]) -> Result<Vec<bool>, UploadError> {
        self.names(offered.iter().map(|offer| &offer.repository));
        self.inner.offer_repositories(offered).await
    }

    async fn offer_digests(&self, kind: ContentKind, digests: &[Digest]) -> Result<Vec<bool>, UploadError> {
        let bytes = digests.iter().map(|digest| digest.to_bytes().len()).sum();
        self.sent.count(|kinds| kinds.digests.add(digests.len(), bytes));
        self.inner.offer_digests(kind, digests).await
    }

    async fn put_content(&self, items: &[ContentItem]) -> Result<u32, UploadError> {
        self.sent.count(|kinds| {
            for item in items {
                match item {
                    ContentItem::Manifest { bytes, .. } => kinds.manifests.add(1, bytes.len()),
                    ContentItem::ImageFacts { json, .. } => kinds.image_facts.add(1, json.len()),
                    ContentItem::Unavailable { code, .. } => kinds.coverage.add(1, code.as_str().len()),
                }
            }
        });
        self.inner.put_content(items).await
    }

    async fn commit_repository(&self, repository: &Arc<RepositoryTags>) -> Result<(), UploadError> {
        let observed = repository.tags.iter();
        let bytes: usize = observed
            .map(|tag| tag.tag.as_str().len() + tag.digest.to_bytes().len())
            .chain(repository.left_out.iter().map(|tag| tag.as_str().len()))
            .sum();
        let count = repository.tags.len() + repository.left_out.len();
        self.sent.count(|kinds| kinds.tags.add(count, bytes));
        self.names(std::iter::once(&repository.repository));
        self.inner.commit_repository(repository).await
    }

    async fn report_coverage(&self, entries: &[CoverageEntry]) -> Result<(), UploadError> {
        let bytes = entries
            .iter()
            .map(|entry| {
                let finding = entry
                    .finding
                    .as_ref()
                    .map_or(0, |finding| finding.to_string().len());
                entry.repository.as_str().len() + finding
            })
            .sum();
        self.sent.count(|kinds| kinds.coverage.add(entries.len(), bytes));
        self.inner.report_coverage(entries).await
    }

    async fn close_run(&self, closing: &Closing) -> Result<RunState, UploadError> {
        let before = self.inner.bytes_sent();
        let closed = self.inner.close_run(closing).await;
        let bytes = usize::try_from(self.inner.bytes_sent().saturating_sub(before)).unwrap_or(usize::MAX);
        self.sent.count(|kinds| kinds.run_accounts.add(1, bytes));
        closed
    }

    fn bytes_sent(&self) -> u64 {
        self.inner.bytes_sent()
    }
}
