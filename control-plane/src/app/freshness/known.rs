//! What a page of registries, or of their repositories, is shown with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, SensorId};
use portolan_store::{HeldRun, RegistryPulse, RegistryRecord, RepositoryRecord, Role};

use super::concern::Concern;
use super::registry::judge_registry;
use super::repository::judge_repository;
use super::state::Freshness;
use crate::app::{App, AppError, Caller};

/// What there is to be shown of some registries beside their records.
#[derive(Debug, Clone, Default)]
pub struct KnownRegistries {
    pulses: BTreeMap<RegistryId, RegistryPulse>,
    names: BTreeMap<SensorId, String>,
}

impl KnownRegistries {
    /// The names of the sensors that are assigned to them.
    #[must_use]
    pub fn sensor_names(&self) -> &BTreeMap<SensorId, String> {
        &self.names
    }

    /// How fresh a registry is. Of one that is not among them, because it was removed just now, only its record speaks.
    #[must_use]
    pub fn judge(&self, record: &RegistryRecord, now: Timestamp) -> (Freshness, Vec<Concern>) {
        match self.pulses.get(&record.registry.id) {
            Some(pulse) => judge_registry(pulse, now),
            None => judge_registry(&RegistryPulse::of(record), now),
        }
    }

    /// How fresh a repository of one of them is.
    #[must_use]
    pub fn judge_repository(&self, record: &RepositoryRecord, now: Timestamp) -> Freshness {
        judge_repository(record, self.pulses.get(&record.registry), now)
    }
}

impl App {
    /// What these registries are to be shown with, in two questions to the store, however many they are.
    pub async fn known_registries(
        &self,
        caller: &Caller,
        registries: &[RegistryRecord],
    ) -> Result<KnownRegistries, AppError> {
        let ids: Vec<_> = registries.iter().map(|record| record.registry.id).collect();
        self.known(caller, &ids).await
    }

    /// The repository that a reference means, in this registry if one is named.
    ///
    /// # Errors
    /// [`AppError::Ambiguous`], [`AppError::NotFound`].
    pub async fn repository(
        &self,
        caller: &Caller,
        registry: Option<&str>,
        reference: &str,
    ) -> Result<RepositoryRecord, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.resolve(caller, registry, reference).await?.repository)
    }

    /// What these repositories are to be shown with: what is known of their registries.
    pub async fn registries_of(
        &self,
        caller: &Caller,
        repositories: &[RepositoryRecord],
    ) -> Result<KnownRegistries, AppError> {
        let ids: BTreeSet<_> = repositories.iter().map(|record| record.registry).collect();
        self.known(caller, &Vec::from_iter(ids)).await
    }

    async fn known(&self, caller: &Caller, ids: &[RegistryId]) -> Result<KnownRegistries, AppError> {
        caller.require(Role::Viewer)?;
        let found = self.store.registry_pulses(caller.tenant, ids).await?;
        let sensors = found.iter().flat_map(|pulse| &pulse.sensors);
        let names = sensors
            .map(|sensor| (sensor.sensor, sensor.name.clone()))
            .collect();
        let pulses = found.into_iter().map(|pulse| (pulse.registry, pulse)).collect();
        Ok(KnownRegistries { pulses, names })
    }

    /// The runs that the tenant's sensors work on.
    pub async fn held_runs(&self, caller: &Caller) -> Result<Vec<HeldRun>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.held_runs(caller.tenant).await?)
    }
}
