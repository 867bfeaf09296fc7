//! Adding, changing and removing registries.

use jiff::Timestamp;
use portolan_shared::model::{CredentialId, RegistryId};
use portolan_store::{
    AuditEntry, AuditSeverity, NewRegistry, RegistryChange, RegistryChangeOutcome, RegistryNews,
    RegistryRecord, Role, Withdrawn,
};
use serde_json::json;

use super::input::{RegistryInput, RegistryPatch, check, check_budget, check_ca, check_patterns};
use crate::app::schedule::check_schedule;
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
            schedule: input.schedule,
        };
        check(&registry)?;
        check_schedule(&registry.schedule, id, self.clock.now())?;
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
        match input.sealed {
            Some(version) => {
                self.add_with_credential(caller, &registry, &entry, version)
                    .await?;
            }
            None => self.store.add_registry(&registry, at, &entry).await?,
        }
        self.signals.schedule.notify_one();
        self.registry(caller, &id.to_string()).await
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
        let (ca, tags) = (patch.ca(&current), patch.tag_filter(&current));
        let (budget, schedule) = (patch.budget(&current), patch.schedule(&current));
        if let Some(ca) = &ca {
            check_ca(ca)?;
        }
        if let Some(budget) = budget {
            check_budget(budget)?;
        }
        if let Some(schedule) = &schedule {
            check_schedule(schedule, current.registry.id, self.clock.now())?;
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
            schedule,
            sensors,
        };
        let id = current.registry.id;
        let sealed_before = self.store.sealed_recipients(caller.tenant, id).await?;
        let at = self.clock.now();
        let note = |news: &RegistryNews| Some(entry_of(caller, id, at, &fields, news));
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
        self.signals.schedule.notify_one();
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
        let note = |credential: &CredentialId| {
            let details = json!({"name": record.registry.name, "credential": credential, "with": "registry"});
            let object = format!("registry:{id}");
            Some(caller.entry(at, "credential.remove", object, AuditSeverity::Notice, details))
        };
        let removed = self.store.remove_registry(caller.tenant, id, &entry, &note);
        let withdrawn = removed.await?;
        self.tell_withdrawn(withdrawn.ok_or_else(|| AppError::not_found("registry", name_or_id))?);
        self.tell_of_changes(caller.tenant);
        Ok(())
    }
}

/// The entry for what a change brings with it.
fn entry_of(
    caller: &Caller,
    id: RegistryId,
    at: Timestamp,
    fields: &[&str],
    news: &RegistryNews,
) -> AuditEntry {
    let of_sensors =
        |withdrawn: &Withdrawn| json!({"credential": withdrawn.credential, "sensors": withdrawn.recipients});
    let (action, severity, details) = match news {
        RegistryNews::Changed { before, after } => {
            let after_sensors = &after.registry.sensors;
            let mut details =
                json!({"name": after.registry.name, "fields": fields, "version": after.version});
            if before.sensors != *after_sensors {
                details["sensors"] = json!({"before": before.sensors, "after": after_sensors});
            }
            ("registry.change", AuditSeverity::Info, details)
        }
        RegistryNews::Withdrawn(withdrawn) => {
            ("credential.revoke", AuditSeverity::Notice, of_sensors(withdrawn))
        }
        RegistryNews::Dropped(withdrawn) => {
            ("credential.remove", AuditSeverity::Notice, of_sensors(withdrawn))
        }
    };
    caller.entry(at, action, format!("registry:{id}"), severity, details)
}
