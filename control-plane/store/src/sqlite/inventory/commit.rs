//! A repository's new tag set: the tags, the ledger, the account of the run, in one transaction.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RepositoryOutcome, TagName, limits};
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows;
use super::super::run::{bind_fence, fenced, stale};
use super::account;
use super::beside::{self, silent};
use super::difference::{Difference, is_sorted};
use super::offer::within;
use super::tag_rows::TagRows;
use crate::{Fence, RepositoryCommit, RepositoryCommitted, StoreError};

const COMMIT: &str = "commit a repository";
const WHAT: &str = "repository commit";

/// A repository as it is before the commit; what is none if it is new.
struct Before {
    registry: RegistryId,
    /// Repositories of the registry.
    repositories: u64,
    number: i64,
    known: bool,
    tags: u64,
    settled: bool,
    entry: i64,
    /// When a look began by which it was last seen as a whole, if it ever was.
    seen_at: Option<i64>,
    /// When the look began that this commit tells of.
    looked_at: i64,
    repeated: bool,
    /// The commit is of a run that goes beside another.
    beside: bool,
    /// Events are to announce every change since it was last seen, and none has named it since.
    silent: bool,
}

impl Before {
    /// Tags that it has after these changes.
    fn tags_after(&self, difference: &Difference<'_>) -> u64 {
        let counts = difference.counts;
        self.tags + u64::from(counts.appeared) - u64::from(counts.vanished) - u64::from(counts.left_out)
    }

    /// Number of its latest ledger entry after these changes.
    fn entry_after(&self, difference: &Difference<'_>) -> i64 {
        self.entry + i64::from(difference.is_news())
    }
}

pub(super) async fn commit(
    store: &SqliteStore,
    fence: &Fence,
    commit: &RepositoryCommit,
    now: Timestamp,
) -> Result<RepositoryCommitted, StoreError> {
    let whole = check(commit)?;
    let mut tx = store.write().await?;
    let before = look(&mut tx, fence, commit, now).await?;
    if before.repeated {
        return Ok(RepositoryCommitted::default());
    }
    if !before.known && commit.only.is_some() && commit.tags.is_empty() {
        // There is nothing in it that was asked for, and there was not before.
        account::count(&mut tx, fence, commit, RepositoryCommitted::default()).await?;
        tx.commit().await.during(COMMIT)?;
        return Ok(RepositoryCommitted::default());
    }
    if !before.known {
        check_room(before.repositories, store.repositories_per_registry())?;
    }
    let tag_rows = TagRows {
        tenant: fence.tenant,
        repository: before.number,
        entry: before.entry + 1,
    };
    let old = match &commit.only {
        _ if before.tags == 0 => Vec::new(),
        Some(only) => tag_rows.stored_of(&mut tx, only).await?,
        None => tag_rows.stored(&mut tx).await?,
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
    if before.known && commit.only.is_some() {
        touch_repository(&mut tx, fence, &before, &difference, settled, now).await?;
    } else {
        write_repository(&mut tx, fence, commit, &before, &difference, settled, now).await?;
    }
    if before.beside {
        beside::saw(&mut tx, fence, &[&commit.repository], now).await?;
    }
    if before.silent && difference.is_a_change_there() {
        beside::note_silent(&mut tx, fence.tenant, before.number, now).await?;
    }
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
    if let Some(only) = &commit.only {
        check_only(commit, only)?;
    }
    match commit.outcome {
        RepositoryOutcome::Listed | RepositoryOutcome::Incomplete => Ok(true),
        // Of tags that were looked at one by one, those without an answer are not among the names.
        RepositoryOutcome::Truncated => Ok(commit.only.is_some()),
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

/// That a commit in part keeps to the tags that it is about.
fn check_only(commit: &RepositoryCommit, only: &[TagName]) -> Result<(), StoreError> {
    within(WHAT, only.len(), limits::RUN_SCOPE_REFERENCES)?;
    let about = |tag: &TagName| only.binary_search(tag).is_ok();
    let sorted = !only.is_empty() && only.is_sorted_by(|left, right| left < right);
    if sorted && commit.tags.iter().all(|seen| about(&seen.tag)) && commit.left_out.iter().all(about) {
        return Ok(());
    }
    Err(StoreError::Refused {
        what: WHAT,
        why: format!(
            "{} is committed in part, with tags that it is not about",
            commit.repository
        ),
    })
}

/// Checks the fence and finds everything that the commit depends on, in one statement.
async fn look(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    commit: &RepositoryCommit,
    now: Timestamp,
) -> Result<Before, StoreError> {
    let query = sqlx::query(concat!(
        "SELECT run.registry_id, registry.repositories, repository.repository_no, repository.tags, repository.settled, repository.entry_no,
                iif(repository.met_in_part, NULL, repository.tags_seen_at) AS seen_at, done.state_hash IS ?7 AND done.outcome IS ?8 AS repeated, run.beside, run.started_at,
                ", silent!("?6"), " AS silent,
                1 + max((SELECT coalesce(max(repository_no), 0) FROM repository WHERE tenant_id = ?1),
                        (SELECT coalesce(max(repository_no), 0) FROM repository_remains WHERE tenant_id = ?1)) AS next_no
         FROM run
         JOIN registry ON registry.tenant_id = ?1 AND registry.registry_id = run.registry_id
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
    let repositories = row.number("repositories")?;
    let repeated = row.get("repeated")?;
    let (beside, silent) = (row.get("beside")?, row.get("silent")?);
    let looked_at = began(commit.age, row.get("started_at")?, millis(now));
    Ok(match row.get::<Option<i64>>("repository_no")? {
        Some(number) => Before {
            registry,
            repositories,
            number,
            known: true,
            tags: row.number("tags")?,
            settled: row.get("settled")?,
            entry: row.get("entry_no")?,
            seen_at: row.get("seen_at")?,
            looked_at,
            repeated,
            beside,
            silent,
        },
        None => Before {
            registry,
            repositories,
            number: row.get("next_no")?,
            known: false,
            tags: 0,
            settled: false,
            entry: 0,
            seen_at: None,
            looked_at,
            repeated,
            beside,
            silent,
        },
    })
}

/// When a look began: so long ago, but not before its run did, and not in the future. All in milliseconds.
fn began(age: Duration, run: Option<i64>, now: i64) -> i64 {
    let began = now.saturating_sub(integer(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    began.max(run.unwrap_or(began)).min(now)
}

/// Refuses a further repository if the registry has the most that one may have. Those that have vanished count: their ledgers stay.
fn check_room(repositories: u64, bound: u64) -> Result<(), StoreError> {
    if repositories < bound {
        return Ok(());
    }
    let why = format!("the registry has {bound} repositories, the most that one may have");
    Err(StoreError::Refused { what: WHAT, why })
}

/// Writes the entry that the ledger's lines belong to, with the next number of the change feed.
async fn write_entry(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    before: &Before,
    now: Timestamp,
) -> Result<(), StoreError> {
    const WRITE_ENTRY: &str = "UPDATE tenant SET feed_no = feed_no + 1 WHERE tenant_id = ?1;
         INSERT INTO ledger_entry (tenant_id, repository_no, entry_no, run_id, noticed_at, not_before, feed_no, learnt, sensor_id, seen_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, tenant.feed_no, run.\"trigger\", ?7, ?9 FROM tenant CROSS JOIN run
         WHERE tenant.tenant_id = ?1 AND run.tenant_id = ?1 AND run.run_id = ?4;
         INSERT OR REPLACE INTO registry_feed (tenant_id, registry_id, feed_no) SELECT ?1, ?8, feed_no FROM tenant WHERE tenant_id = ?1";
    sqlx::query(WRITE_ENTRY)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(before.number)
        .bind(before.entry + 1)
        .bind(fence.attempt.run.as_bytes().as_slice())
        .bind(millis(now))
        .bind(before.seen_at)
        .bind(fence.sensor.as_bytes().as_slice())
        .bind(before.registry.as_bytes().as_slice())
        .bind(before.looked_at)
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
             SELECT 1 FROM jsonb_each(?3) WHERE NOT EXISTS (
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
    let now = millis(now);
    // In part: what the rest hashes to is not known.
    let state_hash = commit.only.is_none().then_some(commit.state_hash.0.as_slice());
    let seen_at = match before.seen_at {
        // The listing did not reach every tag: of those it did not, the older time is true.
        Some(before) if commit.outcome == RepositoryOutcome::Truncated => before,
        Some(_) | None => before.looked_at,
    };
    let whole = commit.outcome != RepositoryOutcome::Truncated && commit.only.is_none();
    let listed = commit.outcome == RepositoryOutcome::Listed && commit.only.is_none();
    let success = listed.then_some(now);
    let sql = if before.known {
        "UPDATE repository SET tags = ?5, state_hash = ?6, settled = ?7, entry_no = ?8, outcome = ?9, tags_seen_at = ?10,
                last_attempt_at = ?11, last_success_at = coalesce(?12, last_success_at), vanished_at = NULL,
                met_in_part = ?13, known_from = coalesce(known_from, ?14)
         WHERE tenant_id = ?1 AND repository_no = ?2 AND registry_id = ?3 AND name = ?4"
    } else {
        "INSERT INTO repository (tenant_id, repository_no, registry_id, name, tags, state_hash, settled, entry_no, outcome,
                                 tags_seen_at, last_attempt_at, last_success_at, first_seen_at, met_in_part, known_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?11, ?13, ?14);
         UPDATE registry SET repositories = repositories + 1 WHERE tenant_id = ?1 AND registry_id = ?3"
    };
    sqlx::query(sql)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(before.number)
        .bind(before.registry.as_bytes().as_slice())
        .bind(commit.repository.as_str())
        .bind(integer(before.tags_after(difference)))
        .bind(state_hash)
        .bind(settled)
        .bind(before.entry_after(difference))
        .bind(commit.outcome.as_str())
        .bind(seen_at)
        .bind(now)
        .bind(success)
        .bind(before.seen_at.is_none() && !whole)
        .bind(whole.then_some(now))
        .execute(&mut **tx)
        .await
        .during(COMMIT)?;
    Ok(())
}

/// A repository of which some tags were looked at. What the whole of it hashes to is not known any more once one of them has changed.
async fn touch_repository(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    before: &Before,
    difference: &Difference<'_>,
    settled: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE repository SET tags = ?3, state_hash = iif(?4, NULL, state_hash), settled = ?5, entry_no = ?6, last_attempt_at = ?7,
                vanished_at = iif(?3 > 0, NULL, vanished_at)
         WHERE tenant_id = ?1 AND repository_no = ?2",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(before.number)
    .bind(integer(before.tags_after(difference)))
    .bind(difference.is_news())
    .bind(settled)
    .bind(before.entry_after(difference))
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during(COMMIT)?;
    Ok(())
}
