//! What metrics tell of registries.

use portolan_shared::model::RegistryId;

use super::super::SqliteStore;
use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use super::super::registry;
use crate::{RegistryFigures, StoreError};

pub(super) async fn read(store: &SqliteStore, limit: u32) -> Result<(Vec<RegistryFigures>, u64), StoreError> {
    const ACTION: &str = "tell of registries in metrics";
    let mut tx = store.read().await?;
    let rows = sqlx::query(
        "SELECT tenant.name AS tenant, registry.registry_id, registry.name, registry.created_at, registry.last_success_at,
                registry.schedule, registry.zone, registry.jitter_seconds, registry.blackouts, registry.max_run_seconds,
                registry.missed, registry.paused,
                iif(registry.paused, NULL, registry.next_start_at) AS next_start_at
         FROM registry CROSS JOIN tenant WHERE tenant.tenant_id = registry.tenant_id
         ORDER BY registry.tenant_id, registry.registry_id LIMIT ?1",
    )
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    let found = integer(rows.len() as u64);
    let left_out: i64 = if found < i64::from(limit) {
        0
    } else {
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM registry")
            .fetch_one(&mut *tx)
            .await
            .during(ACTION)?;
        all - found
    };
    let figures = rows.iter().map(|row| {
        let row = Columns::of("registry", row);
        Ok(RegistryFigures {
            tenant: row.get("tenant")?,
            registry: row.bytes("registry_id", RegistryId::from_slice)?,
            name: row.text("name")?,
            schedule: registry::schedule(&row)?,
            created_at: row.time("created_at")?,
            last_success_at: row.opt_time("last_success_at")?,
            next_start_at: row.opt_time("next_start_at")?,
        })
    });
    let figures = figures.collect::<Result<_, StoreError>>()?;
    Ok((figures, u64::try_from(left_out).unwrap_or(0)))
}
