//! How fresh the inventory is: what there is to be judged, for many registries in few statements.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    AttemptRef, Finding, RegistryId, RegistryName, RepositoryPatterns, RunId, RunState, SensorId,
    SensorState, TenantId,
};

use crate::{KnownFacts, Page, PageRequest, RegistryRecord, Schedule, StoreError};

/// What tells how fresh a registry is.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryPulse {
    /// Which.
    pub registry: RegistryId,
    /// Its name.
    pub name: RegistryName,
    /// When it is read.
    pub schedule: Schedule,
    /// Since when that is paused; none if it is not.
    pub paused_at: Option<Timestamp>,
    /// Which of its repositories are wanted.
    pub repositories: RepositoryPatterns,
    /// Whether its address, its patterns or its tag filter were changed after the last complete run of all of it had begun.
    pub changed: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// As in [`RegistryRecord`].
    pub last_attempt_at: Option<Timestamp>,
    /// As in [`RegistryRecord`].
    pub last_success_at: Option<Timestamp>,
    /// As in [`RegistryRecord`].
    pub next_start_at: Option<Timestamp>,
    /// As in [`RegistryRecord`].
    pub last_event_at: Option<Timestamp>,
    /// As in [`RegistryRecord`].
    pub unannounced_at: Option<Timestamp>,
    /// What sensors found out about it.
    pub facts: KnownFacts,
    /// The last run of the whole registry that ended by itself: cancelled ones tell nothing.
    pub last_whole: Option<EndedRun>,
    /// The last run that was queued of those that have ended by themselves, whatever of the registry it was to look at.
    pub last_run: Option<EndedRun>,
    /// Whether a sensor works on a run of it, other than one that looks beside others at what push events have named.
    pub being_read: bool,
    /// Whether a run of it waits for a sensor, whoever asked for it.
    pub queued: bool,
    /// Of the runs that wait for a sensor, the one that waits for longest without regard to what people have asked for.
    pub waiting: Option<WaitingRun>,
    /// Who may read it, the preferred first.
    pub sensors: Vec<AssignedSensor>,
}

impl RegistryPulse {
    /// What a registry tells by itself, without its runs, and without what its sensors are at: they count as ones that may come.
    #[must_use]
    pub fn of(record: &RegistryRecord) -> Self {
        Self {
            registry: record.registry.id,
            name: record.registry.name.clone(),
            schedule: record.registry.schedule.clone(),
            paused_at: None,
            repositories: record.registry.repositories.clone(),
            changed: false,
            created_at: record.created_at,
            last_attempt_at: record.last_attempt_at,
            last_success_at: record.last_success_at,
            next_start_at: record.next_start_at,
            last_event_at: record.last_event_at,
            unannounced_at: record.unannounced_at,
            facts: record.facts.clone(),
            last_whole: None,
            last_run: None,
            being_read: false,
            queued: false,
            waiting: None,
            sensors: record
                .registry
                .sensors
                .iter()
                .map(|id| AssignedSensor::unknown(*id))
                .collect(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    /// Which.
    pub run: RunId,
    /// Complete, partial or failed.
    pub state: RunState,
    /// When.
    pub ended_at: Timestamp,
    /// Why it failed.
    pub finding: Option<Finding>,
}

/// A run that waits for a sensor, and that a schedule or an event has asked for, even if a person had done so before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRun {
    /// Which.
    pub run: RunId,
    /// Since when it was asked for by something else than a person and a sensor may have it; later than now while it waits for something else, such
    /// as tomorrow's requests.
    pub since: Timestamp,
}

/// A sensor that is assigned to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedSensor {
    /// Which.
    pub sensor: SensorId,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: SensorState,
    /// When it was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// Whether it can open what the registry is read with; true as well if that is not sealed.
    pub can_open: bool,
}

impl AssignedSensor {
    /// One of which nothing but its id is known.
    fn unknown(sensor: SensorId) -> Self {
        Self {
            sensor,
            name: sensor.to_string(),
            state: SensorState::Active,
            last_seen_at: None,
            can_open: true,
        }
    }
}

/// A run that a sensor works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// Who.
    pub sensor: SensorId,
    /// Which attempt.
    pub attempt: AttemptRef,
    /// Of which registry.
    pub registry_name: RegistryName,
    /// When something of its progress last moved, its begin included; none if that is not known.
    pub progress_at: Option<Timestamp>,
    /// When its lease ends, unless it is prolonged.
    pub lease_until: Timestamp,
}

/// What is told of a registry in metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryFigures {
    /// The name of its tenant.
    pub tenant: String,
    /// Which.
    pub registry: RegistryId,
    /// Its name.
    pub name: RegistryName,
    /// When it is read.
    pub schedule: Schedule,
    /// When it was added.
    pub created_at: Timestamp,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
    /// When the clock starts the next run.
    pub next_start_at: Option<Timestamp>,
}

/// What tells how fresh the inventory is.
#[async_trait]
pub trait Freshness {
    /// These registries of a tenant, in no particular order; those that there are not are left out. Two statements, however many they are.
    async fn registry_pulses(
        &self,
        tenant: TenantId,
        registries: &[RegistryId],
    ) -> Result<Vec<RegistryPulse>, StoreError>;

    /// The tenant's registries by name. Two statements a page.
    async fn all_registry_pulses(
        &self,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<RegistryPulse>, StoreError>;

    /// The runs of a tenant that sensors work on; of these there are never many.
    async fn held_runs(&self, tenant: TenantId) -> Result<Vec<HeldRun>, StoreError>;

    /// The registries of all tenants, at most `limit`, by their tenants' and their own age; and how many more there are. For metrics.
    async fn registry_figures(&self, limit: u32) -> Result<(Vec<RegistryFigures>, u64), StoreError>;
}
