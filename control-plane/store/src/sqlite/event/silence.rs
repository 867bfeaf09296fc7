//! Changes that no event has announced.
//!
//! A registry notifies a moment after the push, and a listing may come between: whether a change was announced cannot be told when it is
//! noticed. It can a minute later. Until then every event that names its repository, and every sign that events were lost, clears it; but not a
//! sensor that begins to listen time and again.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, TenantId};

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use crate::StoreError;

const ACTION: &str = "judge which changes were not announced";
/// How long after a change was noticed its event may come, in milliseconds.
const GRACE_MILLIS: i64 = 60_000;
/// Registries that are judged at once; further ones at the next look.
const AT_ONCE: i64 = 200;

/// Asked for each second: the index holds what waits to be judged, and nothing else.
const SILENT: &str = "SELECT tenant_id, registry_id, max(silent_since) AS silent_since FROM repository INDEXED BY repository_silent
     WHERE silent_since <= ?1 GROUP BY tenant_id, registry_id LIMIT ?2";

const JUDGE: [&str; 2] = [
    // The next start is to be thought of anew.
    "UPDATE registry SET unannounced_at = max(?4, coalesce(unannounced_at, 0)), planned = 0
     WHERE tenant_id = ?1 AND registry_id = ?2 AND events_since IS NOT NULL
       AND EXISTS (SELECT 1 FROM repository INDEXED BY repository_silent_in
                    WHERE repository.tenant_id = ?1 AND repository.registry_id = ?2 AND silent_since IS NOT NULL AND silent_since <= ?3)",
    "UPDATE repository INDEXED BY repository_silent_in SET silent_since = NULL
     WHERE tenant_id = ?1 AND registry_id = ?2 AND silent_since IS NOT NULL AND silent_since <= ?3",
];

/// Notes with each registry of which a change has not been announced in time that there are such; gives of how many.
pub(in super::super) async fn judge(store: &SqliteStore, now: Timestamp) -> Result<u64, StoreError> {
    let until = millis(now) - GRACE_MILLIS;
    let silent = sqlx::query(SILENT)
        .bind(until)
        .bind(AT_ONCE)
        .fetch_all(store.reader())
        .await
        .during(ACTION)?;
    if silent.is_empty() {
        return Ok(0);
    }
    let mut judged = 0;
    let mut tx = store.write().await?;
    for row in &silent {
        let row = Columns::of("repository", row);
        let tenant = row.bytes("tenant_id", TenantId::from_slice)?;
        let registry = row.bytes("registry_id", RegistryId::from_slice)?;
        let noticed: i64 = row.get("silent_since")?;
        for (step, statement) in JUDGE.into_iter().enumerate() {
            let done = sqlx::query(statement)
                .bind(tenant.as_bytes().as_slice())
                .bind(registry.as_bytes().as_slice())
                .bind(until)
                .bind(noticed)
                .execute(&mut *tx)
                .await
                .during(ACTION)?;
            if step == 0 {
                judged += done.rows_affected();
            }
        }
    }
    tx.commit().await.during(ACTION)?;
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn what_was_announced_is_not_read() {
        plan::goes_by(&["repository_silent"], super::SILENT).await;
        for statement in super::JUDGE {
            plan::goes_by(&["repository_silent_in"], statement).await;
        }
    }
}
