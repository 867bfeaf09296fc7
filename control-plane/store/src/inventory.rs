//! The way up: what sensors offer, put and commit.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::manifest::{ArtifactKind, ChildRole};
pub use portolan_shared::model::{ContentKind, OfferedRepository, TagObservation};
use portolan_shared::model::{
    CoverageEntry, Digest, Finding, FindingCode, MediaType, RepositoryName, RepositoryOutcome, StateHash,
    TagName,
};

use crate::{Fence, StoreError};

/// A manifest, verified and read.
#[derive(Debug, Clone)]
pub struct ManifestContent {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its artifact type.
    pub artifact_type: Option<MediaType>,
    /// Its bytes as the registry served them.
    pub bytes: Vec<u8>,
    /// Its config blob, if that is an image config.
    pub config: Option<Digest>,
    /// Size of what it names, in bytes.
    pub content_size: u64,
    /// Manifests that it lists, with what each is for. Layers of a build cache are not among them.
    pub children: Vec<(Digest, ChildRole)>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// Something below it could not be read: it stays wanted.
    pub incomplete: bool,
}

/// One item of content.
#[derive(Debug, Clone)]
pub enum Content {
    /// A manifest.
    Manifest(Box<ManifestContent>),
    /// Facts of a config blob.
    ImageFacts {
        /// The config blob's digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// The facts, as JSON.
        json: Vec<u8>,
    },
    /// Content that could not be had. It stays wanted, because another place may have it. But a repository that has not changed is not read
    /// again for what was too large.
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

/// The tag set of a repository, whole or in part.
#[derive(Debug, Clone)]
pub struct RepositoryCommit {
    /// Which repository.
    pub repository: RepositoryName,
    /// If some: these tags alone were asked for, sorted, each once; there is at least one. `tags` and `left_out` are among them; those that
    /// are in neither are gone, and nothing is said of the others. Such a commit does not count as a look at the whole repository: when it
    /// was last seen stays as it was, and what it offers the next time counts as changed. At most
    /// [`RUN_SCOPE_REFERENCES`](portolan_shared::model::limits::RUN_SCOPE_REFERENCES).
    pub only: Option<Vec<TagName>>,
    /// Its tags, sorted, each once.
    pub tags: Vec<TagObservation>,
    /// Tags that exist and that the registry's filter leaves out, sorted, each once; none is among `tags`. At most
    /// [`TAGS_LEFT_OUT`](portolan_shared::model::limits::TAGS_LEFT_OUT).
    pub left_out: Vec<TagName>,
    /// Their hash; the caller has checked it.
    pub state_hash: StateHash,
    /// Listed, incomplete or truncated. Tags vanish only by a commit that is not truncated, and only a listed one counts as
    /// unchanged the next time.
    pub outcome: RepositoryOutcome,
    /// Why it is not simply listed.
    pub finding: Option<Finding>,
    /// How long ago the sensor began to look: what it saw is as old as that at most. Counts from the lease of the run at the earliest.
    pub age: Duration,
}

/// What a commit changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RepositoryCommitted {
    /// Tags that were not there before.
    pub appeared: u32,
    /// Tags that point elsewhere now.
    pub moved: u32,
    /// Tags that are gone.
    pub vanished: u32,
    /// Tags that were there, still exist, and are left out by the registry's filter now.
    pub left_out: u32,
}

/// Storage of what sensors send. Every method checks the fence.
#[async_trait]
pub trait Inventory {
    /// Whether the fence is current. Only reads: for whoever wants to know before it takes in what is to be stored.
    async fn check_fence(&self, fence: &Fence) -> Result<(), StoreError>;

    /// For each repository, whether the run has yet to commit it.
    async fn pending_repositories(
        &self,
        fence: &Fence,
        repositories: &[RepositoryName],
    ) -> Result<Vec<bool>, StoreError>;

    /// For each repository, whether its tag set differs from the one that was last committed as listed, or the manifest of one of its tags
    /// is neither held nor known to be too large. Those of which neither is so are committed as unchanged by this run.
    async fn offer_repositories(
        &self,
        fence: &Fence,
        repositories: &[OfferedRepository],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError>;

    /// For each digest, whether the tenant lacks it, or something below it: whatever one sensor said of why it could not be had.
    async fn offer_digests(
        &self,
        fence: &Fence,
        kind: ContentKind,
        digests: &[Digest],
    ) -> Result<Vec<bool>, StoreError>;

    /// Stores content; all or nothing. Gives how many items were new.
    async fn put_content(
        &self,
        fence: &Fence,
        content: &[Content],
        now: Timestamp,
    ) -> Result<u32, StoreError>;

    /// Notes that a batch of this attempt was refused because content did not match its digest; gives how often that has happened.
    async fn record_refused_batch(&self, fence: &Fence) -> Result<u32, StoreError>;

    /// Replaces a repository's tag set, writes the ledger, and marks the repository as committed by this run, in one transaction. A repeat
    /// with the same hash and outcome changes nothing and gives zeroes.
    async fn commit_repository(
        &self,
        fence: &Fence,
        commit: &RepositoryCommit,
        now: Timestamp,
    ) -> Result<RepositoryCommitted, StoreError>;

    /// Notes what came of repositories that could not be committed. The last report on a repository stands. Of those that were left out
    /// ([`RepositoryOutcome::Filtered`]) the first [`FILTERED_NAMED`](portolan_shared::model::limits::FILTERED_NAMED) of the run are kept,
    /// each once, without a finding; one that the run has committed stays committed, and what the inventory holds of them does not change.
    async fn report_coverage(
        &self,
        fence: &Fence,
        entries: &[CoverageEntry],
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
