//! What the scheduler decided.

use jiff::Timestamp;
use portolan_shared::model::RegistryName;
use serde_json::json;

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, run};
use crate::{AuditEntry, AuditSeverity, NewRun, PlannedStart, QueueOutcome, StartOutcome, StoreError};

const START: &str = "start what is planned";

pub(super) async fn start(
    store: &SqliteStore,
    planned: &PlannedStart,
    now: Timestamp,
) -> Result<StartOutcome, StoreError> {
    if planned.run.is_some() && planned.next_start_at == planned.was {
        // The same decision would find everything as it was, and start a second run.
        return Err(StoreError::Refused {
            what: "start of a run",
            why: "the next one is planned for the same time".to_owned(),
        });
    }
    let mut tx = store.write().await?;
    let row = sqlx::query(
        "UPDATE registry SET planned = 1, next_start_at = ?5, planned_at = ?6
         WHERE tenant_id = ?1 AND registry_id = ?2 AND version = ?3 AND next_start_at IS ?4
           AND planned = ?7 AND unannounced_at IS ?8
         RETURNING name",
    )
    .bind(planned.tenant.as_bytes().as_slice())
    .bind(planned.registry.as_bytes().as_slice())
    .bind(integer(planned.version))
    .bind(planned.was.map(millis))
    .bind(planned.next_start_at.map(millis))
    .bind(millis(now))
    .bind(planned.planned)
    .bind(planned.unannounced_at.map(millis))
    .fetch_optional(&mut *tx)
    .await
    .during(START)?;
    let Some(row) = row else {
        return Ok(StartOutcome::Superseded);
    };
    let name: RegistryName = Columns::of("registry", &row).text("name")?;
    let outcome = match &planned.run {
        None => StartOutcome::Noted,
        Some(new) => match run::queue_within(&mut tx, new, Some(&entry(new, &name, now))).await? {
            QueueOutcome::Queued => StartOutcome::Queued,
            QueueOutcome::Joined(open) => StartOutcome::Joined(open),
            QueueOutcome::UnknownRegistry => return Ok(StartOutcome::Superseded),
        },
    };
    tx.commit().await.during(START)?;
    Ok(outcome)
}

fn entry(run: &NewRun, registry: &RegistryName, at: Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: "schedule".to_owned(),
        action: "run.queue".to_owned(),
        object: format!("run:{}", run.id),
        severity: AuditSeverity::Info,
        details: json!({
            "registry": registry,
            "repositories": run.scope.repositories.len(),
            "trigger": run.trigger,
            "requested_by": run.requested_by,
        }),
    }
}
