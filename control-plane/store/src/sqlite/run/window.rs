//! Windows in which nothing starts by itself. A run that no person has asked for waits for the end of the one that its registry is in, whether it
//! would begin or go on: it was queued before the window, or an attempt failed or was lost. Whether it does is decided when it is to be leased.

use jiff::Timestamp;
use portolan_shared::model::{Finding, FindingCode, RegistryId, RunId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::registry;
use super::super::rows::json;
use super::reasons::ASKED_BY_A_PERSON;
use crate::{Blackouts, StoreError};

/// Whether a queued run may be leased at this time. One that may not is made to wait, and says so.
pub(super) async fn is_open(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT registry.* FROM run JOIN registry USING (tenant_id, registry_id)
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued' AND not_before <= ?3 AND priority <> ?4 AND blackouts <> '[]'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(millis(now))
    .bind(ASKED_BY_A_PERSON)
    .fetch_optional(&mut **tx)
    .await
    .during("find the blackouts of a run")?;
    let Some(row) = row else {
        go_on(tx, (tenant, run), now).await?;
        return Ok(true);
    };
    let schedule = registry::schedule(&Columns::of("registry", &row))?;
    let Some(window) = Blackouts::of(&schedule).around(now) else {
        go_on(tx, (tenant, run), now).await?;
        return Ok(true);
    };
    let seen = format!(
        "nothing starts by itself now; the run waits until {:.0}",
        window.to
    );
    let finding = Finding::new(FindingCode::ScheduleBlackout, &seen);
    sqlx::query(
        "UPDATE run SET not_before = ?3, finding = ?4, put_off_at = iif(deadline_at IS NULL, NULL, coalesce(put_off_at, ?5))
         WHERE tenant_id = ?1 AND run_id = ?2",
    )
        .bind(tenant.as_bytes().as_slice())
        .bind(run.as_bytes().as_slice())
        .bind(millis(window.to))
        .bind(json("finding", &finding)?)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .during("let a run wait for the end of a blackout")?;
    Ok(false)
}

/// A run that had begun and may go on has as much time left as when it was first put off.
async fn go_on(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE run SET deadline_at = deadline_at + max(?3 - put_off_at, 0), put_off_ms = put_off_ms + max(?3 - put_off_at, 0),
                        put_off_at = NULL
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued' AND not_before <= ?3 AND put_off_at IS NOT NULL",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during("let a run go on after a blackout")?;
    Ok(())
}

/// Lets the runs of a registry that wait for the end of a blackout be looked at again: it may be another one now, or none.
pub(in super::super) async fn look_again(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(LOOK_AGAIN)
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(millis(now))
        .bind(FindingCode::ScheduleBlackout.as_str())
        .execute(&mut **tx)
        .await
        .during("let runs wait no longer")?;
    Ok(())
}

const LOOK_AGAIN: &str = "UPDATE run INDEXED BY run_unended SET not_before = min(not_before, ?3), finding = NULL
     WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased') AND state = 'queued' AND finding ->> 'code' = ?4";

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_unended"], super::LOOK_AGAIN).await;
    }
}
