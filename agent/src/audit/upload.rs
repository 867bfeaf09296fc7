//! Stands in front of the way up and counts what leaves.

use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{ContentKind, CoverageEntry, Digest, Finding, RepositoryName, RunState};

use super::kind::DataKind;
use super::outgoing::Sent;
use crate::inventory::{Closing, ContentItem, ListedRepository, RepositoryTags, Upload, UploadError};

/// The way up of one attempt, with what was sent counted by kind.
pub(super) struct AuditedUpload {
    pub(super) inner: Arc<dyn Upload>,
    pub(super) sent: Sent,
}

impl AuditedUpload {
    fn names<'a>(&self, names: impl Iterator<Item = &'a RepositoryName>) {
        let mut count = 0;
        let bytes = names
            .inspect(|_| count += 1)
            .map(|name| name.as_str().len())
            .sum();
        self.sent.count(DataKind::RepositoryNames, count, bytes);
    }

    /// Gives the bytes of these.
    fn findings<'a>(&self, findings: impl Iterator<Item = &'a Finding>) -> usize {
        let mut count = 0;
        let bytes = findings
            .inspect(|_| count += 1)
            .map(|finding| finding.to_string().len())
            .sum();
        self.sent.count(DataKind::Findings, count, bytes);
        bytes
    }
}

#[async_trait]
impl Upload for AuditedUpload {
    async fn pending_repositories(&self, repositories: &[RepositoryName]) -> Result<Vec<bool>, UploadError> {
        self.names(repositories.iter());
        self.inner.pending_repositories(repositories).await
    }

    async fn offer_repositories(&self, listed: &[ListedRepository]) -> Result<Vec<bool>, UploadError> {
        self.names(listed.iter().map(|listed| &listed.repository));
        self.inner.offer_repositories(listed).await
    }

    async fn offer_digests(&self, kind: ContentKind, digests: &[Digest]) -> Result<Vec<bool>, UploadError> {
        let bytes = digests.iter().map(|digest| digest.to_bytes().len()).sum();
        self.sent.count(DataKind::Digests, digests.len(), bytes);
        self.inner.offer_digests(kind, digests).await
    }

    async fn put_content(&self, items: &[ContentItem]) -> Result<u32, UploadError> {
        for item in items {
            let (kind, bytes) = match item {
                ContentItem::Manifest { bytes, .. } => (DataKind::Manifests, bytes.len()),
                ContentItem::ImageFacts { json, .. } => (DataKind::ImageFacts, json.len()),
                ContentItem::Unavailable { code, .. } => (DataKind::Findings, code.as_str().len()),
            };
            self.sent.count(kind, 1, bytes);
        }
        self.inner.put_content(items).await
    }

    async fn commit_repository(&self, repository: &Arc<RepositoryTags>) -> Result<(), UploadError> {
        let observed = repository.tags.iter();
        let bytes: usize = observed
            .map(|tag| tag.tag.as_str().len() + tag.digest.to_bytes().len())
            .chain(
                repository
                    .left_out
                    .iter()
                    .chain(&repository.only)
                    .map(|tag| tag.as_str().len()),
            )
            .sum();
        let count = repository.tags.len() + repository.left_out.len() + repository.only.len();
        self.sent.count(DataKind::Tags, count, bytes);
        self.findings(repository.finding.iter());
        self.names(std::iter::once(&repository.repository));
        self.inner.commit_repository(repository).await
    }

    async fn report_coverage(&self, entries: &[CoverageEntry]) -> Result<(), UploadError> {
        let bytes = entries.iter().map(|entry| entry.repository.as_str().len()).sum();
        self.sent.count(DataKind::Coverage, entries.len(), bytes);
        self.findings(entries.iter().filter_map(|entry| entry.finding.as_ref()));
        self.inner.report_coverage(entries).await
    }

    async fn close_run(&self, closing: &Closing) -> Result<RunState, UploadError> {
        // Before it leaves: whoever is killed meanwhile has said so. Its bytes are known afterwards.
        self.sent.count(DataKind::RunAccounts, 1, 0);
        let steps = closing.discovery.iter().map(|step| &step.finding);
        let listings = closing.listings.iter().map(|step| &step.finding);
        let findings = self.findings(steps.chain(listings).chain([&closing.failure]).flatten());
        let before = self.inner.bytes_sent();
        let closed = self.inner.close_run(closing).await;
        let bytes = usize::try_from(self.inner.bytes_sent().saturating_sub(before)).unwrap_or(usize::MAX);
        self.sent
            .add_bytes(DataKind::RunAccounts, bytes.saturating_sub(findings));
        closed
    }

    fn bytes_sent(&self) -> u64 {
        self.inner.bytes_sent()
    }
}
