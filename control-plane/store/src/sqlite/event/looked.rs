//! What came of a look at what events named: what it did not come to is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portolan_shared::model::{
    RegistryId, RepositoryName, RepositoryOutcome, RunId, RunState, Scope, TenantId, limits,
};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::run;
use super::waiting::{self, Tags, WHOLE, Waiting};
use crate::StoreError;

const ACTION: &str = "put events back";
const MINUTE: i64 = 60_000;
/// After how long a repository is looked at again: after the first look in vain, the second, and so on. After the last of them the whole
/// registry is looked at in its place.
const AGAIN: [i64; 3] = [MINUTE, 5 * MINUTE, 30 * MINUTE];
/// After how long the whole registry is looked at again, and at most how often: then its schedule, which reconciles it every day, has come round.
const WHOLE_AGAIN: i64 = 60 * MINUTE;
const WHOLE_TRIES: u32 = 24;

/// A run that has ended.
struct Ended {
    registry: RegistryId,
    scope: Scope,
    queued_at: i64,
    last_attempt_at: i64,
}

/// What comes of a repository that was looked at.
enum Next {
    /// It was read.
    Done,
    /// It is looked at again.
    Again,
    /// Only a look at the whole can say that it is gone.
    IsItGone,
}

/// Puts back, of a run that events asked for and that has ended in this state, what it did not come to. Of any other run, and of a registry that is
/// not read on push any more, nothing is.
pub(in super::super) async fn looked(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
    state: RunState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(ended) = asked_by_events(tx, (tenant, run)).await? else {
        return Ok(());
    };
    let place = (tenant, ended.registry);
    if ended.scope.is_whole() {
        let mut rows = waiting::read(tx, place, std::iter::once(WHOLE)).await?;
        let mut whole = rows.remove(WHOLE).unwrap_or_default();
        let before = whole.tries;
        if state == RunState::Failed && whole.tries < WHOLE_TRIES {
            whole.tries += 1;
            whole.put_back(&None, ended.queued_at, millis(now) + WHOLE_AGAIN);
        } else {
            whole.tries = 0;
        }
        if whole.tries == before {
            return Ok(());
        }
        return waiting::write(tx, place, std::iter::once((WHOLE, &whole))).await;
    }
    let outcomes = outcomes(tx, (tenant, run)).await?;
    let wanted = by_repository(ended.scope.clone());
    let mut rows = waiting::read(tx, place, wanted.keys().map(RepositoryName::as_str)).await?;
    let mut whole_wanted = false;
    let mut changed: BTreeMap<&str, Waiting> = BTreeMap::new();
    for (repository, tags) in &wanted {
        let mut row = rows.remove(repository.as_str()).unwrap_or_default();
        let outcome = outcomes.get(repository).copied();
        let before = row.tries;
        let next = match state {
            RunState::Complete => Next::Done,
            _ => next(outcome),
        };
        match next {
            Next::Done => row.tries = 0,
            Next::IsItGone => {
                row.tries = 0;
                whole_wanted |= is_there(tx, place, repository).await?;
            }
            Next::Again => match AGAIN.get(row.tries as usize) {
                Some(pause) => {
                    row.tries += 1;
                    row.put_back(tags, ended.queued_at, millis(now) + pause);
                }
                None => {
                    row.tries = 0;
                    // What the registry or the policy refuses, and what can be read in part, a look at the whole would find no other.
                    whole_wanted |= matches!(outcome, None | Some(RepositoryOutcome::Failed));
                }
            },
        }
        // Of a repository that was read at once nothing is written.
        if row.tries != before {
            changed.insert(repository.as_str(), row);
        }
    }
    let again = changed.values().filter(|row| row.tries > 0).count() as u64;
    if again > 0 && waiting::count(tx, place).await? + again > limits::EVENT_REPOSITORIES as u64 {
        changed.retain(|_, row| row.tries == 0);
        whole_wanted = true;
    }
    if whole_wanted {
        let mut stored = waiting::read(tx, place, std::iter::once(WHOLE)).await?;
        let mut whole = stored.remove(WHOLE).unwrap_or_default();
        // Soon, and yet not again and again for a registry in which something goes every minute.
        let soon =
            (ended.last_attempt_at + WHOLE_AGAIN).clamp(millis(now) + MINUTE, millis(now) + WHOLE_AGAIN);
        whole.put_back(&None, ended.queued_at, soon);
        // It waits after a look that has not come to it: events that are lost meanwhile do not wait for as long.
        whole.tries = whole.tries.max(1);
        changed.insert(WHOLE, whole);
    }
    if changed.is_empty() {
        return Ok(());
    }
    waiting::write(tx, place, changed.iter().map(|(name, row)| (*name, row))).await
}

/// The run, if events asked for it, or for the same; and its registry is still read on push.
async fn asked_by_events(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
) -> Result<Option<Ended>, StoreError> {
    let row = sqlx::query(
        "SELECT run.registry_id, run.scope, run.queued_at, coalesce(registry.last_attempt_at, 0) AS last_attempt_at
         FROM run JOIN registry USING (tenant_id, registry_id)
         WHERE run.tenant_id = ?1 AND run.run_id = ?2 AND registry.events_since IS NOT NULL
           AND (run.beside = 1 OR (run.scope = '[]' AND EXISTS
                  (SELECT 1 FROM json_each(run.reasons) WHERE value ->> 'trigger' = 'event')))",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during(ACTION)?;
    row.map(|row| {
        let row = Columns::of("run", &row);
        Ok(Ended {
            registry: row.bytes("registry_id", RegistryId::from_slice)?,
            scope: run::scope(&row)?,
            queued_at: row.get("queued_at")?,
            last_attempt_at: row.get("last_attempt_at")?,
        })
    })
    .transpose()
}

/// What came of each repository that the run came to.
async fn outcomes(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, run): (TenantId, RunId),
) -> Result<BTreeMap<RepositoryName, RepositoryOutcome>, StoreError> {
    let rows = sqlx::query(
        "SELECT repository, outcome FROM run_repository WHERE tenant_id = ?1 AND run_id = ?2 LIMIT ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(integer(
        (limits::RUN_SCOPE_REPOSITORIES + limits::RUN_SCOPE_REFERENCES) as u64,
    ))
    .fetch_all(&mut **tx)
    .await
    .during(ACTION)?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("run_repository", row);
            Ok((row.text("repository")?, row.text("outcome")?))
        })
        .collect()
}

fn by_repository(scope: Scope) -> BTreeMap<RepositoryName, Tags> {
    let mut wanted: BTreeMap<RepositoryName, Tags> = BTreeMap::new();
    for reference in scope.references {
        let tags = wanted.entry(reference.repository);
        if let Some(tags) = tags.or_insert_with(|| Some(BTreeSet::new())) {
            tags.insert(reference.tag);
        }
    }
    wanted.extend(
        scope
            .repositories
            .into_iter()
            .map(|repository| (repository, None)),
    );
    wanted
}

fn next(outcome: Option<RepositoryOutcome>) -> Next {
    match outcome {
        Some(
            RepositoryOutcome::Listed
            | RepositoryOutcome::Unchanged
            // The registry's patterns do not want it any more.
            | RepositoryOutcome::Filtered,
        ) => Next::Done,
        Some(RepositoryOutcome::Missing) => Next::IsItGone,
        None
        | Some(
            RepositoryOutcome::Incomplete
            | RepositoryOutcome::Truncated
            | RepositoryOutcome::Denied
            | RepositoryOutcome::Failed
            | RepositoryOutcome::Refused,
        ) => Next::Again,
    }
}

/// Whether a repository is known, and not known to be gone.
async fn is_there(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    repository: &RepositoryName,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM repository INDEXED BY repository_name
                         WHERE tenant_id = ?1 AND registry_id = ?2 AND name = ?3 AND vanished_at IS NULL AND tags > 0)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(repository.as_str())
    .fetch_one(&mut **tx)
    .await
    .during(ACTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_tag_by_tag_is_put_back_tag_by_tag() {
        let scope = Scope::of_lines(&["b", "a:1", "a:2"]).unwrap();
        let wanted: Vec<_> = by_repository(scope)
            .into_iter()
            .map(|(name, tags)| (name.to_string(), tags.map(|tags| tags.len())))
            .collect();
        assert_eq!(wanted, [("a".to_owned(), Some(2)), ("b".to_owned(), None)]);
    }
}
