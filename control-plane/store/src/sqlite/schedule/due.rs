//! What the scheduler has to think about.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, registry};
use crate::{DueRegistry, StoreError};

/// Asked for each second: each half has an index that holds nothing else.
const DUE: &str = "SELECT * FROM (
         SELECT * FROM registry INDEXED BY registry_to_plan WHERE planned = 0
         ORDER BY tenant_id, registry_id LIMIT ?2)
     UNION ALL
     SELECT * FROM (
         SELECT * FROM registry INDEXED BY registry_next_start WHERE next_start_at <= ?1 AND planned = 1 AND paused = 0
         ORDER BY next_start_at LIMIT ?2)
     LIMIT ?2";

pub(super) async fn due(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueRegistry>, StoreError> {
    let rows = sqlx::query(DUE)
        .bind(millis(now))
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .during("find registries that are due")?;
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(row) {
            Ok(registry) => due.push(registry),
            // One row that cannot be read must not keep all others waiting.
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a registry that is due was passed over"
            ),
        }
    }
    Ok(due)
}

fn read(row: &SqliteRow) -> Result<DueRegistry, StoreError> {
    let row = Columns::of("registry", row);
    Ok(DueRegistry {
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        name: row.text("name")?,
        version: row.number("version")?,
        schedule: registry::schedule(&row)?,
        planned: row.get("planned")?,
        next_start_at: row.opt_time("next_start_at")?,
        last_attempt_at: row.opt_time("last_attempt_at")?,
        last_success_at: row.opt_time("last_success_at")?,
        events_since: row.opt_time("events_since")?,
        unannounced_at: row.opt_time("unannounced_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn what_is_not_due_is_not_read() {
        plan::goes_by(&["registry_to_plan", "registry_next_start"], super::DUE).await;
    }
}
