//! What the walk needs of a registry. [`RegistrySource`](super::RegistrySource) is the real one; tests have one in memory.

use async_trait::async_trait;
use bytes::Bytes;
use portolan_registry::{TagPage, Wanted};
use portolan_shared::model::{
    Digest, DiscoveryStep, Finding, ListingStep, MediaType, RegistryFacts, RepositoryName, TagName,
};

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

/// A listing, page by page.
#[async_trait]
pub trait Pages<P>: Send {
    /// The next page; `None` behind the last one. A listing that ends before its end fails.
    async fn next(&mut self) -> Result<Option<P>, SourceError>;

    /// Entries that are in memory and were not given yet: those of one large answer, given in several pages.
    fn held(&self) -> usize {
        0
    }
}

/// How much it says that a repository was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The registry lists it: it exists, even if there is nothing in it.
    Listed,
    /// Somebody gave its name. It need not exist, and if it does not, somebody wants to know.
    Named,
    /// It was concluded from something else that exists, and it is nobody's fault if it does not.
    Presumed,
}

/// Repositories that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPage {
    /// Their names, none of which was on a page before.
    pub names: Vec<RepositoryName>,
    /// How.
    pub origin: Origin,
}

/// The search for repositories, page by page.
#[async_trait]
pub trait Discovering: Pages<FoundPage> {
    /// The methods that were tried so far, in order.
    fn steps(&self) -> Vec<DiscoveryStep>;

    /// Whether, at the end, everything was listed that this credential can see.
    fn is_complete(&self) -> bool;
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
    /// Finds out how this registry is to be asked, and whether it lets us in. That it hides its root from this credential is no error.
    async fn enter(&self) -> Result<(), SourceError>;

    /// Like [`enter`](Self::enter), and asks what the registry says of the credential.
    async fn open(&self) -> Result<(), SourceError>;

    /// Finds repositories.
    fn repositories<'s>(&'s self, wanted: &'s Wanted) -> Box<dyn Discovering + 's>;

    /// Lists the tags of a repository.
    fn tags<'s>(&'s self, repository: &'s RepositoryName) -> Box<dyn Pages<TagPage> + 's>;

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

    /// How tags were listed so far.
    fn listings(&self) -> Vec<ListingStep>;

    /// What was found out so far beside the content.
    fn facts(&self) -> RegistryFacts;
}
