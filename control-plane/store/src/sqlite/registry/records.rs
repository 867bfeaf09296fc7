//! Registries as they are stored.

use std::num::{NonZeroU16, NonZeroU32};

use portolan_shared::model::{
    Budget, CaTrust, NamePatterns, RegistryId, RepositoryPatterns, SensorId, TagFilter, TenantId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use crate::{NewRegistry, RegistryRecord, Schedule, StoreError};

/// One registry with its sensors.
pub(in super::super) async fn find(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    id: RegistryId,
) -> Result<Option<RegistryRecord>, StoreError> {
    const ACTION: &str = "find a registry";
    let row = sqlx::query("SELECT * FROM registry WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await
        .during(ACTION)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut records = [read(&row)?];
    add_sensors(connection, tenant, &mut records).await?;
    let [record] = records;
    Ok(Some(record))
}

/// The patterns of repositories of a registry. Their column has the name of what they were at first.
pub(in super::super) fn repository_patterns(columns: &Columns<'_>) -> Result<RepositoryPatterns, StoreError> {
    RepositoryPatterns::new(columns.json("globs")?).map_err(|_| columns.corrupt("globs"))
}

/// Which tags of a registry are wanted.
pub(in super::super) fn tag_filter(row: &Columns<'_>) -> Result<TagFilter, StoreError> {
    Ok(TagFilter {
        names: NamePatterns::new(row.json("tag_patterns")?).map_err(|_| row.corrupt("tag_patterns"))?,
        newest: opt_bound(row, "newest_tags")?,
        max_age_days: opt_bound(row, "max_tag_age_days")?,
    })
}

fn budget(row: &Columns<'_>) -> Result<Budget, StoreError> {
    let small = |column, bound: i64| u16::try_from(bound).map_err(|_| row.corrupt(column));
    let per_second: Option<i64> = row.get("requests_per_second")?;
    let per_second = per_second
        .map(|bound| small("requests_per_second", bound))
        .transpose()?;
    Ok(Budget {
        concurrency: small("concurrency", row.get("concurrency")?)?,
        per_second: per_second.and_then(NonZeroU16::new),
        per_day: opt_bound(row, "requests_per_day")?,
    })
}

/// When a registry is read.
pub(in super::super) fn schedule(row: &Columns<'_>) -> Result<Schedule, StoreError> {
    let jitter: Option<i64> = row.get("jitter_seconds")?;
    let jitter = jitter.map(u32::try_from).transpose();
    let blackouts: Vec<String> = row.json("blackouts")?;
    let blackouts = blackouts.iter().map(|text| text.parse());
    Ok(Schedule {
        when: row.text("schedule")?,
        zone: row.text("zone")?,
        jitter_seconds: jitter.map_err(|_| row.corrupt("jitter_seconds"))?,
        blackouts: blackouts
            .collect::<Result<_, _>>()
            .map_err(|_| row.corrupt("blackouts"))?,
        max_run_seconds: opt_bound(row, "max_run_seconds")?,
        missed: row.text("missed")?,
        paused: row.get("paused")?,
    })
}

/// A bound that may not be set.
pub(in super::super) fn opt_bound(
    row: &Columns<'_>,
    column: &'static str,
) -> Result<Option<NonZeroU32>, StoreError> {
    let bound: Option<i64> = row.get(column)?;
    let bound = bound.map(u32::try_from).transpose();
    Ok(bound.map_err(|_| row.corrupt(column))?.and_then(NonZeroU32::new))
}

/// A registry without its sensors.
pub(super) fn read(row: &SqliteRow) -> Result<RegistryRecord, StoreError> {
    let row = Columns::of("registry", row);
    Ok(RegistryRecord {
        registry: NewRegistry {
            id: row.bytes("registry_id", RegistryId::from_slice)?,
            tenant: row.bytes("tenant_id", TenantId::from_slice)?,
            name: row.text("name")?,
            url: row.text("url")?,
            ca: CaTrust {
                bundle_pem: row.get("ca_bundle_pem")?,
                only_bundle: row.get("ca_only_bundle")?,
            },
            repositories: repository_patterns(&row)?,
            tags: tag_filter(&row)?,
            credential: row.opt_text("credential")?,
            budget: budget(&row)?,
            schedule: schedule(&row)?,
            sensors: Vec::new(),
        },
        version: row.number("version")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
        last_attempt_at: row.opt_time("last_attempt_at")?,
        last_success_at: row.opt_time("last_success_at")?,
        next_start_at: row.opt_time("next_start_at")?,
        planned: row.get("planned")?,
        last_event_at: row.opt_time("last_event_at")?,
        unannounced_at: row.opt_time("unannounced_at")?,
        events_since: row.opt_time("events_since")?,
        facts: row.json("facts")?,
    })
}

/// Fills in the sensors of registries of one tenant.
pub(super) async fn add_sensors(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    records: &mut [RegistryRecord],
) -> Result<(), StoreError> {
    let ids = rows::array(records.iter().map(|record| hex(record.registry.id.as_bytes())))?;
    let rows = sqlx::query(
        "SELECT registry_sensor.registry_id, registry_sensor.sensor_id
         FROM json_each(?2) CROSS JOIN registry_sensor
         WHERE registry_sensor.tenant_id = ?1 AND registry_sensor.registry_id = unhex(json_each.value)
         ORDER BY registry_sensor.registry_id, registry_sensor.rank",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(ids)
    .fetch_all(&mut *connection)
    .await
    .during("find the sensors of a registry")?;
    for row in &rows {
        let row = Columns::of("registry_sensor", row);
        let registry = row.bytes("registry_id", RegistryId::from_slice)?;
        let sensor = row.bytes("sensor_id", SensorId::from_slice)?;
        if let Some(record) = records.iter_mut().find(|record| record.registry.id == registry) {
            record.registry.sensors.push(sensor);
        }
    }
    Ok(())
}

/// Replaces the sensors of a registry. [`StoreError::Unknown`] if one does not exist or is revoked.
pub(super) async fn put_sensors(
    tx: &mut Transaction<'static, Sqlite>,
    registry: &NewRegistry,
) -> Result<(), StoreError> {
    const ACTION: &str = "assign sensors to a registry";
    let refused = |why: &str| {
        Err(StoreError::Refused {
            what: "list of sensors",
            why: why.to_owned(),
        })
    };
    if registry.sensors.is_empty() {
        return refused("a registry needs at least one");
    }
    for (rank, sensor) in registry.sensors.iter().enumerate() {
        if registry.sensors[..rank].contains(sensor) {
            return refused("the same sensor stands in it twice");
        }
    }
    let sensors = rows::array(registry.sensors.iter().map(|sensor| hex(sensor.as_bytes())))?;
    let missing = sqlx::query(
        "SELECT unhex(value) AS sensor_id FROM json_each(?2)
         WHERE NOT EXISTS (SELECT 1 FROM sensor WHERE tenant_id = ?1 AND sensor_id = unhex(value) AND state <> 'revoked')
         ORDER BY key LIMIT 1",
    )
    .bind(registry.tenant.as_bytes().as_slice())
    .bind(&sensors)
    .fetch_optional(&mut **tx)
    .await
    .during(ACTION)?;
    if let Some(row) = missing {
        let sensor = Columns::of("sensor", &row).bytes("sensor_id", SensorId::from_slice)?;
        return Err(StoreError::Unknown {
            what: "sensor",
            name: sensor.to_string(),
        });
    }
    sqlx::query("DELETE FROM registry_sensor WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(registry.tenant.as_bytes().as_slice())
        .bind(registry.id.as_bytes().as_slice())
        .execute(&mut **tx)
        .await
        .during(ACTION)?;
    sqlx::query(
        "INSERT INTO registry_sensor (tenant_id, registry_id, rank, sensor_id)
         SELECT ?1, ?2, key, unhex(value) FROM json_each(?3)",
    )
    .bind(registry.tenant.as_bytes().as_slice())
    .bind(registry.id.as_bytes().as_slice())
    .bind(sensors)
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    Ok(())
}
