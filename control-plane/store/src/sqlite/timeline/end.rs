//! The end of a restore: every number that may have been given out since the backup was taken is passed over.

use portolan_shared::model::TenantId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::{SqliteStore, audit};
use crate::timeline::ATTEMPTS_PASSED_OVER;
use crate::{EPOCHS_PASSED_OVER, EntryFor, RestoreEnd, RestoredTenant, StoreError};

const END: &str = "end the restore of the database";

/// ?1 is the time, ?2 the end of the amnesty, ?3 the epochs that are passed over, ?4 the attempts.
const PASS_OVER: [&str; 6] = [
    "UPDATE sensor SET session_epoch = session_epoch + ?3,
            amnesty_until = iif(state IN ('provisional', 'active', 'suspended'), ?2, NULL)",
    "UPDATE run SET attempt = attempt + ?4, state = 'queued', session_epoch = NULL, lease_until = NULL
     WHERE state IN ('queued', 'leased')",
    "UPDATE tenant SET feed_no = feed_no + ?3, feed_from = feed_no + ?3",
    // Nothing is told to anybody before somebody has looked: where it led to may belong to others by now.
    "UPDATE webhook SET state = 'disabled', why = 'forgotten', message = NULL, ends_no = NULL, ends_tag = NULL, changes = NULL, attempts = 0,
            first_try_at = NULL, held_by = NULL, held_until = NULL, version = version + ?4, changed_at = ?1
     WHERE state <> 'disabled' OR message IS NOT NULL",
    "DELETE FROM webhook_message",
    // The next version of a credential follows upon its last. Sensors remember the highest that they were given, and take no older one.
    "INSERT INTO credential (tenant_id, registry_id, credential_id, version, state, origin, binding, payload, created_at, created_by)
     SELECT tenant_id, registry_id, credential_id, version + ?4, iif(state = 'removed', 'removed', 'past'), origin, binding, NULL, ?1, 'restore'
     FROM credential AS last WHERE version = (
         SELECT max(version) FROM credential
         WHERE credential.tenant_id = last.tenant_id AND credential.credential_id = last.credential_id)",
];

pub(super) async fn end_restore(
    store: &SqliteStore,
    end: &RestoreEnd,
    note: EntryFor<'_, RestoredTenant>,
) -> Result<Vec<RestoredTenant>, StoreError> {
    let mut tx = store.write().await?;
    let tenants = figures(&mut tx).await?;
    for statement in PASS_OVER {
        sqlx::query(statement)
            .bind(millis(end.now))
            .bind(millis(end.amnesty_until))
            .bind(integer(EPOCHS_PASSED_OVER))
            .bind(ATTEMPTS_PASSED_OVER)
            .execute(&mut *tx)
            .await
            .during(END)?;
    }
    sqlx::query(
        "UPDATE timeline SET mark = NULL, marked_at = NULL, restores = restores + 1, pulse = max(pulse, ?1) + 1",
    )
    .bind(integer(end.pulse))
    .execute(&mut *tx)
    .await
    .during(END)?;
    for tenant in &tenants {
        if let Some(entry) = note(tenant) {
            audit::append(&mut tx, tenant.tenant, &entry).await?;
        }
    }
    tx.commit().await.during(END)?;
    Ok(tenants)
}

async fn figures(tx: &mut Transaction<'static, Sqlite>) -> Result<Vec<RestoredTenant>, StoreError> {
    let rows: Vec<SqliteRow> = sqlx::query(
        "SELECT tenant_id,
                (SELECT count(*) FROM sensor WHERE sensor.tenant_id = tenant.tenant_id
                     AND state IN ('provisional', 'active', 'suspended')) AS sensors,
                (SELECT count(*) FROM run WHERE run.tenant_id = tenant.tenant_id AND state IN ('queued', 'leased')) AS runs
         FROM tenant ORDER BY created_at, tenant_id",
    )
    .fetch_all(&mut **tx)
    .await
    .during(END)?;
    let read = |row: &SqliteRow| {
        let row = Columns::of("tenant", row);
        Ok(RestoredTenant {
            tenant: row.bytes("tenant_id", TenantId::from_slice)?,
            sensors: row.number("sensors")?,
            runs: row.number("runs")?,
        })
    };
    rows.iter().map(read).collect()
}
