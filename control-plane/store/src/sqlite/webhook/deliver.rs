//! Holding a webhook, and what came of it.

use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use super::log;
use crate::{
    AuditEntry, DeliveryOutcome, DueWebhook, FeedPosition, StoreError, WebhookAttempt, WebhookHold,
    WebhookMessage, WhyDisabled,
};

/// A webhook that is as it was when it was looked at, at the place where it was then.
macro_rules! as_it_was {
    ($set:literal, $more:literal) => {
        concat!(
            "UPDATE webhook SET ", $set,
            " WHERE tenant_id = ?1 AND webhook_id = ?2 AND version = ?3 AND state = 'active' AND position_no = ?4
                AND position_tag IS ?5 AND message IS ?6 ", $more
        )
    };
}

fn bound<'q>(
    statement: Query<'q, Sqlite, SqliteArguments>,
    due: &DueWebhook,
) -> Query<'q, Sqlite, SqliteArguments> {
    let record = &due.record;
    statement
        .bind(record.tenant.as_bytes().to_vec())
        .bind(record.id.as_bytes().to_vec())
        .bind(integer(due.version))
        .bind(integer(record.position.entry))
        .bind(tag(&record.position))
        .bind(due.message.as_ref().map(|message| message.id.clone()))
}

fn tag(position: &FeedPosition) -> Option<String> {
    position.tag.as_ref().map(|tag| tag.as_str().to_owned())
}

pub(super) async fn pass(
    store: &SqliteStore,
    due: &DueWebhook,
    to: &FeedPosition,
    now: Timestamp,
) -> Result<(), StoreError> {
    const ACTION: &str = "pass over what a webhook is not told of";
    let mut tx = store.write().await?;
    let statement = sqlx::query(as_it_was!(
        // It has had its turn.
        "position_no = ?7, position_tag = ?8, next_try_at = ?9",
        "AND message IS NULL"
    ));
    bound(statement, due)
        .bind(integer(to.entry))
        .bind(tag(to))
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    tx.commit().await.during(ACTION)
}

pub(super) async fn hold(
    store: &SqliteStore,
    due: &DueWebhook,
    message: &WebhookMessage,
    holder: [u8; 16],
    (now, until): (Timestamp, Timestamp),
) -> Result<Option<WebhookHold>, StoreError> {
    const ACTION: &str = "hold a webhook";
    let record = &due.record;
    let mut tx = store.write().await?;
    let statement = sqlx::query(as_it_was!(
        "held_by = ?7, held_until = ?8, message = ?9, ends_no = ?10, ends_tag = ?11, changes = ?12",
        // A hold that lies too far ahead was written by a clock that was ahead. Whoever has seen it before somebody else's attempt is late.
        "AND attempts = ?13 AND next_try_at = ?14 AND (held_until IS NULL OR held_until <= ?15 OR held_until > ?16)"
    ));
    let held = bound(statement, due)
        .bind(holder.as_slice())
        .bind(millis(until))
        .bind(&message.id)
        .bind(integer(message.ends.entry))
        .bind(tag(&message.ends))
        .bind(message.changes)
        .bind(record.tries.map_or(0, |tries| tries.attempts))
        .bind(millis(record.next_try_at))
        .bind(millis(now))
        .bind(millis(now + super::due::AHEAD))
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    if held.rows_affected() == 0 {
        return Ok(None);
    }
    if due.message.is_none() {
        sqlx::query(
            "INSERT OR REPLACE INTO webhook_message (tenant_id, webhook_id, body) VALUES (?1, ?2, ?3)",
        )
        .bind(record.tenant.as_bytes().as_slice())
        .bind(record.id.as_bytes().as_slice())
        .bind(&message.body)
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    }
    tx.commit().await.during(ACTION)?;
    Ok(Some(WebhookHold {
        tenant: record.tenant,
        webhook: record.id,
        holder,
        version: due.version,
        message: message.id.clone(),
    }))
}

const END: &str = "end a delivery";

pub(super) async fn end(
    store: &SqliteStore,
    hold: &WebhookHold,
    delivery: &WebhookAttempt,
    outcome: &DeliveryOutcome,
    entry: Option<&AuditEntry>,
) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let released = sqlx::query(
        "UPDATE webhook SET held_by = NULL, held_until = NULL, slow = ?4 WHERE tenant_id = ?1 AND webhook_id = ?2 AND held_by = ?3",
    )
    .bind(hold.tenant.as_bytes().as_slice())
    .bind(hold.webhook.as_bytes().as_slice())
    .bind(hold.holder.as_slice())
    .bind(delivery.is_slow())
    .execute(&mut *tx)
    .await
    .during(END)?;
    if released.rows_affected() == 0 {
        return Ok(false);
    }
    let counted = apply(&mut tx, hold, delivery, outcome).await?;
    log::keep(&mut tx, hold.tenant, hold.webhook, delivery).await?;
    if counted
        && matches!(outcome, DeliveryOutcome::Disabled { .. })
        && let Some(entry) = entry
    {
        audit::append(&mut tx, hold.tenant, entry).await?;
    }
    tx.commit().await.during(END)?;
    Ok(counted)
}

/// Applies the outcome as far as the message is still the present one; one that is not good, only if nobody has changed the webhook since.
async fn apply(
    tx: &mut Transaction<'static, Sqlite>,
    hold: &WebhookHold,
    delivery: &WebhookAttempt,
    outcome: &DeliveryOutcome,
) -> Result<bool, StoreError> {
    let (statement, tries, at, why) = match outcome {
        DeliveryOutcome::Delivered => (
            "UPDATE webhook SET position_no = ends_no, position_tag = ends_tag, message = NULL, ends_no = NULL, ends_tag = NULL,
                 changes = NULL, attempts = 0, first_try_at = NULL, next_try_at = ?6, last_success_at = ?6
             WHERE tenant_id = ?1 AND webhook_id = ?2 AND message = ?3",
            None,
            delivery.at,
            None,
        ),
        DeliveryOutcome::Again { tries, at } => (
            "UPDATE webhook SET attempts = ?4, first_try_at = ?5, next_try_at = ?6
             WHERE tenant_id = ?1 AND webhook_id = ?2 AND message = ?3 AND version = ?8",
            Some(tries),
            *at,
            None,
        ),
        DeliveryOutcome::Disabled { tries, why } => (
            "UPDATE webhook SET attempts = ?4, first_try_at = ?5, state = 'disabled', why = ?7
             WHERE tenant_id = ?1 AND webhook_id = ?2 AND message = ?3 AND version = ?8 AND state = 'active'",
            Some(tries),
            delivery.at,
            Some(why.as_str()),
        ),
    };
    let applied = sqlx::query(statement)
        .bind(hold.tenant.as_bytes().as_slice())
        .bind(hold.webhook.as_bytes().as_slice())
        .bind(&hold.message)
        .bind(tries.map(|tries| tries.attempts))
        .bind(tries.map(|tries| millis(tries.since)))
        .bind(millis(at))
        .bind(why)
        .bind(integer(hold.version))
        .execute(&mut **tx)
        .await
        .during(END)?;
    if applied.rows_affected() == 0 {
        return Ok(false);
    }
    if matches!(outcome, DeliveryOutcome::Delivered) {
        sqlx::query("DELETE FROM webhook_message WHERE tenant_id = ?1 AND webhook_id = ?2")
            .bind(hold.tenant.as_bytes().as_slice())
            .bind(hold.webhook.as_bytes().as_slice())
            .execute(&mut **tx)
            .await
            .during(END)?;
    }
    Ok(true)
}

pub(super) async fn disable(
    store: &SqliteStore,
    due: &DueWebhook,
    why: WhyDisabled,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    let statement = sqlx::query(as_it_was!(
        "state = 'disabled', why = ?7",
        "AND (held_until IS NULL OR held_until <= ?8 OR held_until > ?9)"
    ));
    let statement = bound(statement, due)
        .bind(why.as_str())
        .bind(millis(entry.at))
        .bind(millis(entry.at + super::due::AHEAD));
    audit::with_entry(store, "disable a webhook", statement, due.record.tenant, entry).await
}

pub(super) async fn release(store: &SqliteStore, holder: [u8; 16]) -> Result<(), StoreError> {
    const ACTION: &str = "let webhooks go";
    let mut tx = store.write().await?;
    sqlx::query("UPDATE webhook SET held_by = NULL, held_until = NULL WHERE held_by = ?1")
        .bind(holder.as_slice())
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    tx.commit().await.during(ACTION)
}
