//! What could not be committed, and why.

use jiff::Timestamp;
use portolan_shared::model::{CoverageEntry, RegistryId, RepositoryOutcome, limits};
use sqlx::{Sqlite, Transaction};

use super::super::SqliteStore;
use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use super::super::rows;
use super::super::run::leased;
use super::account;
use super::offer::within;
use crate::{Fence, StoreError};

const ACTION: &str = "note coverage";

/// An entry changes the repository's last attempt and outcome, if the repository is known and was not left out; of a run beside others, the last
/// attempt alone. It never makes one.
pub(super) async fn report(
    store: &SqliteStore,
    fence: &Fence,
    entries: &[CoverageEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    within(
        "report of coverage",
        entries.len(),
        limits::COVERAGE_ENTRIES_PER_PAGE,
    )?;
    if let Some(entry) = entries.iter().find(|entry| entry.outcome.is_complete()) {
        return Err(StoreError::Refused {
            what: "report of coverage",
            why: format!(
                "{} is said to be {}, which only a commit can make it",
                entry.repository, entry.outcome
            ),
        });
    }
    let mut tx = store.write().await?;
    let registry = leased(&mut tx, fence).await?;
    let left_out = |entry: &&CoverageEntry| entry.outcome == RepositoryOutcome::Filtered;
    let filtered: Vec<&str> = entries
        .iter()
        .filter(left_out)
        .map(|entry| entry.repository.as_str())
        .collect();
    if !filtered.is_empty() {
        name_left_out(&mut tx, fence, &rows::array(filtered)?).await?;
    }
    let in_scope: Vec<&CoverageEntry> = entries.iter().filter(|entry| !left_out(entry)).collect();
    if !in_scope.is_empty() {
        note(&mut tx, store, fence, (registry, &in_scope), now).await?;
    }
    tx.commit().await.during(ACTION)
}

/// Keeps the first of those that the patterns leave out.
async fn name_left_out(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    names: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO run_repository (tenant_id, run_id, repository, outcome)
         SELECT ?1, ?2, value, 'filtered' FROM json_each(?3)
         WHERE NOT EXISTS (SELECT 1 FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2 AND repository = value
                              AND (outcome = 'filtered' OR state_hash IS NOT NULL))
         GROUP BY value ORDER BY min(key)
         LIMIT max(0, ?4 - (SELECT count(*) FROM run_repository INDEXED BY run_repository_filtered
                             WHERE tenant_id = ?1 AND run_id = ?2 AND outcome = 'filtered'))
         ON CONFLICT DO UPDATE SET outcome = excluded.outcome, finding_code = NULL, finding_seen = NULL,
                                   finding_detail = NULL",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(names)
    .bind(integer(limits::FILTERED_NAMED as u64))
    .execute(&mut **tx)
    .await
    .during(ACTION)
    .map(drop)
}

/// Notes what came of repositories in scope.
async fn note(
    tx: &mut Transaction<'static, Sqlite>,
    store: &SqliteStore,
    fence: &Fence,
    (registry, entries): (RegistryId, &[&CoverageEntry]),
    now: Timestamp,
) -> Result<(), StoreError> {
    let with_detail = entries
        .iter()
        .filter(|entry| account::detail(entry.finding.as_ref()).is_some());
    let with_detail = u32::try_from(with_detail.count()).unwrap_or(u32::MAX);
    let mut room = account::room_for_details(tx, fence, with_detail).await?;
    let reported = rows::array(entries.iter().map(|entry| {
        let finding = entry.finding.as_ref();
        let detail = account::detail(finding).filter(|_| room > 0);
        room -= u32::from(detail.is_some());
        (
            entry.repository.as_str(),
            entry.outcome.as_str(),
            finding.map(|finding| finding.code.as_str()),
            finding.map(|finding| finding.seen.as_str()),
            detail,
        )
    }))?;
    count_new(tx, store, fence, &reported).await?;
    sqlx::query(
        "INSERT INTO run_repository (tenant_id, run_id, repository, outcome, finding_code, finding_seen, finding_detail)
         SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?3) WHERE true
         ON CONFLICT DO UPDATE SET outcome = excluded.outcome, finding_code = excluded.finding_code,
                                   finding_seen = excluded.finding_seen, finding_detail = excluded.finding_detail",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(&reported)
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    sqlx::query(
        // A look at some tags says nothing of the whole: what came of that stays.
        "UPDATE repository SET outcome = iif(report.beside, repository.outcome, report.outcome), last_attempt_at = ?4
         FROM (SELECT known.repository_no, offer.value ->> 1 AS outcome, run.beside
               FROM run CROSS JOIN json_each(?3) AS offer CROSS JOIN repository AS known
               WHERE run.tenant_id = ?1 AND run.run_id = ?5 AND known.tenant_id = ?1 AND known.registry_id = ?2 AND known.name = offer.value ->> 0 LIMIT -1) AS report
         WHERE repository.tenant_id = ?1 AND repository.repository_no = report.repository_no",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(&reported)
    .bind(millis(now))
    .bind(fence.attempt.run.as_bytes().as_slice())
    .execute(&mut **tx)
    .await
    .during(ACTION)
    .map(drop)
}

/// Counts repositories that this run has not met before among those that it reported on, unless they are too many.
async fn count_new(
    tx: &mut Transaction<'static, Sqlite>,
    store: &SqliteStore,
    fence: &Fence,
    reported: &str,
) -> Result<(), StoreError> {
    let bound = store.repositories_per_registry();
    let counted = sqlx::query(
        "UPDATE run SET reported = reported + new.count
         FROM (SELECT count(DISTINCT value ->> 0) AS count FROM json_each(?3)
                WHERE NOT EXISTS (SELECT 1 FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2
                                     AND repository = value ->> 0 AND outcome <> 'filtered')) AS new
         WHERE tenant_id = ?1 AND run_id = ?2 AND reported + new.count <= ?4",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(reported)
    .bind(integer(bound))
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    if counted.rows_affected() > 0 {
        return Ok(());
    }
    Err(StoreError::Refused {
        what: "report of coverage",
        why: format!("the run reported on more than {bound} repositories, the most that a registry may have"),
    })
}
