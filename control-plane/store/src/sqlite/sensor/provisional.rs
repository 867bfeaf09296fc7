//! Sensors that were enrolled and never opened a session.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::super::{SqliteStore, audit};
use super::record::read;
use crate::{EntryFor, SensorRecord, StoreError};

/// Sensors that one call marks or removes; the rest waits for the next.
const AT_ONCE: i64 = 1_000;

const STUCK: &str = "SELECT * FROM sensor
     WHERE state = 'provisional' AND enrolled_at <= ?1 AND stuck_at IS NULL AND coalesce(amnesty_until, 0) <= ?2
     ORDER BY enrolled_at, sensor_id LIMIT ?3";
const UNUSED: &str = "SELECT * FROM sensor
     WHERE state = 'provisional' AND enrolled_at <= ?1 AND max(current_not_after, coalesce(new_not_after, 0), coalesce(amnesty_until, 0)) <= ?2
     ORDER BY enrolled_at, sensor_id LIMIT ?3";

/// What is done to each of the sensors: ?1 are tenant and sensor of all of them, as JSON; ?2 is the time.
const MARK: [&str; 1] = ["UPDATE sensor SET stuck_at = ?2
     WHERE (tenant_id, sensor_id) IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?1))"];
const REMOVE: [&str; 3] = [
    "DELETE FROM registry_sensor
     WHERE (tenant_id, sensor_id) IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?1))",
    "DELETE FROM sensor_renewal
     WHERE (tenant_id, sensor_id) IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?1))",
    "DELETE FROM sensor
     WHERE (tenant_id, sensor_id) IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?1))",
];

pub(super) async fn mark_stuck(
    store: &SqliteStore,
    enrolled_before: Timestamp,
    now: Timestamp,
    note: EntryFor<'_, SensorRecord>,
) -> Result<Vec<SensorRecord>, StoreError> {
    each(store, STUCK, &MARK, enrolled_before, now, note).await
}

pub(super) async fn unused(
    store: &SqliteStore,
    enrolled_before: Timestamp,
    now: Timestamp,
) -> Result<Vec<SensorRecord>, StoreError> {
    let found = sqlx::query(UNUSED)
        .bind(millis(enrolled_before))
        .bind(millis(now))
        .bind(AT_ONCE)
        .fetch_all(store.reader())
        .await
        .during("look for sensors that are not used")?;
    found.iter().map(read).collect()
}

pub(super) async fn remove_unused(
    store: &SqliteStore,
    enrolled_before: Timestamp,
    now: Timestamp,
    note: EntryFor<'_, SensorRecord>,
) -> Result<Vec<SensorRecord>, StoreError> {
    each(store, UNUSED, &REMOVE, enrolled_before, now, note).await
}

async fn each(
    store: &SqliteStore,
    which: &'static str,
    statements: &[&'static str],
    enrolled_before: Timestamp,
    now: Timestamp,
    note: EntryFor<'_, SensorRecord>,
) -> Result<Vec<SensorRecord>, StoreError> {
    const ACTION: &str = "look after sensors that are not used";
    let find = |limit: i64| {
        sqlx::query(which)
            .bind(millis(enrolled_before))
            .bind(millis(now))
            .bind(limit)
    };
    // Mostly there is none, and then nobody has to wait for the writer.
    let any: Option<SqliteRow> = find(1).fetch_optional(store.reader()).await.during(ACTION)?;
    if any.is_none() {
        return Ok(Vec::new());
    }
    let mut tx = store.write().await?;
    let found = find(AT_ONCE).fetch_all(&mut *tx).await.during(ACTION)?;
    let found = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let keys = rows::array(
        found
            .iter()
            .map(|sensor| (hex(sensor.tenant.as_bytes()), hex(sensor.id.as_bytes()))),
    )?;
    for statement in statements {
        sqlx::query(*statement)
            .bind(&keys)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .during(ACTION)?;
    }
    for sensor in &found {
        if let Some(entry) = note(sensor) {
            audit::append(&mut tx, sensor.tenant, &entry).await?;
        }
    }
    tx.commit().await.during(ACTION)?;
    Ok(found)
}
