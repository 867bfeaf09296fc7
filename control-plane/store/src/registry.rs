//! Registries: connections to registry hosts.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    Budget, CaTrust, CredentialId, CredentialReference, RegistryId, RegistryName, RegistryUrl,
    RepositoryPatterns, SensorId, TagFilter, TenantId,
};

use crate::{
    AuditEntry, EntryFor, KnownFacts, NewCredential, Page, PageRequest, PutOutcome, Schedule, StoreError,
    Withdrawn,
};

/// What an operator says of a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRegistry {
    /// Its id.
    pub id: RegistryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, unique within the tenant.
    pub name: RegistryName,
    /// Where it is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub ca: CaTrust,
    /// Which repositories are wanted.
    pub repositories: RepositoryPatterns,
    /// Which of their tags are wanted.
    pub tags: TagFilter,
    /// Where the sensor finds the credential.
    pub credential: Option<CredentialReference>,
    /// How hard it may be worked.
    pub budget: Budget,
    /// When it is read.
    pub schedule: Schedule,
    /// Which sensors may read it, the preferred first. At least one.
    pub sensors: Vec<SensorId>,
}

/// A stored registry.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryRecord {
    /// What the operator said, with later changes.
    pub registry: NewRegistry,
    /// Grows with each change.
    pub version: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// When a run of it last began; one that events asked for, of less than the whole registry, does not count.
    pub last_attempt_at: Option<Timestamp>,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
    /// When the clock starts the next run; none if it never will. Of the schedule as it was before, if it is not [`planned`](Self::planned).
    pub next_start_at: Option<Timestamp>,
    /// Whether `next_start_at` follows from the schedule as it is.
    pub planned: bool,
    /// When a push event last named something in it: one that a sensor told later, when it came to the sensor.
    pub last_event_at: Option<Timestamp>,
    /// When a run last found changes that no event had announced; none if the last complete one found none.
    pub unannounced_at: Option<Timestamp>,
    /// Since when events are to announce what changes in it; none if it is not read on push.
    pub events_since: Option<Timestamp>,
    /// What sensors found out about it.
    pub facts: KnownFacts,
}

/// A change of a registry; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegistryChange {
    /// New name.
    pub name: Option<RegistryName>,
    /// New address.
    pub url: Option<RegistryUrl>,
    /// New trust.
    pub ca: Option<CaTrust>,
    /// New patterns of repositories.
    pub repositories: Option<RepositoryPatterns>,
    /// New filter of tags.
    pub tags: Option<TagFilter>,
    /// New credential reference, or `Some(None)` to read anonymously.
    pub credential: Option<Option<CredentialReference>>,
    /// New budget.
    pub budget: Option<Budget>,
    /// New schedule, whole.
    pub schedule: Option<Schedule>,
    /// New sensors.
    pub sensors: Option<Vec<SensorId>>,
}

/// What a change of a registry brings with it. Each is worth an entry of its own in the audit log.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryNews {
    /// It has changed.
    Changed {
        /// As it was.
        before: Box<NewRegistry>,
        /// As it is now.
        after: Box<RegistryRecord>,
    },
    /// These sensors do not read it any more, could open its sealed credential, and must not keep that.
    Withdrawn(Withdrawn),
    /// It has another credential, or none, in the place of this sealed one.
    Dropped(Withdrawn),
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryChangeOutcome {
    /// The registry as it is now.
    Changed(Box<RegistryRecord>),
    /// Somebody else changed it since the version that the caller saw; nothing was done.
    OutOfDate,
    /// There is no such registry.
    Unknown,
}

/// Storage of registries.
#[async_trait]
pub trait Registries {
    /// Adds a registry, and the entry with it. [`StoreError::Taken`] if the tenant has one of that name, [`StoreError::Unknown`] if a sensor
    /// does not exist or is revoked.
    async fn add_registry(
        &self,
        registry: &NewRegistry,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Adds a registry that is read with this sealed credential from the beginning, and both entries, `note` for the credential. Whatever the
    /// outcome is but [`PutOutcome::Put`], nothing was done. Errors as with [`Registries::add_registry`].
    async fn add_registry_with_credential(
        &self,
        registry: &NewRegistry,
        entry: &AuditEntry,
        credential: &NewCredential,
        note: &AuditEntry,
    ) -> Result<PutOutcome, StoreError>;

    /// One registry.
    async fn registry(&self, tenant: TenantId, id: RegistryId) -> Result<Option<RegistryRecord>, StoreError>;

    /// One registry, by name.
    async fn registry_by_name(
        &self,
        tenant: TenantId,
        name: &RegistryName,
    ) -> Result<Option<RegistryRecord>, StoreError>;

    /// The tenant's registries by name.
    async fn registries(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<RegistryRecord>, StoreError>;

    /// Changes a registry, if `seen_version` (when given) is still its version. The entries that `note` gives for its news,
    /// the change first, are written with it. What was known of another address or credential is forgotten, and runs that wait for their budget wait no longer
    /// if that is changed. A new schedule is planned anew, and counts at once for runs that are open; events wait no longer if it is not
    /// `on-push` any more. If nothing but the schedule is changed, runs that are leased go on as if nothing were.
    async fn change_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        change: &RegistryChange,
        seen_version: Option<u64>,
        now: Timestamp,
        note: EntryFor<'_, RegistryNews>,
    ) -> Result<RegistryChangeOutcome, StoreError>;

    /// Removes a registry with its inventory, ledger, runs and credential, and writes the entry, behind the one that `note` gives for its sealed
    /// credential if it has one. Gives who could open that. None if there is no such registry; then nothing is written. Nobody sees anything of it
    /// any more; most of the rows are still to be deleted, see [`clear_removed`](Self::clear_removed).
    async fn remove_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        entry: &AuditEntry,
        note: EntryFor<'_, CredentialId>,
    ) -> Result<Option<Withdrawn>, StoreError>;

    /// Deletes at most so many rows that removed registries of any tenant have left behind, at least one, in one transaction; gives how many,
    /// none if nothing is left.
    async fn clear_removed(&self, rows: u32) -> Result<u64, StoreError>;
}
