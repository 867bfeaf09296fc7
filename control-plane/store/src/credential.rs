//! Sealed credentials: logins for registries that the control plane keeps and cannot open, and the keys that they are sealed to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{CredentialId, ProbeId, RegistryId, SensorId, SensorState, TenantId};
use portolan_shared::secret::sealed::{
    CredentialBinding, SealedCredential, SealedForOne, SealingKeyId, SignedSealingKey, Wrap,
};

use crate::{AuditEntry, EntryFor, Fence, HeldAttempt, NewRegistry, Page, PageRequest, StoreError};

/// Sealing keys that are kept of one sensor: the one that was published longest ago goes.
pub const KEPT_SEALING_KEYS: u32 = 4;
/// Versions of a registry's credentials that are remembered without their content: the oldest go.
pub const KEPT_PAST_VERSIONS: u32 = 64;

/// A sealing key as its sensor published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKeyRecord {
    /// What the sensor said, signed by its identity key.
    pub signed: SignedSealingKey,
    /// When it became the latest.
    pub published_at: Timestamp,
}

/// What came of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishOutcome {
    /// It is the sensor's latest key now.
    Published,
    /// It was the latest already; nothing was done.
    Known,
    /// The sensor is not there, or of another generation than the key that a restore does not explain; nothing was done.
    Refused,
}

/// One version of a credential with all that its recipients open it with.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedVersion {
    /// What it is bound to.
    pub binding: CredentialBinding,
    /// The encrypted login, and a wrap for each recipient.
    pub sealed: SealedCredential,
}

/// A version to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCredential {
    /// The version. Its binding says whose it is, for which registry.
    pub version: SealedVersion,
    /// The name of the API token that it came with.
    pub created_by: String,
    /// When.
    pub now: Timestamp,
}

/// What came of a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is in use now, and so are its id and number.
    Put,
    /// It does not follow the last version: this id and this number would.
    OutOfDate(Option<CredentialId>, u64),
    /// Its id is that of another registry's credential, or of one that was removed.
    IdTaken,
    /// It is not bound to where the registry is.
    Elsewhere,
    /// There is no such registry.
    UnknownRegistry,
}

/// What came of the wish to go back to the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevertOutcome {
    /// This version is in use again.
    Reverted(CredentialId, u64),
    /// There is none before it.
    NoFormer,
    /// The registry has accepted the version in use.
    Worked,
}

/// A credential that is not in use any more, and who could open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Which; none for a local reference.
    pub credential: Option<CredentialId>,
    /// Sensors that it was sealed to.
    pub recipients: Vec<SensorId>,
}

/// What a sensor is to read a registry with.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// The registry has no sealed credential.
    NoneNeeded,
    /// This.
    Sealed(Box<SealedForOne>),
    /// It has one that this sensor cannot have now.
    NotForIt,
}

/// What a credential is handed over for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveredFor {
    /// An attempt that begins with it.
    Attempt(Fence),
    /// An attempt that has begun with another version.
    Running(Fence),
    /// A probe.
    Probe(ProbeId),
}

/// A sensor that a version was sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapRecord {
    /// Which sensor.
    pub sensor: SensorId,
    /// To which of its keys.
    pub key: SealingKeyId,
    /// Since when it can open it.
    pub sealed_at: Timestamp,
    /// Whether the key is of the sensor's present generation, and still known.
    pub key_is_good: bool,
    /// Whether the key is the sensor's latest.
    pub key_is_latest: bool,
    /// Where the sensor is in its life.
    pub sensor_state: SensorState,
}

/// The version in use of a registry's sealed credential.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedRecord {
    /// What it is bound to.
    pub binding: CredentialBinding,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The name of the API token that it came with.
    pub created_by: String,
    /// When the registry was first seen to accept it.
    pub worked_at: Option<Timestamp>,
    /// When a sensor was last given it.
    pub last_used_at: Option<Timestamp>,
    /// The version before it, while that is kept.
    pub former_version: Option<u64>,
    /// The highest version that there ever was.
    pub last_version: u64,
    /// Who can open it.
    pub wraps: Vec<WrapRecord>,
}

/// The credential of a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialRecord {
    /// The registry; with a local reference if it has one.
    pub registry: NewRegistry,
    /// When a run of the registry last began.
    pub last_attempt_at: Option<Timestamp>,
    /// When the credential in use ends, as a sensor saw it at the registry.
    pub observed_end: Option<Timestamp>,
    /// The sealed one, if it has one. A registry has one or the other.
    pub sealed: Option<SealedRecord>,
}

/// Storage of sealed credentials and sealing keys.
#[async_trait]
pub trait Credentials {
    /// Makes a key its sensor's latest, and writes the entry. Of the sensor's keys [`KEPT_SEALING_KEYS`] stay. The signature is the
    /// caller's affair; that the key is of the sensor's present generation is checked here. A sensor that knows of a
    /// later generation than the database was told of it before that was restored from a backup: it is of that generation from then on, and
    /// older keys are void.
    async fn publish_key(
        &self,
        key: &SignedSealingKey,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<PublishOutcome, StoreError>;

    /// The latest keys of sensors, of their present generations; those that have none are left out.
    async fn sealing_keys(
        &self,
        tenant: TenantId,
        sensors: &[SensorId],
    ) -> Result<BTreeMap<SensorId, SealingKeyRecord>, StoreError>;

    /// Takes a version into use, if it follows the last one; of several with the same number one does. It takes the place of a local
    /// reference too. The version before it is kept until [`Credentials`] see the new one work: the last of them that has worked, or else
    /// the last. The entry that `note` gives for the number of the version before is written with it.
    async fn put_credential(
        &self,
        credential: &NewCredential,
        note: EntryFor<'_, Option<u64>>,
    ) -> Result<PutOutcome, StoreError>;

    /// Goes back to the version before, if the one in use has never worked, and writes the entry.
    async fn revert_credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<RevertOutcome, StoreError>;

    /// Takes a registry its credential, sealed or not, and writes the entry. None if it has none.
    async fn remove_credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> Result<Option<Withdrawn>, StoreError>;

    /// The sealed credential of a registry and its recipients, if it has one.
    async fn sealed_recipients(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<Withdrawn>, StoreError>;

    /// What a sensor that is assigned to a registry may have to read it. Notes the use; the entry that `note` gives is written when this
    /// version is handed to this sensor for the first time.
    async fn deliver_credential(
        &self,
        registry: (TenantId, RegistryId),
        sensor: SensorId,
        what_for: DeliveredFor,
        now: Timestamp,
        note: EntryFor<'_, CredentialBinding>,
    ) -> Result<Delivery, StoreError>;

    /// What a sensor may have of what a probe tries, as long as the probe waits. The entry that `note` gives is written whenever another sensor
    /// is given it than the one before.
    async fn deliver_trial(
        &self,
        probe: (TenantId, ProbeId),
        sensor: SensorId,
        now: Timestamp,
        note: EntryFor<'_, CredentialBinding>,
    ) -> Result<Delivery, StoreError>;

    /// Notes that the registry accepted the version that a probe was given. The version before it is not kept any longer.
    async fn probe_worked(&self, tenant: TenantId, probe: ProbeId, now: Timestamp) -> Result<(), StoreError>;

    /// Wraps of a sensor that are for a key of its present generation that is not its latest, at most `limit`.
    async fn outdated_wraps(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        limit: u32,
    ) -> Result<Vec<SealedForOne>, StoreError>;

    /// Puts a wrap for the sensor's latest key in the place of the one for `replaced`, and writes the entry. `false` if it is not for the
    /// latest key, or there is no such wrap any more; nothing is written then.
    async fn rewrap(
        &self,
        tenant: TenantId,
        version: (CredentialId, u64),
        replaced: SealingKeyId,
        wrap: &Wrap,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// The credential of a registry, if it has one.
    async fn credential(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<CredentialRecord>, StoreError>;

    /// The credentials of the tenant's registries, by the registries' names.
    async fn credentials(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<CredentialRecord>, StoreError>;

    /// The attempt that reads a registry just now.
    async fn reading_attempt(
        &self,
        tenant: TenantId,
        registry: RegistryId,
    ) -> Result<Option<HeldAttempt>, StoreError>;
}
