//! What a run can take over.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use crate::{DueEvents, StoreError};

/// Whether a run can take a look at the whole over: not if all that are open of the whole have begun, which may have looked too early. One that has not
/// begun, and may follow such a one, is joined.
macro_rules! whole_is_free {
    () => {
        "(SELECT coalesce(max(run.state = 'queued' AND run.commits = 0), 1) FROM run INDEXED BY run_open
           WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id
             AND run.scope = '[]' AND run.state IN ('queued', 'leased') AND run.beside = 0)"
    };
}

/// Whether a run can take any other look over: not while the one before is open.
macro_rules! part_is_free {
    () => {
        "NOT EXISTS (SELECT 1 FROM run INDEXED BY run_beside
                      WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id
                        AND run.state IN ('queued', 'leased') AND run.beside = 1)"
    };
}

/// The condition on a row of `event_pending` joined with `registry` that a run can take it over.
macro_rules! free {
    () => {
        concat!(
            "registry.paused = 0 AND registry.events_since IS NOT NULL
             AND iif(event_pending.repository = '', ",
            whole_is_free!(),
            ", ",
            part_is_free!(),
            ")"
        )
    };
}
pub(super) use {free, part_is_free, whole_is_free};

/// When something is due of each registry that a run can take over, with the registry. Asked for each second: goes from registry to registry of those of
/// which anything waits, and reads few rows of each, however many wait. SQLite enters an index at what a row of values begins with, itself included: the
/// moment after all others in that row skips what else waits of the registry.
macro_rules! first_of_each {
    () => {
        concat!(
            "WITH RECURSIVE place (tenant_id, registry_id) AS (
                 SELECT * FROM (SELECT tenant_id, registry_id FROM event_pending INDEXED BY event_waiting
                                 WHERE due_at IS NOT NULL ORDER BY tenant_id, registry_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT tenant_id FROM event_pending INDEXED BY event_waiting
                          WHERE due_at IS NOT NULL AND (tenant_id, registry_id, due_at) > (place.tenant_id, place.registry_id, 9223372036854775807)
                          ORDER BY tenant_id, registry_id LIMIT 1),
                        (SELECT registry_id FROM event_pending INDEXED BY event_waiting
                          WHERE due_at IS NOT NULL AND (tenant_id, registry_id, due_at) > (place.tenant_id, place.registry_id, 9223372036854775807)
                          ORDER BY tenant_id, registry_id LIMIT 1)
                 FROM place WHERE place.registry_id IS NOT NULL),
             first (tenant_id, registry_id, whole_at, part_at) AS MATERIALIZED (
                 SELECT registry.tenant_id, registry.registry_id,
                        iif(",
            whole_is_free!(),
            ", (SELECT due_at FROM event_pending
                             WHERE tenant_id = registry.tenant_id AND registry_id = registry.registry_id AND repository = ''), NULL),
                        iif(",
            part_is_free!(),
            ", (SELECT due_at FROM event_pending INDEXED BY event_waiting
                             WHERE tenant_id = registry.tenant_id AND registry_id = registry.registry_id
                               AND due_at IS NOT NULL AND repository <> '' ORDER BY due_at LIMIT 1), NULL)
                 FROM place CROSS JOIN registry USING (tenant_id, registry_id)
                 WHERE registry.paused = 0 AND registry.events_since IS NOT NULL),
             due (tenant_id, registry_id, due_at) AS (
                 SELECT tenant_id, registry_id, min(coalesce(whole_at, part_at), coalesce(part_at, whole_at)) FROM first)"
        )
    };
}

const DUE: &str = concat!(
    first_of_each!(),
    " SELECT tenant_id, registry_id FROM due WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2"
);

/// When the next one is due.
const NEXT: &str = concat!(
    first_of_each!(),
    " SELECT due_at FROM due WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1"
);

pub(super) async fn due(
    store: &SqliteStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueEvents>, StoreError> {
    let rows = sqlx::query(DUE)
        .bind(millis(now))
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .during("find events that are due")?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<DueEvents, StoreError> {
    let row = Columns::of("event_pending", row);
    Ok(DueEvents {
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
    })
}

pub(super) async fn next(store: &SqliteStore) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(NEXT)
        .fetch_optional(store.reader())
        .await
        .during("find when events are due")?;
    row.map(|row| Columns::of("event_pending", &row).time("due_at"))
        .transpose()
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
