//! Where the chains stand.

use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, ChainRecord, LinkedRecord};
use portolan_shared::model::TenantId;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::append::{APPEND, append};
use crate::sqlite::columns::{Columns, integer};
use crate::sqlite::failure::During as _;
use crate::{AuditEntry, AuditSeverity, StoreError};

/// Rows that are chained at once: bounds the memory, not the number.
const STEP: i64 = 1_000;

/// Where the next row of a log belongs.
pub(super) struct End {
    /// What it continues.
    pub(super) head: AuditHead,
    /// Its number: behind the head and behind every row, so that cutting rows off leaves a gap and adding some does not stop the log.
    pub(super) next: u64,
}

/// The head that is kept of a tenant's log, if it has one.
pub(in crate::sqlite) async fn kept(
    connection: &mut SqliteConnection,
    tenant: TenantId,
) -> Result<Option<AuditHead>, StoreError> {
    let row = sqlx::query("SELECT seq, hash FROM audit_head WHERE tenant_id = ?1")
        .bind(tenant.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .during("read the head of the audit log")?;
    row.map(|row| head(&Columns::of("audit_head", &row))).transpose()
}

pub(super) fn head(row: &Columns<'_>) -> Result<AuditHead, StoreError> {
    Ok(AuditHead {
        seq: row.number("seq")?,
        hash: AuditHash(row.array("hash")?),
    })
}

/// Keeps where a log stands now.
pub(super) async fn keep(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    head: &AuditHead,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_head (tenant_id, seq, hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(integer(head.seq))
    .bind(head.hash.0.as_slice())
    .execute(&mut **tx)
    .await
    .during(APPEND)?;
    Ok(())
}

/// Where the next row belongs.
pub(super) async fn end(tx: &mut Transaction<'static, Sqlite>, tenant: TenantId) -> Result<End, StoreError> {
    let head = kept(tx, tenant)
        .await?
        .unwrap_or_else(|| ChainOwner::Tenant(tenant).genesis());
    let row = sqlx::query("SELECT coalesce(max(seq), 0) AS newest FROM audit WHERE tenant_id = ?1")
        .bind(tenant.as_bytes().as_slice())
        .fetch_one(&mut **tx)
        .await
        .during(APPEND)?;
    let newest: u64 = Columns::of("audit", &row).number("newest")?;
    Ok(End {
        next: newest.max(head.seq) + 1,
        head,
    })
}

/// Chains the rows behind the head that have no hashes.
async fn chain_rows(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    mut head: AuditHead,
) -> Result<AuditHead, StoreError> {
    loop {
        let rows = sqlx::query(
            "SELECT * FROM audit WHERE tenant_id = ?1 AND seq > ?2 AND hash IS NULL ORDER BY seq LIMIT ?3",
        )
        .bind(tenant.as_bytes().as_slice())
        .bind(integer(head.seq))
        .bind(STEP)
        .fetch_all(&mut **tx)
        .await
        .during("chain the audit log")?;
        if rows.is_empty() {
            return Ok(head);
        }
        for row in &rows {
            let linked = record(row)?.linked(&head);
            sqlx::query("UPDATE audit SET prev_hash = ?3, hash = ?4 WHERE tenant_id = ?1 AND seq = ?2")
                .bind(tenant.as_bytes().as_slice())
                .bind(integer(linked.record.seq))
                .bind(linked.prev_hash.0.as_slice())
                .bind(linked.hash.0.as_slice())
                .execute(&mut **tx)
                .await
                .during("chain the audit log")?;
            head = linked.head();
        }
        keep(tx, tenant, &head).await?;
    }
}

/// Set in `user_version` once the logs of releases that knew no chain were brought into one.
const CHAINED: i64 = 1;

/// Brings every log of a release that knew no chain into one, and says so in it. That happens once, with the upgrade: a row without a hash
/// that is found later was written by somebody else, and stays as it is, for the verifier to name.
pub(in crate::sqlite) async fn chain_all(writer: &SqlitePool) -> Result<(), StoreError> {
    const ACTION: &str = "chain the audit log";
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(writer)
        .await
        .during(ACTION)?;
    if version >= CHAINED {
        return Ok(());
    }
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.during(ACTION)?;
    let rows = sqlx::query(
        "SELECT DISTINCT tenant_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now FROM audit
         WHERE tenant_id NOT IN (SELECT tenant_id FROM audit_head)",
    )
    .fetch_all(&mut *tx)
    .await
    .during(ACTION)?;
    for row in &rows {
        let row = Columns::of("audit", row);
        let tenant = row.bytes("tenant_id", TenantId::from_slice)?;
        let head = chain_rows(&mut tx, tenant, ChainOwner::Tenant(tenant).genesis()).await?;
        let entry = AuditEntry {
            at: row.time("now")?,
            actor: "system".to_owned(),
            action: "audit.chained".to_owned(),
            object: format!("tenant:{tenant}"),
            severity: AuditSeverity::Notice,
            details: json!({"rows": head.seq}),
        };
        append(&mut tx, tenant, &entry).await?;
        tracing::info!(%tenant, records = head.seq, "the audit log of a release before this one was chained");
    }
    sqlx::query("PRAGMA user_version = 1")
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    tx.commit().await.during(ACTION)
}

/// What a row says, as far as that can be read at all: what it says wrongly is for the verifier to name.
pub(super) fn record(row: &SqliteRow) -> Result<ChainRecord<String>, StoreError> {
    let row = Columns::of("audit", row);
    Ok(ChainRecord {
        seq: row.number("seq")?,
        at_ms: row.get("at")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        object: row.get("object")?,
        outcome: row.get("severity")?,
        details: row.get("details")?,
    })
}

/// The same with its hashes; all zeros where there is none, which is the hash of nothing.
pub(super) fn linked(row: &SqliteRow) -> Result<LinkedRecord<String>, StoreError> {
    let columns = Columns::of("audit", row);
    let hash = |column| -> Result<AuditHash, StoreError> {
        Ok(columns.opt_array(column)?.map_or(AuditHash([0; 32]), AuditHash))
    };
    Ok(LinkedRecord {
        record: record(row)?,
        prev_hash: hash("prev_hash")?,
        hash: hash("hash")?,
    })
}
