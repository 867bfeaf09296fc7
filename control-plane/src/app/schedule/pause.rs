//! Schedules held, and let go again.

use portolan_store::{
    AuditSeverity, RegistryChange, RegistryChangeOutcome, RegistryNews, RegistryRecord, Role, Schedule,
};
use serde_json::json;

use crate::app::{App, AppError, Caller};

/// Times that it is tried while others change the same registry.
const TRIES: usize = 3;

impl App {
    /// Pauses a registry's schedule, or lets it go on from now: starts that were missed meanwhile are not made up for. What people start runs in any
    /// case, and so does what is under way. Takes an operator. Pausing a paused one changes nothing.
    ///
    /// # Errors
    /// [`AppError::OutOfDate`] if others change the registry all the while.
    pub async fn pause_registry(
        &self,
        caller: &Caller,
        name_or_id: &str,
        paused: bool,
    ) -> Result<RegistryRecord, AppError> {
        caller.require(Role::Operator)?;
        let action = if paused {
            "registry.pause"
        } else {
            "registry.resume"
        };
        for _ in 0..TRIES {
            let current = self.registry(caller, name_or_id).await?;
            let registry = &current.registry;
            if registry.schedule.paused == paused {
                return Ok(current);
            }
            let change = RegistryChange {
                schedule: Some(Schedule {
                    paused,
                    ..registry.schedule.clone()
                }),
                ..RegistryChange::default()
            };
            let (at, id) = (self.clock.now(), registry.id);
            let note = |news: &RegistryNews| {
                let RegistryNews::Changed { after, .. } = news else {
                    return None;
                };
                let details = json!({"name": after.registry.name, "version": after.version});
                Some(caller.entry(at, action, format!("registry:{id}"), AuditSeverity::Info, details))
            };
            let outcome = self
                .store
                .change_registry(caller.tenant, id, &change, Some(current.version), at, &note)
                .await?;
            match outcome {
                RegistryChangeOutcome::Changed(record) => {
                    self.signals.schedule.notify_one();
                    return Ok(*record);
                }
                RegistryChangeOutcome::OutOfDate => {}
                RegistryChangeOutcome::Unknown => return Err(AppError::not_found("registry", name_or_id)),
            }
        }
        Err(AppError::OutOfDate { what: "registry" })
    }
}
