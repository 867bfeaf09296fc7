//! Adding, changing and removing registries.

use portolan_shared::model::RegistryId;
use portolan_store::{
    AuditSeverity, NewRegistry, RegistryChange, RegistryChangeOutcome, RegistryRecord, Role,
};
use serde_json::json;

use super::input::{RegistryInput, RegistryPatch, check, check_budget, check_ca, check_patterns};
use crate::app::{App, AppError, Caller};

impl App {
    /// Adds a registry. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::Taken`] if the name is, [`AppError::UnknownReference`] for a sensor that does not exist or is revoked,
    /// [`AppError::Invalid`] for an unusable CA bundle, budget or filter.
    pub async fn add_registry(
        &self,
        caller: &Caller,
        input: RegistryInput,
    ) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Operator)?;
        if input.sealed.is_some() && input.credential.is_some() {
            let why = "a registry has a credential or a credential_reference, not both";
            return Err(AppError::invalid("credential", why));
        }
        let id = input
            .id
            .unwrap_or_else(|| RegistryId::generate(&*self.clock, &*self.rng));
        if self.store.registry(caller.tenant, id).await?.is_some() {
            return Err(AppError::Taken {
                what: "registry",
                name: id.to_string(),
            });
        }
        let registry = NewRegistry {
            id,
            tenant: caller.tenant,
            sensors: self.sensor_ids(caller, &input.sensors).await?,
            name: input.name,
            url: input.url,
            ca: input.ca,
            repositories: input.repositories,
            tags: input.tags,
            credential: input.credential,
            budget: input.budget,
        };
        check(&registry)?;
        if let Some(version) = &input.sealed {
            self.check_sealed(caller, version, id, &registry.url).await?;
            if version.binding.version != 1 {
                return Err(AppError::CredentialVersion {
                    credential: None,
                    next: 1,
                });
            }
        }
        let (at, object) = (self.clock.now(), format!("registry:{}", registry.id));
        let details = json!({"name": registry.name, "url": registry.url, "sensors": registry.sensors});
        let entry = caller.entry(at, "registry.add", object, AuditSeverity::Info, details);
        self.store.add_registry(&registry, at, &entry).await?;
        let added = self.registry(caller, &id.to_string()).await?;
        match input.sealed {
            Some(version) => {
                self.store_version(caller, &added, version).await?;
                self.registry(caller, &id.to_string()).await
            }
            None => Ok(added),
        }
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
        let needs_version = patch.needs_completion().then_some(current.version);
        let seen_version = seen_version.or(needs_version);
        let (ca, tags, budget) = (
            patch.ca(&current),
            patch.tag_filter(&current),
            patch.budget(&current),
        );
        if let Some(ca) = &ca {
            check_ca(ca)?;
        }
        if let Some(budget) = budget {
            check_budget(budget)?;
        }
        check_patterns(
            patch
                .repositories
                .as_ref()
                .unwrap_or(&current.registry.repositories),
            tags.as_ref().unwrap_or(&current.registry.tags),
        )?;
        let sensors = match &patch.sensors {
            Some(names) => Some(self.sensor_ids(caller, names).await?),
            None => None,
        };
        let change = RegistryChange {
            name: patch.name,
            url: patch.url,
            ca,
            repositories: patch.repositories,
            tags,
            credential: patch.credential,
            budget,
            sensors,
        };
        let id = current.registry.id;
        let sealed_before = self.store.sealed_recipients(caller.tenant, id).await?;
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
        self.withdraw_after(sealed_before, &changed).await?;
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
        let sealed = self.store.sealed_recipients(caller.tenant, id).await?;
        if !self.store.remove_registry(caller.tenant, id, &entry).await? {
            return Err(AppError::not_found("registry", name_or_id));
        }
        if let Some(sealed) = sealed {
            self.tell_withdrawn(sealed);
        }
        Ok(())
    }
}
