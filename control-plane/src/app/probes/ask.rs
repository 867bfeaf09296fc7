//! Asking for a probe, and for its report.

use std::time::Duration;

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, ProbeId, RegistryId, RegistryTarget, RegistryUrl, RepositoryName,
    RepositoryPatterns, SensorId, TagFilter, limits,
};
use portolan_shared::secret::sealed::Wrap;
use portolan_store::{
    AuditSeverity, CredentialRecord, NewProbe, ProbeOutcome, ProbeRecord, Role, SealedVersion, WAITING_PROBES,
};
use serde_json::json;

use crate::app::registries::{check_ca, check_patterns};
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
    /// Which registry it is to be; another one with each probe if none. A sealed credential is bound to it.
    pub registry: Option<RegistryId>,
    /// Where the sensor finds the credential.
    pub credential: Option<CredentialReference>,
    /// A sealed credential, which is tried by this probe alone.
    pub trial: Option<SealedVersion>,
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
    /// It is carried out even if nothing is left of the requests that the registry allows a day, for somebody is looking on; what it sends
    /// counts with those of the registry's runs.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a sensor that is not one of the registry's, [`AppError::AwaitingSealing`] if none of the sensors can open
    /// the credential, [`AppError::TooManyProbes`] while too many wait.
    pub async fn probe_registry(
        &self,
        caller: &Caller,
        registry: &str,
        repository: Option<RepositoryName>,
        sensor: Option<&str>,
        trial: Option<SealedVersion>,
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
        if let Some(trial) = &trial {
            self.check_sealed(caller, trial, registry.id, &registry.url)
                .await?;
        }
        let sensors = match (&trial, self.store.credential(caller.tenant, registry.id).await?) {
            (
                None,
                Some(CredentialRecord {
                    sealed: Some(sealed), ..
                }),
            ) => {
                let opened = sealed
                    .wraps
                    .iter()
                    .filter(|wrap| wrap.key_is_good)
                    .map(|wrap| wrap.sensor);
                self.able_to_open(
                    caller,
                    registry.name.as_str(),
                    sensors,
                    &opened.collect::<Vec<_>>(),
                )
                .await?
            }
            (None, _) => sensors,
            (Some(trial), _) => {
                self.able_to_try(caller, registry.name.as_str(), sensors, trial)
                    .await?
            }
        };
        let target = RegistryTarget {
            registry: registry.id,
            url: registry.url,
            ca: registry.ca,
            repositories: registry.repositories,
            credential: registry.credential.filter(|_| trial.is_none()),
            tags: TagFilter::default(),
            budget: registry.budget,
            requests_left: None,
        };
        self.ask(caller, Some(registry.id), target, repository, sensors, trial)
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
        let tags = TagFilter::default();
        check_patterns(&input.repositories, &tags)?;
        let mut sensors = self.sensor_ids(caller, &input.sensors).await?;
        let registry = input.registry;
        let registry = registry.unwrap_or_else(|| RegistryId::generate(&*self.clock, &*self.rng));
        if let Some(trial) = &input.trial {
            if input.credential.is_some() {
                let why = "a registry has a credential or a credential_reference, not both";
                return Err(AppError::invalid("credential", why));
            }
            self.check_sealed(caller, trial, registry, &input.url).await?;
            sensors = self
                .able_to_try(caller, &input.url.to_string(), sensors, trial)
                .await?;
        }
        let target = RegistryTarget {
            registry,
            url: input.url,
            ca: input.ca,
            repositories: input.repositories,
            credential: input.credential,
            tags,
            budget: Budget::default(),
            requests_left: None,
        };
        self.ask(caller, None, target, repository, sensors, input.trial)
            .await
    }

    async fn able_to_try(
        &self,
        caller: &Caller,
        registry: &str,
        sensors: Vec<SensorId>,
        trial: &SealedVersion,
    ) -> Result<Vec<SensorId>, AppError> {
        let opened: Vec<_> = trial.sealed.wraps.iter().map(Wrap::recipient).collect();
        self.able_to_open(caller, registry, sensors, &opened).await
    }

    /// Those of the sensors that can open a credential.
    async fn able_to_open(
        &self,
        caller: &Caller,
        registry: &str,
        sensors: Vec<SensorId>,
        opened: &[SensorId],
    ) -> Result<Vec<SensorId>, AppError> {
        let able: Vec<_> = sensors
            .iter()
            .copied()
            .filter(|sensor| opened.contains(sensor))
            .collect();
        if !able.is_empty() {
            return Ok(able);
        }
        let names = self.sensor_names(caller, sensors).await?;
        Err(AppError::AwaitingSealing {
            registry: registry.to_owned(),
            sensors: names.into_values().take(AppError::CANDIDATES).collect(),
        })
    }

    async fn ask(
        &self,
        caller: &Caller,
        registry: Option<RegistryId>,
        target: RegistryTarget,
        repository: Option<RepositoryName>,
        sensors: Vec<SensorId>,
        trial: Option<SealedVersion>,
    ) -> Result<ProbeRecord, AppError> {
        let now = self.clock.now();
        let probe = NewProbe {
            id: ProbeId::generate(&*self.clock, &*self.rng),
            tenant: caller.tenant,
            registry,
            target,
            repository,
            sensors,
            trial,
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
