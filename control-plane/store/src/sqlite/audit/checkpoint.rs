//! Signed heads.

use portolan_shared::audit::{AuditHash, AuditHead, ChainOwner, Checkpoint, SignedCheckpoint};
use portolan_shared::model::TenantId;
use sqlx::sqlite::SqliteRow;

use super::chain;
use crate::sqlite::columns::{Columns, integer};
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, keyset};
use crate::{KEPT_CHECKPOINTS, Page, PageRequest, StoreError};

/// Logs that have grown since their last checkpoint.
pub(super) async fn due(store: &SqliteStore) -> Result<Vec<(TenantId, AuditHead)>, StoreError> {
    let rows = sqlx::query(
        "SELECT tenant_id, seq, hash FROM audit_head AS head WHERE NOT EXISTS (
             SELECT 1 FROM audit_checkpoint AS known WHERE known.tenant_id = head.tenant_id AND known.seq >= head.seq)",
    )
    .fetch_all(store.reader())
    .await
    .during("look at the audit log")?;
    rows.iter()
        .map(|row| {
            let row = Columns::of("audit_head", row);
            Ok((row.bytes("tenant_id", TenantId::from_slice)?, chain::head(&row)?))
        })
        .collect()
}

/// Keeps one, and the newest before it.
pub(super) async fn add(
    store: &SqliteStore,
    tenant: TenantId,
    signed: &SignedCheckpoint,
) -> Result<(), StoreError> {
    const ACTION: &str = "keep a checkpoint of the audit log";
    let checkpoint = &signed.checkpoint;
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT INTO audit_checkpoint (tenant_id, seq, hash, at, signature, public_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tenant_id, seq) DO NOTHING",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(integer(checkpoint.seq))
    .bind(checkpoint.hash.0.as_slice())
    .bind(checkpoint.at_ms)
    .bind(signed.signature.as_slice())
    .bind(signed.key.as_slice())
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    sqlx::query(
        "DELETE FROM audit_checkpoint WHERE tenant_id = ?1 AND seq <= (
             SELECT seq FROM audit_checkpoint WHERE tenant_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(integer(KEPT_CHECKPOINTS))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)
}

/// Those of a tenant, newest first.
pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<SignedCheckpoint>, StoreError> {
    let before = keyset::after::<i64>(page)?.unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "SELECT * FROM audit_checkpoint WHERE tenant_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(before)
    .bind(keyset::rows_wanted(page))
    .fetch_all(store.reader())
    .await
    .during("read the checkpoints of the audit log")?;
    let checkpoints = rows
        .iter()
        .map(|row| read(tenant, row))
        .collect::<Result<Vec<_>, _>>()?;
    keyset::page(page, checkpoints, |last| last.checkpoint.seq)
}

fn read(tenant: TenantId, row: &SqliteRow) -> Result<SignedCheckpoint, StoreError> {
    let row = Columns::of("audit_checkpoint", row);
    Ok(SignedCheckpoint {
        checkpoint: Checkpoint {
            owner: ChainOwner::Tenant(tenant),
            seq: row.number("seq")?,
            hash: AuditHash(row.array("hash")?),
            at_ms: row.get("at")?,
        },
        signature: row.get("signature")?,
        key: row.get("public_key")?,
    })
}
