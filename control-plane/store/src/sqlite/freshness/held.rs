//! Runs that sensors work on.

use portolan_shared::model::{AttemptRef, RunId, SensorId, TenantId};

use super::super::SqliteStore;
use super::super::columns::Columns;
use super::super::failure::During as _;
use crate::{HeldRun, StoreError};

const HELD: &str =
    "SELECT run.sensor_id, run.run_id, run.attempt, run.progress_at, run.lease_until, registry.name
     FROM run CROSS JOIN registry
     WHERE run.tenant_id = ?1 AND run.state = 'leased'
       AND registry.tenant_id = ?1 AND registry.registry_id = run.registry_id
     ORDER BY run.sensor_id, run.run_id";

pub(super) async fn all(store: &SqliteStore, tenant: TenantId) -> Result<Vec<HeldRun>, StoreError> {
    let rows = sqlx::query(HELD)
        .bind(tenant.as_bytes().as_slice())
        .fetch_all(store.reader())
        .await
        .during("list runs that sensors work on")?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("run", row);
            Ok(HeldRun {
                sensor: row.bytes("sensor_id", SensorId::from_slice)?,
                attempt: AttemptRef {
                    run: row.bytes("run_id", RunId::from_slice)?,
                    attempt: row.small("attempt")?,
                },
                registry_name: row.text("name")?,
                progress_at: row.opt_time("progress_at")?,
                lease_until: row.time("lease_until")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        plan::goes_by(&["run_holder"], super::HELD).await;
    }
}
