//! Writing the log.

use portolan_shared::audit::{ChainRecord, LinkedRecord};
use portolan_shared::model::TenantId;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use super::chain;
use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows;
use crate::{AuditEntry, StoreError};

pub(super) const APPEND: &str = "append to the audit log";

/// Carries out a statement that changes something of a tenant, and appends the entry with it; gives whether there was anything to change.
/// What changes nothing writes no entry.
pub(in crate::sqlite) async fn with_entry(
    store: &SqliteStore,
    action: &'static str,
    statement: Query<'_, Sqlite, SqliteArguments>,
    tenant: TenantId,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let done = statement.execute(&mut *tx).await.during(action)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(action)?;
    Ok(true)
}

/// Appends an entry, in the transaction of what it tells of. Nothing else writes meanwhile, so the chain has no forks.
pub(in crate::sqlite) async fn append(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    entry: &AuditEntry,
) -> Result<u64, StoreError> {
    let end = chain::end(tx, tenant).await?;
    let details = rows::json("audit details", &entry.details)?;
    let record = ChainRecord {
        seq: end.next,
        at_ms: millis(entry.at),
        actor: entry.actor.as_str(),
        action: entry.action.as_str(),
        object: entry.object.as_str(),
        outcome: entry.severity.as_str(),
        details: details.as_str(),
    };
    insert(tx, tenant, &record.linked(&end.head)).await
}

/// Writes a record that continues the chain, to the byte as it is.
pub(in crate::sqlite) async fn insert<T: AsRef<str>>(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    linked: &LinkedRecord<T>,
) -> Result<u64, StoreError> {
    let record = &linked.record;
    sqlx::query(
        "INSERT INTO audit (tenant_id, seq, at, actor, action, object, severity, details, prev_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(integer(record.seq))
    .bind(record.at_ms)
    .bind(record.actor.as_ref())
    .bind(record.action.as_ref())
    .bind(record.object.as_ref())
    .bind(record.outcome.as_ref())
    .bind(record.details.as_ref())
    .bind(linked.prev_hash.0.as_slice())
    .bind(linked.hash.0.as_slice())
    .execute(&mut **tx)
    .await
    .during(APPEND)?;
    chain::keep(tx, tenant, &linked.head()).await?;
    Ok(record.seq)
}
