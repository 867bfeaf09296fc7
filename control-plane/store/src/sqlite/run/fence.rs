//! The fence: tenant, sensor, session and attempt must all be current.

use portolan_shared::model::RegistryId;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

use super::super::columns::{Columns, integer};
use super::super::failure::During as _;
use crate::{Fence, StaleFence, StoreError};

/// The condition on a row of `run`; its parameters are ?1 to ?5, see [`bind_fence`].
macro_rules! fenced {
    () => {
        "run.tenant_id = ?1 AND run.run_id = ?2 AND run.attempt = ?3 AND run.sensor_id = ?4 AND run.session_epoch = ?5
         AND run.state = 'leased'
         AND EXISTS (SELECT 1 FROM sensor WHERE sensor.tenant_id = ?1 AND sensor.sensor_id = ?4
                        AND sensor.session_epoch = ?5 AND sensor.state <> 'revoked')"
    };
}
pub(in super::super) use fenced;

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Binds what [`fenced!`] needs. Further parameters begin at ?6.
pub(in super::super) fn bind_fence<'q>(query: Query<'q>, fence: &Fence) -> Query<'q> {
    query
        .bind(fence.tenant.as_bytes().to_vec())
        .bind(fence.attempt.run.as_bytes().to_vec())
        .bind(i64::from(fence.attempt.attempt))
        .bind(fence.sensor.as_bytes().to_vec())
        .bind(integer(fence.session_epoch))
}

/// The registry of the run that the fence is for; [`StoreError::Stale`] if the fence is not current. In a transaction that writes, it
/// stays current until that ends.
pub(in super::super) async fn leased(
    connection: &mut SqliteConnection,
    fence: &Fence,
) -> Result<RegistryId, StoreError> {
    let query = sqlx::query(concat!("SELECT registry_id FROM run WHERE ", fenced!()));
    let row = bind_fence(query, fence)
        .fetch_optional(&mut *connection)
        .await
        .during("check a fence")?;
    match row {
        Some(row) => Columns::of("run", &row).bytes("registry_id", RegistryId::from_slice),
        None => Err(stale(connection, fence).await?),
    }
}

/// Says what of a fence that did not hold is no longer current.
pub(in super::super) async fn stale(
    connection: &mut SqliteConnection,
    fence: &Fence,
) -> Result<StoreError, StoreError> {
    let (session, run): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM sensor WHERE tenant_id = ?1 AND sensor_id = ?2 AND session_epoch = ?3),
                EXISTS (SELECT 1 FROM run WHERE tenant_id = ?1 AND run_id = ?4)",
    )
    .bind(fence.tenant.as_bytes().as_slice())
    .bind(fence.sensor.as_bytes().as_slice())
    .bind(integer(fence.session_epoch))
    .bind(fence.attempt.run.as_bytes().as_slice())
    .fetch_one(connection)
    .await
    .during("check a fence")?;
    Ok(StoreError::Stale(match (session, run) {
        (false, _) => StaleFence::Session,
        (true, true) => StaleFence::Attempt,
        (true, false) => StaleFence::Run,
    }))
}
