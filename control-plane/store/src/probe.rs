//! Probes: looks of sensors at registries, stage by stage.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    Diagnosis, ProbeId, RegistryId, RegistryTarget, RepositoryName, SensorId, TenantId,
};

use crate::{AuditEntry, SealedVersion, StoreError};

/// A probe to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProbe {
    /// Its id.
    pub id: ProbeId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which registry, if that is saved.
    pub registry: Option<RegistryId>,
    /// What to look at.
    pub target: RegistryTarget,
    /// Whose tags, manifest and config are tried; the first repository that is found if none.
    pub repository: Option<RepositoryName>,
    /// Which sensors may carry it out, the preferred first.
    pub sensors: Vec<SensorId>,
    /// A sealed credential that this probe alone tries. None again once it has ended.
    pub trial: Option<SealedVersion>,
    /// Who asked: the name of an API token.
    pub asked_by: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// After which nobody waits for it any more.
    pub expires_at: Timestamp,
}

/// What came of the wish for a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It waits for its sensor.
    Added,
    /// The tenant has as many waiting as it may have ([`WAITING_PROBES`]).
    TooMany,
}

/// Probes of one tenant that may wait for their sensors: a further one is refused.
pub const WAITING_PROBES: u32 = 64;
/// Probes of one tenant that are kept once they have ended: the oldest go.
pub const KEPT_PROBES: u32 = 256;

/// What a sensor reported.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeReport {
    /// Which sensor.
    pub sensor: SensorId,
    /// When.
    pub at: Timestamp,
    /// What it saw.
    pub diagnosis: Diagnosis,
}

/// A stored probe.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeRecord {
    /// As it was asked for.
    pub probe: NewProbe,
    /// Its report, once there is one.
    pub report: Option<ProbeReport>,
}

/// A probe that waits, and a connected sensor that may carry it out.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingProbe {
    /// The probe.
    pub probe: NewProbe,
    /// The preferred one of those sensors that were asked for.
    pub sensor: SensorId,
}

/// Storage of probes.
#[async_trait]
pub trait Probes {
    /// Adds a probe, and the entry with it, unless the tenant has too many waiting. Of those that have ended, [`KEPT_PROBES`] stay.
    async fn add_probe(&self, probe: &NewProbe, entry: &AuditEntry) -> Result<ProbeOutcome, StoreError>;

    /// One probe.
    async fn probe(&self, tenant: TenantId, id: ProbeId) -> Result<Option<ProbeRecord>, StoreError>;

    /// Probes that wait at `now` and that one of `sensors` may carry out, the oldest of each tenant first, so that no
    /// tenant's probes stand in the way of another's. Of all tenants: this is for the dispatcher. One that
    /// cannot be read is passed over, and logged.
    async fn waiting_probes(
        &self,
        now: Timestamp,
        sensors: &[SensorId],
        limit: u32,
    ) -> Result<Vec<WaitingProbe>, StoreError>;

    /// Stores a report, and what it says of a saved registry with it: the first one, in time, of a sensor that may carry the probe out, in its
    /// current session. Its requests are counted with those of the registry's runs, unless that is at another address now. `false` if it
    /// is none of these; nothing was changed then.
    async fn report_probe(
        &self,
        tenant: TenantId,
        id: ProbeId,
        session_epoch: u64,
        report: &ProbeReport,
    ) -> Result<bool, StoreError>;

    /// Forgets probes that were asked for before `before`; gives how many. At most a thousand at once.
    async fn forget_probes(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Drops the credentials that probes were to try whose time is over at `now`; gives how many.
    async fn drop_trials(&self, now: Timestamp) -> Result<u64, StoreError>;
}
