//! What the walk needs of the way up. The uplink implements it; tests implement it in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use portolan_shared::model::{
    ContentKind, CoverageEntry, Digest, DiscoveryStep, Finding, FindingCode, ListingStep, MediaType,
    OfferedRepository, Reason, RegistryFacts, RepositoryName, RepositoryOutcome, RunProgress, RunState,
    StateHash, TagName, TagObservation,
};
use portolan_shared::process::Uptime;

/// Why an upload did not happen. Failures of transport are not here: the uplink tries again until the lease is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The attempt is over as far as the control plane is concerned, or its lease was lost. Stop at once; nothing is to be reported.
    #[error("the attempt was fenced off")]
    Fenced(Reason),
    /// The control plane refused the message itself. Sending it again would not help.
    #[error("the control plane refused the upload: {text}")]
    Refused {
        /// Why.
        reason: Reason,
        /// In its words.
        text: String,
    },
}

/// One item of content on its way up.
#[derive(Debug, Clone)]
pub enum ContentItem {
    /// A manifest, verified against its digest.
    Manifest {
        /// Its digest.
        digest: Digest,
        /// What the registry served it as.
        served_as: Option<MediaType>,
        /// Its bytes as the registry served them.
        bytes: Bytes,
        /// Something below it could not be read, or lies deeper than is read from where it was met.
        incomplete: bool,
    },
    /// Facts of a config blob.
    ImageFacts {
        /// The config blob's digest.
        digest: Digest,
        /// The config blob's size in bytes.
        size: u64,
        /// The facts, as JSON.
        json: Bytes,
    },
    /// Content that could not be had, and why.
    Unavailable {
        /// Of which kind.
        kind: ContentKind,
        /// Its digest.
        digest: Digest,
        /// Its size in bytes, 0 if not known.
        size: u64,
        /// Its media type, if known.
        media_type: Option<MediaType>,
        /// Why.
        code: FindingCode,
    },
}

/// A repository whose tags were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRepository {
    /// Which.
    pub repository: RepositoryName,
    /// Hash of its tag set.
    pub state_hash: StateHash,
    /// Tags in it.
    pub tags: u32,
    /// When the listing began: nothing that was seen is older, and some of it may be that old.
    pub began: Uptime,
}

impl ListedRepository {
    /// As it is offered at this time.
    #[must_use]
    pub fn offered(&self, now: Uptime) -> OfferedRepository {
        OfferedRepository {
            repository: self.repository.clone(),
            state_hash: self.state_hash,
            tags: self.tags,
            age: now.since(self.began),
        }
    }
}

/// A repository's tag set.
#[derive(Debug, Clone)]
pub struct RepositoryTags {
    /// Which repository.
    pub repository: RepositoryName,
    /// If any: these tags alone were asked for, sorted, each once. Those of them that are neither among `tags` nor `left_out` are gone, and
    /// nothing is said of the others. At most [`RUN_SCOPE_REFERENCES`](portolan_shared::model::limits::RUN_SCOPE_REFERENCES).
    pub only: Vec<TagName>,
    /// Its tags that are wanted, sorted, each once.
    pub tags: Vec<TagObservation>,
    /// Tags that exist and that the registry's filter leaves out, sorted, each once.
    pub left_out: Vec<TagName>,
    /// Hash of `tags`.
    pub state_hash: StateHash,
    /// Listed, incomplete or truncated.
    pub outcome: RepositoryOutcome,
    /// Why it is not simply listed.
    pub finding: Option<Finding>,
    /// When the listing, or the look at these tags, began.
    pub began: Uptime,
}

/// The account at the end of a run.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// Methods of discovery that were tried, in order.
    pub discovery: Vec<DiscoveryStep>,
    /// Whether all repositories are known to have been listed.
    pub discovery_complete: bool,
    /// Repositories found.
    pub found: u64,
    /// Of these, left out by the patterns.
    pub filtered: u64,
    /// Methods by which tags were listed, in order of preference.
    pub listings: Vec<ListingStep>,
    /// Tags observed.
    pub tags: u64,
    /// Tags that exist and were left out by the tag filter.
    pub tags_filtered: u64,
    /// Nothing could be read at all, and why.
    pub failure: Option<Finding>,
    /// How far the attempt came. The bytes sent are those of everything before this account.
    pub progress: RunProgress,
    /// What was found out about the registry on the way.
    pub facts: RegistryFacts,
}

/// The way up, for one attempt. An answer means: durable in the control plane.
#[async_trait]
pub trait Upload: Send + Sync {
    /// For each repository (at most 1,000), whether the run has yet to commit it.
    async fn pending_repositories(&self, repositories: &[RepositoryName]) -> Result<Vec<bool>, UploadError>;

    /// For each repository (at most 1,000), whether its tag set has changed; those that have not are committed by this.
    async fn offer_repositories(&self, listed: &[ListedRepository]) -> Result<Vec<bool>, UploadError>;

    /// For each digest (at most 2,000), whether it is wanted.
    async fn offer_digests(&self, kind: ContentKind, digests: &[Digest]) -> Result<Vec<bool>, UploadError>;

    /// Sends content, lower levels first, at most 8 MiB together; stored as one. Gives how many items were new.
    async fn put_content(&self, items: &[ContentItem]) -> Result<u32, UploadError>;

    /// Replaces a repository's tag set.
    async fn commit_repository(&self, repository: &Arc<RepositoryTags>) -> Result<(), UploadError>;

    /// Reports repositories (at most 1,000) that were not seen completely, or were left out.
    async fn report_coverage(&self, entries: &[CoverageEntry]) -> Result<(), UploadError>;

    /// Closes the run and gives how it ended. The bytes of this message are added to those of the account.
    async fn close_run(&self, closing: &Closing) -> Result<RunState, UploadError>;

    /// Bytes of upload messages sent so far, for progress.
    fn bytes_sent(&self) -> u64;
}
