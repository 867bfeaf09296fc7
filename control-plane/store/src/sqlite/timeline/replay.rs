//! Bringing an old audit log up to what was exported of it, and doing again what that says.

use jiff::Timestamp;
use portolan_shared::audit::ChainOwner;
use portolan_shared::model::TenantId;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, Transaction};

use crate::sqlite::columns::millis;
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, audit, credential, sensor};
use crate::{Redone, ReplayOutcome, ReplayStep, StoreError};

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
        if let Some(what) = step.redo
            && redo(&mut tx, tenant, what, now).await?
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
    what: Redone,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let of_tenant = |sql: &'static str, id: &[u8; 16]| -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query(sql)
            .bind(tenant.as_bytes().to_vec())
            .bind(id.to_vec())
            .bind(millis(now))
    };
    let statement = match what {
        Redone::Standing(id, change) => {
            return sensor::change_standing(tx, tenant, id, change, now).await;
        }
        Redone::Token(id) => of_tenant(
            "UPDATE api_token SET revoked_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2 AND revoked_at IS NULL",
            id.as_bytes(),
        ),
        Redone::Invitation(id) => of_tenant(
            "UPDATE invitation SET revoked_at = ?3
             WHERE tenant_id = ?1 AND invitation_id = ?2 AND revoked_at IS NULL AND bound_sensor IS NULL",
            id.as_bytes(),
        ),
        Redone::Registry(id) => of_tenant(
            "UPDATE registry SET paused = 1, paused_at = ?3, changed_at = ?3, version = version + 1
             WHERE tenant_id = ?1 AND registry_id = ?2 AND paused = 0",
            id.as_bytes(),
        ),
        Redone::Credential(id) => {
            let place = (tenant, id);
            if credential::current(tx, place).await?.is_none() {
                return Ok(false);
            }
            credential::drop_all(tx, place).await?;
            return Ok(true);
        }
    };
    let done = statement.execute(&mut **tx).await.during(REDO)?;
    Ok(done.rows_affected() > 0)
}
