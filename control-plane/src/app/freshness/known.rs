//! What a page of registries is shown with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, SensorId};
use portolan_store::{HeldRun, RegistryPulse, RegistryRecord, Role};

use super::concern::Concern;
use super::registry::judge_registry;
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
}

impl App {
    /// What these registries are to be shown with, in two questions to the store, however many they are.
    pub async fn known_registries(
        &self,
        caller: &Caller,
        registries: &[RegistryRecord],
    ) -> Result<KnownRegistries, AppError> {
        caller.require(Role::Viewer)?;
        let ids: Vec<_> = registries.iter().map(|record| record.registry.id).collect();
        let found = self.store.registry_pulses(caller.tenant, &ids).await?;
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
