//! Registries: adding, changing and removing connections to registry hosts.

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, RegistryId, RegistryName, RegistryUrl, RepositoryPatterns, SensorId,
};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use portolan_store::{
    AuditSeverity, NewRegistry, Page, PageRequest, RegistryChange, RegistryChangeOutcome, RegistryRecord,
    Role,
};
use serde_json::json;

use super::{App, AppError, Caller};

/// Sensors that may be assigned to one registry: refused above.
const SENSORS: usize = 16;

/// A registry to be added.
#[derive(Debug, Clone)]
pub struct RegistryInput {
    /// Its name.
    pub name: RegistryName,
    /// Where it is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub ca: CaTrust,
    /// Which repositories are wanted.
    pub repositories: RepositoryPatterns,
    /// Where the sensor finds the credential.
    pub credential: Option<CredentialReference>,
    /// How hard it may be worked.
    pub budget: Budget,
    /// Names or ids of the sensors that may read it, the preferred first.
    pub sensors: Vec<String>,
}

/// A change of a registry; what is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct RegistryPatch {
    /// New name.
    pub name: Option<RegistryName>,
    /// New address.
    pub url: Option<RegistryUrl>,
    /// New bundle of authorities, or `Some(None)` for the system's alone.
    pub ca_bundle_pem: Option<Option<String>>,
    /// Whether only the bundle counts.
    pub only_ca_bundle: Option<bool>,
    /// New globs.
    pub repositories: Option<RepositoryPatterns>,
    /// New credential reference, or `Some(None)` to read anonymously.
    pub credential: Option<Option<CredentialReference>>,
    /// New budget.
    pub budget: Option<Budget>,
    /// New sensors, by name or id.
    pub sensors: Option<Vec<String>>,
}

impl RegistryPatch {
    /// What is changed, for the audit log.
    fn fields(&self) -> Vec<&'static str> {
        let ca = self.ca_bundle_pem.is_some() || self.only_ca_bundle.is_some();
        [
            (self.name.is_some(), "name"),
            (self.url.is_some(), "url"),
            (ca, "ca"),
            (self.repositories.is_some(), "repositories"),
            (self.credential.is_some(), "credential_reference"),
            (self.budget.is_some(), "budget"),
            (self.sensors.is_some(), "sensors"),
        ]
        .into_iter()
        .filter_map(|(changed, field)| changed.then_some(field))
        .collect()
    }
}

impl App {
    /// The tenant's registries by name.
    pub async fn registries(
        &self,
        caller: &Caller,
        page: &PageRequest,
    ) -> Result<Page<RegistryRecord>, AppError> {
        caller.require(Role::Viewer)?;
        Ok(self.store.registries(caller.tenant, page).await?)
    }

    /// One registry, by name or id.
    pub async fn registry(&self, caller: &Caller, name_or_id: &str) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Viewer)?;
        self.find_registry(caller, name_or_id)
            .await?
            .ok_or_else(|| AppError::not_found("registry", name_or_id))
    }

    /// Adds a registry. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::Taken`] if the name is, [`AppError::UnknownReference`] for a sensor that does not exist or is revoked,
    /// [`AppError::Invalid`] for an unusable CA bundle or budget.
    pub async fn add_registry(
        &self,
        caller: &Caller,
        input: RegistryInput,
    ) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Operator)?;
        check_ca(&input.ca)?;
        check_budget(input.budget)?;
        let registry = NewRegistry {
            id: RegistryId::generate(&*self.clock, &*self.rng),
            tenant: caller.tenant,
            sensors: self.sensor_ids(caller, &input.sensors).await?,
            name: input.name,
            url: input.url,
            ca: input.ca,
            repositories: input.repositories,
            credential: input.credential,
            budget: input.budget,
        };
        let (at, object) = (self.clock.now(), format!("registry:{}", registry.id));
        let details = json!({"name": registry.name, "url": registry.url, "sensors": registry.sensors});
        let entry = caller.entry(at, "registry.add", object, AuditSeverity::Info, details);
        self.store.add_registry(&registry, at, &entry).await?;
        self.registry(caller, &registry.id.to_string()).await
    }

    /// Changes a registry, if `seen_version` (when given) is still its version. Takes an operator.
    ///
    /// # Errors
    /// As [`App::add_registry`], and [`AppError::OutOfDate`] if somebody else changed it since that version.
    pub async fn change_registry(
        &self,
        caller: &Caller,
        name_or_id: &str,
        patch: RegistryPatch,
        seen_version: Option<u64>,
    ) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Operator)?;
        let current = self.registry(caller, name_or_id).await?;
        let fields = patch.fields();
        // Bundle and mode are one value in the store; half a change is completed from what is there, and then only holds for that version.
        let touches_ca = patch.ca_bundle_pem.is_some() || patch.only_ca_bundle.is_some();
        let ca = touches_ca.then(|| CaTrust {
            bundle_pem: patch
                .ca_bundle_pem
                .unwrap_or_else(|| current.registry.ca.bundle_pem.clone()),
            only_bundle: patch.only_ca_bundle.unwrap_or(current.registry.ca.only_bundle),
        });
        let seen_version = seen_version.or(touches_ca.then_some(current.version));
        if let Some(ca) = &ca {
            check_ca(ca)?;
        }
        if let Some(budget) = patch.budget {
            check_budget(budget)?;
        }
        let sensors = match &patch.sensors {
            Some(names) => Some(self.sensor_ids(caller, names).await?),
            None => None,
        };
        let change = RegistryChange {
            name: patch.name,
            url: patch.url,
            ca,
            repositories: patch.repositories,
            credential: patch.credential,
            budget: patch.budget,
            sensors,
        };
        let id = current.registry.id;
        let at = self.clock.now();
        let note = |changed: &RegistryRecord| {
            let object = format!("registry:{id}");
            let details =
                json!({"name": changed.registry.name, "fields": fields, "version": changed.version});
            Some(caller.entry(at, "registry.change", object, AuditSeverity::Info, details))
        };
        let outcome = self
            .store
            .change_registry(caller.tenant, id, &change, seen_version, at, &note)
            .await?;
        let changed = match outcome {
            RegistryChangeOutcome::Changed(record) => *record,
            RegistryChangeOutcome::OutOfDate => return Err(AppError::OutOfDate { what: "registry" }),
            RegistryChangeOutcome::Unknown => return Err(AppError::not_found("registry", name_or_id)),
        };
        // Another sensor may take its waiting runs now.
        self.signals.runs.notify_one();
        Ok(changed)
    }

    /// Removes a registry with its inventory, history and runs. Takes an operator.
    pub async fn remove_registry(&self, caller: &Caller, name_or_id: &str) -> Result<(), AppError> {
        caller.require(Role::Operator)?;
        let record = self.registry(caller, name_or_id).await?;
        let id = record.registry.id;
        let details = json!({"name": record.registry.name, "url": record.registry.url});
        let (at, object) = (self.clock.now(), format!("registry:{id}"));
        let entry = caller.entry(at, "registry.remove", object, AuditSeverity::Notice, details);
        if !self.store.remove_registry(caller.tenant, id, &entry).await? {
            return Err(AppError::not_found("registry", name_or_id));
        }
        Ok(())
    }

    pub(super) async fn find_registry(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<Option<RegistryRecord>, AppError> {
        if let Ok(id) = name_or_id.parse::<RegistryId>()
            && let Some(registry) = self.store.registry(caller.tenant, id).await?
        {
            return Ok(Some(registry));
        }
        match name_or_id.parse::<RegistryName>() {
            Ok(name) => Ok(self.store.registry_by_name(caller.tenant, &name).await?),
            // What cannot be a name does not exist.
            Err(_) => Ok(None),
        }
    }

    async fn sensor_ids(&self, caller: &Caller, names: &[String]) -> Result<Vec<SensorId>, AppError> {
        if names.is_empty() || names.len() > SENSORS {
            return Err(AppError::invalid(
                "sensors",
                format!("expected 1 to {SENSORS} sensors"),
            ));
        }
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let sensor = self
                .find_sensor(caller, name)
                .await?
                .ok_or_else(|| AppError::UnknownReference {
                    what: "sensor",
                    name: name.clone(),
                })?;
            if ids.contains(&sensor.id) {
                return Err(AppError::invalid("sensors", format!("{name:?} stands twice")));
            }
            ids.push(sensor.id);
        }
        Ok(ids)
    }
}

/// Reads the bundle as the sensor will, so that a bad one is refused where the operator sees it.
fn check_ca(ca: &CaTrust) -> Result<(), AppError> {
    RegistryTrust::new(SystemRoots::none(), ca, None)
        .map(drop)
        .map_err(|error| AppError::invalid("ca_bundle_pem", error))
}

fn check_budget(budget: Budget) -> Result<(), AppError> {
    if (1..=Budget::MAX_CONCURRENCY).contains(&budget.concurrency) {
        Ok(())
    } else {
        Err(AppError::invalid(
            "concurrency",
            format!("expected 1 to {}", Budget::MAX_CONCURRENCY),
        ))
    }
}
