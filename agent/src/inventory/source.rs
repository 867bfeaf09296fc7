//! What the walk needs of a registry. [`RegistrySource`](super::RegistrySource) is the real one; tests have one in memory.

use async_trait::async_trait;
use bytes::Bytes;
use portolan_shared::model::{Digest, Finding, MediaType, RepositoryName, TagName};

/// What a failed read means for the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is not there, or hidden.
    Missing,
    /// Tags were asked for, and the registry says outright that it knows no such repository (`NAME_UNKNOWN`).
    UnknownRepository,
    /// The credential has no right to it.
    Denied,
    /// It is larger than its bound.
    TooLarge,
    /// It may work another time: the network, a server error, content that was altered on its way.
    Passing,
    /// It will not work another time unless somebody changes something.
    Lasting,
    /// Whatever else is asked of this registry will fail in the same way.
    Everywhere,
}

/// A read of the registry that failed, after all its retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{finding}")]
pub struct SourceError {
    /// What it means.
    pub failure: Failure,
    /// What to tell people.
    pub finding: Finding,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePage<N> {
    /// Its names.
    pub names: Vec<N>,
    /// Names that no request can be made for.
    pub malformed: u64,
}

/// A listing, page by page.
#[async_trait]
pub trait Pages<N>: Send {
    /// The next page; `None` behind the last one. A listing that ends before its end fails.
    async fn next(&mut self) -> Result<Option<NamePage<N>>, SourceError>;
}

/// What a tag points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTag {
    /// The manifest's digest.
    pub digest: Digest,
    /// Its media type, if the registry says it.
    pub media_type: Option<MediaType>,
    /// Its size in bytes, 0 if the registry does not say it.
    pub size: u64,
}

/// A manifest whose bytes hash to the digest that it was asked for by.
#[derive(Debug, Clone)]
pub struct ServedManifest {
    /// What it was served as.
    pub media_type: Option<MediaType>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A manifest that another manifest names, or that refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, 0 if not said.
    pub size: u64,
    /// Its media type, if said.
    pub media_type: Option<MediaType>,
}

/// What refers to a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReferrerList {
    /// The referrers, at most [`REFERRERS`](portolan_shared::model::limits::REFERRERS).
    pub referrers: Vec<Named>,
    /// Why these are not all.
    pub cut: Option<Finding>,
}

/// A registry, read with one credential. Every method retries by itself what may pass; what it gives has been verified.
#[async_trait]
pub trait Source: Send + Sync {
    /// Asks whether this is a registry that lets us in.
    async fn ping(&self) -> Result<(), SourceError>;

    /// Lists the repositories of the registry.
    fn repositories(&self) -> Box<dyn Pages<RepositoryName> + '_>;

    /// Lists the tags of a repository.
    fn tags<'s>(&'s self, repository: &'s RepositoryName) -> Box<dyn Pages<TagName> + 's>;

    /// Finds what a tag points to, without fetching it.
    async fn resolve(&self, repository: &RepositoryName, tag: &TagName) -> Result<ResolvedTag, SourceError>;

    /// Fetches a manifest and verifies it.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<ServedManifest, SourceError>;

    /// Fetches a config blob of at most `bound` bytes and verifies it.
    async fn config(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bound: usize,
    ) -> Result<Bytes, SourceError>;

    /// What refers to a manifest; `None` if the registry has no referrers API.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<ReferrerList>, SourceError>;

    /// Requests sent so far, those of token services included.
    fn requests(&self) -> u64;
}
