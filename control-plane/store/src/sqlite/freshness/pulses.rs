//! Registries with what is to be judged of them.

use portolan_shared::model::{RegistryId, RunId, SensorId, TenantId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::super::columns::Columns;
use super::super::credential::can_open;
use super::super::failure::During as _;
use super::super::rows::{self, hex};
use super::super::{SqliteStore, keyset, registry};
use crate::{AssignedSensor, EndedRun, Page, PageRequest, RegistryPulse, StoreError, WaitingRun};

const READ: &str = "judge how fresh registries are";

/// When something has asked for a run, in milliseconds; `reason` is one of its reasons.
macro_rules! asked_at {
    () => {
        "CAST(round(unixepoch(reason.value ->> 'at', 'subsec') * 1000) AS INTEGER)"
    };
}

/// Whether it was something else than a person, who would see that his run waits. The same as
/// [`RunReason::is_a_persons`](crate::RunReason::is_a_persons).
macro_rules! not_a_persons {
    () => {
        "reason.value ->> 'trigger' <> 'manual'"
    };
}

/// Between what says which registries, and what says in which order. Each of their runs is found by an index that is named: left
/// to itself, SQLite goes through all runs of the tenant for one of them.
macro_rules! pulses {
    ($from:literal, $which:literal) => {
        concat!(
            "SELECT registry.registry_id, registry.name, registry.schedule, registry.zone, registry.jitter_seconds,
                    registry.blackouts, registry.max_run_seconds, registry.missed, registry.paused, registry.created_at,
                    registry.last_attempt_at, registry.last_success_at, registry.next_start_at, registry.last_event_at,
                    registry.unannounced_at, registry.facts, registry.paused_at, registry.globs,
                    registry.wanted_version > registry.seen_version
                        AND (registry.last_success_at IS NOT NULL OR whole.state IS 'complete') AS changed,
                    whole.run_id AS whole_id, whole.state AS whole_state, whole.ended_at AS whole_ended_at,
                    whole.finding AS whole_finding,
                    last.run_id AS last_id, last.state AS last_state, last.ended_at AS last_ended_at,
                    last.finding AS last_finding,
                    waiting.run_id AS waiting_id,
                    (SELECT max(min(", asked_at!(), "), waiting.not_before) FROM json_each(waiting.reasons) AS reason
                      WHERE ", not_a_persons!(), ") AS waiting_since,
                    EXISTS (SELECT 1 FROM run INDEXED BY run_unended WHERE run.tenant_id = ?1 AND run.registry_id = registry.registry_id
                               AND run.state = 'queued' AND run.state IN ('queued', 'leased')) AS queued,
                    EXISTS (SELECT 1 FROM run INDEXED BY run_unended WHERE run.tenant_id = ?1 AND run.registry_id = registry.registry_id
                               AND run.state = 'leased' AND run.state IN ('queued', 'leased') AND run.beside = 0) AS being_read
             FROM ", $from, "
             LEFT JOIN run AS whole ON whole.tenant_id = ?1 AND whole.run_id = (
                 SELECT run_id FROM run INDEXED BY run_whole WHERE run.tenant_id = ?1 AND run.registry_id = registry.registry_id
                    AND run.scope = '[]' AND run.state IN ('complete', 'partial', 'failed')
                 ORDER BY run.ended_at DESC, run.run_id DESC LIMIT 1)
             LEFT JOIN run AS last ON last.tenant_id = ?1 AND last.run_id = (
                 SELECT run_id FROM run INDEXED BY run_age_in_registry WHERE run.tenant_id = ?1 AND run.registry_id = registry.registry_id
                    AND run.state IN ('complete', 'partial', 'failed')
                 ORDER BY run.queued_at DESC, run.run_id DESC LIMIT 1)
             LEFT JOIN run AS waiting ON waiting.tenant_id = ?1 AND waiting.run_id = (
                 SELECT run.run_id FROM run INDEXED BY run_unended CROSS JOIN json_each(run.reasons) AS reason
                  WHERE run.tenant_id = ?1 AND run.registry_id = registry.registry_id
                    AND run.state = 'queued' AND run.state IN ('queued', 'leased') AND ", not_a_persons!(), "
                  ORDER BY max(", asked_at!(), ", run.not_before), run.run_id LIMIT 1)
             WHERE registry.tenant_id = ?1 AND ", $which
        )
    };
}

const SOME: &str = pulses!(
    "json_each(?2) AS wanted CROSS JOIN registry",
    "registry.registry_id = unhex(wanted.value)"
);
const PAGE: &str = pulses!("registry", "registry.name > ?2 ORDER BY registry.name LIMIT ?3");
const SENSORS: &str = concat!(
    "SELECT registry_sensor.registry_id, sensor.sensor_id, sensor.name, sensor.state, sensor.last_seen_at, ",
    can_open!(),
    " AS can_open
     FROM json_each(?2) CROSS JOIN registry_sensor CROSS JOIN sensor
     WHERE registry_sensor.tenant_id = ?1 AND registry_sensor.registry_id = unhex(json_each.value)
       AND sensor.tenant_id = ?1 AND sensor.sensor_id = registry_sensor.sensor_id
     ORDER BY json_each.key, registry_sensor.rank"
);

pub(super) async fn some(
    store: &SqliteStore,
    tenant: TenantId,
    registries: &[RegistryId],
) -> Result<Vec<RegistryPulse>, StoreError> {
    if registries.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = rows::array(registries.iter().map(|registry| hex(registry.as_bytes())))?;
    let mut tx = store.read().await?;
    let rows = sqlx::query(SOME)
        .bind(tenant.as_bytes().as_slice())
        .bind(wanted)
        .fetch_all(&mut *tx)
        .await
        .during(READ)?;
    with_sensors(&mut tx, tenant, &rows).await
}

pub(super) async fn page(
    store: &SqliteStore,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<RegistryPulse>, StoreError> {
    let after = keyset::after::<String>(page)?.unwrap_or_default();
    let mut tx = store.read().await?;
    let rows = sqlx::query(PAGE)
        .bind(tenant.as_bytes().as_slice())
        .bind(after)
        .bind(keyset::rows_wanted(page))
        .fetch_all(&mut *tx)
        .await
        .during(READ)?;
    let found = with_sensors(&mut tx, tenant, &rows).await?;
    keyset::page(page, found, |last| last.name.as_str().to_owned())
}

async fn with_sensors(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    found: &[SqliteRow],
) -> Result<Vec<RegistryPulse>, StoreError> {
    let mut pulses = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let ids = rows::array(pulses.iter().map(|pulse| hex(pulse.registry.as_bytes())))?;
    let rows = sqlx::query(SENSORS)
        .bind(tenant.as_bytes().as_slice())
        .bind(ids)
        .fetch_all(connection)
        .await
        .during(READ)?;
    // Both are in the same order: each registry's sensors stand behind those of the one before.
    let mut pulse = pulses.iter_mut().peekable();
    for row in &rows {
        let row = Columns::of("registry_sensor", row);
        let registry = row.bytes("registry_id", RegistryId::from_slice)?;
        while pulse.next_if(|pulse| pulse.registry != registry).is_some() {}
        if let Some(pulse) = pulse.peek_mut() {
            pulse.sensors.push(AssignedSensor {
                sensor: row.bytes("sensor_id", SensorId::from_slice)?,
                name: row.get("name")?,
                state: row.text("state")?,
                last_seen_at: row.opt_time("last_seen_at")?,
                can_open: row.get("can_open")?,
            });
        }
    }
    Ok(pulses)
}

fn read(row: &SqliteRow) -> Result<RegistryPulse, StoreError> {
    let row = Columns::of("registry", row);
    let waiting = match row.opt_bytes("waiting_id", RunId::from_slice)? {
        Some(run) => Some(WaitingRun {
            run,
            since: row.time("waiting_since")?,
        }),
        None => None,
    };
    Ok(RegistryPulse {
        registry: row.bytes("registry_id", RegistryId::from_slice)?,
        name: row.text("name")?,
        schedule: registry::schedule(&row)?,
        paused_at: row.opt_time("paused_at")?,
        repositories: registry::repository_patterns(&row)?,
        changed: row.get("changed")?,
        created_at: row.time("created_at")?,
        last_attempt_at: row.opt_time("last_attempt_at")?,
        last_success_at: row.opt_time("last_success_at")?,
        next_start_at: row.opt_time("next_start_at")?,
        last_event_at: row.opt_time("last_event_at")?,
        unannounced_at: row.opt_time("unannounced_at")?,
        facts: row.json("facts")?,
        last_whole: ended(
            &row,
            ["whole_id", "whole_state", "whole_ended_at", "whole_finding"],
        )?,
        last_run: ended(&row, ["last_id", "last_state", "last_ended_at", "last_finding"])?,
        being_read: row.get("being_read")?,
        queued: row.get("queued")?,
        waiting,
        sensors: Vec::new(),
    })
}

/// A run, if there is one, from the columns of its id, state, end and finding.
fn ended(
    row: &Columns<'_>,
    [id, state, at, finding]: [&'static str; 4],
) -> Result<Option<EndedRun>, StoreError> {
    let Some(run) = row.opt_bytes(id, RunId::from_slice)? else {
        return Ok(None);
    };
    Ok(Some(EndedRun {
        run,
        state: row.text(state)?,
        ended_at: row.time(at)?,
        finding: row.opt_json(finding)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn each_registrys_runs_are_found_without_reading_the_others() {
        let indexes = ["run_whole", "run_age_in_registry", "run_unended"];
        plan::goes_by(&indexes, super::SOME).await;
        plan::goes_by(&indexes, super::PAGE).await;
        plan::goes_by(&[], super::SENSORS).await;
    }
}
