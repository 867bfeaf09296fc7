//! Questions about the inventory.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::manifest::ArtifactKind;
use portolan_shared::model::{
    Digest, FindingCode, MediaType, RegistryId, RegistryName, RepositoryName, RepositoryOutcome, TagName,
    TenantId,
};

use crate::{Learnt, Page, PageRequest, StoreError, TagObservation};

/// Which repositories are wanted.
#[derive(Debug, Clone, Default)]
pub struct RepositoryFilter {
    /// Only of this registry.
    pub registry: Option<RegistryId>,
    /// Only names that contain this text, in any case.
    pub contains: Option<String>,
    /// Also those that have vanished.
    pub vanished: bool,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct RepositoryRecord {
    /// Of which registry.
    pub registry: RegistryId,
    /// The registry's name.
    pub registry_name: RegistryName,
    /// Its name.
    pub name: RepositoryName,
    /// Tags in it.
    pub tags: u64,
    /// What came of it in the last run that looked at it.
    pub outcome: RepositoryOutcome,
    /// When it was first seen; one that had vanished and came back keeps the time.
    pub first_seen_at: Timestamp,
    /// When all of its tags were known for the first time; none if only some of them were looked at so far.
    pub known_from: Option<Timestamp>,
    /// When a run last looked at it.
    pub last_attempt_at: Timestamp,
    /// When it was last seen completely; none if it was not since it last vanished.
    pub last_success_at: Option<Timestamp>,
    /// When a push event last named it. One that a sensor told later came when it came to the sensor; but not before the tags were last seen by then, so that
    /// it announces whatever had changed.
    pub last_event_at: Option<Timestamp>,
    /// When the clock starts the next run of its registry.
    pub next_start_at: Option<Timestamp>,
    /// When it was found to be gone.
    pub vanished_at: Option<Timestamp>,
}

/// A tag.
#[derive(Debug, Clone)]
pub struct TagRecord {
    /// Its name.
    pub tag: TagName,
    /// What it points to.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: Option<MediaType>,
    /// The manifest's size in bytes, 0 if not known.
    pub size: u64,
    /// What kind of thing the manifest is, if the tenant holds it.
    pub kind: Option<ArtifactKind>,
    /// When the registry says it was pushed.
    pub pushed_at: Option<Timestamp>,
    /// When it was first seen; of one that was gone and came back, when it was first seen again.
    pub first_seen_at: Timestamp,
    /// Since when it points to this digest, as far as was seen.
    pub since: Timestamp,
}

/// What is held of a manifest.
#[derive(Debug, Clone)]
pub struct ManifestSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its media type, if known.
    pub media_type: Option<MediaType>,
    /// What kind of thing it is; none if its content could not be had.
    pub kind: Option<ArtifactKind>,
    /// Its artifact type.
    pub artifact_type: Option<MediaType>,
    /// Its size in bytes, 0 if not known.
    pub size: u64,
    /// Its bytes, if they could be had.
    pub bytes: Option<Vec<u8>>,
    /// Why its bytes could not be had.
    pub unavailable: Option<FindingCode>,
    /// When it was first stored.
    pub first_seen_at: Timestamp,
}

/// Something that refers to a manifest.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its artifact type.
    pub artifact_type: Option<MediaType>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was first stored.
    pub first_seen_at: Timestamp,
}

/// What happened to a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerChange {
    /// It was not there before.
    Appeared(Digest),
    /// It points elsewhere now.
    Moved {
        /// Where it pointed.
        from: Digest,
        /// Where it points.
        to: Digest,
    },
    /// It is gone; it had pointed there.
    Vanished(Digest),
    /// It still existed, and the registry's filter left it out from then on; it had pointed there. Not a deletion.
    LeftOut(Digest),
}

/// One line of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// Which tag.
    pub tag: TagName,
    /// What happened.
    pub change: LedgerChange,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// The last time before that the tag was known to be as it was: it happened in between. When the look began that told so: what a sensor tells at
    /// the end of a long one may be as old as that. None if nothing was known of it, and if the clock was set back in between.
    pub not_before: Option<Timestamp>,
    /// How it was learnt.
    pub learnt: Learnt,
}

/// A tag as it was at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTag {
    /// Its name.
    pub tag: TagName,
    /// What it pointed to.
    pub digest: Digest,
    /// Since when, as far as was seen.
    pub since: Timestamp,
    /// The manifest's media type, if it is held.
    pub media_type: Option<MediaType>,
    /// The manifest's size in bytes, 0 if not known.
    pub size: u64,
    /// What kind of thing the manifest is, if it is held.
    pub kind: Option<ArtifactKind>,
}

/// What became of a tag between some time and now, whatever happened to it in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagDifference {
    /// In which repository.
    pub repository: RepositoryName,
    /// Which tag.
    pub tag: TagName,
    /// What became of it.
    pub change: LedgerChange,
    /// When the last of what happened to it was noticed.
    pub noticed_at: Timestamp,
}

/// An answer about the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past<T> {
    /// As it was known.
    Known(T),
    /// Nothing was known yet: what was asked about was first seen at this time.
    NotYet(Timestamp),
    /// What was before this time has been removed, see [`Retention`](crate::Retention).
    Forgotten(Timestamp),
}

/// A page of what is known of the past.
#[derive(Debug, Clone)]
pub struct PastPage<T> {
    /// The page.
    pub page: Page<T>,
    /// When all of it was known for the first time: of a time before that only parts are. None if it never was.
    pub known_from: Option<Timestamp>,
}

/// How a digest is reached from a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementVia {
    /// The tag points to it.
    Tag,
    /// The tag points to an index that lists it, or to an image whose config it is.
    Parent,
    /// It refers to what the tag points to.
    Subject,
}

/// A place where a digest is.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Of which registry.
    pub registry_name: RegistryName,
    /// In which repository.
    pub repository: RepositoryName,
    /// Under which tag.
    pub tag: TagName,
    /// How it is reached from that tag.
    pub via: PlacementVia,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InventoryTotals {
    /// Registries.
    pub registries: u64,
    /// Repositories that have not vanished.
    pub repositories: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests held.
    pub manifests: u64,
}

/// What refers to a manifest.
#[derive(Debug, Clone)]
pub struct Referrers {
    /// The oldest of it.
    pub items: Vec<Referrer>,
    /// There is more than that.
    pub cut: bool,
}

/// A page of the places where a digest is.
#[derive(Debug, Clone)]
pub struct Placements {
    /// The page.
    pub page: Page<Placement>,
    /// More lists the digest, or is listed by what does, than is followed: there may be places that are on no page.
    pub cut: bool,
}

/// Queries over the inventory.
#[async_trait]
pub trait Images {
    /// Repositories by registry name and name.
    async fn repositories(
        &self,
        tenant: TenantId,
        filter: &RepositoryFilter,
        page: &PageRequest,
    ) -> Result<Page<RepositoryRecord>, StoreError>;

    /// One repository.
    async fn repository(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        name: &RepositoryName,
    ) -> Result<Option<RepositoryRecord>, StoreError>;

    /// Tags of a repository by name.
    async fn tags(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        page: &PageRequest,
    ) -> Result<Page<TagRecord>, StoreError>;

    /// The whole tag sets of some repositories, in their order; of one that is unknown, none. The caller sees to it that these are not too
    /// many tags.
    async fn tag_sets(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repositories: &[RepositoryName],
    ) -> Result<Vec<Vec<TagObservation>>, StoreError>;

    /// One tag.
    async fn tag(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        tag: &TagName,
    ) -> Result<Option<TagRecord>, StoreError>;

    /// What is held of a manifest.
    async fn manifest(
        &self,
        tenant: TenantId,
        digest: &Digest,
    ) -> Result<Option<ManifestSummary>, StoreError>;

    /// Facts of a config blob, as JSON.
    async fn image_facts(&self, tenant: TenantId, config: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// What refers to a manifest, oldest first, at most [`REFERRERS`](portolan_shared::model::limits::REFERRERS).
    async fn referrers(&self, tenant: TenantId, subject: &Digest) -> Result<Referrers, StoreError>;

    /// The ledger of a repository, or of one tag in it, newest first.
    async fn history(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        tag: Option<&TagName>,
        page: &PageRequest,
    ) -> Result<Page<LedgerRow>, StoreError>;

    /// Tags of a repository as they were known at some time, by name. Of a repository that is unknown, none.
    async fn tags_at(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        repository: &RepositoryName,
        at: Timestamp,
        page: &PageRequest,
    ) -> Result<Past<PastPage<PastTag>>, StoreError>;

    /// What is different in a registry from what was known at some time, by repository and tag. A tag that is again as it was then is not
    /// different. What was there already but was not known yet counts as having appeared: see [`PastPage::known_from`].
    async fn differences(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        since: Timestamp,
        page: &PageRequest,
    ) -> Result<Past<PastPage<TagDifference>>, StoreError>;

    /// Every place where a digest is, by registry, repository and tag. The digest may be that of a manifest or of an image config.
    async fn placements(
        &self,
        tenant: TenantId,
        digest: &Digest,
        page: &PageRequest,
    ) -> Result<Placements, StoreError>;

    /// How much there is.
    async fn totals(&self, tenant: TenantId) -> Result<InventoryTotals, StoreError>;
}
