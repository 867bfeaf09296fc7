//! Registries: connections to registry hosts.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, RegistryId, RegistryName, RegistryUrl, RepositoryPatterns,
    SensorId, TagFilter, TenantId,
};

use crate::{AuditEntry, EntryFor, KnownFacts, Page, PageRequest, StoreError};

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
    /// When a run of it last began.
    pub last_attempt_at: Option<Timestamp>,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
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
    /// New sensors.
    pub sensors: Option<Vec<SensorId>>,
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

    /// Changes a registry, if `seen_version` (when given) is still its version. The entry that `note` gives for the changed registry is
    /// written with it. What was known of another address or credential is forgotten, and runs that wait for their budget wait no longer
    /// if that is changed.
    async fn change_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        change: &RegistryChange,
        seen_version: Option<u64>,
        now: Timestamp,
        note: EntryFor<'_, RegistryRecord>,
    ) -> Result<RegistryChangeOutcome, StoreError>;

    /// Removes a registry with its inventory, ledger and runs, and writes the entry. `false` if there is none; then nothing is written.
    async fn remove_registry(
        &self,
        tenant: TenantId,
        id: RegistryId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;
}
