//! Storing credentials, going back to the version before, taking them away.

use portolan_shared::model::RegistryId;
use portolan_shared::secret::sealed::Wrap;
use portolan_store::{
    AuditEntry, AuditSeverity, NewCredential, NewRegistry, PutOutcome, RegistryRecord, RevertOutcome, Role,
    SealedVersion, Withdrawn,
};
use serde_json::json;

use super::CredentialShown;
use crate::app::{App, AppError, Caller};

impl App {
    /// Takes a sealed version into use. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::Invalid`] if it is not bound to this registry or not sealed to the sensors' latest keys, [`AppError::CredentialVersion`]
    /// if it does not follow the last version.
    pub async fn put_credential(
        &self,
        caller: &Caller,
        registry: &str,
        version: SealedVersion,
    ) -> Result<CredentialShown, AppError> {
        caller.require(Role::Operator)?;
        let record = self.registry(caller, registry).await?;
        self.store_version(caller, &record, version).await?;
        self.credential(caller, &record.registry.id.to_string()).await
    }

    /// As [`put_credential`](Self::put_credential), for a registry that was found.
    pub(in crate::app) async fn store_version(
        &self,
        caller: &Caller,
        record: &RegistryRecord,
        version: SealedVersion,
    ) -> Result<(), AppError> {
        let registry = &record.registry;
        self.check_sealed(caller, &version, registry.id, &registry.url)
            .await?;
        let new = self.new_version(caller, version);
        let note = |before: &Option<u64>| {
            let first = before.is_none() && registry.credential.is_none();
            Some(put_entry(caller, &new, first))
        };
        let put = self.store.put_credential(&new, &note).await?;
        accepted(put, registry, &new)?;
        self.tell_changed(caller.tenant, registry.id);
        // A sensor that could not open the one before may have work now.
        self.signals.runs.notify_one();
        Ok(())
    }

    /// Adds a registry with the credential that it is read with from the beginning: both or neither. That the version is good for it was
    /// checked.
    pub(in crate::app) async fn add_with_credential(
        &self,
        caller: &Caller,
        registry: &NewRegistry,
        entry: &AuditEntry,
        version: SealedVersion,
    ) -> Result<(), AppError> {
        let new = self.new_version(caller, version);
        let note = put_entry(caller, &new, true);
        let put = self
            .store
            .add_registry_with_credential(registry, entry, &new, &note);
        accepted(put.await?, registry, &new)
    }

    fn new_version(&self, caller: &Caller, version: SealedVersion) -> NewCredential {
        NewCredential {
            version,
            created_by: caller.token_name.clone(),
            now: self.clock.now(),
        }
    }

    /// Goes back to the version before, which was kept because the one in use has not worked yet. Takes an operator.
    ///
    /// # Errors
    /// [`AppError::NoFormerCredential`] if there is none any more.
    pub async fn revert_credential(
        &self,
        caller: &Caller,
        registry: &str,
    ) -> Result<CredentialShown, AppError> {
        caller.require(Role::Operator)?;
        let registry = self.registry(caller, registry).await?.registry;
        let shown = self.credential(caller, &registry.id.to_string()).await?;
        let withdrawn = self.store.sealed_recipients(caller.tenant, registry.id).await?;
        let (now, object) = (self.clock.now(), format!("registry:{}", registry.id));
        let sealed = shown.sealed.as_ref();
        let details = json!({
            "credential": sealed.map(|sealed| sealed.binding.credential),
            "from": sealed.map(|sealed| sealed.binding.version),
            "to": sealed.and_then(|sealed| sealed.former_version),
        });
        let entry = caller.entry(now, "credential.revert", object, AuditSeverity::Notice, details);
        let reverted = self
            .store
            .revert_credential(caller.tenant, registry.id, now, &entry)
            .await?;
        let why = match reverted {
            RevertOutcome::Reverted(..) => None,
            RevertOutcome::NoFormer => Some("there is no version before it"),
            RevertOutcome::Worked => Some("the registry has accepted the version in use"),
        };
        if let Some(why) = why {
            return Err(AppError::NoFormerCredential {
                registry: registry.name,
                why,
            });
        }
        if let Some(withdrawn) = withdrawn {
            self.tell_withdrawn(withdrawn);
        }
        self.tell_changed(caller.tenant, registry.id);
        self.signals.runs.notify_one();
        self.credential(caller, &registry.id.to_string()).await
    }

    /// Takes a registry its credential, sealed or not. Takes an operator.
    pub async fn remove_credential(&self, caller: &Caller, registry: &str) -> Result<(), AppError> {
        caller.require(Role::Operator)?;
        let record = self.registry(caller, registry).await?.registry;
        let (now, object) = (self.clock.now(), format!("registry:{}", record.id));
        let details = json!({"name": record.name});
        let entry = caller.entry(now, "credential.remove", object, AuditSeverity::Notice, details);
        let removed = self
            .store
            .remove_credential(caller.tenant, record.id, now, &entry)
            .await?;
        self.tell_withdrawn(
            removed.ok_or_else(|| AppError::not_found("credential of registry", &record.name))?,
        );
        self.signals.runs.notify_one();
        Ok(())
    }

    /// Who could open a registry's sealed credential and must not keep it, after a change that left it these sensors; all of them if it has
    /// none any more.
    pub(in crate::app) async fn withdraw_after(
        &self,
        before: Option<Withdrawn>,
        after: &RegistryRecord,
    ) -> Result<(), AppError> {
        let Some(mut before) = before else {
            return Ok(());
        };
        let (tenant, id): (_, RegistryId) = (after.registry.tenant, after.registry.id);
        let now = self.store.sealed_recipients(tenant, id).await?;
        if now.is_some_and(|now| now.credential == before.credential) {
            before
                .recipients
                .retain(|sensor| !after.registry.sensors.contains(sensor));
        }
        self.tell_withdrawn(before);
        Ok(())
    }
}

/// The entry for a version that is taken into use.
fn put_entry(caller: &Caller, new: &NewCredential, first: bool) -> AuditEntry {
    let binding = &new.version.binding;
    let recipients: Vec<_> = new.version.sealed.wraps.iter().map(Wrap::recipient).collect();
    let details = json!({
        "credential": binding.credential, "version": binding.version, "sensors": recipients,
        "realm_hosts": binding.realm_hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let action = if first {
        "credential.create"
    } else {
        "credential.replace"
    };
    let object = format!("registry:{}", binding.registry);
    caller.entry(new.now, action, object, AuditSeverity::Notice, details)
}

/// What an outcome means to whoever wanted to store a version.
fn accepted(outcome: PutOutcome, registry: &NewRegistry, new: &NewCredential) -> Result<(), AppError> {
    match outcome {
        PutOutcome::Put => Ok(()),
        PutOutcome::OutOfDate(credential, next) => Err(AppError::CredentialVersion { credential, next }),
        PutOutcome::IdTaken => Err(AppError::Taken {
            what: "credential",
            name: new.version.binding.credential.to_string(),
        }),
        PutOutcome::Elsewhere => Err(AppError::OutOfDate { what: "registry" }),
        PutOutcome::UnknownRegistry => Err(AppError::not_found("registry", &registry.name)),
    }
}
