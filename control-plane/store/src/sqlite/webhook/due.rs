//! To whom there is something to deliver.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::records;
use crate::{DueWebhook, StoreError, WebhookMessage};

/// Nobody puts an attempt off for longer, or holds a webhook: a time that lies further ahead was written by a clock that was ahead.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(2);

/// Those behind which the feed has grown, and those that are ahead of it, as after a backup was restored: of these somebody must hear.
/// Tenants take turns.
///
/// Asked for each second: the index has all that decides whether anything is due.
macro_rules! due {
    ($index:literal, $attempts:literal) => {
        concat!(
            "SELECT webhook.*, tenant.feed_no, registry.name AS registry_name, webhook_message.body
             FROM webhook CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id
             LEFT JOIN registry ON registry.tenant_id = webhook.tenant_id AND registry.registry_id = webhook.registry_id
             LEFT JOIN webhook_message
                 ON webhook_message.tenant_id = webhook.tenant_id AND webhook_message.webhook_id = webhook.webhook_id
             WHERE (webhook.tenant_id, webhook.webhook_id) IN (
                 SELECT webhook.tenant_id, webhook.webhook_id
                 FROM webhook INDEXED BY ",
            $index,
            " CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id
                 WHERE webhook.state = 'active' AND webhook.attempts ",
            $attempts,
            "
                   AND (webhook.next_try_at <= ?1 OR webhook.next_try_at > ?2)
                   AND (webhook.held_until IS NULL OR webhook.held_until <= ?1 OR webhook.held_until > ?2)
                   AND (webhook.position_no <= tenant.feed_no OR webhook.position_no > tenant.feed_no + 1)
                 ORDER BY row_number() OVER (PARTITION BY webhook.tenant_id ORDER BY webhook.next_try_at), webhook.next_try_at
                 LIMIT ?3)
             ORDER BY webhook.next_try_at"
        )
    };
}

pub(super) const FRESH: &str = due!("webhook_fresh", "= 0");
pub(super) const AGAIN: &str = due!("webhook_again", "> 0");

pub(super) async fn due(
    store: &SqliteStore,
    now: Timestamp,
    fresh: u32,
    again: u32,
) -> Result<Vec<DueWebhook>, StoreError> {
    let mut due = Vec::new();
    for (statement, most) in [(FRESH, fresh), (AGAIN, again)] {
        if most == 0 {
            continue;
        }
        let rows = sqlx::query(statement)
            .bind(millis(now))
            .bind(millis(now + AHEAD))
            .bind(most)
            .fetch_all(store.reader())
            .await
            .during("find webhooks to deliver to")?;
        for row in &rows {
            match read(row) {
                Ok(webhook) => due.push(webhook),
                // One row that cannot be read must not keep all others waiting.
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a webhook cannot be read; the others are delivered to"
                ),
            }
        }
    }
    Ok(due)
}

fn read(row: &SqliteRow) -> Result<DueWebhook, StoreError> {
    let record = records::read(row)?;
    let row = Columns::of("webhook", row);
    let message = match row.get::<Option<String>>("message")? {
        None => None,
        Some(id) => Some(WebhookMessage {
            id,
            body: row
                .get::<Option<Vec<u8>>>("body")?
                .ok_or_else(|| row.corrupt("message"))?,
            changes: row.small("changes")?,
            ends: records::position(&row, "ends_no", "ends_tag")?,
        }),
    };
    Ok(DueWebhook {
        record,
        message,
        version: row.number("version")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::goes_by;
    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_each_second_is_answered_by_indexes() {
        goes_by(&["webhook_fresh"], FRESH).await;
        goes_by(&["webhook_again"], AGAIN).await;
    }
}
