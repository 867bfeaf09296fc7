//! What is wanted of what a sensor offers.

use jiff::Timestamp;
use portolan_shared::model::{Digest, RepositoryName, limits};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::super::run::{bind_fence, fenced, leased, stale};
use super::beside;
use crate::{ContentKind, Fence, OfferedRepository, StoreError};

pub(super) async fn check_fence(store: &SqliteStore, fence: &Fence) -> Result<(), StoreError> {
    let mut tx = store.read().await?;
    leased(&mut tx, fence).await.map(drop)
}

pub(super) async fn pending(
    store: &SqliteStore,
    fence: &Fence,
    repositories: &[RepositoryName],
) -> Result<Vec<bool>, StoreError> {
    let names = rows::array(repositories.iter().map(RepositoryName::as_str))?;
    let mut tx = store.read().await?;
    leased(&mut tx, fence).await?;
    let committed = sqlx::query(
        "SELECT json_each.key AS place FROM json_each(?3) CROSS JOIN run_repository
         WHERE run_repository.tenant_id = ?1 AND run_repository.run_id = ?2
           AND run_repository.repository = json_each.value AND run_repository.state_hash IS NOT NULL",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(names)
    .fetch_all(&mut *tx)
    .await
    .during("find what a run has yet to commit")?;
    all_but("run_repository", repositories.len(), &committed)
}

pub(super) async fn repositories(
    store: &SqliteStore,
    fence: &Fence,
    offered: &[OfferedRepository],
    now: Timestamp,
) -> Result<Vec<bool>, StoreError> {
    const ACTION: &str = "compare repositories";
    within(
        "offer of repositories",
        offered.len(),
        limits::REPOSITORIES_PER_OFFER,
    )?;
    let sets = rows::array(offered.iter().map(|offer| {
        let age = u64::try_from(offer.age.as_millis()).unwrap_or(u64::MAX);
        (offer.repository.as_str(), hex(&offer.state_hash.0), integer(age))
    }))?;
    let mut tx = store.write().await?;
    let registry = leased(&mut tx, fence).await?;
    let same = sqlx::query(
        "UPDATE repository SET outcome = 'unchanged', last_attempt_at = ?4, last_success_at = ?4,
                tags_seen_at = min(?4, max(?4 - same.age, coalesce(same.started_at, 0)))
         FROM (SELECT known.repository_no, offer.value ->> 2 AS age, run.started_at
               FROM run CROSS JOIN json_each(?3) AS offer CROSS JOIN repository AS known
               WHERE run.tenant_id = ?1 AND run.run_id = ?5
                 AND known.tenant_id = ?1 AND known.registry_id = ?2 AND known.name = offer.value ->> 0
                 AND known.state_hash = unhex(offer.value ->> 1) AND known.settled = 1 LIMIT -1) AS same
         WHERE repository.tenant_id = ?1 AND repository.repository_no = same.repository_no
         RETURNING repository.name",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(&sets)
    .bind(millis(now))
    .bind(fence.attempt.run.as_bytes().as_slice())
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    if same.is_empty() {
        return Ok(vec![true; offered.len()]);
    }
    let same = same
        .iter()
        .map(|row| Columns::of("repository", row).get::<&str>("name"))
        .collect::<Result<std::collections::BTreeSet<_>, _>>()?;
    let unchanged = rows::array(
        offered
            .iter()
            .filter(|offer| same.contains(offer.repository.as_str()))
            .map(|offer| (offer.repository.as_str(), hex(&offer.state_hash.0), offer.tags)),
    )?;
    // What this run committed before keeps its outcome.
    let committed = sqlx::query(
        "INSERT INTO run_repository (tenant_id, run_id, repository, outcome, state_hash, tags)
         SELECT ?1, ?2, value ->> 0, 'unchanged', unhex(value ->> 1), value ->> 2 FROM json_each(?3) WHERE true
         ON CONFLICT DO UPDATE SET outcome = excluded.outcome, state_hash = excluded.state_hash, tags = excluded.tags,
                                   finding_code = NULL, finding_seen = NULL
             WHERE run_repository.state_hash IS NOT excluded.state_hash",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.attempt.run.as_bytes().as_slice())
    .bind(unchanged)
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    if committed.rows_affected() > 0 {
        let query = sqlx::query(concat!(
            "UPDATE run SET commits = commits + 1, attempt_fruitful = 1, fruitless_attempts = 0 WHERE ",
            fenced!()
        ));
        let counted = bind_fence(query, fence).execute(&mut *tx).await.during(ACTION)?;
        if counted.rows_affected() == 0 {
            return Err(stale(&mut tx, fence).await?);
        }
    }
    let seen: Vec<&RepositoryName> = offered
        .iter()
        .map(|offer| &offer.repository)
        .filter(|repository| same.contains(repository.as_str()))
        .collect();
    beside::saw(&mut tx, fence, &seen, now).await?;
    let changed = offered
        .iter()
        .map(|offer| !same.contains(offer.repository.as_str()))
        .collect();
    tx.commit().await.during(ACTION)?;
    Ok(changed)
}

pub(super) async fn digests(
    store: &SqliteStore,
    fence: &Fence,
    kind: ContentKind,
    digests: &[Digest],
) -> Result<Vec<bool>, StoreError> {
    within("offer of digests", digests.len(), limits::DIGESTS_PER_OFFER)?;
    let offered = rows::array(digests.iter().map(|digest| hex(&digest.to_bytes())))?;
    let (table, sql) = match kind {
        ContentKind::Manifest => (
            "manifest",
            "SELECT json_each.key AS place FROM json_each(?2) CROSS JOIN manifest
             WHERE manifest.tenant_id = ?1 AND manifest.digest = unhex(json_each.value)
               AND manifest.unavailable IS NULL AND manifest.incomplete = 0",
        ),
        ContentKind::ImageFacts => (
            "image_facts",
            "SELECT json_each.key AS place FROM json_each(?2) CROSS JOIN image_facts
             WHERE image_facts.tenant_id = ?1 AND image_facts.digest = unhex(json_each.value)
               AND image_facts.unavailable IS NULL",
        ),
    };
    let mut tx = store.read().await?;
    leased(&mut tx, fence).await?;
    let held = sqlx::query(sql)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(offered)
        .fetch_all(&mut *tx)
        .await
        .during("compare digests")?;
    all_but(table, digests.len(), &held)
}

/// Refuses more than `bound` items.
pub(super) fn within(what: &'static str, count: usize, bound: usize) -> Result<(), StoreError> {
    if count <= bound {
        return Ok(());
    }
    Err(StoreError::Refused {
        what,
        why: format!("{count} items, more than the bound of {bound}"),
    })
}

/// `true` for each of `count` places, but `false` for those in the rows.
fn all_but(table: &'static str, count: usize, rows: &[SqliteRow]) -> Result<Vec<bool>, StoreError> {
    let mut wanted = vec![true; count];
    for row in rows {
        let row = Columns::of(table, row);
        let place = usize::try_from(row.number("place")?).map_err(|_| row.corrupt("place"))?;
        if let Some(place) = wanted.get_mut(place) {
            *place = false;
        }
    }
    Ok(wanted)
}
