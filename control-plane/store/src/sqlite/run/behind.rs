//! Runs that were asked for when another one of the same registry and scope had begun, and follow it: what that saw may be older than the wish.

use jiff::Timestamp;
use portolan_shared::model::{RunId, RunTrigger, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::During as _;
use crate::StoreError;

/// Whether a row of `run` waits for the end of the one that it follows.
macro_rules! waits_behind {
    () => {
        "EXISTS (SELECT 1 FROM run AS former WHERE former.tenant_id = run.tenant_id AND former.run_id = run.behind
                    AND former.state IN ('queued', 'leased'))"
    };
}
pub(super) use waits_behind;

/// Whether what asks for a run wants to know what is there at that time, or later. A schedule's start wants the registry to be read now and
/// then: it is, if it is being read.
pub(super) fn wants_a_later_look(trigger: RunTrigger) -> bool {
    match trigger {
        RunTrigger::Manual | RunTrigger::Event => true,
        RunTrigger::Schedule | RunTrigger::Reconcile => false,
    }
}

const LET_GO: &str = "UPDATE run INDEXED BY run_unended SET behind = NULL, not_before = max(not_before, ?3)
     WHERE tenant_id = ?1 AND registry_id = (SELECT registry_id FROM run WHERE tenant_id = ?1 AND run_id = ?2)
       AND state IN ('queued', 'leased') AND behind = ?2";

/// Lets the run go that follows this one, which has ended. It waits for a sensor from now on.
pub(super) async fn let_go(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, ended): (TenantId, RunId),
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(LET_GO)
        .bind(tenant.as_bytes().as_slice())
        .bind(ended.as_bytes().as_slice())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .during("let a run go that follows another")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_unended"], super::LET_GO).await;
    }
}
