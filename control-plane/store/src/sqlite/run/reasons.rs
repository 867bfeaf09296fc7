//! What has asked for a run.

use jiff::Timestamp;
use portolan_shared::model::{FindingCode, RunId, RunTrigger, TenantId, limits};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows::json;
use crate::{RunReason, StoreError};

const NOTE: &str = "note why a run was asked for";

/// Columns of `run` that [`of`] reads.
macro_rules! reason_columns {
    () => {
        "reasons, more_reasons, \"trigger\", requested_by, queued_at"
    };
}
pub(super) use reason_columns;

/// How urgent a run is that a person has asked for, whoever else has.
pub(super) const ASKED_BY_A_PERSON: i64 = 0;

/// How urgent a run is: what is lower goes first.
pub(super) fn priority(trigger: RunTrigger) -> i64 {
    match trigger {
        RunTrigger::Manual => ASKED_BY_A_PERSON,
        RunTrigger::Event => 1,
        RunTrigger::Schedule | RunTrigger::Reconcile => 2,
    }
}

/// The reasons of a run, the first first.
pub(super) fn of(row: &Columns<'_>) -> Result<Vec<RunReason>, StoreError> {
    let mut reasons: Vec<RunReason> = row.json("reasons")?;
    if reasons.is_empty() {
        // The release before this one wrote down nothing else.
        reasons.push(RunReason {
            trigger: row.text("trigger")?,
            requested_by: row.get("requested_by")?,
            at: row.time("queued_at")?,
        });
    }
    Ok(reasons)
}

/// The reasons of a new run.
pub(in super::super) fn first(
    trigger: RunTrigger,
    requested_by: &str,
    at: Timestamp,
) -> Result<String, StoreError> {
    let reason = RunReason {
        trigger,
        requested_by: requested_by.to_owned(),
        at,
    };
    json("reasons", &[reason])
}

/// A person waits for the end of no blackout.
const DUE_NOW: &str = "UPDATE run SET not_before = min(not_before, ?3), finding = NULL
     WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued' AND finding ->> 'code' = ?4";

/// Notes that an open run was asked for once more; `row` has its [`reason_columns`].
pub(super) async fn join(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
    row: &Columns<'_>,
    reason: RunReason,
) -> Result<(), StoreError> {
    let mut reasons = of(row)?;
    let mut more = row.number("more_reasons")?;
    let (priority, at) = (priority(reason.trigger), reason.at);
    if reasons.len() < limits::RUN_REASONS {
        reasons.push(reason);
    } else {
        more += 1;
    }
    sqlx::query(
        "UPDATE run SET reasons = ?3, more_reasons = ?4, priority = min(priority, ?5) WHERE tenant_id = ?1 AND run_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(json("reasons", &reasons)?)
    .bind(integer(more))
    .bind(priority)
    .execute(&mut **tx)
    .await
    .during(NOTE)?;
    if priority == ASKED_BY_A_PERSON {
        sqlx::query(DUE_NOW)
            .bind(tenant.as_bytes().as_slice())
            .bind(run.as_bytes().as_slice())
            .bind(millis(at))
            .bind(FindingCode::ScheduleBlackout.as_str())
            .execute(&mut **tx)
            .await
            .during(NOTE)?;
    }
    Ok(())
}
