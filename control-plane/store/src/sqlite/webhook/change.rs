//! What people do to webhooks.

use jiff::Timestamp;
use portolan_shared::model::{TenantId, WebhookId, limits};
use sqlx::{Row as _, Sqlite, Transaction};

use super::super::columns::{integer, millis};
use super::super::failure::{During as _, is_taken, is_unknown_tenant};
use super::super::{SqliteStore, audit};
use super::records;
use crate::{
    AuditEntry, EntryFor, FeedPosition, NewWebhook, StoreError, WebhookChange, WebhookRecord, WebhookState,
};

pub(super) async fn add(
    store: &SqliteStore,
    webhook: &NewWebhook,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    const ACTION: &str = "add a webhook";
    let mut tx = store.write().await?;
    let there: i64 = sqlx::query("SELECT count(*) AS there FROM webhook WHERE tenant_id = ?1")
        .bind(webhook.tenant.as_bytes().as_slice())
        .fetch_one(&mut *tx)
        .await
        .and_then(|row| row.try_get("there"))
        .during(ACTION)?;
    if there >= integer(limits::WEBHOOKS_PER_TENANT as u64) {
        return Err(StoreError::Refused {
            what: "webhook",
            why: format!("there are {there} already, which is as many as may be"),
        });
    }
    let inserted = sqlx::query(
        "INSERT INTO webhook (tenant_id, webhook_id, name, url, registry_id, state, secret_since, position_no, position_tag,
                              next_try_at, created_by, created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'active', ?6, ?7, ?8, ?6, ?9, ?6, ?6)",
    )
    .bind(webhook.tenant.as_bytes().as_slice())
    .bind(webhook.id.as_bytes().as_slice())
    .bind(webhook.name.as_str())
    .bind(webhook.url.expose().as_str())
    .bind(webhook.registry.as_ref().map(|registry| registry.as_bytes().to_vec()))
    .bind(millis(webhook.now))
    .bind(integer(webhook.position.entry))
    .bind(webhook.position.tag.as_ref().map(|tag| tag.as_str().to_owned()))
    .bind(&webhook.created_by)
    .execute(&mut *tx)
    .await;
    match inserted {
        Err(error) if is_taken(&error) => return Err(taken(webhook.name.to_string())),
        Err(error) if is_unknown_tenant(&error) => {
            return Err(StoreError::Unknown {
                what: "tenant",
                name: webhook.tenant.to_string(),
            });
        }
        other => other.during(ACTION)?,
    };
    audit::append(&mut tx, webhook.tenant, entry).await?;
    tx.commit().await.during(ACTION)
}

fn taken(name: String) -> StoreError {
    StoreError::Taken {
        what: "webhook",
        name,
    }
}

const CHANGE: &str = "change a webhook";

pub(super) async fn change(
    store: &SqliteStore,
    tenant: TenantId,
    id: WebhookId,
    change: &WebhookChange,
    now: Timestamp,
    entry: EntryFor<'_, WebhookRecord>,
) -> Result<Option<WebhookRecord>, StoreError> {
    let mut tx = store.write().await?;
    let Some(before) = records::by_id(&mut *tx, tenant, id).await? else {
        return Ok(None);
    };
    let state = match change.paused {
        None => before.state,
        Some(true) => WebhookState::Paused,
        Some(false) => WebhookState::Active,
    };
    let registry = change.registry.unwrap_or(before.registry);
    // The patience that was used up was with what it was before. Numbers of secrets that were given out before a restore are passed over.
    let anew = change.url.is_some() || change.paused == Some(false) || change.position.is_some();
    let updated = sqlx::query(
        "UPDATE webhook SET name = ?3, url = ?4, registry_id = ?5, state = ?6, why = ?7, changed_at = ?8, version = version + 1,
             attempts = iif(?9, 0, attempts), first_try_at = iif(?9, NULL, first_try_at), next_try_at = iif(?9, ?8, next_try_at),
             secret_no = iif(?10, max(secret_no + 1, 1000 * (SELECT restores FROM timeline) + 1), secret_no), secret_since = iif(?10, ?8, secret_since)
         WHERE tenant_id = ?1 AND webhook_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(change.name.as_ref().unwrap_or(&before.name).as_str())
    .bind(change.url.as_ref().unwrap_or(&before.url).expose().as_str())
    .bind(registry.as_ref().map(|registry| registry.as_bytes().to_vec()))
    .bind(state.as_str())
    .bind(state.why().map(crate::WhyDisabled::as_str))
    .bind(millis(now))
    .bind(anew)
    .bind(change.rotate)
    .execute(&mut *tx)
    .await;
    match updated {
        Err(error) if is_taken(&error) => {
            return Err(taken(change.name.as_ref().unwrap_or(&before.name).to_string()));
        }
        other => other.during(CHANGE)?,
    };
    if let Some(position) = &change.position {
        move_to(&mut tx, tenant, id, position).await?;
    }
    let Some(after) = records::by_id(&mut *tx, tenant, id).await? else {
        return Ok(None);
    };
    if let Some(entry) = entry(&after) {
        audit::append(&mut tx, tenant, &entry).await?;
    }
    tx.commit().await.during(CHANGE)?;
    Ok(Some(after))
}

async fn move_to(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    id: WebhookId,
    position: &FeedPosition,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook SET position_no = ?3, position_tag = ?4, message = NULL, ends_no = NULL, ends_tag = NULL, changes = NULL
         WHERE tenant_id = ?1 AND webhook_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(integer(position.entry))
    .bind(position.tag.as_ref().map(|tag| tag.as_str().to_owned()))
    .execute(&mut **tx)
    .await
    .during(CHANGE)?;
    sqlx::query("DELETE FROM webhook_message WHERE tenant_id = ?1 AND webhook_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .execute(&mut **tx)
        .await
        .during(CHANGE)?;
    Ok(())
}

pub(super) async fn remove(
    store: &SqliteStore,
    tenant: TenantId,
    id: WebhookId,
    entry: &AuditEntry,
) -> Result<bool, StoreError> {
    const ACTION: &str = "remove a webhook";
    let mut tx = store.write().await?;
    let mut removed = 0;
    for statement in [
        "DELETE FROM webhook_delivery WHERE tenant_id = ?1 AND webhook_id = ?2",
        "DELETE FROM webhook_message WHERE tenant_id = ?1 AND webhook_id = ?2",
        "DELETE FROM webhook WHERE tenant_id = ?1 AND webhook_id = ?2",
    ] {
        let done = sqlx::query(statement)
            .bind(tenant.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await
            .during(ACTION)?;
        removed = done.rows_affected();
    }
    if removed == 0 {
        return Ok(false);
    }
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(true)
}
