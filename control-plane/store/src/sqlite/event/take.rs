//! Events that a run takes over.

use jiff::Timestamp;
use portolan_shared::model::{RepositoryName, RunId, RunTrigger, Scope, TagReference, limits};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, rows};
use super::due::{free, part_is_free, whole_is_free};
use super::told;
use super::waiting::{WHOLE, Waiting};
use crate::{DueEvents, NewRun, QueueOutcome, StoreError};

const TAKE: &str = "take events over";
/// Who asks for the run.
const REQUESTED_BY: &str = "push events";

pub(super) async fn take(
    store: &SqliteStore,
    due: &DueEvents,
    id: RunId,
    now: Timestamp,
) -> Result<Option<QueueOutcome>, StoreError> {
    let mut tx = store.write().await?;
    let found = due_rows(&mut tx, due, now).await?;
    let Some((taken, scope)) = share(&found)? else {
        return Ok(None);
    };
    let new = NewRun {
        id,
        tenant: due.tenant,
        registry: due.registry,
        trigger: RunTrigger::Event,
        scope,
        requested_by: REQUESTED_BY.to_owned(),
        now,
    };
    let outcome = told::queue(&mut tx, &new).await?;
    take_over(&mut tx, due, &taken, now).await?;
    forget_many(&mut tx, due).await?;
    tx.commit().await.during(TAKE)?;
    Ok(Some(outcome))
}

pub(super) async fn put_off(
    store: &SqliteStore,
    due: &DueEvents,
    until: Timestamp,
) -> Result<(), StoreError> {
    const ACTION: &str = "put events off";
    let mut tx = store.write().await?;
    sqlx::query(
        "UPDATE event_pending SET due_at = ?3 WHERE tenant_id = ?1 AND registry_id = ?2 AND due_at IS NOT NULL AND due_at < ?3",
    )
    .bind(due.tenant.as_bytes().as_slice())
    .bind(due.registry.as_bytes().as_slice())
    .bind(millis(until))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)
}

/// What is due, the most overdue first, but for a look at the whole registry, which goes before all.
async fn due_rows(
    tx: &mut Transaction<'static, Sqlite>,
    due: &DueEvents,
    now: Timestamp,
) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(concat!(
        "SELECT event_pending.* FROM event_pending CROSS JOIN registry USING (tenant_id, registry_id)
         WHERE event_pending.tenant_id = ?1 AND event_pending.registry_id = ?2 AND event_pending.due_at <= ?3 AND ",
        free!(),
        " ORDER BY event_pending.repository = '' DESC, event_pending.due_at, event_pending.repository LIMIT ?4"
    ))
    .bind(due.tenant.as_bytes().as_slice())
    .bind(due.registry.as_bytes().as_slice())
    .bind(millis(now))
    .bind(integer((limits::RUN_SCOPE_REPOSITORIES + limits::RUN_SCOPE_REFERENCES) as u64))
    .fetch_all(&mut **tx)
    .await
    .during(TAKE)
}

/// As many of the rows, from the first on, as one run may be narrowed to: their names, and what it reads. None if there are no rows.
fn share(rows: &[SqliteRow]) -> Result<Option<(Vec<String>, Scope)>, StoreError> {
    let mut taken: Vec<String> = Vec::new();
    let mut scope = Scope::default();
    for row in rows {
        let row = Columns::of("event_pending", row);
        let name: String = row.get("repository")?;
        if name == WHOLE {
            return Ok(Some((vec![name], Scope::default())));
        }
        let repository: RepositoryName = row.text("repository")?;
        match Waiting::of(&row)?.tags {
            None if scope.repositories.len() < limits::RUN_SCOPE_REPOSITORIES => {
                scope.repositories.push(repository);
            }
            Some(tags) if scope.references.len() + tags.len() <= limits::RUN_SCOPE_REFERENCES => {
                let references = tags.into_iter().map(|tag| TagReference {
                    repository: repository.clone(),
                    tag,
                });
                scope.references.extend(references);
            }
            None | Some(_) => break,
        }
        taken.push(name);
    }
    Ok((!taken.is_empty()).then_some((taken, scope)))
}

async fn take_over(
    tx: &mut Transaction<'static, Sqlite>,
    due: &DueEvents,
    taken: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE event_pending SET tags = '[]', first_at = NULL, events = 0, due_at = NULL, taken_at = ?4
         WHERE tenant_id = ?1 AND registry_id = ?2 AND repository IN (SELECT value FROM json_each(?3))",
    )
    .bind(due.tenant.as_bytes().as_slice())
    .bind(due.registry.as_bytes().as_slice())
    .bind(rows::array(taken)?)
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during(TAKE)?;
    Ok(())
}

/// Of repositories that were looked at, as many are kept as may wait: of whoever names very many, the latest.
async fn forget_many(tx: &mut Transaction<'static, Sqlite>, due: &DueEvents) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM event_pending WHERE tenant_id = ?1 AND registry_id = ?2 AND due_at IS NULL AND repository <> ''
            AND taken_at < (SELECT taken_at FROM event_pending WHERE tenant_id = ?1 AND registry_id = ?2 AND due_at IS NULL
                             ORDER BY taken_at DESC LIMIT 1 OFFSET ?3)",
    )
    .bind(due.tenant.as_bytes().as_slice())
    .bind(due.registry.as_bytes().as_slice())
    .bind(integer(limits::EVENT_REPOSITORIES as u64))
    .execute(&mut **tx)
    .await
    .during(TAKE)?;
    Ok(())
}
