//! What a tenant wants to be kept.

use portolan_shared::model::TenantId;
use sqlx::SqliteConnection;

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::{SqliteStore, audit};
use crate::{AuditEntry, Retention, StoreError};

pub(super) async fn read(store: &SqliteStore, tenant: TenantId) -> Result<Retention, StoreError> {
    let mut tx = store.read().await?;
    read_in(&mut tx, tenant).await
}

async fn read_in(connection: &mut SqliteConnection, tenant: TenantId) -> Result<Retention, StoreError> {
    let row = sqlx::query("SELECT history_days, runs_days FROM tenant WHERE tenant_id = ?1")
        .bind(tenant.as_bytes().as_slice())
        .fetch_optional(connection)
        .await
        .during("read what is to be kept")?;
    row.map_or_else(
        || Ok(Retention::default()),
        |row| of(&Columns::of("tenant", &row)),
    )
}

/// From a row of `tenant`.
pub(super) fn of(row: &Columns<'_>) -> Result<Retention, StoreError> {
    let days = |column: &'static str| {
        row.get::<Option<i64>>(column)?
            .map(|days| u32::try_from(days).map_err(|_| row.corrupt(column)))
            .transpose()
    };
    Ok(Retention {
        history_days: days("history_days")?,
        runs_days: days("runs_days")?,
    })
}

pub(super) async fn set(
    store: &SqliteStore,
    tenant: TenantId,
    retention: Retention,
    seen: Option<Retention>,
    entry: &AuditEntry,
) -> Result<Option<bool>, StoreError> {
    const ACTION: &str = "change what is to be kept";
    let mut tx = store.write().await?;
    let before = read_in(&mut tx, tenant).await?;
    if seen.is_some_and(|seen| seen != before) {
        return Ok(None);
    }
    if before == retention {
        return Ok(Some(false));
    }
    sqlx::query("UPDATE tenant SET history_days = ?2, runs_days = ?3 WHERE tenant_id = ?1")
        .bind(tenant.as_bytes().as_slice())
        .bind(retention.history_days.map(i64::from))
        .bind(retention.runs_days.map(i64::from))
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(Some(true))
}
