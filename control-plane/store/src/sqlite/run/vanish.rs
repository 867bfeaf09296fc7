//! Repositories that a complete listing did not find.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryName};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::inventory::{note_silent, silent};
use super::super::{registry, rows};
use crate::{Fence, StoreError};

const VANISH: &str = "record what has vanished";
/// What a run beside this one has seen since may be younger than this one's listing.
const NOT_FOUND: &str = concat!(
    "SELECT repository.repository_no, repository.name, repository.tags, ",
    silent!("repository.name"),
    " AS silent FROM run CROSS JOIN registry CROSS JOIN repository INDEXED BY repository_name
     WHERE run.tenant_id = ?1 AND run.run_id = ?3 AND registry.tenant_id = ?1 AND registry.registry_id = ?2
       AND repository.tenant_id = ?1 AND repository.registry_id = ?2 AND repository.vanished_at IS NULL
       AND (repository.seen_beside IS NOT ?3 OR repository.tags = 0)
       AND NOT EXISTS (SELECT 1 FROM run_repository WHERE run_repository.tenant_id = ?1
                          AND run_repository.run_id = ?3 AND run_repository.repository = repository.name)",
);

/// What has vanished.
#[derive(Default)]
pub(super) struct Vanished {
    /// Repositories.
    pub(super) repositories: u64,
    /// Their tags.
    pub(super) tags: u64,
}

/// Records as vanished what the registry's patterns want, was there, and did not come to anything in this run, nor in one beside it. The repository's row and
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
    let found = sqlx::query(NOT_FOUND)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(fence.attempt.run.as_bytes().as_slice())
        .fetch_all(&mut **tx)
        .await
        .during(VANISH)?;
    let mut vanished = Vanished::default();
    let (mut numbers, mut silent): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for row in &found {
        let row = Columns::of("repository", row);
        if patterns.matches(&row.text::<RepositoryName>("name")?) {
            let number = row.get("repository_no")?;
            numbers.push(number);
            vanished.repositories += 1;
            let tags = row.number("tags")?;
            vanished.tags += tags;
            if tags > 0 && row.get("silent")? {
                silent.push(number);
            }
        }
    }
    if !numbers.is_empty() {
        record(tx, fence, &rows::array(numbers)?, now).await?;
    }
    for number in silent {
        note_silent(tx, fence.tenant, number, now).await?;
    }
    Ok(vanished)
}

async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    numbers: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    const STATEMENTS: [&str; 6] = [
        "INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at, not_before, feed_no, learnt, sensor_id, seen_at)
         SELECT ?1, repository.repository_no, repository.entry_no + 1, ?3, ?4, iif(repository.met_in_part, NULL, repository.tags_seen_at),
                tenant.feed_no + row_number() OVER (ORDER BY repository.repository_no), run.\"trigger\", ?5,
                min(coalesce(run.started_at, ?4), ?4)
         FROM tenant CROSS JOIN run CROSS JOIN json_each(?2) CROSS JOIN repository
         WHERE tenant.tenant_id = ?1 AND run.tenant_id = ?1 AND run.run_id = ?3
           AND repository.tenant_id = ?1 AND repository.repository_no = json_each.value AND repository.tags > 0",
        "UPDATE tenant SET feed_no = max(feed_no, coalesce((SELECT max(ledger_entry.feed_no) FROM ledger_entry WHERE ledger_entry.tenant_id = ?1), 0))
         WHERE tenant_id = ?1",
        "INSERT OR REPLACE INTO registry_feed (tenant_id, registry_id, feed_no) SELECT ?1, run.registry_id, tenant.feed_no
         FROM tenant CROSS JOIN run WHERE tenant.tenant_id = ?1 AND run.tenant_id = ?1 AND run.run_id = ?3",
        "INSERT INTO ledger (tenant_id, repository_no, entry_no, tag, digest_before, digest_after)
         SELECT tag.tenant_id, tag.repository_no, repository.entry_no + 1, tag.tag, tag.digest, NULL
         FROM json_each(?2) CROSS JOIN repository CROSS JOIN tag
         WHERE repository.tenant_id = ?1 AND repository.repository_no = json_each.value
           AND tag.tenant_id = ?1 AND tag.repository_no = json_each.value",
        "DELETE FROM tag WHERE tenant_id = ?1 AND repository_no IN (SELECT value FROM json_each(?2))",
        // Should it come back, it has not been seen completely since.
        "UPDATE repository SET vanished_at = ?4, last_attempt_at = ?4, last_success_at = NULL, entry_no = entry_no + (tags > 0), tags = 0,
                               state_hash = NULL, settled = 0
         WHERE tenant_id = ?1 AND repository_no IN (SELECT value FROM json_each(?2))",
    ];
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(fence.tenant.as_bytes().as_slice())
            .bind(numbers)
            .bind(fence.attempt.run.as_bytes().as_slice())
            .bind(millis(now))
            .bind(fence.sensor.as_bytes().as_slice())
            .execute(&mut **tx)
            .await
            .during(VANISH)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn repositories_of_other_registries_are_not_read() {
        plan::goes_by(
            &["repository_name (tenant_id=? AND registry_id=?)"],
            super::NOT_FOUND,
        )
        .await;
    }
}
