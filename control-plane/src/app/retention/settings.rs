//! What the tenant says of it.

use portolan_shared::model::limits;
use portolan_store::{AuditSeverity, Retention, Role};
use serde_json::json;

use crate::app::{App, AppError, Caller};

impl App {
    /// How long the tenant keeps its past. Takes an admin.
    pub async fn retention(&self, caller: &Caller) -> Result<Retention, AppError> {
        caller.require(Role::Admin)?;
        Ok(self.store.retention(caller.tenant).await?)
    }

    /// Changes that, if it is still as it was `seen`, where that is said. What is older is removed soon, and does not come back. Takes an admin.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for numbers of days out of bounds, [`AppError::OutOfDate`] if somebody else has changed it since.
    pub async fn set_retention(
        &self,
        caller: &Caller,
        retention: Retention,
        seen: Option<Retention>,
    ) -> Result<(), AppError> {
        caller.require(Role::Admin)?;
        check("history_days", retention.history_days, 1)?;
        check("runs_days", retention.runs_days, limits::RUNS_DAYS_LEAST)?;
        let before = self.store.retention(caller.tenant).await?;
        let days = |kept: Retention| json!({"history_days": kept.history_days, "runs_days": kept.runs_days});
        let (at, object) = (self.clock.now(), format!("tenant:{}", caller.tenant));
        let details = json!({"from": days(before), "to": days(retention)});
        let entry = caller.entry(at, "settings.retention", object, AuditSeverity::Notice, details);
        // The entry tells of the change from what was read here.
        let seen = seen.unwrap_or(before);
        let set = self
            .store
            .set_retention(caller.tenant, retention, Some(seen), &entry)
            .await?;
        set.map(drop).ok_or(AppError::OutOfDate { what: "retention" })
    }
}

fn check(field: &'static str, days: Option<u32>, least: u32) -> Result<(), AppError> {
    let most = limits::RETENTION_DAYS;
    match days {
        Some(days) if !(least..=most).contains(&days) => Err(AppError::invalid(
            field,
            format!("expected {least} to {most} days, or none for ever"),
        )),
        Some(_) | None => Ok(()),
    }
}
