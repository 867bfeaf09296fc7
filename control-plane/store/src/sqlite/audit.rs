//! The audit log.

use async_trait::async_trait;
use portolan_shared::model::TenantId;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, Transaction};

use super::SqliteStore;
use super::columns::{Columns, millis};
use super::failure::During as _;
use super::{keyset, rows};
use crate::{Audit, AuditEntry, AuditRecord, AuditSeverity, Page, PageRequest, StoreError};

const SEVERITIES: [(&str, AuditSeverity); 3] = [
    ("info", AuditSeverity::Info),
    ("notice", AuditSeverity::Notice),
    ("high", AuditSeverity::High),
];

const APPEND: &str = "append to the audit log";

/// Carries out a statement that changes something of a tenant, and appends the entry with it; gives whether there was anything to change.
/// What changes nothing writes no entry.
pub(super) async fn with_entry(
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

/// Appends an entry, in the transaction of what it tells of.
pub(super) async fn append(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    entry: &AuditEntry,
) -> Result<u64, StoreError> {
    let severity = SEVERITIES
        .iter()
        .find(|(_, severity)| *severity == entry.severity)
        .map(|(word, _)| *word);
    // Nothing else writes meanwhile, so the numbers have no gaps.
    let row = sqlx::query(
        "INSERT INTO audit (tenant_id, seq, at, actor, action, object, severity, details)
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM audit WHERE tenant_id = ?1), ?2, ?3, ?4, ?5, ?6, ?7)
         RETURNING seq",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(millis(entry.at))
    .bind(&entry.actor)
    .bind(&entry.action)
    .bind(&entry.object)
    .bind(severity)
    .bind(rows::json("audit details", &entry.details)?)
    .fetch_one(&mut **tx)
    .await
    .during(APPEND)?;
    Columns::of("audit", &row).number("seq")
}

#[async_trait]
impl Audit for SqliteStore {
    async fn append_audit(&self, tenant: TenantId, entry: &AuditEntry) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let seq = append(&mut tx, tenant, entry).await?;
        tx.commit().await.during(APPEND)?;
        Ok(seq)
    }

    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<AuditRecord>, StoreError> {
        let before = keyset::after::<i64>(page)?.unwrap_or(i64::MAX);
        let rows =
            sqlx::query("SELECT * FROM audit WHERE tenant_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3")
                .bind(tenant.as_bytes().as_slice())
                .bind(before)
                .bind(keyset::rows_wanted(page))
                .fetch_all(self.reader())
                .await
                .during("read the audit log")?;
        let records = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        keyset::page(page, records, |last| last.seq)
    }
}

fn read(row: &SqliteRow) -> Result<AuditRecord, StoreError> {
    let row = Columns::of("audit", row);
    let word: &str = row.get("severity")?;
    let (_, severity) = SEVERITIES
        .into_iter()
        .find(|(known, _)| *known == word)
        .ok_or_else(|| row.corrupt("severity"))?;
    Ok(AuditRecord {
        seq: row.number("seq")?,
        entry: AuditEntry {
            at: row.time("at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            object: row.get("object")?,
            severity,
            details: row.json("details")?,
        },
    })
}
