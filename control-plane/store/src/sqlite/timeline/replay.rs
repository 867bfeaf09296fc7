//! Bringing an old audit log up to what was exported of it, and doing again what that says.

use jiff::Timestamp;
use portolan_shared::audit::ChainOwner;
use portolan_shared::model::{RegistryId, RunId, SensorId, TenantId};
use sqlx::{Sqlite, Transaction};

use crate::sqlite::columns::{Columns, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows::{self, hex};
use crate::sqlite::{SqliteStore, audit, credential, event, run, sensor};
use crate::{CancelOutcome, Redone, ReplayOutcome, ReplayStep, StandingChange, StoreError};

const REDO: &str = "do again what the audit log says";

pub(super) async fn replay(
    store: &SqliteStore,
    tenant: TenantId,
    steps: &[ReplayStep],
    now: Timestamp,
) -> Result<ReplayOutcome, StoreError> {
    let mut tx = store.write().await?;
    let kept = audit::kept(&mut tx, tenant).await?;
    let mut head = kept.unwrap_or_else(|| ChainOwner::Tenant(tenant).genesis());
    let (mut records, mut redone) = (0, Vec::new());
    for (place, step) in steps.iter().enumerate() {
        let (linked, seq) = (&step.record, step.record.record.seq);
        if seq < head.seq {
            continue;
        }
        if seq == head.seq {
            if linked.hash != head.hash {
                return Ok(ReplayOutcome::Diverges { seq });
            }
            continue;
        }
        let continues = seq == head.seq + 1
            && linked.prev_hash == head.hash
            && linked.record.hash_after(&head.hash) == linked.hash;
        if !continues {
            return Ok(ReplayOutcome::Diverges { seq });
        }
        audit::insert(&mut tx, tenant, linked).await?;
        head = linked.head();
        records += 1;
        let at = Timestamp::from_millisecond(linked.record.at_ms).map_or(now, |at| at.min(now));
        if let Some(what) = &step.redo
            && redo(&mut tx, tenant, what, at).await?
        {
            redone.push(place);
        }
    }
    tx.commit().await.during(REDO)?;
    Ok(ReplayOutcome::Appended { records, redone })
}

/// `false` if there was nothing to do: what it is about was made after the backup was taken, or is as it should be.
async fn redo(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    what: &Redone,
    at: Timestamp,
) -> Result<bool, StoreError> {
    match what {
        Redone::Standing(sensor, StandingChange::Delete) => {
            sensor::change_standing(tx, tenant, *sensor, StandingChange::Revoke, at).await?;
            sensor::change_standing(tx, tenant, *sensor, StandingChange::Delete, at).await
        }
        Redone::Standing(sensor, change) => sensor::change_standing(tx, tenant, *sensor, *change, at).await,
        Redone::LetIn(sensor) => sensor::let_in(tx, tenant, *sensor, at).await,
        Redone::Cancelled(run) => {
            let outcome = run::cancel_within(tx, tenant, *run, at).await?;
            Ok(matches!(outcome, CancelOutcome::Cancelled(_)))
        }
        Redone::Looks(registry, date) => event::forget_told(tx, (tenant, *registry), *date).await,
        Redone::Withdrawn(registry) => withdraw(tx, (tenant, *registry)).await,
        Redone::Bare(registry) => {
            let sealed = withdraw(tx, (tenant, *registry)).await?;
            Ok(write(tx, BARE, tenant, registry.as_bytes(), at).await? || sealed)
        }
        Redone::Removed(registry) => {
            for run in open_runs(tx, tenant, *registry).await? {
                run::cancel_within(tx, tenant, run, at).await?;
            }
            let sealed = withdraw(tx, (tenant, *registry)).await?;
            let bare = write(tx, BARE, tenant, registry.as_bytes(), at).await?;
            Ok(write(tx, PAUSE, tenant, registry.as_bytes(), at).await? || sealed || bare)
        }
        Redone::Left(registry, sensors) => leave(tx, (tenant, *registry), sensors).await,
        Redone::Paused(registry) => write(tx, PAUSE, tenant, registry.as_bytes(), at).await,
        Redone::Token(token) => write(tx, REVOKE_TOKEN, tenant, token.as_bytes(), at).await,
        Redone::Invitation(id) => write(tx, REVOKE_INVITATION, tenant, id.as_bytes(), at).await,
    }
}

/// ?1 is the tenant, ?2 what it is about, ?3 the time.
const REVOKE_TOKEN: &str =
    "UPDATE api_token SET revoked_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2 AND revoked_at IS NULL";
const REVOKE_INVITATION: &str = "UPDATE invitation SET revoked_at = ?3
     WHERE tenant_id = ?1 AND invitation_id = ?2 AND revoked_at IS NULL AND bound_sensor IS NULL";
const PAUSE: &str = "UPDATE registry SET paused = 1, paused_at = ?3, changed_at = ?3, version = version + 1
     WHERE tenant_id = ?1 AND registry_id = ?2 AND paused = 0";
const BARE: &str = "UPDATE registry SET credential = NULL, changed_at = ?3, version = version + 1
     WHERE tenant_id = ?1 AND registry_id = ?2 AND credential IS NOT NULL";

async fn write(
    tx: &mut Transaction<'static, Sqlite>,
    statement: &'static str,
    tenant: TenantId,
    id: &[u8; 16],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(statement)
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_slice())
        .bind(millis(at))
        .execute(&mut **tx)
        .await
        .during(REDO)?;
    Ok(done.rows_affected() > 0)
}

async fn withdraw(
    tx: &mut Transaction<'static, Sqlite>,
    place: (TenantId, RegistryId),
) -> Result<bool, StoreError> {
    if credential::current(tx, place).await?.is_none() {
        return Ok(false);
    }
    credential::drop_all(tx, place).await?;
    Ok(true)
}

/// Takes a registry from all sensors but these.
async fn leave(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    sensors: &[SensorId],
) -> Result<bool, StoreError> {
    let left = rows::array(sensors.iter().map(|sensor| hex(sensor.as_bytes())))?;
    let done = sqlx::query(
        "DELETE FROM registry_sensor WHERE tenant_id = ?1 AND registry_id = ?2
             AND sensor_id NOT IN (SELECT unhex(value) FROM json_each(?3))",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(left)
    .execute(&mut **tx)
    .await
    .during(REDO)?;
    Ok(done.rows_affected() > 0)
}

async fn open_runs(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    registry: RegistryId,
) -> Result<Vec<RunId>, StoreError> {
    let runs = sqlx::query(
        "SELECT run_id FROM run WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased')",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .fetch_all(&mut **tx)
    .await
    .during(REDO)?;
    runs.iter()
        .map(|row| Columns::of("run", row).bytes("run_id", RunId::from_slice))
        .collect()
}
