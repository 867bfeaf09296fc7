//! A repository's new tag set: the tags, the ledger, the account of the run, in one transaction.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryOutcome, TenantId, limits};
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows;
use super::super::run::{bind_fence, fenced, stale};
use super::account;
use super::difference::{Difference, is_sorted};
use super::offer::within;
use super::tag_rows::TagRows;
use crate::{Fence, RepositoryCommit, RepositoryCommitted, StoreError};

const COMMIT: &str = "commit a repository";
const WHAT: &str = "repository commit";

/// A repository as it is before the commit; what is none if it is new.
struct Before {
    registry: RegistryId,
    number: i64,
    known: bool,
    tags: u64,
    settled: bool,
    entry: i64,
    seen_at: Option<i64>,
    repeated: bool,
}

pub(super) async fn commit(
    store: &SqliteStore,
    fence: &Fence,
    commit: &RepositoryCommit,
    now: Timestamp,
) -> Result<RepositoryCommitted, StoreError> {
    let whole = check(commit)?;
    let mut tx = store.write().await?;
    let before = look(&mut tx, fence, commit).await?;
    if before.repeated {
        return Ok(RepositoryCommitted::default());
    }
    if !before.known {
        let bound = store.repositories_per_registry();
        count_new(&mut tx, (fence.tenant, before.registry), bound).await?;
    }
    let tag_rows = TagRows {
        tenant: fence.tenant,
        repository: before.number,
        entry: before.entry + 1,
    };
    let old = if before.tags > 0 {
        tag_rows.stored(&mut tx).await?
    } else {
        Vec::new()
    };
    let difference = Difference::between(&old, commit, whole);
    let written = rows::json("tags", &difference.written)?;
    if !difference.written.is_empty() {
        tag_rows.write(&mut tx, before.tags == 0, &written, now).await?;
    }
    if !difference.removed.is_empty() {
        let removed = rows::json("tags", &difference.removed)?;
        tag_rows.remove(&mut tx, &removed).await?;
    }
    if difference.is_news() {
        write_entry(&mut tx, fence, &before, now).await?;
    }
    let settled = commit.outcome == RepositoryOutcome::Listed
        && is_settled(&mut tx, fence, &before, &difference, &written).await?;
    write_repository(&mut tx, fence, commit, &before, &difference, settled, now).await?;
    account::count(&mut tx, fence, commit, difference.counts).await?;
    tx.commit().await.during(COMMIT)?;
    Ok(difference.counts)
}

/// Checks what the model cannot; gives whether the tag set is whole.
fn check(commit: &RepositoryCommit) -> Result<bool, StoreError> {
    within(WHAT, commit.tags.len(), limits::TAGS_PER_REPOSITORY)?;
    within(WHAT, commit.left_out.len(), limits::TAGS_LEFT_OUT)?;
    let kept_too = commit
        .tags
        .iter()
        .find(|tag| commit.left_out.binary_search(&tag.tag).is_ok());
    let names_are_sorted = commit.left_out.is_sorted_by(|left, right| left < right);
    if !is_sorted(&commit.tags) || !names_are_sorted || kept_too.is_some() {
        return Err(StoreError::Refused {
            what: WHAT,
            why: format!("the tags of {} are not sorted, each once", commit.repository),
        });
    }
    match commit.outcome {
        RepositoryOutcome::Listed | RepositoryOutcome::Incomplete => Ok(true),
        RepositoryOutcome::Truncated => Ok(false),
        outcome @ (RepositoryOutcome::Unchanged
        | RepositoryOutcome::Denied
        | RepositoryOutcome::Missing
        | RepositoryOutcome::Failed
        | RepositoryOutcome::Refused
        | RepositoryOutcome::Filtered) => Err(StoreError::Refused {
            what: WHAT,
            why: format!("{} cannot be committed as {outcome}", commit.repository),
        }),
    }
}

/// Checks the fence and finds everything that the commit depends on, in one statement.
async fn look(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    commit: &RepositoryCommit,
) -> Result<Before, StoreError> {
    let query = sqlx::query(concat!(
        "SELECT run.registry_id, repository.repository_no, repository.tags, repository.settled, repository.entry_no,
                repository.tags_seen_at, done.state_hash IS ?7 AND done.outcome IS ?8 AS repeated,
                (SELECT coalesce(max(repository_no), 0) + 1 FROM repository WHERE tenant_id = ?1) AS next_no
         FROM run
         LEFT JOIN repository ON repository.tenant_id = ?1 AND repository.registry_id = run.registry_id
                             AND repository.name = ?6
         LEFT JOIN run_repository AS done ON done.tenant_id = ?1 AND done.run_id = ?2 AND done.repository = ?6
         WHERE ",
        fenced!()
    ));
    let row = bind_fence(query, fence)
        .bind(commit.repository.as_str())
        .bind(commit.state_hash.0.as_slice())
        .bind(commit.outcome.as_str())
        .fetch_optional(&mut **tx)
        .await
        .during(COMMIT)?;
    let Some(row) = row else {
        return Err(stale(tx, fence).await?);
    };
    let row = Columns::of("repository", &row);
    let registry = row.bytes("registry_id", RegistryId::from_slice)?;
    let repeated = row.get("repeated")?;
    Ok(match row.get::<Option<i64>>("repository_no")? {
        Some(number) => Before {
            registry,
            number,
            known: true,
            tags: row.number("tags")?,
            settled: row.get("settled")?,
            entry: row.get("entry_no")?,
            seen_at: row.get("tags_seen_at")?,
            repeated,
        },
        None => Before {
            registry,
            number: row.get("next_no")?,
            known: false,
            tags: 0,
            settled: false,
            entry: 0,
            seen_at: None,
            repeated,
        },
    })
}

/// Counts a new repository among those of its registry, unless there are too many. Those that have vanished count: their ledgers stay.
async fn count_new(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    bound: u64,
) -> Result<(), StoreError> {
    let counted = sqlx::query(
        "UPDATE registry SET repositories = repositories + 1
         WHERE tenant_id = ?1 AND registry_id = ?2 AND repositories < ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(integer(bound))
    .execute(&mut **tx)
    .await
    .during(COMMIT)?;
    if counted.rows_affected() == 0 {
        let why = format!("the registry has {bound} repositories, the most that one may have");
        return Err(StoreError::Refused { what: WHAT, why });
    }
    Ok(())
}

async fn write_entry(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    before: &Before,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at, not_before)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(before.number)
    .bind(before.entry + 1)
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(millis(now))
    .bind(before.seen_at)
    .execute(&mut **tx)
    .await
    .during(COMMIT)?;
    Ok(())
}

/// Whether the manifest of every tag is held, or known not to be had. What was so before stays so: content is never removed.
async fn is_settled(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    before: &Before,
    difference: &Difference<'_>,
    written: &str,
) -> Result<bool, StoreError> {
    let rest_is_settled = before.settled || before.tags == 0;
    if rest_is_settled && difference.written.is_empty() {
        return Ok(true);
    }
    let sql = if rest_is_settled {
        "SELECT NOT EXISTS (
             SELECT 1 FROM json_each(?3) WHERE NOT EXISTS (
                 SELECT 1 FROM manifest WHERE tenant_id = ?1 AND digest = unhex(value ->> 1) AND settled = 1))"
    } else {
        "SELECT NOT EXISTS (
             SELECT 1 FROM tag WHERE tag.tenant_id = ?1 AND tag.repository_no = ?2 AND NOT EXISTS (
                 SELECT 1 FROM manifest WHERE manifest.tenant_id = ?1 AND manifest.digest = tag.digest AND manifest.settled = 1))"
    };
    sqlx::query_scalar(sql)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(before.number)
        .bind(written)
        .fetch_one(&mut **tx)
        .await
        .during(COMMIT)
}

async fn write_repository(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    commit: &RepositoryCommit,
    before: &Before,
    difference: &Difference<'_>,
    settled: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let counts = difference.counts;
    let tags =
        before.tags + u64::from(counts.appeared) - u64::from(counts.vanished) - u64::from(counts.left_out);
    let now = millis(now);
    let seen_at = match before.seen_at {
        // The listing did not reach every tag: of those it did not, the older time is true.
        Some(before) if commit.outcome == RepositoryOutcome::Truncated => before,
        Some(_) | None => now,
    };
    let success = (commit.outcome == RepositoryOutcome::Listed).then_some(now);
    let sql = if before.known {
        "UPDATE repository SET tags = ?5, state_hash = ?6, settled = ?7, entry_no = ?8, outcome = ?9, tags_seen_at = ?10,
                last_attempt_at = ?11, last_success_at = coalesce(?12, last_success_at), vanished_at = NULL
         WHERE tenant_id = ?1 AND repository_no = ?2 AND registry_id = ?3 AND name = ?4"
    } else {
        "INSERT INTO repository (tenant_id, repository_no, registry_id, name, tags, state_hash, settled, entry_no, outcome,
                                 tags_seen_at, last_attempt_at, last_success_at, first_seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?11)"
    };
    sqlx::query(sql)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(before.number)
        .bind(before.registry.as_bytes().as_slice())
        .bind(commit.repository.as_str())
        .bind(integer(tags))
        .bind(commit.state_hash.0.as_slice())
        .bind(settled)
        .bind(before.entry + i64::from(difference.is_news()))
        .bind(commit.outcome.as_str())
        .bind(seen_at)
        .bind(now)
        .bind(success)
        .execute(&mut **tx)
        .await
        .during(COMMIT)?;
    Ok(())
}
