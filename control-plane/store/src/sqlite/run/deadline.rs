//! When a run has taken too long.

use portolan_shared::model::limits::{RUN_SECONDS, RUN_SECONDS_BUDGETED};
use portolan_shared::model::{RegistryId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::failure::During as _;
use crate::StoreError;

/// What applies if a registry does not say how long a run of it may take: without a bound of requests a day, and with one.
pub(super) const UNLESS_SAID: [u32; 2] = [RUN_SECONDS, RUN_SECONDS_BUDGETED];

/// Milliseconds that a row of `run` may take from its first lease on; both parameters are of [`UNLESS_SAID`].
macro_rules! longest {
    ($without_budget:literal, $with_budget:literal) => {
        concat!(
            "(SELECT coalesce(max_run_seconds, iif(requests_per_day IS NULL, ",
            $without_budget,
            ", ",
            $with_budget,
            ")) * 1000 FROM registry WHERE registry.tenant_id = run.tenant_id AND registry.registry_id = run.registry_id)"
        )
    };
}
pub(super) use longest;

const SET_ANEW: &str = concat!(
    "UPDATE run INDEXED BY run_unended SET deadline_at = started_at + put_off_ms + ",
    longest!("?3", "?4"),
    " WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased') AND deadline_at IS NOT NULL"
);

/// Sets the deadlines of a registry's open runs by what it says now.
pub(in super::super) async fn set_anew(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
) -> Result<(), StoreError> {
    sqlx::query(SET_ANEW)
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(UNLESS_SAID[0])
        .bind(UNLESS_SAID[1])
        .execute(&mut **tx)
        .await
        .during("set the deadlines of runs")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_unended"], super::SET_ANEW).await;
    }
}
