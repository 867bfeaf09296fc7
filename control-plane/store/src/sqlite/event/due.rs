//! What a run can take over.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, TenantId};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use crate::{DueEvents, StoreError};

/// The condition on a row of `event_pending` joined with `registry` that a run can take it over: a look at the whole waits for the end of
/// the run of the whole that has begun, which may have looked too early; any other for the end of the one before.
macro_rules! free {
    () => {
        "registry.paused = 0 AND registry.events_since IS NOT NULL
         AND iif(event_pending.repository = '',
                 NOT EXISTS (SELECT 1 FROM run INDEXED BY run_open
                              WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id
                                AND run.scope = '[]' AND run.state IN ('queued', 'leased') AND run.beside = 0
                                AND (run.state = 'leased' OR run.commits > 0)),
                 NOT EXISTS (SELECT 1 FROM run INDEXED BY run_beside
                              WHERE run.tenant_id = registry.tenant_id AND run.registry_id = registry.registry_id
                                AND run.state IN ('queued', 'leased') AND run.beside = 1))"
    };
}
pub(super) use free;

/// Asked for each second: the index holds what waits, and nothing else.
const DUE: &str = concat!(
    "SELECT event_pending.tenant_id, event_pending.registry_id FROM event_pending INDEXED BY event_due
     CROSS JOIN registry USING (tenant_id, registry_id)
     WHERE event_pending.due_at <= ?1 AND ",
    free!(),
    " GROUP BY event_pending.tenant_id, event_pending.registry_id ORDER BY min(event_pending.due_at) LIMIT ?2"
);

/// When the next one is due.
const NEXT: &str = concat!(
    "SELECT event_pending.due_at FROM event_pending INDEXED BY event_due CROSS JOIN registry USING (tenant_id, registry_id)
     WHERE event_pending.due_at IS NOT NULL AND ",
    free!(),
    " ORDER BY event_pending.due_at LIMIT 1"
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
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn what_does_not_wait_is_not_read() {
        for statement in [super::DUE, super::NEXT] {
            plan::goes_by(&["event_due", "run_open", "run_beside"], statement).await;
        }
    }
}
