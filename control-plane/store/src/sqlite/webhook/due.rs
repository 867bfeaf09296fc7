//! To whom there is something to deliver.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::records::{self, registry_feed, told_no};
use crate::{DueWebhook, StoreError, WebhookMessage};

/// Nobody puts an attempt off for longer, or holds a webhook: a time that lies further ahead was written by a clock that was ahead.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(2);

/// Those behind which the feed has grown by what they are told of; and those that cannot go on, because they are ahead of it or were where they are
/// before a backup was restored: of these somebody must hear. Tenants take turns: the second of one comes after the first of all others, and what is on
/// its way counts as well, or whoever has most would be first at each look.
///
/// Asked for each second: the index has all that decides whether anything is due, and the rest is read of those alone.
macro_rules! due {
    ($index:literal, $slow:literal) => {
        concat!(
            "SELECT webhook.*, ", told_no!(), " AS told_no, registry.name AS registry_name, webhook_message.body
             FROM (
                 SELECT webhook.tenant_id, webhook.webhook_id,
                        coalesce(under_way.held, 0)
                          + row_number() OVER (PARTITION BY webhook.tenant_id ORDER BY webhook.next_try_at) AS turn
                 FROM webhook INDEXED BY ",
            $index,
            " LEFT JOIN (SELECT tenant_id, count(*) AS held FROM webhook INDEXED BY ",
            $index,
            "            WHERE state = 'active' AND slow = ",
            $slow,
            "              AND held_until > ?1 AND held_until <= ?2
                            GROUP BY tenant_id) AS under_way ON under_way.tenant_id = webhook.tenant_id
                   CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id ",
            registry_feed!(),
            "    WHERE webhook.state = 'active' AND webhook.slow = ",
            $slow,
            "
                   AND (webhook.next_try_at <= ?1 OR webhook.next_try_at > ?2)
                   AND (webhook.held_until IS NULL OR webhook.held_until <= ?1 OR webhook.held_until > ?2)
                   AND (webhook.position_no <= ", told_no!(), "
                        OR webhook.position_no > tenant.feed_no + 1
                        OR webhook.position_no <= tenant.feed_from)
                 ORDER BY turn, webhook.next_try_at
                 LIMIT ?3) AS waiting
             CROSS JOIN webhook ON webhook.tenant_id = waiting.tenant_id AND webhook.webhook_id = waiting.webhook_id
             CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id
             LEFT JOIN registry ON registry.tenant_id = webhook.tenant_id AND registry.registry_id = webhook.registry_id
             LEFT JOIN webhook_message
                 ON webhook_message.tenant_id = webhook.tenant_id AND webhook_message.webhook_id = webhook.webhook_id ",
            registry_feed!(),
            "ORDER BY waiting.turn, webhook.next_try_at"
        )
    };
}

pub(super) const QUICK: &str = due!("webhook_quick", "0");
pub(super) const SLOW: &str = due!("webhook_slow", "1");

pub(super) async fn due(
    store: &SqliteStore,
    now: Timestamp,
    quick: u32,
    slow: u32,
) -> Result<Vec<DueWebhook>, StoreError> {
    let mut due = Vec::new();
    for (statement, most) in [(QUICK, quick), (SLOW, slow)] {
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
        slow: row.get("slow")?,
        version: row.number("version")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::goes_by;
    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_each_second_is_answered_by_indexes() {
        goes_by(&["COVERING INDEX webhook_quick", "webhook_quick"], QUICK).await;
        goes_by(&["COVERING INDEX webhook_slow", "webhook_slow"], SLOW).await;
    }
}
