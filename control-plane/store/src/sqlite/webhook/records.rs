//! Webhooks as they are stored.

use portolan_shared::model::{RegistryId, TenantId, WebhookId, WebhookName};
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Sqlite};

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, keyset};
use crate::{FeedPosition, Page, PageRequest, StoreError, Tries, WebhookRecord, WebhookState, WhyDisabled};

/// Number of the last entry of the feed that a webhook may have to be told of, out of rows of `webhook`, `tenant` and, if it has one,
/// `registry_feed`. A message that was made is delivered, whatever it is told of since.
macro_rules! told_no {
    () => {
        "iif(webhook.registry_id IS NULL OR webhook.ends_no IS NOT NULL, tenant.feed_no, coalesce(registry_feed.feed_no, 0))"
    };
}
pub(super) use told_no;

/// The row of `registry_feed` of a webhook's registry.
macro_rules! registry_feed {
    () => {
        "LEFT JOIN registry_feed ON registry_feed.tenant_id = webhook.tenant_id AND registry_feed.registry_id = webhook.registry_id "
    };
}
pub(super) use registry_feed;

/// A webhook with the end of what it may have to be told of and the name of its registry.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT webhook.*, ", told_no!(), " AS told_no, registry.name AS registry_name
             FROM webhook CROSS JOIN tenant ON tenant.tenant_id = webhook.tenant_id
             LEFT JOIN registry ON registry.tenant_id = webhook.tenant_id AND registry.registry_id = webhook.registry_id ",
            registry_feed!(),
            $rest
        )
    };
}
pub(super) use select;

pub(super) async fn by_id(
    connection: impl Executor<'_, Database = Sqlite>,
    tenant: TenantId,
    id: WebhookId,
) -> Result<Option<WebhookRecord>, StoreError> {
    let row = sqlx::query(select!(
        "WHERE webhook.tenant_id = ?1 AND webhook.webhook_id = ?2"
    ))
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .fetch_optional(connection)
    .await
    .during("find a webhook")?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn by_name(
    store: &SqliteStore,
    tenant: TenantId,
    name: &WebhookName,
) -> Result<Option<WebhookRecord>, StoreError> {
    let row = sqlx::query(select!("WHERE webhook.tenant_id = ?1 AND webhook.name = ?2"))
        .bind(tenant.as_bytes().as_slice())
        .bind(name.as_str())
        .fetch_optional(store.reader())
        .await
        .during("find a webhook by name")?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn list(
    store: &SqliteStore,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<WebhookRecord>, StoreError> {
    let after = keyset::after::<String>(page)?.unwrap_or_default();
    let rows = sqlx::query(select!(
        "WHERE webhook.tenant_id = ?1 AND webhook.name > ?2 ORDER BY webhook.name LIMIT ?3"
    ))
    .bind(tenant.as_bytes().as_slice())
    .bind(after)
    .bind(keyset::rows_wanted(page))
    .fetch_all(store.reader())
    .await
    .during("list webhooks")?;
    let webhooks = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keyset::page(page, webhooks, |last| last.name.to_string())
}

/// From a row that has the columns of `webhook`, `told_no` and `registry_name`.
pub(super) fn read(row: &SqliteRow) -> Result<WebhookRecord, StoreError> {
    let row = Columns::of("webhook", row);
    let position = position(&row, "position_no", "position_tag")?;
    let told_no = row.number("told_no")?;
    let attempts = row.small("attempts")?;
    let since = row.opt_time("first_try_at")?;
    Ok(WebhookRecord {
        id: row.bytes("webhook_id", WebhookId::from_slice)?,
        tenant: row.bytes("tenant_id", TenantId::from_slice)?,
        name: row.text("name")?,
        url: row.text("url")?,
        registry: row.opt_bytes("registry_id", RegistryId::from_slice)?,
        registry_name: row.opt_text("registry_name")?,
        state: state(&row)?,
        secret_no: row.small("secret_no")?,
        secret_since: row.time("secret_since")?,
        behind: told_no.saturating_add(1).saturating_sub(position.entry),
        position,
        tries: since.map(|since| Tries { attempts, since }),
        next_try_at: row.time("next_try_at")?,
        last_success_at: row.opt_time("last_success_at")?,
        created_by: row.get("created_by")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}

/// A position in the feed, in two columns.
pub(super) fn position(
    row: &Columns<'_>,
    no: &'static str,
    tag: &'static str,
) -> Result<FeedPosition, StoreError> {
    Ok(FeedPosition {
        entry: row.number(no)?,
        tag: row.opt_text(tag)?,
    })
}

fn state(row: &Columns<'_>) -> Result<WebhookState, StoreError> {
    let why: Option<String> = row.get("why")?;
    match row.get::<String>("state")?.as_str() {
        "active" => Ok(WebhookState::Active),
        "paused" => Ok(WebhookState::Paused),
        "disabled" => why
            .and_then(|why| WhyDisabled::from_word(&why))
            .map(WebhookState::Disabled)
            .ok_or_else(|| row.corrupt("why")),
        _ => Err(row.corrupt("state")),
    }
}
