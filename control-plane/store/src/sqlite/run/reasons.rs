//! What has asked for a run.

use jiff::Timestamp;
use portolan_shared::model::{FindingCode, RunId, RunTrigger, TenantId, limits};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows::{self, json};
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

/// What a run waits for even if a person wants it: requests that its registry is to be spared, and what it has asked for itself.
const WAITED_FOR_BY_ALL: [FindingCode; 2] = [FindingCode::BudgetSpent, FindingCode::RateLimited];

/// A person waits for the end of no blackout, nor of the pause after an attempt that failed; why it did is still said.
const DUE_NOW: &str =
    "UPDATE run SET not_before = min(not_before, ?3), finding = iif(finding ->> 'code' = ?4, NULL, finding)
     WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued'
       AND coalesce(finding ->> 'code' NOT IN (SELECT value FROM json_each(?5)), 1)";

/// Notes that an open run was asked for once more; `row` has its [`reason_columns`].
pub(super) async fn join(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
    row: &Columns<'_>,
    reason: RunReason,
) -> Result<(), StoreError> {
    let mut reasons = of(row)?;
    let mut more = row.number("more_reasons")?;
    let (trigger, at) = (reason.trigger, reason.at);
    if reasons.len() >= limits::RUN_REASONS {
        more += 1;
    }
    add(&mut reasons, reason);
    sqlx::query(
        "UPDATE run SET reasons = ?3, more_reasons = ?4, asked_at = max(coalesce(asked_at, ?5), coalesce(?5, asked_at))
         WHERE tenant_id = ?1 AND run_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(json("reasons", &reasons)?)
    .bind(integer(more))
    .bind(asked_at(trigger, at))
    .execute(&mut **tx)
    .await
    .during(NOTE)?;
    hasten(tx, (tenant, run), trigger, at).await
}

/// Adds a reason. At the bound it is left out, or, if none of its kind is among them, takes the place of the last of which there are more: what follows
/// from the kinds follows from all that asked. The first stays.
fn add(reasons: &mut Vec<RunReason>, reason: RunReason) {
    if reasons.len() >= limits::RUN_REASONS {
        let of = |trigger| {
            let alike = reasons.iter().filter(|known| known.trigger == trigger);
            alike.count()
        };
        let replaced = (1..reasons.len()).rev().find(|at| of(reasons[*at].trigger) > 1);
        let Some(replaced) = replaced.filter(|_| of(reason.trigger) == 0) else {
            return;
        };
        reasons.remove(replaced);
    }
    reasons.push(reason);
}

/// When a person asks, if this is one.
pub(super) fn asked_at(trigger: RunTrigger, at: Timestamp) -> Option<i64> {
    (trigger == RunTrigger::Manual).then(|| millis(at))
}

/// Makes an open run as urgent as what has asked for it, and no more.
pub(super) async fn settle(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
) -> Result<(), StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        reason_columns!(),
        " FROM run WHERE tenant_id = ?1 AND run_id = ?2 AND state IN ('queued', 'leased')"
    ))
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during(NOTE)?;
    let Some(row) = row else {
        return Ok(());
    };
    // There is one of each kind among them, however many asked.
    let reasons = of(&Columns::of("run", &row))?;
    let urgency = reasons.iter().map(|reason| priority(reason.trigger)).min();
    sqlx::query("UPDATE run SET priority = coalesce(?3, priority) WHERE tenant_id = ?1 AND run_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(run.as_bytes().as_slice())
        .bind(urgency)
        .execute(&mut **tx)
        .await
        .during(NOTE)?;
    Ok(())
}

/// Makes an open run as urgent as what asks for it, or for one that follows it.
pub(super) async fn hasten(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
    trigger: RunTrigger,
    at: Timestamp,
) -> Result<(), StoreError> {
    let priority = priority(trigger);
    sqlx::query("UPDATE run SET priority = min(priority, ?3) WHERE tenant_id = ?1 AND run_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(run.as_bytes().as_slice())
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
            .bind(rows::array(WAITED_FOR_BY_ALL.iter().map(|code| code.as_str()))?)
            .execute(&mut **tx)
            .await
            .during(NOTE)?;
    }
    Ok(())
}
