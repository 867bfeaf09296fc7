//! What a commit adds to the account of its run.

use portolan_shared::model::{Finding, limits};
use sqlx::{Sqlite, Transaction};

use super::super::columns::integer;
use super::super::failure::During as _;
use super::super::run::{bind_fence, fenced, stale};
use crate::{Fence, RepositoryCommit, RepositoryCommitted, StoreError};

const COMMIT: &str = "commit a repository";

/// Counts a commit.
pub(super) async fn count(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    commit: &RepositoryCommit,
    counts: RepositoryCommitted,
) -> Result<(), StoreError> {
    let finding = commit.finding.as_ref();
    let detail = match detail(finding) {
        Some(detail) if room_for_details(tx, fence, 1).await? > 0 => Some(detail),
        Some(_) | None => None,
    };
    let query = sqlx::query(concat!(
        "INSERT INTO run_repository (tenant_id, run_id, repository, outcome, state_hash, tags, finding_code, finding_seen,
                                     finding_detail, left_out)
         VALUES (?1, ?2, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT DO UPDATE SET outcome = excluded.outcome, state_hash = excluded.state_hash, tags = excluded.tags,
                                   finding_code = excluded.finding_code, finding_seen = excluded.finding_seen,
                                   finding_detail = excluded.finding_detail, left_out = excluded.left_out;
         UPDATE run SET commits = commits + 1, attempt_fruitful = 1, fruitless_attempts = 0,
                        tags_appeared = tags_appeared + ?14, tags_moved = tags_moved + ?15,
                        tags_vanished = tags_vanished + ?16, tags_left_out = tags_left_out + ?17
         WHERE ",
        fenced!()
    ));
    let counted = bind_fence(query, fence)
        .bind(commit.repository.as_str())
        .bind(commit.outcome.as_str())
        .bind(commit.state_hash.0.as_slice())
        .bind(integer(commit.tags.len() as u64))
        .bind(finding.map(|finding| finding.code.as_str()))
        .bind(finding.map(|finding| finding.seen.as_str()))
        .bind(detail)
        .bind(integer(commit.left_out.len() as u64))
        .bind(i64::from(counts.appeared))
        .bind(i64::from(counts.moved))
        .bind(i64::from(counts.vanished))
        .bind(i64::from(counts.left_out))
        .execute(&mut **tx)
        .await
        .during(COMMIT)?;
    // The line of the account is always written; the run only if the fence holds.
    if counted.rows_affected() < 2 {
        return Err(stale(tx, fence).await?);
    }
    Ok(())
}

/// Takes room for the further lines of so many findings, as far as the run has any left; gives how many of them may keep theirs. A finding
/// that is reported again takes room again.
pub(super) async fn room_for_details(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    wanted: u32,
) -> Result<u32, StoreError> {
    const ACTION: &str = "keep the details of findings";
    if wanted == 0 {
        return Ok(0);
    }
    let taken: i64 = sqlx::query_scalar("SELECT details FROM run WHERE tenant_id = ?1 AND run_id = ?2")
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(fence.attempt.run.as_bytes().as_slice())
        .fetch_one(&mut **tx)
        .await
        .during(ACTION)?;
    let left = limits::DETAILS_PER_RUN.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
    let given = wanted.min(left);
    if given > 0 {
        sqlx::query("UPDATE run SET details = details + ?3 WHERE tenant_id = ?1 AND run_id = ?2")
            .bind(fence.tenant.as_bytes().as_slice())
            .bind(fence.attempt.run.as_bytes().as_slice())
            .bind(given)
            .execute(&mut **tx)
            .await
            .during(ACTION)?;
    }
    Ok(given)
}

/// The further lines of a finding, if it has any.
pub(super) fn detail(finding: Option<&Finding>) -> Option<&str> {
    finding.and_then(|finding| finding.detail.as_deref())
}
