//! Sealing keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::secret::sealed::SignedSealingKey;

use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows::{self, hex};
use crate::sqlite::{SqliteStore, audit};
use crate::{AuditEntry, KEPT_SEALING_KEYS, PublishOutcome, SealingKeyRecord, StoreError};

pub(super) async fn publish(
    store: &SqliteStore,
    key: &SignedSealingKey,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<PublishOutcome, StoreError> {
    const ACTION: &str = "keep a sealing key";
    let said = key.unverified();
    let (tenant, sensor, id) = (said.tenant, said.sensor, said.key_id());
    let mut tx = store.write().await?;
    // Only where a database was restored can a sensor be ahead of what is known here: no approval is as many times in vain, and no sensor counts
    // to the end.
    let present: Option<(i64, i64)> = sqlx::query_as(
        "SELECT generation, generation + 1000 * timeline.restores FROM sensor CROSS JOIN timeline
         WHERE tenant_id = ?1 AND sensor_id = ?2 AND state IN ('provisional', 'active')",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    let said_generation = integer(said.generation);
    match present {
        Some((present, _)) if present == said_generation => {}
        // It was told of this one by a database that was later than this: an older one must not be used any more.
        Some((present, most)) if (present..=most).contains(&said_generation) => {
            sqlx::query("UPDATE sensor SET generation = ?3 WHERE tenant_id = ?1 AND sensor_id = ?2")
                .bind(tenant.as_bytes().as_slice())
                .bind(sensor.as_bytes().as_slice())
                .bind(said_generation)
                .execute(&mut *tx)
                .await
                .during(ACTION)?;
        }
        Some(_) | None => return Ok(PublishOutcome::Refused),
    }
    let latest: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT key_id FROM sealing_key WHERE tenant_id = ?1 AND sensor_id = ?2 ORDER BY ordinal DESC LIMIT 1",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    if latest.as_deref() == Some(id.as_bytes().as_slice()) {
        return Ok(PublishOutcome::Known);
    }
    // One that was published before and is said again is what the sensor works with now.
    sqlx::query(
        "INSERT INTO sealing_key (tenant_id, sensor_id, key_id, ordinal, generation, statement, signature, published_at)
         SELECT ?1, ?2, ?3, coalesce(max(ordinal), 0) + 1, ?4, ?5, ?6, ?7 FROM sealing_key WHERE tenant_id = ?1 AND sensor_id = ?2
         ON CONFLICT DO UPDATE SET ordinal = excluded.ordinal, generation = excluded.generation, statement = excluded.statement,
                                   signature = excluded.signature, published_at = excluded.published_at",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(integer(said.generation))
    .bind(said.encode())
    .bind(key.signature().as_slice())
    .bind(millis(now))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    sqlx::query(
        "DELETE FROM sealing_key WHERE tenant_id = ?1 AND sensor_id = ?2 AND key_id NOT IN
             (SELECT key_id FROM sealing_key WHERE tenant_id = ?1 AND sensor_id = ?2 ORDER BY ordinal DESC LIMIT ?3)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(sensor.as_bytes().as_slice())
    .bind(KEPT_SEALING_KEYS)
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    audit::append(&mut tx, tenant, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(PublishOutcome::Published)
}

pub(super) async fn latest(
    store: &SqliteStore,
    tenant: TenantId,
    sensors: &[SensorId],
) -> Result<BTreeMap<SensorId, SealingKeyRecord>, StoreError> {
    let asked = rows::array(sensors.iter().map(|sensor| hex(sensor.as_bytes())))?;
    let rows = sqlx::query(
        "SELECT sensor_id, statement, signature, published_at FROM sealing_key JOIN sensor USING (tenant_id, sensor_id)
         WHERE tenant_id = ?1 AND sensor_id IN (SELECT unhex(value) FROM json_each(?2))
           AND sealing_key.generation = sensor.generation
           AND ordinal = (SELECT max(ordinal) FROM sealing_key AS other
                          WHERE other.tenant_id = ?1 AND other.sensor_id = sealing_key.sensor_id)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(asked)
    .fetch_all(store.reader())
    .await
    .during("find sealing keys")?;
    let keys = rows.iter().map(|row| {
        let row = Columns::of("sealing_key", row);
        let statement: &[u8] = row.get("statement")?;
        let record = SealingKeyRecord {
            signed: row.bytes("signature", |signature| {
                SignedSealingKey::parse(statement, signature)
            })?,
            published_at: row.time("published_at")?,
        };
        Ok((row.bytes("sensor_id", SensorId::from_slice)?, record))
    });
    keys.collect()
}
