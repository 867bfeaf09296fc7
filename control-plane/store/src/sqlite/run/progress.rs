//! How far an attempt is, and how many requests that took.

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RunProgress};

use super::super::SqliteStore;
use super::super::columns::{Columns, millis};
use super::super::failure::During as _;
use super::super::rows::json;
use super::budget;
use super::fence::{bind_fence, fenced};
use crate::{Fence, StoreError};

pub(super) async fn record(
    store: &SqliteStore,
    fence: &Fence,
    progress: &RunProgress,
    now: Timestamp,
) -> Result<(), StoreError> {
    const ACTION: &str = "note progress";
    let mut tx = store.write().await?;
    let query = sqlx::query(concat!(
        "SELECT registry_id, progress ->> 'requests' AS requests FROM run WHERE ",
        fenced!()
    ));
    let row = bind_fence(query, fence)
        .fetch_optional(&mut *tx)
        .await
        .during(ACTION)?;
    let Some(row) = row else {
        return Ok(());
    };
    let row = Columns::of("run", &row);
    let registry = row.bytes("registry_id", RegistryId::from_slice)?;
    // A later message of the same attempt counts on from this one.
    let new = progress.requests.saturating_sub(row.number("requests")?);
    let query = sqlx::query(concat!(
        "UPDATE run SET progress = ?6, progress_at = iif(progress = ?6, progress_at, ?7) WHERE ",
        fenced!()
    ));
    bind_fence(query, fence)
        .bind(json("progress", progress)?)
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    if new > 0 {
        budget::spend(&mut tx, (fence.tenant, registry), new, now).await?;
    }
    tx.commit().await.during(ACTION)
}
