//! What came of the last attempts.

use portolan_shared::model::{TenantId, WebhookId, limits};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, audit, keyset};
use crate::{AuditEntry, Page, PageRequest, StoreError, WebhookAttempt};

const KEEP: &str = "keep what came of a delivery";

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    id: WebhookId,
    page: &PageRequest,
) -> Result<Page<WebhookAttempt>, StoreError> {
    let before = keyset::after::<i64>(page)?.unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "SELECT * FROM webhook_delivery WHERE tenant_id = ?1 AND webhook_id = ?2 AND delivery_no < ?3
         ORDER BY delivery_no DESC LIMIT ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(before)
    .bind(keyset::rows_wanted(page))
    .fetch_all(store.reader())
    .await
    .during("list deliveries")?;
    let numbered = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let Page { items, next } = keyset::page(page, numbered, |(number, _)| *number)?;
    Ok(Page {
        items: items.into_iter().map(|(_, delivery)| delivery).collect(),
        next,
    })
}

fn read(row: &SqliteRow) -> Result<(i64, WebhookAttempt), StoreError> {
    let row = Columns::of("webhook_delivery", row);
    let delivery = WebhookAttempt {
        message: row.get("message")?,
        at: row.time("at")?,
        attempt: row.small("attempt")?,
        changes: row.small("changes")?,
        status: row.get("status")?,
        failure: row.get("failure")?,
        detail: row.get("detail")?,
        took_ms: row.number("took_ms")?,
        test: row.get("test")?,
    };
    Ok((row.get("delivery_no")?, delivery))
}

pub(super) async fn note_test(
    store: &SqliteStore,
    tenant: TenantId,
    id: WebhookId,
    delivery: &WebhookAttempt,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    keep(&mut tx, tenant, id, delivery).await?;
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(KEEP)
}

/// Keeps one more, and drops the oldest beyond [`limits::KEPT_DELIVERIES`]. If the webhook was removed meanwhile, nothing is kept.
pub(super) async fn keep(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    id: WebhookId,
    delivery: &WebhookAttempt,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "UPDATE webhook SET delivery_no = delivery_no + 1 WHERE tenant_id = ?1 AND webhook_id = ?2 RETURNING delivery_no",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during(KEEP)?;
    let Some(row) = row else { return Ok(()) };
    let number: i64 = Columns::of("webhook", &row).get("delivery_no")?;
    sqlx::query(
        "INSERT INTO webhook_delivery (tenant_id, webhook_id, delivery_no, message, at, attempt, changes, status, failure, detail,
                                       took_ms, test)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(number)
    .bind(&delivery.message)
    .bind(millis(delivery.at))
    .bind(delivery.attempt)
    .bind(delivery.changes)
    .bind(delivery.status)
    .bind(&delivery.failure)
    .bind(&delivery.detail)
    .bind(integer(delivery.took_ms))
    .bind(delivery.test)
    .execute(&mut **tx)
    .await
    .during(KEEP)?;
    sqlx::query(
        "DELETE FROM webhook_delivery WHERE tenant_id = ?1 AND webhook_id = ?2 AND delivery_no <= ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(number - i64::from(limits::KEPT_DELIVERIES))
    .execute(&mut **tx)
    .await
    .during(KEEP)?;
    Ok(())
}
