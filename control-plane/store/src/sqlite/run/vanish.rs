//! Repositories that a complete listing did not find.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryName};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::{registry, rows};
use crate::{Fence, StoreError};

const VANISH: &str = "record what has vanished";

/// What has vanished.
#[derive(Default)]
pub(super) struct Vanished {
    /// Repositories.
    pub(super) repositories: u64,
    /// Their tags.
    pub(super) tags: u64,
}

/// Records as vanished what the registry's patterns want, was there, and did not come to anything in this run. The repository's row and
/// ledger stay. The caller has checked the fence, and that the listing was complete.
pub(super) async fn not_found(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    registry: RegistryId,
    now: Timestamp,
) -> Result<Vanished, StoreError> {
    let row = sqlx::query("SELECT globs FROM registry WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .fetch_one(&mut **tx)
        .await
        .during(VANISH)?;
    let patterns = registry::repository_patterns(&Columns::of("registry", &row))?;
    let found = sqlx::query(
        "SELECT repository_no, name, tags FROM repository
         WHERE tenant_id = ?1 AND registry_id = ?2 AND vanished_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM run_repository WHERE run_repository.tenant_id = ?1
                              AND run_repository.run_id = ?3 AND run_repository.repository = repository.name)",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .fetch_all(&mut **tx)
    .await
    .during(VANISH)?;
    let mut vanished = Vanished::default();
    let mut numbers: Vec<i64> = Vec::new();
    for row in &found {
        let row = Columns::of("repository", row);
        if patterns.matches(&row.text::<RepositoryName>("name")?) {
            numbers.push(row.get("repository_no")?);
            vanished.repositories += 1;
            vanished.tags += row.number("tags")?;
        }
    }
    if !numbers.is_empty() {
        record(tx, fence, &rows::array(numbers)?, now).await?;
    }
    Ok(vanished)
}

async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    numbers: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    const STATEMENTS: [&str; 4] = [
        "INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at, not_before)
         SELECT tenant_id, repository_no, entry_no + 1, ?3, ?4, tags_seen_at
         FROM json_each(?2) CROSS JOIN repository
         WHERE tenant_id = ?1 AND repository_no = json_each.value AND tags > 0",
        "INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
         SELECT tag.tenant_id, tag.repository_no, repository.entry_no + 1, tag.tag, tag.digest, NULL
         FROM json_each(?2) CROSS JOIN repository CROSS JOIN tag
         WHERE repository.tenant_id = ?1 AND repository.repository_no = json_each.value
           AND tag.tenant_id = ?1 AND tag.repository_no = json_each.value",
        "DELETE FROM tag WHERE tenant_id = ?1 AND repository_no IN (SELECT value FROM json_each(?2))",
        "UPDATE repository SET vanished_at = ?4, last_attempt_at = ?4, entry_no = entry_no + (tags > 0), tags = 0,
                               state_hash = NULL, settled = 0
         WHERE tenant_id = ?1 AND repository_no IN (SELECT value FROM json_each(?2))",
    ];
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(fence.tenant.as_bytes().as_slice())
            .bind(numbers)
            .bind(fence.attempt.run.as_bytes().as_slice())
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .during(VANISH)?;
    }
    Ok(())
}
