//! Asking for a probe, and for its report.

use std::time::Duration;

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, ProbeId, RegistryId, RegistryTarget, RegistryUrl, RepositoryName,
    RepositoryPatterns, SensorId, TagFilter, limits,
};
use portolan_store::{AuditSeverity, NewProbe, ProbeOutcome, ProbeRecord, Role, WAITING_PROBES};
use serde_json::json;

use crate::app::registries::check_ca;
use crate::app::{App, AppError, Caller};

/// A registry to be looked at, saved or not.
#[derive(Debug, Clone)]
pub struct ProbeInput {
    /// Where it is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub ca: CaTrust,
    /// Which repositories are wanted.
    pub repositories: RepositoryPatterns,
    /// Where the sensor finds the credential.
    pub credential: Option<CredentialReference>,
    /// Names or ids of the sensors that may look, the preferred first.
    pub sensors: Vec<String>,
}

impl App {
    /// One probe.
    pub async fn probe(&self, caller: &Caller, id: ProbeId) -> Result<ProbeRecord, AppError> {
        caller.require(Role::Viewer)?;
        let found = self.store.probe(caller.tenant, id).await?;
        found.ok_or_else(|| AppError::not_found("probe", id))
    }

    /// Asks for a probe of a registry as it is saved, by `sensor` or whichever of its sensors is there. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a sensor that is not one of the registry's, [`AppError::TooManyProbes`] while too many wait.
    pub async fn probe_registry(
        &self,
        caller: &Caller,
        registry: &str,
        repository: Option<RepositoryName>,
        sensor: Option<&str>,
    ) -> Result<ProbeRecord, AppError> {
        caller.require(Role::Operator)?;
        let registry = self.registry(caller, registry).await?.registry;
        let sensors = match sensor {
            None => registry.sensors,
            Some(name) => {
                let only = self.sensor_ids(caller, &[name.to_owned()]).await?;
                if !only.iter().all(|sensor| registry.sensors.contains(sensor)) {
                    return Err(AppError::invalid(
                        "sensor",
                        format!("{name:?} is not one of the registry's sensors"),
                    ));
                }
                only
            }
        };
        let target = RegistryTarget {
            registry: registry.id,
            url: registry.url,
            ca: registry.ca,
            repositories: registry.repositories,
            credential: registry.credential,
            tags: TagFilter::default(),
            budget: registry.budget,
            requests_left: None,
        };
        self.ask(caller, Some(registry.id), target, repository, sensors)
            .await
    }

    /// Asks for a probe of a registry that is not saved. Takes an operator.
    ///
    /// # Errors
    /// As [`App::add_registry`], and [`AppError::TooManyProbes`] while too many wait.
    pub async fn probe_unsaved(
        &self,
        caller: &Caller,
        input: ProbeInput,
        repository: Option<RepositoryName>,
    ) -> Result<ProbeRecord, AppError> {
        caller.require(Role::Operator)?;
        check_ca(&input.ca)?;
        let sensors = self.sensor_ids(caller, &input.sensors).await?;
        let target = RegistryTarget {
            registry: RegistryId::generate(&*self.clock, &*self.rng),
            url: input.url,
            ca: input.ca,
            repositories: input.repositories,
            credential: input.credential,
            tags: TagFilter::default(),
            budget: Budget::default(),
            requests_left: None,
        };
        self.ask(caller, None, target, repository, sensors).await
    }

    async fn ask(
        &self,
        caller: &Caller,
        registry: Option<RegistryId>,
        target: RegistryTarget,
        repository: Option<RepositoryName>,
        sensors: Vec<SensorId>,
    ) -> Result<ProbeRecord, AppError> {
        let now = self.clock.now();
        let probe = NewProbe {
            id: ProbeId::generate(&*self.clock, &*self.rng),
            tenant: caller.tenant,
            registry,
            target,
            repository,
            sensors,
            asked_by: caller.token_name.clone(),
            asked_at: now,
            expires_at: now + Duration::from_secs(limits::PROBE_WAIT_SECONDS),
        };
        let details = json!({"url": probe.target.url, "sensors": probe.sensors, "registry": probe.registry});
        let object = format!("probe:{}", probe.id);
        let entry = caller.entry(now, "registry.test", object, AuditSeverity::Info, details);
        match self.store.add_probe(&probe, &entry).await? {
            ProbeOutcome::Added => {}
            ProbeOutcome::TooMany => return Err(AppError::TooManyProbes { most: WAITING_PROBES }),
        }
        self.signals.probes.notify_one();
        Ok(ProbeRecord { probe, report: None })
    }
}
