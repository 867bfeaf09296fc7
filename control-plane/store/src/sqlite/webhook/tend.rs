//! What is done to webhooks now and then, and what is counted of all.

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use super::records::{self, registry_feed, select, told_no};
use crate::{EntryFor, StoreError, TendedWebhooks, WebhookFigures, WebhookRecord, WhyDisabled};

const TEND: &str = "tend webhooks";

/// Those that are told of one registry, and behind which nothing of it was written: so nothing of it was forgotten there either. What was written before
/// a restore nobody knows.
macro_rules! quiet {
    () => {
        "webhook.registry_id IS NOT NULL AND webhook.message IS NULL
         AND webhook.position_no <= (SELECT feed_no FROM tenant WHERE tenant.tenant_id = webhook.tenant_id)
         AND webhook.position_no > (SELECT feed_from FROM tenant WHERE tenant.tenant_id = webhook.tenant_id)
         AND webhook.position_no > coalesce((SELECT feed_no FROM registry_feed
             WHERE registry_feed.tenant_id = webhook.tenant_id AND registry_feed.registry_id = webhook.registry_id), 0)"
    };
}

const ANY_QUIET: &str = concat!("SELECT EXISTS (SELECT 1 FROM webhook WHERE ", quiet!(), ")");
const MOVE_QUIET: &str = concat!(
    "UPDATE webhook SET position_tag = NULL,
         position_no = (SELECT feed_no + 1 FROM tenant WHERE tenant.tenant_id = webhook.tenant_id)
     WHERE ",
    quiet!()
);

/// Those that are paused, and in front of what is kept, of which there was something for them. One with a message in hand has what is up to its end.
const OVERTAKEN: &str = select!(
    "WHERE webhook.state = 'paused'
       AND (max(coalesce(webhook.ends_no, webhook.position_no), 1) <= tenant.feed_from
            OR (max(coalesce(webhook.ends_no, webhook.position_no), 1),
                coalesce(iif(webhook.ends_no IS NULL, webhook.position_tag, webhook.ends_tag), ''))
               < (tenant.feed_forgotten + (tenant.feed_forgotten_tag IS NULL), coalesce(tenant.feed_forgotten_tag, '')))
     LIMIT 100"
);

pub(super) async fn tend(
    store: &SqliteStore,
    entry: EntryFor<'_, WebhookRecord>,
) -> Result<TendedWebhooks, StoreError> {
    let any_quiet: bool = sqlx::query_scalar(ANY_QUIET)
        .fetch_one(store.reader())
        .await
        .during(TEND)?;
    let any_overtaken = sqlx::query(OVERTAKEN)
        .fetch_optional(store.reader())
        .await
        .during(TEND)?
        .is_some();
    if !any_quiet && !any_overtaken {
        return Ok(TendedWebhooks::default());
    }
    let mut tx = store.write().await?;
    let moved = sqlx::query(MOVE_QUIET)
        .execute(&mut *tx)
        .await
        .during(TEND)?
        .rows_affected();
    let rows = sqlx::query(OVERTAKEN).fetch_all(&mut *tx).await.during(TEND)?;
    for row in &rows {
        let overtaken = records::read(row)?;
        sqlx::query(
            "UPDATE webhook SET state = 'disabled', why = ?3, version = version + 1 WHERE tenant_id = ?1 AND webhook_id = ?2",
        )
        .bind(overtaken.tenant.as_bytes().as_slice())
        .bind(overtaken.id.as_bytes().as_slice())
        .bind(WhyDisabled::Forgotten.as_str())
        .execute(&mut *tx)
        .await
        .during(TEND)?;
        if let Some(entry) = entry(&overtaken) {
            audit::append(&mut tx, overtaken.tenant, &entry).await?;
        }
    }
    tx.commit().await.during(TEND)?;
    Ok(TendedWebhooks {
        moved,
        forgotten: rows.len() as u64,
    })
}

pub(super) async fn figures(store: &SqliteStore) -> Result<WebhookFigures, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'paused') AS paused,
                count(*) FILTER (WHERE state = 'disabled') AS disabled,
                count(*) FILTER (WHERE state = 'active' AND attempts > 0) AS failing,
                min(first_try_at) FILTER (WHERE state = 'active') AS failing_since
         FROM webhook",
    )
    .fetch_one(store.reader())
    .await
    .during("count webhooks")?;
    let row = Columns::of("webhook", &row);
    Ok(WebhookFigures {
        active: row.number("active")?,
        paused: row.number("paused")?,
        disabled: row.number("disabled")?,
        failing: row.number("failing")?,
        failing_since: row.opt_time("failing_since")?,
    })
}
